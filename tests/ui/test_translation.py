"""The texts of the pages are complete in each language, and a page speaks the language of its visitor."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.feedback import FeedbackStore
from app.settings import Settings
from app.translation import LANGUAGES, follow, gettext, ngettext, number
from app.ui.language import _configured, page_language
from app.ui.words import duration, moment
from tests.conftest import PATIENCE
from tests.ui.catalogs import APP, in_code, read
from tests.ui.conftest import MAIN
from tests.ui.page_texts import untranslated, untranslated_in

TRANSLATED = [language for language in LANGUAGES if language != "en"]
PAGES = ("source", "documents", "feedback", "training", "quality", "settings")
QUESTION = "What may a hotel cost?"


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    _configured.cache_clear()
    yield
    follow(lambda: "en")
    _configured.cache_clear()


@pytest.fixture
def german(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ContextProxy, "locale", "de-AT")


# the catalogs ---------------------------------------------------------------------------------------------


def forms(text: str | Sequence[str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_in_the_code_has_an_entry(language: str) -> None:
    catalog = read(language)
    entries = [(each.id, catalog.get(each.id, each.context)) for each in in_code() if each.id]
    assert len(entries) > 800
    missing = [text for text, entry in entries if not entry or entry.fuzzy or not all(forms(entry.string))]
    assert missing == [], "run make messages, then translate these"


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_entry_is_left_over(language: str) -> None:
    in_use = in_code()
    catalog = read(language)
    assert [each.id for each in catalog if each.id and not in_use.get(each.id, each.context)] == []
    assert not catalog.obsolete


@pytest.mark.parametrize("language", TRANSLATED)
def test_an_entry_keeps_the_values_and_the_marks_of_its_text(language: str) -> None:
    marks = re.compile(r"\{\w+\}|`[^`{]+`|:material/\w+:|:\w+-badge|\*\*|CITELOOP_\w+|citeloop \w+")

    def wrong(text: Any, string: Any) -> bool:
        return set(marks.findall(" ".join(forms(text)))) - {"`citeloop ingest FOLDER`"} != set(
            marks.findall(" ".join(forms(string)))
        ) - {"`citeloop ingest ORDNER`"}

    assert [each.id for each in read(language) if each.id and wrong(each.id, each.string)] == []


# the code -------------------------------------------------------------------------------------------------


def test_every_text_of_a_page_is_translated() -> None:
    assert untranslated() == []


@pytest.mark.parametrize(
    "code",
    [
        'st.button("Save")',
        'st.button(f"Open {name}")',
        'st.text_input(_("Find"), placeholder="name")',
        'def f() -> str:\n    return f"about {time} left"',
        'words = ", ".join(parts) or "nothing to do"',
        'NAMES = {"all": "All"}',
        'tell("success", _("Saved: {what}", what="nothing at all"))',
    ],
)
def test_a_text_that_is_not_translated_is_found(code: str) -> None:
    assert untranslated_in(code)


def test_no_text_is_translated_inside_an_f_string_where_babel_does_not_see_it() -> None:
    found = [
        f"{path}:{call.lineno}"
        for path in APP.rglob("*.py")
        for text in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(text, ast.JoinedStr)
        for call in ast.walk(text)
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in ("_", "N_", "gettext", "ngettext", "pgettext")
        and isinstance(call.args[0], ast.Constant)
    ]
    assert found == []


# the language ---------------------------------------------------------------------------------------------


def test_numbers_and_times_are_written_as_in_the_language() -> None:
    follow(lambda: "de")
    assert [number(1234567), number(0.5, ".1f"), number(0.123, ".0%")] == ["1.234.567", "0,5", "12\u00a0%"]
    assert ngettext("{n} document", "{n} documents", 1200) == "1.200 Dokumente"
    assert ngettext("{n} document", "{n} documents", 1) == "1 Dokument"
    assert [moment("2026-05-03T10:07:00+00:00"), duration(7200)] == ["3.5.2026, 10:07 UTC", "2 Std."]


def test_a_text_without_an_entry_stays_english() -> None:
    follow(lambda: "de")
    assert gettext("{n} unknown things", n=1000) == "1.000 unknown things"


def test_outside_pages_everything_is_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITELOOP_LANGUAGE", "de")
    follow(page_language)
    assert gettext("Ask your documents") == "Ask your documents"


def small_page() -> None:
    import streamlit as st

    from app.translation import follow, gettext
    from app.ui.language import page_language

    follow(page_language)
    st.title(gettext("Documents"))


@pytest.mark.parametrize(
    ("locale", "setting", "expected"),
    [
        ("de-DE", "", "Dokumente"),
        ("en-US", "", "Documents"),
        (None, "", "Documents"),
        ("ja", "", "Documents"),
        ("en-US", "de", "Dokumente"),
    ],
)
def test_a_page_speaks_the_language_of_its_browser_or_the_one_that_is_set(
    locale: str | None, setting: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ContextProxy, "locale", locale)
    monkeypatch.setenv("CITELOOP_LANGUAGE", setting)
    assert AppTest.from_function(small_page, default_timeout=PATIENCE).run().title[0].value == expected


def test_sessions_of_one_server_speak_their_own_language(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {locale: AppTest.from_function(small_page, default_timeout=PATIENCE) for locale in ("de", "en")}
    titles = []
    for locale in ("de", "en", "de"):
        monkeypatch.setattr(ContextProxy, "locale", locale)
        titles.append(pages[locale].run().title[0].value)
    assert titles == ["Dokumente", "Documents", "Dokumente"]


# German pages ---------------------------------------------------------------------------------------------


def open_page(page: str) -> AppTest:
    opened = AppTest.from_file(str(MAIN), default_timeout=90)
    opened._page_hash = calc_hash(page)  # the tests of Streamlit switch between files only
    opened.run()
    assert not opened.exception
    return opened


def shown_in(page: AppTest) -> str:
    """Everything that the page sends to the browser, as text."""
    return "\n".join(str(getattr(element, "proto", "")) for element in page._tree)


ENGLISH = [
    each.id
    for each in read("de")
    if isinstance(each.id, str) and each.id != each.string and re.fullmatch(r"[A-Z][\w ,.'-]{9,}", each.id)
]
"""Texts that are told from those of documents and that differ in German."""


@pytest.mark.slow
def test_german_pages_show_no_english_text(german: None, fake_models: None) -> None:
    page = open_page("")
    page.chat_input[0].set_value(QUESTION).run()
    click(page, "Streichen [2]")
    shown = "\n".join(map(shown_in, [page, *map(open_page, PAGES)]))
    assert len(ENGLISH) > 200
    assert [text for text in ENGLISH if f'"{text}' in shown] == []


@pytest.mark.slow
def test_a_german_page_shows_german_and_stores_english(german: None, fake_models: None, settings: Settings) -> None:
    page = open_page("")
    page.chat_input[0].set_value("Where is the ZX-81 kept?").run()
    shown = shown_in(page)
    assert "ZX-81 kommt in den Dokumenten nicht vor." in shown
    assert "Hier beantwortet nichts die Frage eindeutig." in shown
    stored = FeedbackStore(settings.home).askings()[0]
    answer = FeedbackStore(settings.home).answer(stored.answer_id, stored.user)
    assert answer is not None
    assert answer.answer.text.startswith("ZX-81 does not occur in the documents.")


def click(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
