from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.evaluation.beir_files import BenchmarkError
from app.evaluation.judgements import read_judgements, text_of
from ingest.chunk import Chunk
from ingest.table import ChunkTable
from tests.app.builders import make_chunk
from tests.conftest import FakeEmbedder

HEAD = "question,document,quote\n"
LEAVE, TRAVEL = "handbook/leave.md", "handbook/travel.md"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "our questions.csv"


def chunk_with(table: ChunkTable, words: str) -> Chunk:
    (found,) = [each for doc in table.documents() for each in table.chunks_of(doc.id) if words in each.text]
    return found


def test_questions_are_judged_by_the_chunks_that_hold_the_quotes(path: Path, table: ChunkTable) -> None:
    path.write_text(
        f"{HEAD}how many days?,{LEAVE},30 days of leave\nby train?,{TRAVEL},Trains come FIRST\n"
        f"how many days?,{LEAVE},eight weeks before the birth\n"
    )
    judged = read_judgements(path, table)
    assert (judged.name, judged.judged, judged.num_documents) == ("our questions", "passages", 3)
    assert (judged.chunking, judged.left_out) == ("heading-sentence/5", ())
    assert list(judged.queries.values()) == ["how many days?", "by train?"]
    first, second = judged.queries
    assert judged.qrels[first] == {
        chunk_with(table, "30 days").id: 1,
        chunk_with(table, "eight weeks").id: 1,
    }
    assert judged.qrels[second] == {chunk_with(table, "Trains").id: 1}


def test_the_first_so_many_questions_can_be_had(path: Path, table: ChunkTable) -> None:
    path.write_text(f"{HEAD}one?,{LEAVE},30 days\ntwo?,{LEAVE},30 days\n")
    assert list(read_judgements(path, table, max_queries=1).queries.values()) == ["one?"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_spreadsheets_write_is_read(delimiter: str, path: Path, table: ChunkTable) -> None:
    rows = [["question", "note", "document", "quote"], ['"one, two;\nthree?"', "x", LEAVE, '"30 days"']]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(delimiter.join(row) for row in rows).encode())
    assert list(read_judgements(path, table).queries.values()) == ["one, two;\nthree?"]


def test_rows_that_cannot_be_used_are_named_and_the_others_are_used(path: Path, table: ChunkTable) -> None:
    path.write_text(
        f"{HEAD}good?,{LEAVE},30 days\nmoved?,people/LEAVE.md,30 days\nwrong?,{LEAVE},forty days\n"
        f"far?,zzz,30 days\n,,\n,{LEAVE},30 days\ngood?,{LEAVE}\n"
    )
    judged = read_judgements(path, table)
    assert list(judged.queries.values()) == ["good?"]
    assert len(judged.qrels["1"]) == 1
    assert judged.left_out == (
        f"row 3: there is no document 'people/LEAVE.md'; close to it: {LEAVE}",
        f"row 4: {LEAVE} does not contain the quoted evidence: 'forty days'",
        f"row 5: there is no document 'zzz'; the documents are {LEAVE}, {TRAVEL}, it/vpn.md and so on",
        "row 7: the question is empty",
        f"row 8: {LEAVE} does not contain the quoted evidence: ''",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("question,quote\na,b\n", "lacks document: expected the columns question, document, quote"),
        ("", "lacks question, document, quote"),
        (HEAD, "no row of .* can be used; it has no rows"),
        (f"{HEAD}what?,{LEAVE},forty days\n", "no row of .* can be used; row 2: .* does not contain"),
    ],
)
def test_a_file_that_cannot_be_used_is_said_why(text: str, message: str, path: Path, table: ChunkTable) -> None:
    path.write_text(text)
    with pytest.raises(BenchmarkError, match=message):
        read_judgements(path, table)


def test_a_file_in_another_encoding_is_said(path: Path, table: ChunkTable) -> None:
    path.write_bytes(HEAD.encode() + "für,x,y\n".encode("latin-1"))
    with pytest.raises(BenchmarkError, match="is not UTF-8; save it as CSV UTF-8"):
        read_judgements(path, table)


def test_without_documents_it_is_said_how_to_add_some(path: Path, home: Path, embedder: FakeEmbedder) -> None:
    path.write_text(f"{HEAD}what?,{LEAVE},30 days\n")
    with pytest.raises(BenchmarkError, match=r"there are no documents in .*; add some with: citeloop ingest PATH"):
        read_judgements(path, ChunkTable(home, embedder))


def test_the_fingerprint_is_that_of_the_documents(path: Path, table: ChunkTable) -> None:
    path.write_text(f"{HEAD}what?,{LEAVE},30 days\n")
    before = read_judgements(path, table).fingerprint
    assert read_judgements(path, table).fingerprint == before
    with table.writing():
        table.remove([next(doc.id for doc in table.documents() if doc.name == TRAVEL)])
    assert read_judgements(path, table).fingerprint != before


def test_a_text_is_put_together_from_its_chunks_without_repeated_table_headers() -> None:
    rows = "# Prices\n| a |\n| 1 |\n| 2 |"
    first = make_chunk("| a |\n| 1 |", start=rows.index("| a |"))
    second = make_chunk("| 2 |", start=rows.index("| 2 |"))
    continued = replace(second, text="| a |\n" + second.text)  # a table that goes on has its header above it again
    assert text_of([first, continued]) == rows.replace("# Prices\n", " " * 9).replace("|\n| 2", "| | 2")
    assert text_of([]) == ""
