"""Which of the cited parts are about what a question names: identifiers, days and years; and bare figures of tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from app.answer import Citation, extract, split_sentences
from app.search.dates import asked_periods
from app.search.fusion import exact_matches, exact_terms
from tests.app.builders import make_chunk
from tests.app.test_answer import ScriptedScorer, citations, extracted

CODES = "These codes are known:\n\n- TL-101: the door is open\n- TL-205: the lamp is broken\n- TL-310: the belt is cold"


def test_of_a_short_list_only_the_items_about_the_identifier_are_quoted() -> None:
    ((text, _),) = extracted(citations(CODES), {"lamp is broken": 0.9}, "What does TL-205 mean?")
    assert "lamp" in text
    assert "door" not in text
    assert "belt" not in text


def test_each_identifier_of_a_question_gets_its_part() -> None:
    texts = extracted(citations(CODES), {"door is open": 0.9}, "What do TL-101 and TL-310 mean?")
    whole = "\n".join(text for text, _ in texts)
    assert "door" in whole
    assert "belt" in whole
    assert "lamp" not in whole


def test_identifiers_of_an_earlier_question_matter_only_without_others() -> None:
    for question, words in (("And TL-205? (What is TL-310?)", "lamp"), ("And why? (What is TL-310?)", "belt")):
        ((text, _),) = extracted(citations(CODES), {"door is open": 0.9}, question)
        assert words in text
        assert "door" not in text


def test_a_text_that_names_one_identifier_is_about_it_as_a_whole() -> None:
    contract = "Contract no. L-88213 is with the owner of the hall. It may be ended six months before the year ends."
    other = "A contract may be ended three months before the year ends."
    similar = {"before the year ends.": 0.9, other: 0.95}
    assert quoted(dated(("Hall", contract), ("Terms", other)), similar, "When may L-88213 be ended?") == [contract]


def test_the_rest_of_a_document_whose_opening_names_the_identifier_is_about_it() -> None:
    opening = replace(make_chunk("This is contract no. L-88213 with the owner."), document_id="a", start=0, end=50)
    rest = replace(make_chunk("It may be ended in June."), document_id="a", start=900, end=950)
    other = replace(make_chunk("It may be ended in May."), document_id="b", start=900, end=950)
    shown = [Citation(number, chunk) for number, chunk in enumerate((opening, rest, other), 1)]
    found = extract("When may L-88213 be ended?", shown, ScriptedScorer({"in June.": 0.8, "in May.": 0.9}), 0.5)
    assert [quote.text for quote in found.quotes] == ["It may be ended in June."]


@pytest.mark.parametrize(
    ("question", "terms"),
    [
        ("What does E-7 mean?", ["E-7"]),
        ("Which form is VF-9, or 55-1009?", ["VF-9", "55-1009"]),
        ("Extension of Greta F. Noll?", ["Greta F. Noll"]),
        ("A 30-day trial from 12-2024, in 2023/2024, with type-2 plugs", []),
    ],
)
def test_short_codes_and_pairs_of_numbers_name_one_thing(question: str, terms: list[str]) -> None:
    assert exact_terms(question) == terms


# times -----------------------------------------------------------------------------------------------

PRICES = ("The rate is 90 euros.", "The rate is 98 euros.")


def dated(*titles_and_texts: tuple[str, str]) -> list[Citation]:
    chunks = [replace(make_chunk(text, title=title), document_id=title) for title, text in titles_and_texts]
    return [Citation(number, chunk) for number, chunk in enumerate(chunks, 1)]


def quoted(shown: list[Citation], similar: dict[str, float], question: str) -> list[str]:
    return [quote.text for quote in extract(question, shown, ScriptedScorer(similar), 0.5).quotes]


def test_a_year_decides_between_documents_that_differ_in_it_and_not_against_others() -> None:
    shown = dated(("Prices 2025", PRICES[0]), ("Prices 2026", PRICES[1]), ("Staff", "Ann Lee leads the shop."))
    similar = {PRICES[0]: 0.7, PRICES[1]: 0.8, "the shop.": 0.75}
    assert quoted(shown, similar, "What is the rate in 2025?") == [PRICES[0]]
    assert quoted(shown, similar | {"the shop.": 0.95}, "Who led the shop in 2025?") == ["Ann Lee leads the shop."]


def test_each_of_two_years_gets_its_quote() -> None:
    shown = dated(("Prices 2025", PRICES[0]), ("Prices 2026", PRICES[1]))
    assert quoted(shown, {PRICES[1]: 0.9}, "Compare the rates of 2025 and 2026") == list(PRICES)


ROSTER = "| Day | On call |\n|---|---|\n| 2026-03-13 | Ida Berg |\n| 2026-03-14 | Ulf Holm |\n| 2026-03-15 | Eva Lind |"


def test_a_day_is_found_in_any_form_among_dated_rows() -> None:
    ((text, _),) = extracted(citations(ROSTER), {"Eva Lind": 0.9}, "Who is on call on 14 March 2026?")
    assert "Ulf Holm" in text
    assert "Eva Lind" not in text
    passages = [ROSTER, ROSTER.replace("-03-", "-04-"), "Valid from 14 March 2026."]
    assert exact_matches("Who is on call on 14.03.2026?", passages) == [True, False, False]


@pytest.mark.parametrize(
    ("question", "years"),
    [
        ("I have worked here since 2019. How many days do I get?", []),
        ("What does it cost up to 2000 euros, or contract 2023-0417?", []),
        ("Rates of 2025 and of 2026?", [2025, 2026]),
        ("I began in 2019. What was new in 2024?", [2024]),
    ],
)
def test_years_that_tell_the_situation_or_a_quantity_are_not_asked_for(question: str, years: list[int]) -> None:
    assert asked_periods(question) == [(date(year, 1, 1), date(year, 12, 31)) for year in years]


# values ----------------------------------------------------------------------------------------------

MENU = "| Dish | Staff (EUR) |\n|---|---|\n| Coffee | 1.00 |\n| Soup | 2.50 |"
PARTS = "| Part | Price (EUR) |\n|---|---|\n| TB-310 | 64 |\n| TB-320 | 70 |"
PHONES = "| Name | Telephone |\n|---|---|\n| Eva Lind | 1750 |\n| Ulf Holm | 1760 |"


@pytest.mark.parametrize(
    ("table", "question", "is_clear"),
    [
        (MENU, "How much does a coffee cost?", True),
        (MENU, "How much does a beer cost?", False),
        (PARTS, "How much does TB-310 cost?", True),
        (PARTS, "How much does it cost? (Who makes caps?)", False),
        (PHONES, "Who is Eva Lind? (How much does a coffee cost)", True),
        (PHONES, "and Eva Lind? (How much does a coffee cost)", False),
        (PHONES, "What is the phone number of Eva Lind?", True),
        (PHONES.replace("Telephone", "Room"), "What is the phone number of Eva Lind?", False),
    ],
)
def test_bare_figures_of_a_row_are_values_of_their_columns_kind(table: str, question: str, is_clear: bool) -> None:
    rows = split_sentences(table)
    found = extract(question, citations(table), ScriptedScorer({rows[0]: 2.0}), 1.0)
    assert found.is_clear is is_clear
