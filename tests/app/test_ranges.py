"""Of tables and lists by ranges, the rows that hold the quantity of the question are quoted, and the others are not."""

from __future__ import annotations

import pytest

from tests.app.test_answer import citations, extracted

YEARS = ("less than 2 years", "2 to 4 years", "5 to 9 years", "10 years or more")
AMOUNTS = ("up to 500 EUR", "501 - 2,000 EUR", "over 2,000 EUR")
JAHRE = ("unter 2 Jahren", "ab 2 Jahren", "ab 5 Jahren", "ab 10 Jahren")
WEIGHTS = ("bis 2 kg", "über 2 bis 5 kg", "5,1 bis 20 kg", "mehr als 20 kg")
AGES = ("under 6", "6–17", "18-64", "65 and older")  # noqa: RUF001
TEAMS = ("1-10 users", "11-50 users", "51+ users")
BEFORE = ("more than 30 days before arrival", "8 to 30 days before arrival", "less than 8 days before arrival")
UP_TO_BEFORE = ("up to 30 days before arrival", "up to 8 days before arrival", "up to 2 days before arrival")
PIECES = ("below 100", "between 100 and 499", "at least 500")
DAYS = "It depends:\n\n- up to 3 days: Alder\n- from 4 days: Birch\n- over 14 days: Cedar"
LOANS = "- Loans of up to $1,000 take Alder\n- Loans of $1,001 to $5,000 take Birch\n- Loans over $5,000 take Cedar"
MONTHS = ("1 month: Alder", "2 months: Birch", "4 months: Cedar")
NAMES = ("Alder", "Birch", "Cedar", "Douglas")


def table(ranges: tuple[str, ...], header: str = "Kind", values: tuple[str, ...] = ()) -> str:
    rows = zip(ranges, values or NAMES, strict=False)
    return f"| {header} | Result |\n| --- | --- |\n" + "\n".join(f"| {each} | {value} |" for each, value in rows)


def quoted(text: str, question: str) -> set[str]:
    """Return the results that are quoted if the question resembles all rows alike, but the third one more."""
    similar = dict.fromkeys(NAMES, 0.9) | {"Cedar": 0.95}
    whole = "\n".join(text for text, _ in extracted(citations(text), similar, question))
    return {name for name in NAMES if name in whole}


@pytest.mark.parametrize(
    ("ranges", "question", "result"),
    [
        (YEARS, "What if I have worked here for one year?", "Alder"),
        (YEARS, "What do I get after 3 years?", "Birch"),
        (YEARS, "What do I get with 30 months?", "Birch"),
        (YEARS, "What comes after more than 10 years?", "Douglas"),
        (AMOUNTS, "Who signs an invoice of 620 euros?", "Birch"),
        (AMOUNTS, "Who signs €500?", "Alder"),
        (AMOUNTS, "Who signs EUR 12,000?", "Cedar"),
        (JAHRE, "Was bekomme ich nach sieben Jahren?", "Cedar"),
        (JAHRE, "Was bekomme ich nach einem Jahr?", "Alder"),
        (WEIGHTS, "Was kostet ein Paket von 2 kg?", "Alder"),
        (WEIGHTS, "Was kosten 2,5 kg?", "Birch"),
        (WEIGHTS, "Was kosten 900 Gramm?", "Alder"),
        (TEAMS, "Which is for a team of 25?", "Birch"),
        (TEAMS, "Which is for 300 people?", "Cedar"),
        (BEFORE, "What if I cancel two weeks before arrival?", "Birch"),
        (BEFORE, "What if I cancel 8 days before arrival?", "Birch"),
    ],
)
def test_the_row_that_holds_the_quantity_is_quoted_alone(ranges: tuple[str, ...], question: str, result: str) -> None:
    assert quoted(table(ranges), question) == {result}


@pytest.mark.parametrize(
    ("ranges", "header", "question", "result"),
    [
        (AGES, "Age", "What does it cost for a 16-year-old?", "Birch"),
        (AGES, "Age", "I am 70, what do I pay?", "Douglas"),
        (AGES, "Age", "What is it for a child of 4 years?", "Alder"),
        (PIECES, "Pieces", "What is it for 250 pieces?", "Birch"),
        (("1-499", "500-1,999", "2,000 or more"), "Pieces", "What is it for 700 pieces?", "Birch"),
        (("up to 5", "5 to 10", "more than 10"), "Distance (km)", "What for 7.5 km?", "Birch"),
    ],
)
def test_a_column_names_the_unit(ranges: tuple[str, ...], header: str, question: str, result: str) -> None:
    assert quoted(table(ranges, header), question) == {result}


@pytest.mark.parametrize(
    ("text", "question"),
    [
        (table(YEARS), "What do I get after 3 years, or after 12 years?"),  # two quantities
        (table(YEARS), "What if I have not worked here for 3 years?"),
        (table(YEARS), "What if I work 3 days a week?"),
        (table(YEARS), "What do I get after nearly 3 years?"),
        (table(YEARS), "What did I get 3 years ago?"),
        (table(YEARS), "What do I get after 9.5 years?"),  # between two rows
        (table(YEARS), "What does a 3-year-old get?"),
        (table(("2 to 4 years", "Birch", "Cedar")), "What do I get after 3 years?"),  # one range
        (table(("until 2020", "2021 to 2022", "since 2023")), "What do I get after 3 years?"),
        (table(("up to 10k EUR", "up to 20k EUR", "up to 30k EUR")), "Who signs 5 EUR?"),
        (table(UP_TO_BEFORE), "What if I cancel 5 days before arrival?"),  # 8 days or more: the last row
        (table(YEARS, values=MONTHS), "Who has 4 months?"),
        (table(YEARS, values=MONTHS), "Who has a result of 3 months?"),
        ("- Staff\n  - up to 3 years: Alder\n  - 4 years or more: Cedar", "What do I get after 2 years?"),
    ],
)
def test_no_row_is_left_out_in_doubt(text: str, question: str) -> None:
    assert "Cedar" in quoted(text, question)


@pytest.mark.parametrize(
    ("text", "question", "results"),
    [
        (DAYS, "Ill for 2 days?", "Alder"),
        (DAYS, "Ill for a week?", "Birch"),
        (f"{DAYS}\n- at work: Douglas", "What if I am ill for three weeks?", "Birch Cedar Douglas"),
        (LOANS, "What does a loan of 3,000 dollars take?", "Birch"),
    ],
)
def test_items_that_do_not_hold_the_quantity_are_left_out_of_a_list(text: str, question: str, results: str) -> None:
    assert quoted(text, question) == set(results.split())


def test_the_row_is_quoted_beside_a_sentence_that_resembles_the_question() -> None:
    text = f"What you get depends on the years.\n\n{table(YEARS)}"
    similar = {"depends on the years.": 0.2, "Birch": 0.05}
    whole = "\n".join(text for text, _ in extracted(citations(text), similar, "What do I get after one year?"))
    assert "Alder" in whole
    assert "Birch" not in whole


def test_the_parts_of_a_long_table_are_one() -> None:
    first, last = table(YEARS[:2]), table(YEARS[2:], values=("Cedar", "Douglas"))
    whole = "\n".join(text for text, _ in extracted(citations(first, last), {"Cedar": 0.9}, "What after one year?"))
    assert "Alder" in whole
    assert "Cedar" not in whole
