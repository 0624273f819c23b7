from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.answer import (
    INSTRUCTIONS,
    NOT_FOUND,
    Citation,
    Passage,
    Quote,
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
from tests.app.builders import ANSWER_RECORD, CITATION_RECORD, make_answer, make_candidates, make_chunk
from tests.conftest import FakeEmbedder

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "sample"


class ScriptedScorer:
    """Gives each text whose end is named the similarity to the question that stands there, every other one 0."""

    def __init__(self, similarities: Mapping[str, float]) -> None:
        self._similarities = similarities

    def similarities(self, text: str, passages: Sequence[str]) -> list[float]:
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
        ("- Bring the key\n* Bring the badge. Or call.", ["Bring the key", "Bring the badge. Or call."]),
        ("1. Press the button\n2) Wait for it\n10. Go on then", ["Press the button", "Wait for it", "Go on then"]),
        ("  - nested item here\n    goes on here", ["nested item here goes on here"]),
        ("-5 degrees are fine", ["-5 degrees are fine"]),
        ("2.5 days a month", ["2.5 days a month"]),
        ("First line\n\nSecond line", ["First line", "Second line"]),
        (
            "> [!WARNING]\n> Never exceed 3800 rpm.\n> > Ask Sonja first.",
            ["Never exceed 3800 rpm.", "Ask Sonja first."],
        ),
        ("Height\n140 mm\nWeight\n2.4 kg", ["Height 140 mm", "Weight 2.4 kg"]),
        ("- 9. Return the pallets\n- 5. Lock the gate", ["Return the pallets", "Lock the gate"]),
        (
            "2. SPEED\n2.1 Trucks drive at most 10 km/h.\n2.2 Inside halls drive\nat most 5 km/h.",
            ["SPEED", "2.1 Trucks drive at most 10 km/h.", "2.2 Inside halls drive at most 5 km/h."],
        ),
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
    assert split_sentences("| Bremen | 150 EUR |\n| Essen | 90 EUR |") == ["Bremen: 150 EUR", "Essen: 90 EUR"]
    assert split_sentences("| City | Limit |\n|---|---|\n| Essen | 90 | EUR |") == ["Essen | 90 | EUR"]
    assert split_sentences("|  |  |\n|---|---|\n| Essen | 90 EUR |") == ["Essen: 90 EUR"]


def test_a_bar_inside_a_cell_is_a_bar() -> None:
    table = "| Call | Means |\n|---|---|\n"
    assert split_sentences(table + r"| a \| b | either one |") == ["Call: a | b; Means: either one"]
    assert split_sentences(table + r"|nothing here|a \||") == ["Call: nothing here; Means: a |"]
    assert split_sentences(table + "|| nothing here |") == ["Means: nothing here"]
    assert split_sentences(r"| a \| b | either one |") == ["a | b: either one"]


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


@pytest.mark.slow
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


def extracted(
    shown: Sequence[Citation], similarities: Mapping[str, float], question: str = "q"
) -> list[tuple[str, int]]:
    found = extract(question, shown, ScriptedScorer(similarities), 0.5)
    return [(each.text, each.citation.number) for each in found.quotes]


PLAIN = "Trains come first. Flights need a reason."
LONG = " ".join(f"Sentence number {number} says something about travel and nothing else." for number in range(12))


def test_a_short_paragraph_is_quoted_whole_with_its_passage() -> None:
    shown = citations(PLAIN, "Hotels cost 150 euros. Breakfast is extra.")
    found = extract("q", shown, ScriptedScorer({"Breakfast is extra.": 0.9}), 0.5)
    (best,) = found.quotes
    assert (best.text, best.citation) == ("Hotels cost 150 euros. Breakfast is extra.", shown[1])


def test_of_a_long_paragraph_the_neighbors_of_the_best_sentence_are_quoted_as_far_as_they_are_short() -> None:
    ((text, _),) = extracted(citations(LONG), {"number 5 says something about travel and nothing else.": 1.0})
    assert "number 5 says" in text
    assert "number 6 says" in text
    assert "number 0 says" not in text
    assert len(text.split()) <= 40


def test_between_two_quoted_sentences_of_a_paragraph_nothing_is_left_out() -> None:
    sentences = [f"Sentence {number} says something of the card, its reader and the long cable." for number in range(5)]
    ((quoted, _),) = extracted(citations(" ".join(sentences)), {sentences[1]: 1.0, sentences[3]: 0.99})
    assert quoted == " ".join(sentences[1:4])


LIST = "Bring these papers:\n\n- a passport\n- a photo of yourself\n- the filled-in form"


def test_a_list_is_quoted_with_its_intro_and_its_items() -> None:
    for end in ("Bring these papers:", "a photo of yourself"):
        assert extracted(citations(LIST), {end: 1.0}) == [(LIST, 1)]


def test_a_list_is_quoted_with_its_label_in_bold() -> None:
    text = "**At home**\n\n- a desk from us\n- a good chair\n\n__In the office__\n\n- a headset from us"
    assert extracted(citations(text), {"a headset from us": 1.0}) == [("__In the office__\n\n- a headset from us", 1)]


def test_of_a_long_list_the_best_item_is_quoted_below_the_intro_and_the_items_that_hold_it() -> None:
    items = "\n".join(f"- item {number} of a list that is long\n  - its detail {number} below" for number in range(9))
    ((text, _),) = extracted(citations(f"Take this:\n\n{items}"), {"its detail 4 below": 1.0})
    assert text == "Take this:\n\n- item 4 of a list that is long\n  - its detail 4 below"


def test_an_intro_never_comes_without_what_it_introduces() -> None:
    items = "\n".join(
        f"- item number {number} of a list that is so long that it is never quoted whole" for number in range(20)
    )
    ((text, _),) = extracted(citations(f"You need:\n\n{items}"), {"You need:": 1.0})
    assert text.startswith("You need:")
    assert text.count("- item") == 5


def test_a_row_is_quoted_below_the_header_of_its_table() -> None:
    table = "| City | Limit |\n| --- | --- |\n| Bremen | 150 EUR |\n| Essen | 90 EUR |"
    assert extracted(citations(table), {"City: Essen; Limit: 90 EUR": 1.0}) == [
        ("| City | Limit |\n| --- | --- |\n| Essen | 90 EUR |", 1)
    ]


def test_a_figure_of_the_question_decides_between_rows() -> None:
    table = "| Reports | Target |\n| --- | --- |\n| 4 | 60 hours |\n| 5 | 50 hours |"
    ((text, _),) = extracted(citations(table), {"hours": 0.5}, "Five people report to me. What is the target?")
    assert "| 5 | 50 hours |" in text


@pytest.mark.parametrize("question", ["How much may a hotel in Berlin cost?", "hotel berlin how much"])
def test_a_name_in_the_question_decides_between_rows(question: str) -> None:
    table = "| Place | Cap |\n| --- | --- |\n| Germany | 150 EUR |\n| Capitals (for instance Berlin, Paris) | 190 EUR |"
    ((text, _),) = extracted(citations(table), {"Place: Germany; Cap: 150 EUR": 0.05}, question)
    assert "190 EUR" in text
    assert "150 EUR" not in text


def test_a_name_in_the_title_decides_between_no_rows() -> None:
    table = "| Work | Code |\n| --- | --- |\n| Upkeep of Tock | 1109 |\n| Hiring | 1241 |"
    shown = (Citation(1, replace(make_chunk(table), title="Hours and Tock")),)
    ((text, _),) = extracted(shown, {"Work: Hiring; Code: 1241": 0.05}, "tock code for hiring")
    assert "1241" in text
    assert "1109" not in text


class ByPart(ScriptedScorer):
    """Finds the days for "many" and the manager for "approves"."""

    def similarities(self, text: str, passages: Sequence[str]) -> list[float]:
        wanted = {"many": "Thirty days a year.", "approves": "Your manager approves it."}
        ends = [end for word, end in wanted.items() if word in text]
        return [float(passage in ends) for passage in passages]


def test_each_part_of_a_question_gets_a_quote() -> None:
    shown = citations("Thirty days a year.", "Trains come first.", "Your manager approves it.")
    found = extract("How many days do I get, and who approves them?", shown, ByPart({}), 0.5)
    assert [each.citation.number for each in found.quotes] == [1, 3]


def test_the_second_part_of_a_question_is_not_dropped_for_another_quote_of_the_first() -> None:
    class ByPart(ScriptedScorer):
        def similarities(self, text: str, passages: Sequence[str]) -> list[float]:
            word = "days" if "get" in text else "manager"
            return [float(word in passage) for passage in passages]

    days = [f"Thirty days a year{', and then some more' * 11} {place}." for place in ("here", "there")]
    shown = citations(*days, "Your manager approves it.")
    found = extract("What do I get, and who approves it?", shown, ByPart({}), 0.5)
    assert [each.citation.number for each in found.quotes] == [1, 3]


def test_a_part_of_a_question_may_get_two_quotes_that_are_nearly_as_good() -> None:
    shown = citations("Thirty days a year.", "Forty days a year.", "Your manager approves it.")
    similar = {"Thirty days a year.": 0.8, "Forty days a year.": 0.8}
    quotes = extracted(shown, similar, "What may I take, and who decides?")
    assert [number for _, number in quotes] == [1, 2]


def test_the_kind_of_value_asked_for_decides_within_the_best_passage() -> None:
    shown = citations(
        f"The help desk has a phone number. {LONG} Call 555-0142 at any time of the day.", "Dial 555-0199."
    )
    similar = {"The help desk has a phone number.": 0.9, "the day.": 0.8, "0199.": 0.7}
    ((text, number),) = extracted(shown, similar, "What is the phone number of the help desk?")
    assert number == 1
    assert "555-0142" in text


STEPS = "To order a badge:\n\n" + "\n".join(f"{n}. Step {n} {'goes on ' * 8}end{n}" for n in range(1, 5))


@pytest.mark.parametrize(
    ("text", "question", "num_steps"),
    [
        (STEPS, "How do I order a badge?", 4),
        (STEPS, "Who orders a badge?", 1),
        (STEPS.replace("1.", "-").replace("2.", "-").replace("3.", "-").replace("4.", "-"), "How do I order it?", 1),
    ],
)
def test_who_asks_how_gets_all_steps(text: str, question: str, num_steps: int) -> None:
    quotes = extract(question, citations(text), ScriptedScorer({"end3": 0.9}), 1.0).quotes
    assert quote(quotes).count("Step") == num_steps


class TopicScorer:
    """A sentence is as near to a question as the words are that they share."""

    def similarities(self, text: str, passages: Sequence[str]) -> list[float]:
        asked = set(re.findall(r"\w+", text.lower()))
        return [len(asked & set(re.findall(r"\w+", passage.lower()))) / len(asked) for passage in passages]


def test_a_follow_up_leads_over_the_question_before_it() -> None:
    shown = citations("Business class needs a director.\n\nBooks are paid.", "Phones need a director too.")
    asked = "and phones? (Who allows business)"
    assert extract(asked, shown, TopicScorer(), 1.0).quotes[0].text.startswith("Phones")


@pytest.mark.parametrize(
    ("question", "is_clear"),
    [
        ("What is the price of an account?", False),
        ("What is an account?", True),
        ("How many accounts are there?", True),
    ],
)
def test_without_the_kind_of_value_asked_for_nothing_clearly_answers(question: str, is_clear: bool) -> None:
    shown = citations("Two accounts share everything.")
    assert extract(question, shown, ScriptedScorer({"everything.": 0.9}), 0.5).is_clear is is_clear


def test_only_what_holds_the_exact_term_of_the_question_is_quoted() -> None:
    codes = "\n".join(f"- ERR_NET_{number:03}: check part {number}" for number in range(30))
    ((text, _),) = extracted(citations(codes), {"check part 19": 0.9}, "What do I do on ERR_NET_005?")
    assert text == "- ERR_NET_005: check part 5"


def test_what_is_about_an_exact_term_is_clear_also_where_nothing_else_is_cited() -> None:
    shown = citations("- ERR_NET_005: check part 5")
    assert extract("What do I do on ERR_NET_005?", shown, ScriptedScorer({}), 0.0).is_clear


def test_the_latest_in_one_part_of_a_question_leaves_the_other_part_alone() -> None:
    days, approval = citations("Thirty days a year.", "Your manager approves it.")
    approval = replace(approval, chunk=replace(approval.chunk, title="Approvals"))
    found = extract(
        "What is the latest on how many days I get, and who approves them?", (days, approval), ByPart({}), 0.5
    )
    assert [each.citation.number for each in found.quotes] == [1, 2]


def test_a_lower_rank_must_be_made_up_for() -> None:
    shown = citations("First sentence here.", "Second sentence here.", "Third sentence here.")
    assert [number for _, number in extracted(shown, {"here.": 0.8})] == [1, 2]  # .34 and .68 behind
    assert [number for _, number in extracted(shown, {"here.": 0.5, "Third sentence here.": 0.9})] == [3]


def test_a_question_in_a_passage_is_a_poor_answer() -> None:
    shown = citations("How many days do I get? Ask your manager.", "There are thirty days.")
    similar = {"How many days do I get?": 0.8, "There are thirty days.": 0.8}
    assert extracted(shown, similar)[0][1] == 2


@pytest.mark.parametrize(
    ("similarity", "best_similarity", "is_clear"), [(0.1, 0.5, False), (0.6, 0.5, True), (0.6, 0.0, False)]
)
def test_what_is_far_from_the_question_is_no_clear_answer(
    similarity: float, best_similarity: float, is_clear: bool
) -> None:
    found = extract("q", citations(PLAIN), ScriptedScorer({"reason.": similarity}), best_similarity)
    assert found.is_clear is is_clear


def test_a_list_that_answers_as_a_whole_is_quoted_whole() -> None:
    countries = "You may not work from these countries:\n\nWe cannot employ anybody there.\n\n- Cuba\n- Iran\n- Syria"
    scorer = {"You may not work from these countries: We cannot employ anybody there.": 0.9}
    ((text, _),) = extracted(citations(countries), scorer, "Where must I not work?")
    assert text.startswith("You may not work from these countries:")
    assert text.endswith("- Cuba\n- Iran\n- Syria")


@pytest.mark.parametrize("answer", ["It costs 14 euros a month.", "- Ask at the gate\n- Bring form P-3"])
def test_a_question_in_the_document_is_quoted_with_its_answer(answer: str) -> None:
    asked = "What does a parking permit cost?"
    ((text, _),) = extracted(citations(f"{asked}\n\n{answer}\n\nThe gate closes at nine."), {asked: 0.9}, asked)
    assert text.split() == f"{asked} {answer}".split()


def test_of_a_long_answer_to_a_question_its_first_sentence_is_quoted_too() -> None:
    asked = "What does it cost?"
    long = "The price depends on many things, " + "and then on other things, " * 8 + "as agreed."
    ((text, _),) = extracted(citations(f"{asked}\n\n{long} Then it ends."), {asked: 0.9}, asked)
    assert text == f"{asked} {long}"


def test_a_list_keeps_numbers_that_markdown_would_count_otherwise() -> None:
    ((text, _),) = extracted(citations("- 9. Return the pallets\n- 5. Lock the gate"), {"Lock the gate": 0.9})
    assert [line.strip() for line in text.split("\n")] == ["- 9. Return the pallets", "- 5. Lock the gate"]


def test_items_behind_one_that_ends_in_a_colon_belong_to_it() -> None:
    laptop = (
        "- Your manager tells you when a new laptop has come for you, with its number and the day you may fetch it.\n"
        "- Send the old one back within two weeks, by the courier that our service desk works with. Please ensure:\n"
        "- that it is clean and has no stickers of any kind left on it\n"
        "- that the charger and the cable are in the same box as the laptop\n"
        "- that a note with your name and your office is on the lid"
    )
    ((text, _),) = extracted(citations(laptop), {"as the laptop": 0.9}, "charger too?")
    assert "Send the old one back" in text
    assert "tells you" not in text


@pytest.mark.parametrize("intro", ["How to add a calendar:", "カレンダーの追加方法："])  # noqa: RUF001
def test_what_introduces_something_else_is_a_poor_answer(intro: str) -> None:
    shown = citations(intro, "Open the settings and choose Holidays.")
    similar = {intro: 0.6, "Open the settings and choose Holidays.": 0.66}
    assert [number for _, number in extracted(shown, similar)] == [2]


def test_an_answer_that_would_be_long_is_one_quote() -> None:
    long = "The deposit is kept for a year, " + "and then for another year, " * 22 + "as agreed."
    assert len(extracted(citations(long, "Nobody pays a deposit."), {"agreed.": 0.8, "deposit.": 0.8})) == 1


def test_without_a_sentence_there_is_nothing_to_quote() -> None:
    assert extract("q", [], ScriptedScorer({}), 0.5).quotes == ()
    assert not extract("q", citations("Bremen", "150"), ScriptedScorer({"": 1.0}), 0.5).is_clear


def test_a_quote_names_its_document_with_year_and_page() -> None:
    policy = replace(make_chunk("Thirty days.", title="Leave policy"), document="hr/leave-2026.pdf", page=3)
    assert quote([Quote("Thirty days.", Citation(2, policy))]) == "Thirty days.\n\n— Leave policy (2026), p. 3 [2]"


@pytest.mark.parametrize(
    ("heading", "question", "source"),
    [
        ("4.2.1 (2025-11-03)", "What was fixed?", "Changes, 4.2.1 (2025-11-03)"),
        ("Press P-600", "Which press exports?", "Changes, Press P-600"),
        ("Exports", "What was fixed?", "Changes"),
        ("A heading that says in many words what is below it", "Which one?", "Changes"),
    ],
)
def test_a_heading_that_may_answer_is_shown_with_the_quote(heading: str, question: str, source: str) -> None:
    fixed = replace(make_chunk("- Fixed: the export"), title="Changes", headings=("News", heading))
    found = extract(question, [Citation(1, fixed)], ScriptedScorer({"the export": 0.9}), 0.5)
    assert quote(found.quotes).endswith(f"— {source} [1]")


def test_quotes_of_one_passage_name_it_once() -> None:
    leave, travel = citations("Thirty days. Forty days.", "Trains come first.")
    text = quote([Quote("Thirty days.", leave), Quote("Forty days.", leave), Quote("Trains come first.", travel)])
    lines = [line.partition(" ")[0] for line in text.split("\n\n")]
    assert lines == ["Thirty", "Forty", "—", "Trains", "—"]


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
    text = quote([Quote("The limit is 150 euros [2] a night.", Citation(1, make_chunk("x")))])
    assert make_answer(text).used == {1}


def test_a_record_has_these_names() -> None:
    record: dict[str, Any] = make_answer("Thirty days [1].").as_record()
    assert list(record) == ANSWER_RECORD
    first, second = record["citations"]
    assert list(first) == CITATION_RECORD
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


# Blocks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("It runs at approx. 40 bar. It is green.", ["It runs at approx. 40 bar.", "It is green."]),
        ("Use the .NET client v. 2.1 or later. Then go.", ["Use the .NET client v. 2.1 or later.", "Then go."]),
        ("Es kostet inkl. MwSt. 480 Euro. Mehr nicht.", ["Es kostet inkl. MwSt. 480 Euro.", "Mehr nicht."]),
        ("Am 3. März 2026 ist sie fällig. Dann nicht.", ["Am 3. März 2026 ist sie fällig.", "Dann nicht."]),
        ("病假超过三天必须提交医院证明。周末加班须批准。", ["病假超过三天必须提交医院证明。", "周末加班须批准。"]),
        ("社員は年間二十日です。翌年度末まで。", ["社員は年間二十日です。", "翌年度末まで。"]),
    ],
)  # fmt: skip
def test_a_quotation_is_a_whole_sentence_in_the_language_of_the_document(line: str, expected: list[str]) -> None:
    assert split_sentences(line) == expected


