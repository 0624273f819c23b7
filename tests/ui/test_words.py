from __future__ import annotations

import pytest

from app.ui.words import beginning_of, counted_reasons, milliseconds, preview, without_table_marks

CHINESE = "保修期为两年" * 100
WORDS = "word " * 100


@pytest.mark.parametrize("text", ["Abs " + CHINESE, CHINESE, "See http://example.org/" + "a" * 500])
def test_of_a_long_text_without_spaces_the_beginning_is_shown(text: str) -> None:
    assert preview(text, 180) == text[:180] + " …"
    assert beginning_of(text, 420) == text[:420] + " …"


def test_a_long_text_is_cut_between_words() -> None:
    assert preview(WORDS, 18) == "word word word …"
    assert beginning_of(WORDS, 18) == "word word word …"


def test_a_long_table_is_cut_between_rows() -> None:
    assert beginning_of("| one | two |\n" * 3, 35) == "| one | two |\n| one | two |\n\n…"


def test_a_header_without_a_row_is_left_out() -> None:
    text = "Codes of the probe.\n\n| code | cause |\n| --- | --- |\n| E-1 | ice |"
    assert beginning_of(text, 53) == "Codes of the probe. …"


def test_a_short_text_is_shown_whole() -> None:
    assert preview(" one\ntwo ", 8) == "one two"
    assert beginning_of("one\ntwo", 7) == "one\ntwo"


def test_a_table_is_read_without_its_marks() -> None:
    table = "Costs:\n\n| City | Euros |\n| --- | ---: |\n| Bonn \\| Cologne | 150 |\n\nWithout breakfast."
    assert without_table_marks(table) == "Costs:\n\nCity · Euros\nBonn \\| Cologne · 150\n\nWithout breakfast."


@pytest.mark.parametrize(("value", "words"), [(0.4, "0 ms"), (999.4, "999 ms"), (999.6, "1.0 s"), (10_315, "10.3 s")])
def test_long_times_are_told_in_seconds(value: float, words: str) -> None:
    assert milliseconds(value) == words


def test_reasons_given_more_than_once_are_counted() -> None:
    assert (
        counted_reasons({"outdated": 1, "duplicate": 1, "not relevant": 3})
        == "3 times not relevant, duplicate, outdated"
    )
