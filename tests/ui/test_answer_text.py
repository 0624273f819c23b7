from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.answer import Answer, CitedSentence
from app.translation import follow
from app.ui.ask.answer_text import answer_markdown, card_of, shown_text, timings_line
from tests.app.builders import make_answer
from tests.ui.conftest import Run

TEXT = "Thirty days [1]. Hotels: 150 euros. [2] Flights are free."


@pytest.fixture
def german() -> Iterator[None]:
    follow(lambda: "de")
    yield
    follow(lambda: "en")


def written(text: str, *sentences: CitedSentence) -> Answer:
    return replace(make_answer(text), answered_by="writer", sentences=sentences)


def test_what_its_passages_do_not_say_is_marked_behind_its_citations() -> None:
    answer = written(
        TEXT,
        CitedSentence("Thirty days [1].", (1,), 0.9, True),
        CitedSentence("Hotels: 150 euros.", (2,), 0.1, False),
        CitedSentence("Flights are free.", (), 0.2, False),
    )
    shown = answer_markdown(answer, card_of("a"))
    first, second, third = shown.split("150 euros")[0], shown.split("#a-s2)")[1], shown.rsplit("free.", 1)[1]
    assert "not found in the sources" not in first
    assert second.startswith(" :orange-badge[")
    assert third.startswith(" :orange-badge[")
    assert shown.count("not found in the sources") == 2


@pytest.mark.parametrize(
    ("row", "marked"),
    [
        ("| hotel | 250 euros [2] |", "| hotel | 250 euros [2] MARK|"),
        ("| hotel | 250 euros | [2]", "| hotel | 250 euros MARK| [2]"),  # the table has two columns only
        ("| hotel | 250 euros [2]", "| hotel | 250 euros [2]MARK"),
        (r"| hotel | 250 \| 300", r"| hotel | 250 \| 300MARK"),
    ],
)
def test_a_row_of_a_table_is_marked_inside_its_last_cell(row: str, marked: str) -> None:
    table = "| What | How much |\n|---|---|\n"
    answer = written(f"{table}{row}\n| train | 30 euros [1] |", CitedSentence(row, (2,), 0.1, False))
    mark = " :orange-badge[:material/help: not found in the sources]"
    expected = marked.replace("[2]", r"[\[2\]](#a-s2)").replace("MARK", mark)
    assert (
        answer_markdown(answer, card_of("a")) == rf"{table}{expected}" + "\n" + r"| train | 30 euros [\[1\]](#a-s1) |"
    )


def test_a_citation_that_begins_the_next_paragraph_is_not_passed_by() -> None:
    answer = written("Flights are free.\n\n[2] says so.", CitedSentence("Flights are free.", (), 0.1, False))
    assert answer_markdown(answer, card_of("a")).split("\n\n")[0].endswith("not found in the sources]")


@pytest.mark.parametrize("sentence", ["Not in the text.", ""])
def test_a_sentence_that_does_not_stand_there_marks_nothing_else(sentence: str) -> None:
    answer = written("Thirty days [1].", CitedSentence(sentence or "Elsewhere", (1,), 0.1, False))
    assert "not found" not in answer_markdown(answer, card_of("a"))


def test_a_text_cannot_make_marks_of_its_own() -> None:
    assert ":orange-badge[" not in answer_markdown(
        written("Fine :orange-badge[not found in the sources]"), card_of("a")
    )


def test_the_words_around_quotes_are_in_the_language_of_the_reader(german: None) -> None:
    text = "It says — a, p. 3.\n\n— Travel, Hotels, p. 4, superseded by Travel 2026 [1]\n\n— Rent [2]"
    quotes = replace(make_answer("?"), text=f"{text}\n\nSee the figure on p. 9.\n\nSee the figure.")
    german_text = "It says — a, p. 3.\n\n— Travel, Hotels, S. 4, ersetzt durch Travel 2026 [1]\n\n— Rent [2]"
    assert shown_text(quotes) == f"{german_text}\n\nSiehe die Abbildung auf S. 9.\n\nSiehe die Abbildung."


def test_the_words_around_quotes_are_those_that_are_stored_in_english() -> None:
    text = "— Travel, Hotels, p. 4, superseded by Travel 2026 [1]\n\nSee the figure on p. 9."
    assert shown_text(replace(make_answer("?"), text=text)) == text


def test_the_line_says_what_was_done_and_how_long_it_took() -> None:
    answer = replace(make_answer("x"), reranker="none", timings_ms={"search": 12.3, "answer": 5.0})
    assert (
        timings_line(answer)
        == f"Searched in 12 ms · {len(answer.ranking)} passages found, not reranked · quotes chosen in 5 ms"
    )


def test_the_names_of_models_are_words_and_no_markdown() -> None:
    answer = replace(
        make_answer("x"),
        reranker="[free](http://evil.example)",
        answered_by="qwen:red[x]",
        timings_ms={"search": 12.3, "rerank": 7.0, "answer": 5.0},
    )
    assert timings_line(answer) == (
        r"Searched in 12 ms · 2 passages reranked in 7 ms by \[free\](http\://evil.example)"
        r" · answer written in 5 ms by qwen\:red\[x\]"
    )


def written_for_another_question() -> None:
    from dataclasses import replace
    from datetime import UTC, datetime

    from app.answer import CURATED
    from app.feedback import StoredAnswer
    from app.memory.votes import Statement
    from app.ui.ask.turn import _show_text
    from tests.app.builders import make_answer

    said = Statement("How long is it?", "cora", text="Thirty days [1].", at="2026-11-29T10:00:00+00:00")
    answer = replace(make_answer(), answered_by=CURATED, statement=said)
    _show_text(StoredAnswer("a", "c", "ben", datetime.now(UTC), answer))


def test_a_curators_answer_names_the_question_it_was_written_for(run_page: Run) -> None:
    page = run_page(written_for_another_question)
    assert page.markdown[0].value.endswith("Answered by cora on 29 November 2026] for “How long is it?”")
