from __future__ import annotations

from dataclasses import replace

import pytest

from app.answer import Answer, CitedSentence
from app.ui.answer_text import answer_markdown, timings_line
from tests.app.builders import make_answer

TEXT = "Thirty days [1]. Hotels: 150 euros. [2] Flights are free."


def written(text: str, *sentences: CitedSentence) -> Answer:
    return replace(make_answer(text), answered_by="writer", sentences=sentences)


def test_what_its_passages_do_not_say_is_marked_behind_its_citations() -> None:
    answer = written(
        TEXT,
        CitedSentence("Thirty days [1].", (1,), 0.9, True),
        CitedSentence("Hotels: 150 euros.", (2,), 0.1, False),
        CitedSentence("Flights are free.", (), 0.2, False),
    )
    shown = answer_markdown(answer, "a")
    first, second, third = shown.split("150 euros")[0], shown.split("#a-s2)")[1], shown.rsplit("free.", 1)[1]
    assert "not found in the sources" not in first
    assert second.startswith(" :orange-badge[")
    assert third.startswith(" :orange-badge[")
    assert shown.count("not found in the sources") == 2


@pytest.mark.parametrize("sentence", ["Not in the text.", ""])
def test_a_sentence_that_does_not_stand_there_marks_nothing_else(sentence: str) -> None:
    answer = written("Thirty days [1].", CitedSentence(sentence or "Elsewhere", (1,), 0.1, False))
    assert "not found" not in answer_markdown(answer, "a")


def test_a_text_cannot_make_marks_of_its_own() -> None:
    assert ":orange-badge[" not in answer_markdown(written("Fine :orange-badge[not found in the sources]"), "a")


def test_the_line_says_what_was_done_and_how_long_it_took() -> None:
    answer = replace(make_answer("x"), reranker="none", timings_ms={"search": 12.3, "answer": 5.0})
    assert (
        timings_line(answer)
        == f"searched 12 ms · {len(answer.ranking)} candidates, not reranked · answered 5 ms (extractive)"
    )
