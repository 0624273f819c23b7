from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from app.downloads.archive import export_model, import_model
from app.downloads.catalog import CatalogModel, DownloadError, catalog, find
from app.downloads.hub import read_release
from app.downloads.store import fetch
from app.registry import Registry, RegistryError
from app.reranking.names import load_reranker, model_folder, version_of
from app.settings import Settings
from ingest.home.job_store import StoppedError
from tests.api.conftest import serving
from tests.app.conftest import Citeloop
from tests.app.hub_server import REVISION, Hub

MODEL = CatalogModel("acme/Tiny-Reranker", "cross-encoder", "apache-2.0", ("en",), 1)
WEIGHTS = bytes(range(256)) * 20_000
FILES = {
    "config.json": b'{"architectures": ["BertForSequenceClassification"]}',
    "model.safetensors": WEIGHTS,
    "tokenizer.json": b"{}",
    "1_Dense/config.json": b"{}",
    "README.md": b"# A model",
    "pytorch_model.bin": b"pickled",
    "modeling_tiny.py": b"raise SystemExit",
    "onnx/model.json": b"{}",
}
NEEDED = {"config.json", "model.safetensors", "tokenizer.json", "1_Dense/config.json"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on this machine, to which the variable points."""
    hub = Hub(MODEL.id, dict(FILES))
    with serving(hub.app) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield hub


@pytest.fixture
def registry(home: Path) -> Registry:
    return Registry(home)


def get(registry: Registry, model: CatalogModel = MODEL) -> str:
    return fetch(read_release(model), registry).name


# Catalog -------------------------------------------------------------------------------------------


def test_catalog_names_each_model_once_and_pins_nothing_that_was_not_verified() -> None:
    assert len({model.name for model in catalog()}) == len(catalog()) >= 16
    assert all(model.revision is None for model in catalog() if not model.files)
    assert find("cross-encoder/ms-marco-MiniLM-L6-v2") is find("ms-marco-minilm-l6-v2")
    with pytest.raises(DownloadError, match="no model 'gpt' in the catalog; known: ettin-reranker-17m-v1, "):
        find("gpt")


def test_a_license_that_forbids_companies_is_refused_without_asking_the_hub(hub: Hub) -> None:
    refused = find("jina-reranker-v2-base-multilingual")
    with pytest.raises(DownloadError, match=r"not offered: its license, cc-by-nc-4.0, forbids commercial use"):
        read_release(refused)


# Download --------------------------------------------------------------------------------------------


def test_a_model_is_downloaded_checked_and_registered(hub: Hub, registry: Registry) -> None:
    num_bytes: list[int] = []
    model = fetch(read_release(MODEL), registry, num_bytes.append)
    assert (model.name, model.kind, model.base) == ("tiny-reranker", "cross-encoder", f"{MODEL.id}@{REVISION}")
    folder = registry.folder(model.name)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == NEEDED | {"download.json"}
    assert set(hub.asked) == NEEDED
    assert sum(num_bytes) == sum(len(FILES[name]) for name in NEEDED)
    record = json.loads((folder / "download.json").read_text())
    assert (record["id"], record["revision"], record["license"]) == (MODEL.id, REVISION, "apache-2.0")
    assert record["files"]["model.safetensors"] == hashlib.sha256(WEIGHTS).hexdigest()
    registry.check(model.name)
    assert constants.HF_HUB_OFFLINE  # nothing else may use the network
    assert registry.live() == "shipped"
    with pytest.raises(DownloadError, match="is here already, as tiny-reranker"):
        get(registry)


def test_a_downloaded_model_is_named_by_its_id(
    hub: Hub, registry: Registry, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = get(registry)
    opened: list[tuple[str, str]] = []
    monkeypatch.setattr("app.reranking.names.open_reranker", lambda folder, *, name: opened.append((folder, name)))
    load_reranker(MODEL.id, settings)
    assert opened == [(str(registry.folder(name)), name)]
    assert version_of(MODEL.id, settings) == registry.model(name).fingerprint[:12]
    assert model_folder(MODEL.id, settings) == registry.folder(name)


def test_a_model_that_was_removed_can_be_downloaded_again(hub: Hub, registry: Registry) -> None:
    registry.remove(get(registry))
    assert get(registry) == "tiny-reranker-2"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_that_was_exchanged_is_deleted_and_nothing_is_registered(
    hub: Hub, registry: Registry, name: str
) -> None:
    hub.sent[name] = FILES[name][:-1] + b"X"
    with pytest.raises(DownloadError, match=rf"{name} from http.* is not what was announced: .* it was deleted"):
        get(registry)
    assert registry.models() == []
    assert not (registry.models_folder / ".download-tiny-reranker" / name).exists()
    hub.sent.clear()
    assert get(registry) == "tiny-reranker"


def test_what_the_catalog_pins_counts_more_than_what_the_hub_says(hub: Hub, registry: Registry) -> None:
    pinned = replace(MODEL, revision=REVISION, files={"model.safetensors": hashlib.sha256(WEIGHTS).hexdigest()})
    hub.files["model.safetensors"] = WEIGHTS[:-1] + b"X"
    with pytest.raises(DownloadError, match=r"model.safetensors .* is not what was announced"):
        get(registry, pinned)
    hub.files["model.safetensors"] = WEIGHTS
    assert get(registry, pinned) == "tiny-reranker"


def test_a_download_that_was_stopped_goes_on_where_it_stopped(hub: Hub, registry: Registry) -> None:
    hub.files["model.safetensors"] = weights = WEIGHTS * 5
    arrived = 0

    def stop_halfway(num_bytes: int) -> None:
        nonlocal arrived
        arrived += num_bytes
        if arrived > len(weights) // 2:
            raise StoppedError("enough")

    release = read_release(MODEL)
    release = replace(release, files=tuple(sorted(release.files, key=lambda file: -file.size)))
    with pytest.raises(StoppedError):
        fetch(release, registry, stop_halfway)
    assert registry.models() == []
    (part,) = (registry.models_folder / ".download-tiny-reranker").glob("*.part")
    num_here = part.stat().st_size
    assert 0 < num_here < len(weights)
    num_bytes: list[int] = []
    fetch(read_release(MODEL), registry, num_bytes.append)
    assert hub.ranges == [f"bytes={num_here}-"]
    assert sum(num_bytes) == sum(len(hub.files[name]) for name in NEEDED)


def test_what_is_left_of_another_revision_is_not_used(hub: Hub, registry: Registry) -> None:
    folder = registry.models_folder / ".download-tiny-reranker"
    folder.mkdir(parents=True)
    (folder / "other.json").write_text("{}")
    (folder / ".revision").write_text("older")
    assert not (registry.folder(get(registry)) / "other.json").exists()


def _change(**changes: Any) -> Callable[[Hub], None]:
    def change(hub: Hub) -> None:
        for name, value in changes.items():
            setattr(hub, name, value)

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_change(license="cc-by-nc-sa-4.0"), "its license, cc-by-nc-sa-4.0, forbids commercial use .as the hub says"),
        (_change(license="other"), "its license, other, is none of apache-2.0, "),
        (_change(license=None), "its license, not named, is none of apache-2.0, "),
        (_change(license="mit"), "has the license mit at the hub, and apache-2.0 in the catalog"),
        (_change(without_digest=True), "names no digest for config.json"),
        (_change(files={"config.json": b"{}", "pytorch_model.bin": b""}), "load only from safetensors"),
        (_change(files={**FILES, "/evil.json": b"{}"}), "has a file outside its folder: '/evil.json'"),
        (_change(id="acme/other"), "cannot download acme/Tiny-Reranker: .*Check the network"),
    ],
)
def test_what_may_not_be_used_is_refused_before_any_download(
    hub: Hub, registry: Registry, change: Callable[[Hub], None], expected: str
) -> None:
    change(hub)
    with pytest.raises(DownloadError, match=expected):
        get(registry)
    assert hub.asked == []


def test_a_model_of_another_kind_is_not_registered(hub: Hub, registry: Registry) -> None:
    hub.files["config.json"] = b'{"architectures": ["HF_ColBERT"]}'
    with pytest.raises(DownloadError, match="is no cross-encoder model, by its files"):
        get(registry)
    assert registry.models() == []


def test_without_a_network_it_says_what_to_do(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match=r"HTTPS_PROXY for a proxy, HF_ENDPOINT for a mirror.*models import"):
        read_release(MODEL)
    assert constants.HF_HUB_OFFLINE


def test_get_prints_where_the_model_is_and_how_to_use_it(
    hub: Hub, registry: Registry, citeloop: Citeloop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.downloads.catalog.catalog", lambda: (MODEL,))
    out = citeloop("models", "get", "Tiny-Reranker", "--no-trial")
    assert out.status == 0, out.stderr
    assert f"revision {REVISION[:12]}, license apache-2.0" in out.stderr
    assert out.stdout.splitlines() == [
        f"tiny-reranker is in {registry.folder('tiny-reranker')}",
        "To use it: citeloop promote tiny-reranker --force",
    ]
    assert "tiny-reranker" in citeloop("models").stdout


# Archives --------------------------------------------------------------------------------------------


def test_an_exported_model_is_imported_elsewhere(hub: Hub, registry: Registry, tmp_path: Path) -> None:
    name, path = get(registry), tmp_path / "tiny.tar"
    (registry.folder(name) / "gate.json").write_text("{}")
    export_model(name, path, registry)
    with tarfile.open(path) as archive:
        assert set(archive.getnames()) == {"manifest.json", *NEEDED, "download.json"}  # no verdict of this home
    elsewhere = Registry(tmp_path / "elsewhere")
    model = import_model(path, elsewhere)
    assert (model.name, model.kind, model.base) == (name, "cross-encoder", f"{MODEL.id}@{REVISION}")
    assert model.fingerprint == registry.model(name).fingerprint
    elsewhere.check(name)
    assert elsewhere.downloaded(MODEL.id) == name
    with pytest.raises(DownloadError, match="exists already; choose a new file"):
        export_model(name, path, registry)
    assert import_model(path, elsewhere).name == "tiny-reranker-2"


def test_a_model_that_was_changed_is_not_exported(hub: Hub, registry: Registry, tmp_path: Path) -> None:
    name = get(registry)
    (registry.folder(name) / "config.json").write_text("{}")
    with pytest.raises(RegistryError, match="has changed since registration"):
        export_model(name, tmp_path / "tiny.tar", registry)
    assert list(tmp_path.glob("*.tar*")) == []


def manifest(files: dict[str, bytes], **changes: Any) -> bytes:
    listed = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)} for name, content in files.items()
    }
    record = {
        "format": "citeloop-model-1",
        "name": "tiny",
        "kind": "cross-encoder",
        "base": "acme/tiny",
        "files": listed,
    }
    return json.dumps(record | changes).encode()


def tar(path: Path, *members: tuple[tarfile.TarInfo | str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for named, content in members:
            member = tarfile.TarInfo(named) if isinstance(named, str) else named
            if member.isreg():
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


GOOD = {"model.safetensors": b"weights", "config.json": b"{}"}
OUTSIDE = {"../../evil.json": b"{}"}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([], "begins with manifest.json"),
        ([("model.safetensors", b"weights")], "begins with manifest.json"),
        ([("manifest.json", b"{")], "manifest.json is invalid"),
        ([("manifest.json", manifest(GOOD, format="other"))], "manifest.json is invalid: format"),
        ([("manifest.json", manifest(GOOD, kind="virus"))], "names the kind 'virus'"),
        ([("manifest.json", manifest(OUTSIDE)), ("../../evil.json", b"{}")], "no file of a model"),
        ([("manifest.json", manifest({"/tmp/evil.json": b"{}"}))], "no file of a model"),
        ([("manifest.json", manifest({"evil.py": b"{}"}))], "no file of a model"),
        ([("manifest.json", manifest({"model.bin": b"{}"}))], "no file of a model"),
        ([("manifest.json", manifest({"gate.json": b"{}"}))], "no file of a model"),
        ([("manifest.json", manifest(GOOD)), ("evil.json", b"{}")], "is not as its manifest.json says"),
        ([("manifest.json", manifest(GOOD)), ("config.json", b"{ }")], "is not as its manifest.json says"),
        ([("manifest.json", manifest(GOOD)), ("config.json", b"[]")], "config.json .* damaged or was changed"),
        ([("manifest.json", manifest(GOOD)), *[("config.json", b"{}")] * 2], "is not as its manifest.json says"),
        ([("manifest.json", manifest(GOOD)), ("config.json", b"{}")], "lacks model.safetensors"),
        (
            [("manifest.json", manifest(GOOD)), (link("config.json", "/etc/passwd", tarfile.SYMTYPE), b"")],
            "is not as its manifest.json says",
        ),
        (
            [("manifest.json", manifest(GOOD)), (link("config.json", "manifest.json", tarfile.LNKTYPE), b"")],
            "is not as its manifest.json says",
        ),
        ([(link("manifest.json", "/etc/passwd", tarfile.SYMTYPE), b"")], "begins with manifest.json"),
    ],
)
def test_an_archive_that_is_not_as_it_should_be_leaves_nothing_behind(
    registry: Registry, tmp_path: Path, members: list[Any], expected: str
) -> None:
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    path = tar(tmp_path / "evil.tar", *members)
    with pytest.raises(DownloadError, match=expected):
        import_model(path, registry)
    assert registry.models() == []
    left = {file for file in tmp_path.rglob("*") if file.is_file()} - before - {path}
    assert {file.name for file in left} <= {f"citeloop.sqlite3{suffix}" for suffix in ("", "-wal", "-shm")}


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08"])
def test_a_file_that_is_no_archive_is_said(registry: Registry, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "evil.tar").write_bytes(content)
    with pytest.raises(DownloadError, match="not an archive that `citeloop models export` wrote"):
        import_model(tmp_path / "evil.tar", registry)


def test_a_cut_off_archive_is_said(hub: Hub, registry: Registry, tmp_path: Path) -> None:
    export_model(get(registry), tmp_path / "tiny.tar", registry)
    (tmp_path / "cut.tar").write_bytes((tmp_path / "tiny.tar").read_bytes()[:3_000_000])
    with pytest.raises(DownloadError):
        import_model(tmp_path / "cut.tar", Registry(tmp_path / "elsewhere"))
    assert Registry(tmp_path / "elsewhere").models() == []
