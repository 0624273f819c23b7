from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import cast

import pytest

from app.search.filters import Filter, choices, day_of, type_of
from app.search.search import search
from ingest import CiteloopError
from ingest.collections import UPLOADS, default_collection
from ingest.listing import StoredDocument
from ingest.table import ChunkTable
from tests.conftest import FakeEmbedder


def stored(name: str, source: str = "", day: int = 1) -> StoredDocument:
    ingested_at = datetime(2026, 3, day, 23, 30, tzinfo=UTC)
    source = source or f"/srv/docs/{name}"
    collection = default_collection(name, source)
    return StoredDocument(f"id of {name}", name, "Title", source, "", None, 1, ingested_at, collection)


class Shelf:
    """Documents without a table; counts how often somebody asks for them."""

    def __init__(self, *documents: StoredDocument) -> None:
        self._documents = list(documents)
        self.times_asked = 0

    def documents(self) -> list[StoredDocument]:
        self.times_asked += 1
        return self._documents


def shelf(*documents: StoredDocument) -> ChunkTable:
    return cast(ChunkTable, Shelf(*documents))


SHELF = shelf(
    stored("people/leave.pdf", day=1),
    stored("people/old/leave.md", day=2),
    stored("it/vpn.md", day=3),
    stored("readme.md", day=4),
    stored("scan.PDF", "upload:scan.PDF", day=5),
)


def found(wanted: Filter) -> list[str]:
    ids = wanted.document_ids(SHELF)
    assert ids is not None
    return [each.name for each in SHELF.documents() if each.id in ids]


@pytest.mark.parametrize(
    ("document", "collection"),
    [
        (stored("people/leave.pdf"), "people"),
        (stored("people/old/leave.md"), "people"),
        (stored("readme.md"), "docs"),
        (stored("readme.md", "/readme.md"), "/"),
        (stored("scan.pdf", "upload:scan.pdf"), UPLOADS),
        (stored("folder/scan.pdf", "upload:folder/scan.pdf"), UPLOADS),
    ],
)
def test_collection_is_the_first_folder_below_the_ingested_one(document: StoredDocument, collection: str) -> None:
    assert document.collection == collection


def test_type_is_the_ending_in_small_letters() -> None:
    assert [type_of(stored(name)) for name in ("a.PDF", "b/c.v2.md", "d")] == ["pdf", "md", ""]


def test_day_is_that_of_utc() -> None:
    east = datetime(2026, 3, 2, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert day_of(StoredDocument("id", "a.md", "A", "", "", None, 1, east)) == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Filter(collections=("people",)), ["people/leave.pdf", "people/old/leave.md"]),
        (Filter(collections=("people", "it")), ["people/leave.pdf", "people/old/leave.md", "it/vpn.md"]),
        (Filter(collections=(UPLOADS,)), ["scan.PDF"]),
        (Filter(types=("pdf",)), ["people/leave.pdf", "scan.PDF"]),
        (Filter(types=(".PDF",)), ["people/leave.pdf", "scan.PDF"]),
        (Filter(documents=("it/vpn.md", "id of readme.md")), ["it/vpn.md", "readme.md"]),
        (Filter(since=date(2026, 3, 4)), ["readme.md", "scan.PDF"]),
        (Filter(until=date(2026, 3, 2)), ["people/leave.pdf", "people/old/leave.md"]),
        (Filter(since=date(2026, 3, 3), until=date(2026, 3, 3)), ["it/vpn.md"]),
        (Filter(collections=("people",), types=("md",)), ["people/old/leave.md"]),
        (Filter(collections=("it",), types=("pdf",)), []),
        (Filter(since=date(2027, 1, 1)), []),
    ],
)
def test_any_value_of_a_field_fits_and_every_field_has_to(wanted: Filter, names: list[str]) -> None:
    assert wanted
    assert found(wanted) == names


def test_an_empty_filter_restricts_nothing_and_asks_nobody() -> None:
    asked = Shelf()
    assert Filter().document_ids(cast(ChunkTable, asked)) is None
    assert not Filter()
    assert asked.times_asked == 0


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Filter(collections=("peple",)), "there is no collection 'peple'; choose from: docs, it, people, uploads"),
        (Filter(types=("docx",)), "there is no type 'docx'; choose from: md, pdf"),
        (Filter(documents=("vpn.md",)), r"there is no document 'vpn.md'; choose from: it/vpn.md, people/leave.pdf, "),
        (Filter(since=date(2026, 3, 2), until=date(2026, 3, 1)), "since 2026-03-02 is later than until 2026-03-01"),
    ],
)
def test_what_the_table_does_not_have_is_said_with_what_it_has(wanted: Filter, message: str) -> None:
    with pytest.raises(CiteloopError, match=message):
        wanted.document_ids(SHELF)


def test_only_the_first_ten_are_named() -> None:
    twelve = shelf(*(stored(f"{number:02}/a.md") for number in range(12)))
    with pytest.raises(CiteloopError, match=r"00, 01, .* 09 and 2 more$"):
        Filter(collections=("12",)).document_ids(twelve)
    with pytest.raises(CiteloopError, match="there is no type 'md'; there are no documents yet"):
        Filter(types=("md",)).document_ids(shelf())


def test_choices_are_those_that_a_filter_takes() -> None:
    offered = choices(SHELF.documents())
    assert offered.collections == ("docs", "it", "people", UPLOADS)
    assert offered.types == ("md", "pdf")
    assert offered.documents["id of it/vpn.md"] == "it/vpn.md"
    everything = Filter(offered.collections, tuple(offered.documents), offered.types, date(2026, 3, 1))
    assert everything.document_ids(SHELF) == frozenset(offered.documents)


def test_choices_of_no_documents_are_none(tmp_path_factory: pytest.TempPathFactory) -> None:
    offered = choices(ChunkTable(tmp_path_factory.mktemp("home"), FakeEmbedder()).documents())
    assert (offered.collections, offered.types, offered.documents) == ((), (), {})


def test_search_within_a_filter_finds_nothing_else(table: ChunkTable, embedder: FakeEmbedder) -> None:
    question = "hotel VPN leave"
    assert len({each.chunk.document for each in search(question, table, embedder)}) == 3
    within = Filter(collections=("it",)).document_ids(table)
    assert {each.chunk.document for each in search(question, table, embedder, within=within)} == {"it/vpn.md"}
    today = datetime.now(UTC).date()
    assert Filter(since=today - timedelta(1)).document_ids(table) == frozenset(each.id for each in table.documents())
    assert Filter(until=today - timedelta(2)).document_ids(table) == frozenset()


def test_a_filter_is_printed_with_stable_names() -> None:
    wanted = Filter(collections=("hr",), types=("pdf",), since=date(2026, 1, 31))
    assert wanted.as_record() == {
        "collections": ["hr"],
        "documents": [],
        "types": ["pdf"],
        "since": "2026-01-31",
        "until": None,
    }
