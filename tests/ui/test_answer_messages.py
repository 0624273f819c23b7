"""Messages about answers and their language model, which are made in English, are German on German pages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.translation import follow, gettext
from app.ui.answer_messages import MESSAGES
from app.ui.readers_language import in_readers_language, note_in_readers_language
from tests.ui.ingest_texts import messages_in

_FOLDER = Path(__file__).parents[2] / "app" / "language_model"
_MODULES = ("client.py", "endpoint.py", "failures.py", "connection.py")
_FUNCTIONS = ("_words_for", "_unreached", "_no_completion", "check_end", "_hint", "_listed", "try_connection")
"""Their strings are messages, or what follows a name in one."""


@pytest.fixture
def german() -> Iterator[None]:
    follow(lambda: "de")
    yield
    follow(lambda: "en")


def texts_in(code: str) -> set[str]:
    """Return the messages of a module, with {} for each value."""
    found = set(messages_in(code))
    for function in ast.walk(ast.parse(code)):
        if isinstance(function, ast.FunctionDef) and function.name in _FUNCTIONS:
            for node in ast.walk(function):
                if isinstance(node, ast.JoinedStr):
                    found.add(
                        "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values)
                    )
    return {text for text in found if len(re.findall(r"[a-z]{2,}", text)) > 3}


def test_every_message_in_the_code_is_translated(german: None) -> None:
    found = {text for name in _MODULES for text in texts_in((_FOLDER / name).read_text(encoding="utf-8"))}
    assert len(found) > 25
    unknown = []
    for text in found:
        without_endings = re.sub(r"(?<=[a-z.])\{\}", "", text.strip())  # of a plural, or a further sentence
        ways = [f"{start}{without_endings.replace('{}', '1')}" for start in ("", "writer-1 ", "No. ")]
        if all(in_readers_language(way) == way for way in ways):
            unknown.append(text)
    assert unknown == [], "add these to app/ui/answer_messages.py, then run make messages and translate them"


def test_no_text_is_read_as_a_shorter_one(german: None) -> None:
    for text in MESSAGES:
        assert in_readers_language(re.sub(r"\{\w+\}", "7", text)) == re.sub(r"\{\w+\}", "7", gettext(text))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "http://localhost:1/v1 cannot be reached (All connection attempts failed); start its server, or correct "
            "the base URL on the Settings page or in OPENAI_BASE_URL",
            "http://localhost:1/v1 ist nicht erreichbar (kein Verbindungsversuch gelang); starten Sie den Server, oder "
            "berichtigen Sie die Basis-URL unter „Einstellungen“ oder in OPENAI_BASE_URL",
        ),
        (
            "writer-1 wrote nothing; ask again or use another model. The server does not list this model. "
            "It lists: a, b and 3 more.",
            "writer-1 hat nichts geschrieben; stellen Sie die Frage noch einmal oder verwenden Sie ein anderes Modell. "
            "Der Server führt dieses Modell nicht auf. Er nennt: a, b und 3 weitere.",
        ),
        (
            "This is the answer as it was; it could not be written again: writer-1 took longer than 60 seconds; ask "
            "again or use a faster model",
            "Dies ist die bisherige Antwort; sie konnte nicht neu geschrieben werden: writer-1 hat länger als "
            "60 Sekunden gebraucht; stellen Sie die Frage noch einmal oder verwenden Sie ein schnelleres Modell",
        ),
    ],
)
def test_a_message_and_its_values_are_translated(message: str, expected: str, german: None) -> None:
    assert in_readers_language(message) == expected


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        (
            "A passage of guide.md, plan.md is damaged on the disk and was left out; the curator can run: citeloop "
            "doctor. Reranker reranker-2 could not be used, so shipped was used: no such file; reranker-1 failed too: "
            "no such file",
            "Eine Textstelle aus guide.md, plan.md ist auf dem Datenträger beschädigt und wurde ausgelassen; ein "
            "Kurator kann Folgendes ausführen: citeloop doctor. Der Reranker reranker-2 war nicht verwendbar, "
            "stattdessen wurde shipped verwendet: no such file; reranker-1 ist ebenfalls gescheitert: no such file",
        ),
        (
            "Reranker shipped scored 30 of 40 passages; the others follow in the order of search. writer-1 wrote "
            "nothing; ask again or use another model",
            "Der Reranker shipped hat 30 von 40 Textstellen bewertet; die anderen folgen in der Reihenfolge der Suche. "
            "writer-1 hat nichts geschrieben; stellen Sie die Frage noch einmal oder verwenden Sie ein anderes Modell",
        ),
        (
            "Reranker late could not be used, so this is the order of search: no such file",
            "Der Reranker late war nicht verwendbar, dies ist daher die Reihenfolge der Suche: no such file",
        ),
    ],
)
def test_notes_of_several_steps_are_translated(note: str, expected: str, german: None) -> None:
    assert note_in_readers_language(note) == expected
