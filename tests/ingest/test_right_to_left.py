from __future__ import annotations

import pytest

from ingest.parse.marks import without_invisible, without_vowel_marks
from ingest.parse.pdf.right_to_left import in_reading_order
from ingest.parse.pdf.sheet import Char


def printed(seen: str, order: list[int] | None = None) -> list[Char]:
    """Return characters that stand from left to right, in the order of the file."""
    chars = [Char(text, 10.0 * place, 0, 10.0 * place + 10 - 5 * (text == " "), 10) for place, text in enumerate(seen)]
    return [chars[place] for place in order or range(len(chars))]


def read(chars: list[Char]) -> str:
    return "".join(char.text for char in in_reading_order(chars))


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        ("بتكملا", "المكتب"),
        ("help@example.ae ىلإ ديربلا لسرأ", "أرسل البريد إلى help@example.ae"),
        (".3.5 رعسلا", "السعر 3.5."),
        ("(2025 ةخسن) ليلد", "دليل (نسخة 2025)"),
        ("Microsoft Teams جمانرب عم لمعي", "يعمل مع برنامج Microsoft Teams"),
        ("PX-200 عم", "مع PX-200"),
        ("see ةحئال page", "see لائحة page"),
        ("Only English, (2025)", "Only English, (2025)"),
    ],
)
def test_words_run_from_right_to_left_and_numbers_do_not(seen: str, text: str) -> None:
    assert read(printed(seen)) == text


def test_a_word_that_was_turned_already_is_read_the_same() -> None:
    seen = "بتكملا يف"
    words_turned = [*range(7, 9), 6, *range(5, -1, -1)]
    assert read(printed(seen, words_turned)) == "في المكتب"


def test_letters_of_a_ligature_keep_their_order() -> None:
    first, second = "لخ"
    ligature = [Char(first, 10, 0, 20, 10), Char(second, 10, 0, 20, 10)]
    assert read([*ligature, Char("ط", 0, 0, 10, 10)]) == "لخط"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("المــلاحظات", "الملاحظات"),
        ("ﻣﺮﺣﺒﺎ", "مرحبا"),
        ("ｶﾞｲﾄﾞ", "ガイド"),
        ("ＺＸ－１５３２１", "ZX-15321"),  # noqa: RUF001
        ("月１２，５００円", "月12,500円"),  # noqa: RUF001
        ("注：三つ", "注：三つ"),  # noqa: RUF001
    ],
)
def test_letters_have_one_form(written: str, text: str) -> None:
    assert without_invisible(written) == text


def test_vowel_marks_are_left_out() -> None:
    assert without_vowel_marks("شكرًا جزيلًا") == "شكرا جزيلا"
