from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.answer import (
    INSTRUCTIONS,
    MIN_SIMILARITY,
    NOT_FOUND,
    Citation,
    Passage,
    Sentence,
    checked,
    cite,
    echoes,
    extract,
    prompt,
    quote,
    split_sentences,
)
from app.reranking.rerank import rerank
from ingest.chunk import chunk
from ingest.parse import parse
from tests.app.builders import make_answer, make_candidates, make_chunk
from tests.conftest import FakeEmbedder

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "sample"


class ScriptedScorer:
    """Gives each text whose end is named the similarity to the question that stands there, every other one 0."""

    name = "scripted"
    blend = None

    def __init__(self, similarities: Mapping[str, float]) -> None:
        self._similarities = similarities

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        ends = sorted(self._similarities, key=len, reverse=True)
        found = [next((end for end in ends if passage.endswith(end)), None) for passage in passages]
        return [0.0 if end is None else self._similarities[end] for end in found]


def citations(*texts: str) -> tuple[Citation, ...]:
    return tuple(Citation(number, make_chunk(text)) for number, text in enumerate(texts, 1))


def words(text: str) -> str:
    """The text without table bars and line breaks."""
    return " ".join(text.replace("|", " ").split())


# Sentences -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One day off. Two days on! Is it so?", ["One day off.", "Two days on!", "Is it so?"]),
        ("Dr. Smith decides, e.g. by phone. Then you go.", ["Dr. Smith decides, e.g. by phone.", "Then you go."]),
        ("Version 1.2.3 is out. See a.b/c today.", ["Version 1.2.3 is out.", "See a.b/c today."]),
        ("- Bring the key\n* Bring the badge. Or call.", ["Bring the key", "Bring the badge.", "Or call."]),
        ("1. Press the button\n2) Wait for it\n10. Go on then", ["Press the button", "Wait for it", "Go on then"]),
        ("  - nested item here\n    goes on here", ["nested item here", "goes on here"]),
        ("-5 degrees are fine", ["-5 degrees are fine"]),
        ("2.5 days a month", ["2.5 days a month"]),
        ("First line\n\nSecond line", ["First line", "Second line"]),
        ("", []),
        ("\n \n", []),
    ],
)
def test_prose_and_lists_become_sentences(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_a_table_row_is_one_sentence_that_names_its_columns() -> None:
    text = "Caps:\n| City | Limit |\n| --- | :-: |\n| Bremen. Old town. | 150 EUR |\n|  | no limit |\nAfter it."
    assert split_sentences(text) == ["City: Bremen. Old town.; Limit: 150 EUR", "Limit: no limit", "After it."]


def test_a_row_that_has_no_header_or_another_number_of_cells_is_quoted_alone() -> None:
    assert split_sentences("| Bremen | 150 EUR |\n| Essen | 90 EUR |") == ["Bremen | 150 EUR", "Essen | 90 EUR"]
    assert split_sentences("| City | Limit |\n|---|---|\n| Essen | 90 | EUR |") == ["Essen | 90 | EUR"]
    assert split_sentences("|  |  |\n|---|---|\n| Essen | 90 EUR |") == ["Essen; 90 EUR"]


def test_a_bar_inside_a_cell_is_a_bar() -> None:
    table = "| Call | Means |\n|---|---|\n"
    assert split_sentences(table + r"| a \| b | either one |") == ["Call: a | b; Means: either one"]
    assert split_sentences(table + r"|nothing here|a \||") == ["Call: nothing here; Means: a |"]
    assert split_sentences(table + "|| nothing here |") == ["Means: nothing here"]
    assert split_sentences(r"| a \| b | either one |") == ["a | b | either one"]


def test_a_single_word_is_no_sentence() -> None:
    assert split_sentences("Bremen\n---\n...\n| 150 |") == []


def test_a_long_sentence_stays_whole() -> None:
    sentence = " ".join(["Who"] + ["travels"] * 200 + ["asks first."])
    row = "; ".join(f"Column {number}: a cell of a wide table" for number in range(30))
    names, cells = zip(*(cell.split(": ") for cell in row.split("; ")), strict=True)
    table = f"| {' | '.join(names)} |\n{'|---' * 30}|\n| {' | '.join(cells)} |"
    assert split_sentences(f"{sentence} Then it goes.\n{table}") == [sentence, "Then it goes.", row]


def test_a_heading_is_no_sentence() -> None:
    assert split_sentences("## Annual leave\nEverybody has it.") == ["Everybody has it."]


def test_a_dash_in_a_table_is_quoted() -> None:
    assert split_sentences("| Night shift | - | 20 EUR |") == ["Night shift | - | 20 EUR"]


def test_sentences_of_real_documents_stand_in_their_passage_word_for_word(embedder: FakeEmbedder) -> None:
    passages = [
        piece.text
        for path in sorted(SAMPLES.rglob("*.md"))
        for piece in chunk(parse(path), embedder.count_tokens, embedder.max_tokens)
    ]
    assert len(passages) > 50
    for passage in passages:
        for sentence in split_sentences(passage):
            for part in re.split(r": |; ", sentence):  # of a row: the name of each column, and its cell
                assert words(part) in words(passage)


# Extraction ------------------------------------------------------------------------------------------


def extracted(shown: Sequence[Citation], similarities: Mapping[str, float]) -> list[tuple[str, int]]:
    return [(sentence.text, sentence.number) for sentence in extract("q", shown, ScriptedScorer(similarities))]


def test_the_nearest_sentence_is_quoted_word_for_word_with_its_passage() -> None:
    shown = citations("Trains come first. Flights need a reason.", "Hotels cost 150 euros. Breakfast is extra.")
    (best,) = extract("q", shown, ScriptedScorer({"Breakfast is extra.": 0.8, "Flights need a reason.": 0.6}))
    assert best == Sentence("Breakfast is extra.", 2, 0.8)


def test_a_sentence_is_judged_alone_and_below_its_title_and_heading() -> None:
    plain = make_chunk("It has thirty days.", title="Travel")
    titled = make_chunk("It has thirty days!", title="Leave", headings=("Parental", "Length"))
    similarities = {
        "It has thirty days.": 0.7,
        "It has thirty days!": 0.7,
        "Travel \nIt has thirty days.": 0.6,
        "Leave Parental > Length\nIt has thirty days!": 0.9,
    }
    shown = [Citation(1, plain), Citation(2, titled)]
    assert extracted(shown, similarities) == [("It has thirty days!", 2)]
    (best,) = extract("q", shown, ScriptedScorer(similarities))
    assert best.similarity == pytest.approx((0.7 + 0.9) / 2)


@pytest.mark.parametrize(("similarity", "found"), [(MIN_SIMILARITY - 0.01, False), (MIN_SIMILARITY + 0.01, True)])
def test_below_the_least_similarity_nothing_is_quoted(similarity: float, found: bool) -> None:
    sentences = extracted(citations("Thirty days. Two weeks."), {"Thirty days.": similarity})
    assert sentences == ([("Thirty days.", 1)] if found else [])


def test_the_least_similarity_is_asked_of_a_sentence_wherever_its_passage_ranks() -> None:
    shown = citations("Nothing here.", "Nothing there.", "Thirty days.")
    assert extracted(shown, {"Thirty days.": MIN_SIMILARITY + 0.01}) == [("Thirty days.", 3)]


def test_further_sentences_must_be_nearly_as_near_as_the_best() -> None:
    similarities = {"The best one.": 0.9, "Another close one.": 0.86, "One too far.": 0.84}
    sentences = extracted(citations("One too far. Another close one. The best one."), similarities)
    assert sentences == [("The best one.", 1), ("Another close one.", 1)]


def test_a_place_further_down_must_be_made_up_for() -> None:
    shown = citations("Sentence one.", "Sentence two.", "Sentence three.")
    equal = {"Sentence one.": 0.8, "Sentence two.": 0.8, "Sentence three.": 0.8}
    assert extracted(shown, equal) == [("Sentence one.", 1), ("Sentence two.", 2)]  # 0.80, 0.76, 0.72
    nearer = {"Sentence one.": 0.7, "Sentence two.": 0.7, "Sentence three.": 0.9}
    assert extracted(shown, nearer) == [("Sentence three.", 3)]


def test_three_sentences_at_most_are_quoted_in_the_order_of_their_citations() -> None:
    # With the cost of the place: 0.86, 0.87, 0.88, 0.89.
    similarities = {"Sentence one.": 0.86, "Sentence two.": 0.91, "Sentence three.": 0.96, "Sentence four.": 0.89}
    shown = citations("Sentence four. Sentence one.", "Sentence two.", "Sentence three.")
    assert extracted(shown, similarities) == [("Sentence four.", 1), ("Sentence two.", 2), ("Sentence three.", 3)]


def test_the_same_sentence_is_quoted_once_from_where_it_is_nearest() -> None:
    shown = [
        Citation(1, make_chunk("Thirty days a year.", title="Old")),
        Citation(2, make_chunk("Thirty days a year.", title="New")),
    ]
    similarities = {"Thirty days a year.": 0.8, "Old \nThirty days a year.": 0.70, "New \nThirty days a year.": 0.85}
    assert extracted(shown, similarities) == [("Thirty days a year.", 2)]


def test_no_sentences_at_all_are_no_answer() -> None:
    assert extracted([], {}) == []
    assert extracted(citations("Bremen", "150"), {"": 1.0}) == []


def test_a_quotation_carries_its_number() -> None:
    assert (
        quote([Sentence("Thirty days.", 1, 0.9), Sentence("By train.", 3, 0.8)]) == "Thirty days. [1]\n\nBy train. [3]"
    )


def test_nothing_to_quote_is_said() -> None:
    assert quote([]) == NOT_FOUND


# Citations and the finished answer -------------------------------------------------------------------


def test_the_best_passages_are_cited_from_one() -> None:
    ranking = rerank("q", make_candidates("a", "b", "c"), None)
    assert [(citation.number, citation.chunk.text) for citation in cite(ranking, 2)] == [(1, "a"), (2, "b")]
    assert len(cite(ranking, 20)) == 3


@pytest.mark.parametrize(
    ("text", "used"), [("None.", set()), ("A [1]. B [12][3]. C [1].", {1, 3, 12}), ("[a] [ 2 ] (4) 5]", set())]
)
def test_used_are_the_numbers_in_the_text(text: str, used: set[int]) -> None:
    assert make_answer(text).used == used


def test_a_footnote_mark_inside_a_quotation_is_no_citation() -> None:
    text = quote([Sentence("The limit is 150 euros [2] a night.", 1, 0.9)])
    assert make_answer(text).used == {1}


def test_a_record_has_these_names() -> None:
    record: dict[str, Any] = make_answer("Thirty days [1].").as_record()
    assert list(record) == [
        "question",
        "answer",
        "answered_by",
        "found",
        "complete",
        "stopped",
        "struck_out",
        "query",
        "within",
        "num_dropped_citations",
        "sentences",
        "note",
        "citations",
        "ranking",
        "reranker",
        "reranker_version",
        "embedder",
        "timings_ms",
    ]
    first, second = record["citations"]
    assert list(first) == ["number", "chunk_id", "document", "title", "heading", "page", "used", "text"]
    assert (first["number"], first["used"], second["number"], second["used"]) == (1, True, 2, False)
    assert json.loads(json.dumps(record)) == record


# A language model's text -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kept", "num_dropped"),
    [
        ("Thirty days [1].", "Thirty days [1].", 0),
        ("Thirty days [9].", "Thirty days.", 1),
        ("Thirty days [1][9][2].", "Thirty days [1][2].", 1),
        ("Thirty days [0] a year [1].", "Thirty days a year [1].", 1),
        ("  Thirty days.\n", "Thirty days.", 0),
        ("See [note] and a[i] [1].", "See [note] and a[i] [1].", 0),
        ("Thirty days [1, 9; 2].", "Thirty days [1][2].", 1),
        ("Thirty days 【2】 or so【9†source】.", "Thirty days [2] or so.", 1),
        ("One [7], two [8], three [7].", "One, two, three.", 3),
    ],
)
def test_numbers_that_were_not_given_are_dropped_and_counted(text: str, kept: str, num_dropped: int) -> None:
    assert checked(text, {1, 2}) == (kept, num_dropped, True)


