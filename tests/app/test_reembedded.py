"""A table as another embedder would fill it: searched like one, and the table itself stays as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.pipeline import Pipeline
from app.search.search import search
from app.settings import Settings
from app.training.candidate import _search_with
from app.training.gate.reembedded import ReembeddedTable
from ingest.embed.embedder import Vectors
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.conftest import FakeEmbedder


class Upside(FakeEmbedder):
    """Sees every passage as its opposite, but questions as they are."""

    name = "upside"

    def embed(self, texts: list[str]) -> Vectors:
        return np.asarray(-super().embed(texts), np.float32)

    def embed_query(self, text: str) -> Vectors:
        return np.asarray(super().embed([text])[0], np.float32)


def test_with_the_same_embedder_it_finds_the_same(table: ChunkTable, embedder: FakeEmbedder) -> None:
    again = ReembeddedTable(table, embedder)
    for query in ("annual leave", "hotel a night", "tunnel"):
        for retriever in ("vector", "text", "hybrid"):
            mine = search(query, again, embedder, retriever=retriever)
            theirs = search(query, table, embedder, retriever=retriever)
            assert [each.chunk for each in mine] == [each.chunk for each in theirs]
            assert [each.fused_score for each in mine] == pytest.approx([each.fused_score for each in theirs], abs=1e-5)


def test_with_another_embedder_the_order_is_another(table: ChunkTable, embedder: FakeEmbedder) -> None:
    usual = [each.chunk.id for each in search("annual leave", table, embedder, retriever="vector")]
    turned = [
        each.chunk.id for each in search("annual leave", ReembeddedTable(table, Upside()), embedder, retriever="vector")
    ]
    assert turned[0] != usual[0]
    assert turned[-1] == usual[0]
    assert [each.chunk.id for each in search("annual leave", table, embedder, retriever="vector")] == usual


@pytest.mark.usefixtures("table")
def test_it_is_read_as_deeply_as_the_live_one(settings: Settings, embedder: FakeEmbedder) -> None:
    pipeline = Pipeline(settings.model_copy(update={"num_candidates": 2}), embedder)
    assert len(pipeline.search("annual leave")) == 2
    assert len(_search_with(Upside(), pipeline)("annual leave")) == 2


def test_what_has_come_in_since_is_not_found(table: ChunkTable, embedder: FakeEmbedder, tmp_path: Path) -> None:
    again = ReembeddedTable(table, embedder)
    (tmp_path / "late.md").write_text("# Late\n\nA zeppelin has come in.\n")
    list(ingest([tmp_path / "late.md"], table, embedder))
    assert search("zeppelin", table, embedder)[0].chunk.document == "late.md"
    assert "late.md" not in {each.chunk.document for each in search("zeppelin", again, embedder)}
