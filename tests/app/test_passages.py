from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.answer import Citation, Passage, choose
from ingest.chunk import Chunk
from tests.app.builders import make_chunk

BUDGET = 10_000
RULE = (
    "Dogs may come to the office when everybody in the room agrees with it and says so before their first day here, "
    "which whoever owns them has to ask for"
)


def tokens(text: str) -> int:
    return len(text.split())


def cited(*chunks: Chunk) -> list[Citation]:
    return [Citation(number, chunk) for number, chunk in enumerate(chunks, 1)]


def chosen(*chunks: Chunk, budget: int = BUDGET) -> list[Passage]:
    return choose(cited(*chunks), budget, tokens)


def numbers(passages: Sequence[Passage]) -> list[int]:
    return [passage.number for passage in passages]


def after(before: Chunk, text: str, *, gap: int = 2, headings: tuple[str, ...] = ()) -> Chunk:
    return make_chunk(text, document=before.document, headings=headings, start=before.end + gap)


# Order -----------------------------------------------------------------------------------------------


def test_passages_come_in_the_order_of_their_citations_below_title_and_headings() -> None:
    first = make_chunk("Trains first.", document="b.md", title="Travel", headings=("Trips", "Short"))
    assert chosen(first, make_chunk("Thirty days.", document="a.md", title="Leave")) == [
        Passage(1, "Travel > Trips > Short", "Trains first."),
        Passage(2, "Leave", "Thirty days."),
    ]


def test_the_numbers_are_those_of_the_citations() -> None:
    passages = choose([Citation(7, make_chunk("One.")), Citation(3, make_chunk("Two.", document="b.md"))], 99, tokens)
    assert numbers(passages) == [7, 3]
    assert str(passages[0]).startswith("[7] ")


def test_nothing_is_chosen_of_nothing() -> None:
    assert chosen() == []


def test_what_touches_follows_in_the_order_of_the_document_behind_the_best_of_them() -> None:
    opening = make_chunk("Opening words.", document="long.md")
    middle = after(opening, "Middle words.")
    ending = after(middle, "Ending words.")
    other, last = make_chunk("Other words.", document="other.md"), make_chunk("Last words.", document="last.md")
    assert numbers(chosen(ending, other, opening, last, middle)) == [3, 5, 1, 2, 4]
    assert numbers(chosen(other, ending, last, middle)) == [1, 4, 2, 3]


@pytest.mark.parametrize(("gap", "touches"), [(0, True), (4, True), (5, False), (-6, True)])
def test_two_passages_touch_when_hardly_anything_stands_between_them(gap: int, touches: bool) -> None:
    opening = make_chunk("Opening words.")
    other = make_chunk("Other words.", document="other.md")
    passages = chosen(after(opening, "What follows.", gap=gap), other, opening)
    assert numbers(passages) == ([3, 1, 2] if touches else [1, 2, 3])


def test_places_of_different_documents_do_not_touch() -> None:
    opening = make_chunk("Opening words.", document="a.md")
    foreign = make_chunk("Foreign words.", document="b.md", start=opening.end)
    assert numbers(chosen(foreign, make_chunk("Other words.", document="c.md"), opening)) == [1, 2, 3]


def test_what_goes_on_below_the_same_heading_needs_no_header() -> None:
    opening = make_chunk("Opening words.", headings=("Leave",))
    ending = after(opening, "Ending words.", headings=("Leave",))
    first, second = chosen(ending, opening)
    assert str(first) == "[2] Guide > Leave\nOpening words."
    assert str(second) == "[1] Ending words."


def test_what_touches_below_another_heading_has_its_own_header() -> None:
    opening = make_chunk("Opening words.", headings=("Leave",))
    _, second = chosen(opening, after(opening, "Ending words.", headings=("Travel",)))
    assert str(second) == "[2] Guide > Travel\nEnding words."


# The same twice --------------------------------------------------------------------------------------


def test_of_two_that_say_the_same_the_better_is_given_and_names_the_other() -> None:
    passages = chosen(
        make_chunk(RULE, document="new.md", title="Handbook"),
        make_chunk("Trains first.", document="b.md"),
        make_chunk(f"**{RULE.upper()}**!", document="old.md", title="Wiki"),
    )
    assert numbers(passages) == [1, 2]
    assert passages[0].also_in == ("Wiki",)
    assert str(passages[0]) == f"[1] Handbook (the same stands in: Wiki)\n{RULE}"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (RULE, RULE, True),
        (f"Note: {RULE.upper()}!\n\nMore is in the wiki.", RULE, True),
        (RULE, f"Note: {RULE.upper()}!\n\nMore is in the wiki.", False),
        (RULE, RULE.replace("the office", "our office"), False),
        (RULE, RULE.replace("may", "must"), False),
        (RULE, RULE.replace("may", "may not"), False),
        (f"{RULE} for 30 days", f"{RULE} for 20 days", False),
        (f"{RULE} for 30 or 20 days", f"{RULE} for 20 or 30 days", False),
        ("In town", "In towns", False),
    ],
)
def test_two_say_the_same_when_one_has_all_words_of_the_other(one: str, other: str, same: bool) -> None:
    passages = chosen(make_chunk(one, document="a.md", title="A"), make_chunk(other, document="b.md", title="B"))
    assert numbers(passages) == ([1] if same else [1, 2])


def test_each_other_title_is_named_once_and_never_its_own() -> None:
    copies = [make_chunk(RULE, document=f"{n}.md", title=title) for n, title in enumerate("ABABC")]
    (passage,) = chosen(*copies)
    assert passage.also_in == ("B", "C")


def test_where_else_it_stands_is_said_of_one_that_goes_on_too() -> None:
    opening = make_chunk("Opening words.")
    passages = chosen(opening, after(opening, RULE), make_chunk(RULE, document="wiki.md", title="Wiki"))
    assert numbers(passages) == [1, 2]
    assert "Wiki" in str(passages[1])


# The budget ------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_left_out_and_a_smaller_one_after_it_may_come_in() -> None:
    small, huge, smaller = "One two three.", "word " * 50, "Four five."
    chunks = [make_chunk(text, document=f"{n}.md", title="T") for n, text in enumerate((small, huge, smaller))]
    whole = sum(tokens(str(passage)) for passage in chosen(chunks[0], chunks[2]))
    assert numbers(chosen(*chunks, budget=whole)) == [1, 3]
    assert numbers(chosen(*chunks, budget=whole - 1)) == [1]
    assert numbers(chosen(*chunks, budget=BUDGET)) == [1, 2, 3]


@pytest.mark.parametrize("headings", [(), ("a heading of quite a few words " * 4,)])
def test_the_best_is_always_there_and_cut_where_it_is_too_long(headings: tuple[str, ...]) -> None:
    text = " ".join(f"word{number}" for number in range(500))
    best, *others = chosen(make_chunk(text, headings=headings), make_chunk("Small.", document="b.md"), budget=64)
    assert best.number == 1
    assert others == []
    assert best.text.endswith("…")
    assert text.startswith(best.text.removesuffix("…"))
    assert 48 <= tokens(str(best)) <= 64


def test_what_is_merged_away_costs_nothing() -> None:
    copy = make_chunk(RULE, document="b.md", title="Guide")
    small = make_chunk("Small one.", document="c.md", title="C")
    whole = sum(tokens(str(passage)) for passage in chosen(make_chunk(RULE), small))
    assert numbers(chosen(make_chunk(RULE), copy, small, budget=whole)) == [1, 3]