def test_wrapped_lines_are_one_paragraph_and_short_lines_stand_alone() -> None:
    wrapped = "Visitors may leave their car in the Harborside lot for at most four\nhours, and only between the lines."
    assert split_sentences(wrapped) == [wrapped.replace("\n", " ")]
    assert split_sentences("Anna Berg\nMain Street 4\nOslo Norway") == ["Anna Berg", "Main Street 4", "Oslo Norway"]


def test_a_form_is_quoted_whole() -> None:
    form = "|  |  |\n| --- | --- |\n| Borrower | Karin Solberg |\n| Asset tag | LT-20417 |"
    assert extracted(citations(form), {"Asset tag: LT-20417": 0.9}, "Who borrowed LT-20417?") == [(form, 1)]


def test_rows_about_another_code_are_not_quoted() -> None:
    rows = "\n".join(f"| ZX-{number:05}/5 | {number} |" for number in range(40))
    table = f"| Part | Stock |\n| --- | --- |\n{rows}"
    ((text, _),) = extracted(citations(table), {"Part: ZX-00031/5; Stock: 31": 0.9}, "Stock of ZX-00021/5?")
    assert text.splitlines()[2:] == ["| ZX-00021/5 | 21 |"]


def test_a_section_is_found_by_its_number() -> None:
    shown = [
        Citation(1, make_chunk("This standard covers vessels.", headings=("1 Scope",))),
        Citation(2, make_chunk("Logs are kept for seven years.", headings=("3 Records", "3.1 Retention"))),
    ]
    assert extracted(shown, {}, "What does section 3.1 say?") == [("Logs are kept for seven years.", 2)]


def test_the_date_of_a_heading_decides() -> None:
    shown = [
        Citation(1, make_chunk("The price is 6.20 euros.", headings=("12 February 2025",))),
        Citation(2, make_chunk("The price is 6.80 euros.", headings=("14 May 2025",))),
    ]
    similar = {"6.20 euros.": 0.9, "6.80 euros.": 0.8}
    assert [number for _, number in extracted(shown, similar, "price after March 2025")] == [2]
    assert [number for _, number in extracted(shown, similar, "What is the latest price?")] == [2]
