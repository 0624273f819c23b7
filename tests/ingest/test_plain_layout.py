"""Titles and tables of plain text, which has only its layout to show them."""

from __future__ import annotations

import pytest

from ingest.parse.plain import parse_plain

THREE_ROWS = ["A B", "x y 2", "3 4"]


def rows(text: str) -> list[str]:
    lines = parse_plain(text.encode()).pages[0].text.split("\n")
    cells = (line.replace("|", " ").split() for line in lines if line.startswith("|") and "---" not in line)
    return [" ".join(words) for words in cells if words]


def titles(text: str) -> list[tuple[int, str]]:
    parsed = parse_plain(text.encode())
    return [(heading.level, heading.title) for heading in parsed.headings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+---+---+\n| A | B |\n+---+---+\n| 1 | 2 |\n| 3 | 4 |\n+---+---+", ["A B", "1 2", "3 4"]),
        ("+---+---+\n| A | B |\n+===+===+\n| x | 2 |\n| y |   |\n+---+---+\n| 3 | 4 |\n+---+---+", THREE_ROWS),
        ("Depot  Phone\n-----  ------\nCole   55-110\nTarn   55-120", ["Depot Phone", "Cole 55-110", "Tarn 55-120"]),
        ("Name\tRoom\nIda\t204\nUlf\t311", ["Name Room", "Ida 204", "Ulf 311"]),
        ("Tea ....... 1.50\nSoup ....... 3.20\nCake ....... 2.10", ["Tea 1.50", "Soup 3.20", "Cake 2.10"]),
        ("Day  From   To\nMon  08:00  17:00\nTue  09:00  18:00", ["Day From To", "Mon 08:00 17:00", "Tue 09:00 18:00"]),
        ("One  two  three\nFour  five  six and  more\nSeven", []),
        ("Dear Ida,\n\nsee you  there.\n\nUlf", []),
    ],
)  # fmt: skip
def test_tables_of_lines_tabs_dots_and_spaces(text: str, expected: list[str]) -> None:
    assert rows(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Version 4.2 (May)\n-----------------\n- new", [(2, "Version 4.2 (May)")]),
        ("News\n====\n\nText.\n\nSPEED LIMITS\n\nText.", [(1, "News"), (2, "SPEED LIMITS")]),
        ("1. Term\n\nThe contract runs for a year.\n\n1.1 End\n\nIt ends.", [(2, "1. Term"), (3, "1.1 End")]),
        ("1. SPEED\n1.1 At most 10 km/h.\n2. FINES\n2.1 A breach costs 50 euros.", [(2, "1. SPEED"), (2, "2. FINES")]),
        ("1. Passport\n\n2. Visa\n\n3. Photo", []),
        ("Bring:\n\n1. Passport\n2. Visa\n\nThen go.", []),
        ("2. Call the desk.\n\nIt is open.", []),
        ("Text of one line\n--\nmore", []),
        ("Only\f===\ftwo", []),
    ],
)
def test_titles_are_underlined_numbered_or_in_capitals(text: str, expected: list[tuple[int, str]]) -> None:
    assert titles(text) == expected


def test_positions_of_titles_hold_over_pages() -> None:
    parsed = parse_plain(b"One page.\fNEWS OF MAY\n\nText.")
    (heading,) = parsed.headings
    assert "\f".join(page.text for page in parsed.pages)[heading.start : heading.end] == "NEWS OF MAY"


def test_words_that_a_line_end_divides_are_whole() -> None:
    text = (
        "The contract covers the inspection of all lifts and the replace-\n"
        "ment of worn ropes, and it also covers calls from the state-of-\n"
        "the-art unit in the north wing of the building by the lake.\n"
    )
    assert "the replacement of worn ropes" in (read := parse_plain(text.encode()).pages[0].text)
    assert "the state-of-the-art unit" in read
