"""Folders of models that are damaged or hostile: each is refused with a clear error, and nothing in it is run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.reranking.names import load_reranker
from app.settings import Settings
from ingest import CiteloopError
from ingest.embed.embedder import load_embedder
from tests.app.test_rerankers import save_bert, save_colbert, save_plain

Damage = Callable[[Path, Path], None]
"""Damages a model's folder; if its code is run, it makes the file named second."""


class _Opens:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return open, (str(self._path), "w")


def save_embedder(folder: Path) -> Path:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    transformer = Transformer(str(save_bert(folder.with_name("encoder"), headless=True)))
    SentenceTransformer(modules=[transformer, Pooling(16, pooling_mode="cls"), Dense(16, 8)]).save_pretrained(
        str(folder)
    )
    return folder


KINDS: Mapping[str, Callable[[Path], Path]] = {
    "packed": save_plain,
    "late-interaction": save_colbert,
    "cross-encoder": save_bert,
    "embedder": save_embedder,
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Returns the folder of a good model of a kind, made once."""
    folder, made = tmp_path_factory.mktemp("models"), dict[str, Path]()

    def save(kind: str) -> Path:
        if kind not in made:
            made[kind] = KINDS[kind](folder / kind)
            shutil.rmtree(folder / "bert", ignore_errors=True)
        return made[kind]

    return save


def use(kind: str, folder: Path, home: Path) -> None:
    if kind == "embedder":
        load_embedder(str(folder)).embed(["where is gold"])
        return
    name = "late-interaction" if kind == "packed" else kind
    reranker = load_reranker(f"{name}:{folder}", Settings(home=home))
    assert reranker
    assert len(reranker.score("where is gold", ["gold", "iron"])) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_folder_is_used(kind: str, saved: Callable[[str], Path], tmp_path: Path) -> None:
    use(kind, saved(kind), tmp_path)


# damages -----------------------------------------------------------------------------------------------


def changed(name: str, **changes: object) -> Damage:
    def damage(folder: Path, _: Path) -> None:
        config = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(config | changes))

    return damage


def replaced(name: str, content: bytes) -> Damage:
    def damage(folder: Path, _: Path) -> None:
        (folder / name).write_bytes(content)

    return damage


def modules(**last: str) -> Damage:
    """Change the last module, and put code beside it that it may name."""

    def damage(folder: Path, ran: Path) -> None:
        (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Evil: pass\n")
        shutil.copytree(folder, folder.with_name("outside"))
        listed = folder / "modules.json"
        rows = json.loads(listed.read_text()) if listed.exists() else [{"idx": 0, "name": "0", "path": "", "type": ""}]
        listed.write_text(json.dumps([*rows[:-1], rows[-1] | last]))

    return damage


def own_code(folder: Path, ran: Path) -> None:
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w')\n")
    names = ("AutoConfig", "AutoModel", "AutoModelForSequenceClassification", "AutoTokenizer")
    changed("config.json", model_type="evil", auto_map=dict.fromkeys(names, "evil.Evil"))(folder, ran)


def pickled(folder: Path, ran: Path) -> None:
    import torch

    (folder / "model.safetensors").unlink()
    torch.save({"weight": _Opens(ran)}, folder / "pytorch_model.bin")


def pickled_module(folder: Path, ran: Path) -> None:
    import torch

    module = next(path.parent for path in folder.glob("*Dense/config.json"))
    (module / "model.safetensors").unlink()
    torch.save({"linear.weight": _Opens(ran)}, module / "pytorch_model.bin")


def huge_module(folder: Path, ran: Path) -> None:
    module = next(path.parent.name for path in folder.glob("*Dense/config.json"))
    changed(f"{module}/config.json", in_features=10**6, out_features=10**6)(folder, ran)


def without_numbers(folder: Path, _: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    save_file({name: weight * float("nan") for name, weight in load_file(path).items()}, path, {"format": "pt"})


def link_to_itself(folder: Path, _: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("model.safetensors")


EVERYWHERE: Mapping[str, Damage] = {
    "pickled": pickled,
    "own code": own_code,
    "module elsewhere": modules(path="../outside"),
    "huge header": replaced("model.safetensors", (2**62).to_bytes(8, "little") + b"{}"),
    "no numbers": without_numbers,
    "link to itself": link_to_itself,
    "deep": replaced("config.json", b"[" * 100_000 + b"]" * 100_000),
    "huge layers": changed("config.json", hidden_size=10**9),
    "too many layers": changed("config.json", num_hidden_layers=10**9),
    "no heads": changed("config.json", num_attention_heads=0),
    "unknown type": changed("config.json", model_type="nonsense"),
}
MODULES: Mapping[str, Damage] = {
    "module with own code": modules(type="evil.Evil"),
    "module that is a command": modules(type="os.system"),
    "pickled module": pickled_module,
    "huge module": huge_module,
}
CASES = [(kind, name, damage) for kind in KINDS for name, damage in EVERYWHERE.items()] + [
    (kind, name, damage) for kind in ("late-interaction", "embedder") for name, damage in MODULES.items()
]


@pytest.mark.parametrize(("kind", "name", "damage"), CASES, ids=[f"{kind}: {name}" for kind, name, _ in CASES])
def test_a_bad_folder_is_refused_and_nothing_in_it_is_run(
    kind: str, name: str, damage: Damage, saved: Callable[[str], Path], tmp_path: Path
) -> None:
    folder, ran = tmp_path / name.replace(" ", "-"), tmp_path / "ran"
    shutil.copytree(saved(kind), folder)
    damage(folder, ran)
    before = {path for path in tmp_path.rglob("*") if path.name != "__pycache__"}
    with pytest.raises(CiteloopError, match=str(folder)) as caught:
        use(kind, folder, tmp_path)
    assert not ran.exists()
    assert {path for path in tmp_path.rglob("*") if path.name != "__pycache__"} == before
    assert "\n" not in str(caught.value) or kind == "embedder"
