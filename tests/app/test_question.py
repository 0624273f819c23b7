from __future__ import annotations

from datetime import date

import pytest

from app.answer.question import asked_value, figures_in, parts_of
from app.search.dates import asked_periods, asks_for_latest, periods_in
from app.search.query import MAX_QUERY_CHARACTERS, as_query

# Parts, figures and values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("How many days do I get?", ["How many days do I get?"]),
        ("How many days do I get, and who approves them?", ["How many days do I get", "who approves them?"]),
        ("I am new here. When do I get paid?", ["I am new here. When do I get paid?"]),
        (
            "How many hours can I have, from which rating on, and how long do I have to use them?",
            ["How many hours can I have", "from which rating on", "how long do I have to use them?"],
        ),
        ("Terms and conditions", ["Terms and conditions"]),
        ("What number do I call? (What is the program?)", ["What number do I call? (What is the program?)"]),
        ("Who pays, and when is it due? (the fee)", ["Who pays (the fee)", "when is it due? (the fee)"]),
    ],
)
def test_a_question_has_the_parts_that_ask(question: str, parts: list[str]) -> None:
    assert parts_of(question) == parts


def test_figures_may_be_written_as_words() -> None:
    assert figures_in("Five people, 007 and 3.5 each, at one table") == {"5", "7", "3.5"}


@pytest.mark.parametrize(
    ("question", "values", "others"),
    [
        (
            "What is the phone number of the desk?",
            ["(866) 450-6588", "Call extension 4400", "+49 30 123456"],
            ["Call us"],
        ),
        ("What number do I call for that?", ["1-800-222-0364"], ["page 12"]),
        ("How much does a badge cost?", ["25 euros", "$3", "EUR 4", "It is free.", "no extra charge"], ["30 days"]),
        ("What is the yearly price of an account?", ["€ 90"], ["Prices are on the site."]),
        ("How many cents per mile do I get?", ["67 cents"], ["Miles are paid."]),
        ("How many days do I get?", ["thirty days", "no limit", "3"], ["your days off", "all staff", "any questions"]),
        ("Wie viele Tage habe ich?", ["drei Tage"], ["deine Tage"]),
        ("What is the email address of the desk?", ["desk@example.org"], ["Write to the desk."]),
    ],
)
def test_what_a_question_asks_for_is_known_by_its_form(question: str, values: list[str], others: list[str]) -> None:
    asked = asked_value(question)
    assert asked is not None
    assert all(asked.form.search(value) for value in values)
    assert not any(asked.form.search(other) for other in others)


@pytest.mark.parametrize(
    "question",
    [
        "Can I pay by card?",
        "What phone number can I use?",
        "Who sets the price?",
        "How much leave do I get each pay period?",
    ],
)
def test_other_questions_ask_for_no_kind_of_value(question: str) -> None:
    assert asked_value(question) is None


# Dates -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "period"),
    [
        ("canteen price after March 2025", (date(2025, 4, 1), date.max)),
        ("Preise seit März 2025", (date(2025, 3, 1), date.max)),
        ("What was decided before 14 May 2025?", (date.min, date(2025, 5, 13))),
        ("What was valid until May 2025?", (date.min, date(2025, 5, 31))),
        ("Gewerbesteuer Weimar 2024", (date(2024, 1, 1), date(2024, 12, 31))),
        ("What does a hotel cost in 2026?", (date(2026, 1, 1), date(2026, 12, 31))),
        ("minutes of 2025-05-14", (date(2025, 5, 14), date(2025, 5, 14))),
        ("after December 9999", (date.max, date.max)),
        ("before January 0001", (date.min, date.min)),
        ("What costs 2,000 euros?", None),
        ("31 February 2025", None),
        ("Who is it?", None),
    ],
)
def test_the_period_that_a_question_names(question: str, period: tuple[date, date] | None) -> None:
    assert asked_periods(question) == ([period] if period else [])


def test_dates_of_a_heading_are_found_in_several_forms() -> None:
    found = periods_in("Minutes of May 14, 2025, 3. September 2024 2023, and 1.3.2022")
    assert [first for first, _ in found] == [date(2025, 5, 14), date(2024, 9, 3), date(2023, 1, 1), date(2022, 3, 1)]


def test_the_latest_is_asked_for_in_words() -> None:
    assert asks_for_latest("What is the latest policy?")
    assert not asks_for_latest("Am I late?")


# Queries ---------------------------------------------------------------------------------------------


def test_a_query_loses_what_nobody_sees() -> None:
    assert as_query("  pass\u200bword\u00ad reset ") == "password reset"


@pytest.mark.parametrize("question_first", [True, False])
def test_of_a_pasted_log_the_question_and_the_last_line_are_searched(question_first: bool) -> None:
    log = "Traceback\n" + "\n".join(f'  File "module_{number}.py", line {number}' for number in range(200))
    log += "\nConnectionResetError: [Errno 104]"
    question = "What do I do about this error on the gateway?"
    query = as_query(f"{question}\n{log}" if question_first else f"{log}\n\n{question}")
    assert question in query
    assert "ConnectionResetError: [Errno 104]" in query
    assert "module_100" not in query
    assert len(query) <= MAX_QUERY_CHARACTERS


def test_a_long_text_without_lines_is_cut() -> None:
    assert len(as_query("x" * 10_000_000)) == MAX_QUERY_CHARACTERS


def test_a_question_in_a_long_text_is_found_in_other_scripts() -> None:
    query = as_query(f"我有一个问题。打印机坏了怎么办？{'日志。' * 500}")  # noqa: RUF001
    assert query.startswith("打印机坏了怎么办？")  # noqa: RUF001
