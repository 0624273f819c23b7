"""Token vectors in four bits a number, kept on disk, and made before anybody asks."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from app.access.admission import Admission
from app.pipeline import Pipeline
from app.reranking import late_interaction
from app.reranking.kept_vectors import KeptVectors, key_of
from app.reranking.late_interaction import LateInteractionReranker
from app.reranking.packing import mean_maxsim, pack, rotation
from app.reranking.prepare import Preparer
from app.settings import Settings
from ingest.table import ChunkTable
from tests.conftest import FakeEmbedder

# Packing ---------------------------------------------------------------------------------------------


def test_packed_vectors_compare_as_the_vectors_do() -> None:
    random = torch.Generator().manual_seed(0)
    axes = torch.randn(40, 384, generator=random) * torch.cat([torch.full((4,), 20.0), torch.ones(380)])  # outliers
    query, *passages = (normalize(axes[torch.randperm(40, generator=random)[:length]], dim=1) for length in (8, 30, 1))
    exact = [float((query @ passage.T).amax(1).mean()) for passage in passages]
    assert mean_maxsim(query, [pack(passage) for passage in passages]) == pytest.approx(exact, abs=0.005)
    assert [len(pack(passage)) for passage in passages] == [30 * (4 + 192), 4 + 192]


def test_a_vector_is_about_one_to_itself() -> None:
    vectors = normalize(torch.randn(50, 128, generator=torch.Generator().manual_seed(1)), dim=1)
    assert mean_maxsim(vectors, [pack(vectors)]) == pytest.approx([1.0], abs=1e-4)


def test_the_rotation_is_the_same_everywhere() -> None:
    """Kept vectors are of no use to a program that rotates otherwise."""
    matrix = rotation(4)
    assert torch.allclose(matrix @ matrix.T, torch.eye(4), atol=1e-5)
    assert matrix[0].tolist() == pytest.approx(FIRST_ROW, abs=1e-4)


FIRST_ROW = [0.0505, -0.1247, 0.4456, -0.8851]

# Keeping ---------------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path) -> KeptVectors:
    return KeptVectors(tmp_path, "abc")


def test_nothing_is_made_by_looking(kept: KeptVectors, tmp_path: Path) -> None:
    assert kept.get(["soup"]) == {}
    assert kept.missing(["soup", "gate", "soup"]) == ["soup", "gate"]
    assert not list(tmp_path.iterdir())


def test_vectors_are_found_again_by_passage(kept: KeptVectors, tmp_path: Path) -> None:
    kept.put({"soup": b"1", "gate": b"2"})
    again = KeptVectors(tmp_path, "abc")
    assert again.get(["gate", "printer"]) == {"gate": b"2"}
    assert again.missing(["gate", "printer"]) == ["printer"]
    assert KeptVectors(tmp_path, "other").get(["gate"]) == {}


def test_vectors_of_removed_passages_and_of_other_models_go(kept: KeptVectors, tmp_path: Path) -> None:
    KeptVectors(tmp_path, "former").put({"gate": b"0"})
    kept.put({"soup": b"1", "gate": b"2"})
    kept.keep_only({key_of("gate")})
    assert kept.get(["soup", "gate"]) == {"gate": b"2"}
    assert KeptVectors(tmp_path, "former").get(["gate"]) == {}


def test_damage_only_means_that_vectors_are_missing(kept: KeptVectors, tmp_path: Path) -> None:
    kept.put({"soup": b"1", "gate": b"2"})
    path = tmp_path / "token-vectors" / "abc.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("UPDATE vectors SET packed = x'33' WHERE packed = x'31'")
    assert kept.get(["soup", "gate"]) == {"gate": b"2"}
    path.write_bytes(b"no database" * 1000)
    assert kept.get(["gate"]) == {}
    kept.put({"gate": b"4"})
    assert kept.get(["gate"]) == {"gate": b"4"}
    kept.keep_only({key_of("gate")})
    assert [file.name for file in path.parent.glob("*damaged*")] == []


# Preparing -------------------------------------------------------------------------------------------


class CountingEncoder:
    """One vector for each text."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode_document(self, passages: Sequence[str]) -> list[torch.Tensor]:
        self.texts += passages
        return [torch.eye(1, 4) for _ in passages]

    def encode_query(self, _query: str) -> torch.Tensor:
        return torch.eye(1, 4)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> CountingEncoder:
    encoder = CountingEncoder()
    monkeypatch.setattr(late_interaction, "_token_encoder", lambda _: encoder)
    return encoder


def test_a_question_about_prepared_documents_encodes_no_passage(
    encoder: CountingEncoder, table: ChunkTable, embedder: FakeEmbedder, settings: Settings
) -> None:
    def ask() -> None:
        Pipeline(settings, embedder).rank("hotel", "shipped")

    pipeline = Pipeline(settings, embedder)
    preparer = Preparer(lambda: pipeline.models.reranker("shipped"), lambda: pipeline.table, lambda: None)
    preparer.look()
    assert encoder.texts == [], "documents may still be coming in"
    preparer.look()
    assert len(encoder.texts) == table.num_chunks()
    preparer.look()
    ask()
    assert len(encoder.texts) == table.num_chunks()


def test_only_what_changed_is_prepared_again(
    encoder: CountingEncoder, table: ChunkTable, embedder: FakeEmbedder, settings: Settings
) -> None:
    pipeline = Pipeline(settings, embedder)
    preparer = Preparer(lambda: pipeline.models.reranker("shipped"), lambda: table, lambda: None)
    for _ in range(2):
        preparer.look()
    encoder.texts.clear()
    gone, *_ = table.documents()
    passages = [chunk.passage for chunk in table.chunks_of(gone.id)]
    with table.writing():
        table.remove([gone.id])
    for _ in range(2):
        preparer.look()
    assert encoder.texts == []
    reranker = pipeline.models.reranker("shipped")
    assert isinstance(reranker, LateInteractionReranker)
    assert reranker.kept
    assert reranker.kept.get(passages) == {}


def test_preparing_waits_for_questions() -> None:
    admission, order = Admission(1, 1), list[str]()

    def prepare() -> None:
        admission.wait_until_idle()
        order.append("prepared")

    with admission.slot():
        waiting = threading.Thread(target=prepare)
        waiting.start()
        order.append("asked")
    waiting.join()
    assert order == ["asked", "prepared"]
