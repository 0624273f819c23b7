from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from ingest.embed.embedder import load_embedder
from ingest.embedded import embed_documents
from ingest.languages import language_hint
from ingest.parse import parse_text
from ingest.table import ChunkTable

ENGLISH = "Everybody has thirty days of leave a year. A trip is approved by the head of the department."
GERMAN = "Alle haben dreißig Urlaubstage im Jahr. Eine Dienstreise genehmigt die Abteilungsleitung."
FRENCH = "Chaque salarié dispose de trente jours de congé. Le chef de service approuve les déplacements."
CHINESE = "每位员工每年有三十天假期。出差由部门负责人批准。"


@pytest.mark.integration
@pytest.mark.parametrize(
    ("texts", "hint"),
    [
        ([ENGLISH] * 3, ""),
        ([ENGLISH, GERMAN, FRENCH], "2 of 3 documents looked at are not in English"),
        ([CHINESE], "1 of 1 documents looked at are not in English"),
        ([ENGLISH] * 11 + [GERMAN], ""),
        ([], ""),
    ],
)
def test_documents_that_the_embedder_cannot_read_are_told(tmp_path: Path, texts: list[str], hint: str) -> None:
    embedder = load_embedder()
    table = ChunkTable(tmp_path, embedder)
    if texts:
        table.append(
            list(embed_documents([parse_text(text, f"{n}.txt", "") for n, text in enumerate(texts)], embedder))
        )
    found = language_hint(table, embedder)
    assert found.startswith(hint)
    assert bool(found) == bool(hint)


@pytest.mark.integration
def test_the_hint_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = load_embedder()
    table = ChunkTable(tmp_path, embedder)
    table.append(list(embed_documents([parse_text(GERMAN, "a.txt", "")], embedder)))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert language_hint(table, embedder).endswith(
        "run: pip install 'citeloop[multilingual]' && citeloop reindex --embedder multilingual-e5-small"
    )