@pytest.mark.parametrize("text", ["", "  \n", "[9]", "NOT IN THE DOCUMENTS", "NOT IN THE DOCUMENTS."])
def test_an_abstention_becomes_our_own_words(text: str) -> None:
    assert checked(text, {1, 2})[::2] == (NOT_FOUND, False)
    assert checked("Sorry: NOT IN THE DOCUMENTS [1]", {1}) == (NOT_FOUND, 0, False)


@pytest.mark.parametrize(
    ("so_far", "shown"),
    [
        ("Thirty days [1] or [", "Thirty days [1] or"),
        ("Thirty days [1] or [1", "Thirty days [1] or"),
        ("Thirty days [1, ", "Thirty days"),
        ("Thirty days [9] or", "Thirty days or"),
        ("NOT IN THE DOC", ""),
        ("NOT", ""),
        ("Nothing", "Nothing"),
    ],
)
def test_of_a_growing_text_no_half_citation_is_shown(so_far: str, shown: str) -> None:
    assert checked(so_far, {1, 2}, grows=True).text == shown


def test_a_text_that_repeats_its_instructions_is_known() -> None:
    messages = prompt("How long?", [])
    lines = INSTRUCTIONS.splitlines()
    assert echoes(f"Sure! {lines[1]} And so on.", messages)
    assert echoes("\n".join(lines), messages)
    assert not echoes("Thirty days, as the passages of the documents below say [1].", messages)


def test_the_instructions_name_the_words_that_count_as_abstention() -> None:
    phrase = re.search(r"reply exactly: (.+)", INSTRUCTIONS)
    assert phrase is not None
    assert checked(phrase[1], {1}).found is False


def test_the_prompt_holds_instructions_numbered_passages_and_the_question() -> None:
    shown = [Passage(1, "Leave > Annual", "Thirty days."), Passage(2, "Travel", "By train.")]
    assert prompt("How long?", shown) == [
        {"role": "system", "content": INSTRUCTIONS},
        {
            "role": "user",
            "content": "Passages:\n\n[1] Leave > Annual\nThirty days.\n\n[2] Travel\nBy train.\n\nQuestion: How long?",
        },
    ]
