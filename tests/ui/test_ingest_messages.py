"""Messages about files and sources, which are stored in English, are German on German pages."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from app.translation import follow
from app.ui.documents.jobs import result_lines
from app.ui.ingest_messages import MESSAGES
from app.ui.readers_language import in_readers_language
from ingest.parse.document import hidden_note, joined_notes
from ingest.pipeline import FileResult
from tests.ui.ingest_texts import messages, messages_in

VALUES = ("7", "signed", "write")
"""Some messages know only some values."""


@pytest.fixture
def german() -> Iterator[None]:
    follow(lambda: "de")
    yield
    follow(lambda: "en")


def test_every_message_in_the_code_is_translated(german: None) -> None:
    found = messages()
    assert len(found) > 100
    texts = {text: [text.replace("{}", value) for value in VALUES] for text in found}
    unknown = [text for text, ways in texts.items() if all(in_readers_language(way) == way for way in ways)]
    assert unknown == [], "add these to app/ui/ingest_messages.py, then run make messages and translate them"


def test_no_message_is_left_over() -> None:
    in_code = [re.compile(re.escape(text).replace(r"\{\}", ".*")) for text in messages()]
    shown = {text: re.sub(r"\{\w+\}", "citeloop reindex 7", text) for text in MESSAGES}
    assert [text for text, way in shown.items() if not any(each.fullmatch(way) for each in in_code)] == []


@pytest.mark.parametrize(
    "code",
    [
        'raise ParseError("the file is broken")',
        "raise SourceError(f'{url} is broken') from error",
        'def _note():\n    return f"{n} parts left out" if n else ""',
        'unread = f"{n} broken" if n else ""',
        'Item("", problem="it has too many")',
    ],
)
def test_a_message_in_the_code_is_found(code: str) -> None:
    assert any(text.strip() for text in messages_in(code))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("no text found", "kein Text gefunden"),
        (
            "it has 12,000 pages, the limit is 5,000; split it",
            "12.000 Seiten, erlaubt sind 5.000; teilen Sie die Datei",
        ),
        (
            "it has 3,000 MB, the limit is 1,024 MB; split it",
            "3.000 MB groß, erlaubt sind 1.024 MB; teilen Sie die Datei",
        ),
        ("cannot open the file: Permission denied", "Die Datei lässt sich nicht öffnen: keine Berechtigung"),
        (
            "https://a.example/ cannot be read: no answer: timed out. Nothing was changed; try again later",
            "https://a.example/ ist nicht lesbar: keine Antwort: timed out. Nichts wurde geändert; "
            "versuchen Sie es später noch einmal",
        ),
        (
            joined_notes(hidden_note(1, "slides"), "embedded files not read: a.bin, b.bin", hidden_note(1200)),
            "Weggelassen, weil verborgen: 1 Folie; Eingebettete Dateien nicht gelesen: a.bin, b.bin; "
            "Weggelassen, weil verborgen: 1.200 Textstellen",
        ),
        (
            joined_notes("odd; and new", "the file is too large"),
            "odd; and new; Die Datei ist zu groß",
        ),
        ("something unheard of", "something unheard of"),
        ("", ""),
    ],
)
def test_a_message_and_its_values_are_translated(message: str, expected: str, german: None) -> None:
    assert in_readers_language(message) == expected


def test_an_english_page_shows_the_message_as_it_is() -> None:
    message = "it has 12,000 pages, the limit is 5,000; split it"
    assert in_readers_language(message) == message


def test_a_result_is_shown_in_the_language_of_the_reader(german: None) -> None:
    result = FileResult("a.pdf", "a.pdf", "failed", reason="no text found")
    assert "kein Text gefunden" in result_lines([result])
