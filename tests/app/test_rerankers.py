from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pytest_httpserver import HTTPServer

from app.registry import Registry
from app.reranking import cross_encoder, late_interaction
from app.reranking import names as rerankers
from app.reranking.cross_encoder import CrossEncoderReranker
from app.reranking.late_interaction import LateInteractionReranker
from app.reranking.names import (
    DESCRIPTIONS,
    EXAMPLES,
    LIVE,
    RERANKERS,
    UnknownRerankerError,
    describe,
    load_reranker,
    model_folder,
    shown_name,
)
from app.reranking.rerank import Blend, Reranker, RerankerError, rerank
from app.reranking.similarity import Monolingual
from app.settings import Settings
from ingest.embed.embedder import default_embedder_path
from ingest.embed.model_files import check_model_files
from ingest.home.folder import ROOT
from tests.app.builders import add_model, make_candidates

if TYPE_CHECKING:
    import torch

QUESTION = "When is the harbour gate closed?"
PASSAGES = [
    "The canteen serves soup on Mondays.",
    "The harbour gate is closed from ten at night until six in the morning.",
    "Printers are on the second floor.",
]


def must_load(name: str, settings: Settings) -> Reranker:
    reranker = load_reranker(name, settings)
    assert reranker is not None
    return reranker


# Names -----------------------------------------------------------------------------------------------


def test_none_is_no_reranker(settings: Settings) -> None:
    assert load_reranker("none", settings) is None


def test_an_unknown_name_lists_the_known_ones(settings: Settings) -> None:
    with pytest.raises(RerankerError) as caught:
        load_reranker("shiped", settings)
    assert "'shiped'" in str(caught.value)
    for name in ("none", "live", "shipped", "trained", "late-interaction", "cross-encoder", "http"):
        assert name in str(caught.value)


def test_every_kind_is_described() -> None:
    assert set(DESCRIPTIONS) == {*RERANKERS, LIVE}


@pytest.mark.parametrize(
    ("name", "what_to_do"), [("cross-encoder", "cross-encoder:PATH_OR_ID"), ("http", "CITELOOP_RERANK_URL")]
)
def test_a_kind_that_needs_a_target_says_so(name: str, what_to_do: str, settings: Settings) -> None:
    with pytest.raises(RerankerError, match=what_to_do):
        load_reranker(name, settings)


@pytest.mark.parametrize("name", ["none:xyz", "shipped:foo", "live:reranker-1", "none:"])
def test_a_kind_that_takes_no_target_refuses_one(name: str, settings: Settings) -> None:
    with pytest.raises(UnknownRerankerError, match=f"with nothing after it, got '{name}'"):
        load_reranker(name, settings)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("https://ann:pw@host:8/v1?key=pw#pw", "https://host:8/v1"),
        ("http:http://ann@host/rerank", "http:http://host/rerank"),
        ("http", "http"),
        ("cross-encoder:/models/a?b@c", "cross-encoder:/models/a?b@c"),
    ],
)
def test_a_name_that_is_shown_holds_no_secret(name: str, shown: str) -> None:
    assert shown_name(name) == shown


def test_the_folder_of_a_model_is_told_where_it_lies_on_this_machine(tmp_path: Path, settings: Settings) -> None:
    registry = Registry(settings.home)
    trained = add_model(settings.home)
    shipped = rerankers.MODELS_FOLDER / "shipped"
    assert model_folder("live", settings) == shipped
    registry.promote(trained, "ann", "", override=True)
    found = {name: model_folder(name, settings) for name in ("shipped", "live", f"trained:{trained}")}
    assert found == {name: shipped if name == "shipped" else registry.folder(trained) for name in found}
    assert model_folder("late-interaction", settings) == default_embedder_path()
    for name in (str(tmp_path), f"cross-encoder:{tmp_path}", f"late-interaction:{tmp_path}"):
        assert model_folder(name, settings) == tmp_path
    for name in ("none", "http", f"http:{tmp_path}", "http://localhost:8080", "cross-encoder:org/model", "org/model"):
        assert model_folder(name, settings) is None


def test_an_empty_name_is_unknown(settings: Settings) -> None:
    with pytest.raises(RerankerError, match="unknown reranker"):
        load_reranker("", settings)


# Which kind of model ---------------------------------------------------------------------------------

HUB_IDS = [model for models in EXAMPLES.values() for model in models]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder where the hub's downloads would lie."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what was loaded, as KIND:TARGET, with no model behind."""
    names: list[str] = []
    monkeypatch.setattr(rerankers, "CrossEncoderReranker", lambda target, **_: names.append(f"cross-encoder:{target}"))
    late_interaction = "late-interaction:{}".format
    monkeypatch.setattr(
        rerankers, "LateInteractionReranker", lambda target, **_: names.append(late_interaction(target))
    )
    return names


def download(hub: Path, model: str, **files: object) -> None:
    """Lay files as the hub's own library does; a file's name has _ for the dot."""
    folder = hub / f"models--{model.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    (folder / "snapshots" / ("0" * 40)).mkdir(parents=True)
    for name, content in files.items():
        (folder / "snapshots" / ("0" * 40) / ".".join(name.rsplit("_", 1))).write_text(json.dumps(content))


def save_colbert(folder: Path) -> Path:
    """A BERT with random weights and a projection of its tokens, as sentence-transformers saves it."""
    from sentence_transformers import MultiVectorEncoder

    MultiVectorEncoder(str(save_bert(folder.with_name("bert"), headless=True))).save(str(folder))
    return folder


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("model", HUB_IDS)
def test_a_well_known_model_that_is_not_here_says_in_a_line_how_to_get_it(model: str, settings: Settings) -> None:
    with pytest.raises(RerankerError) as caught:
        load_reranker(model, settings)
    message = str(caught.value)
    assert f"hf download {model})" in message
    assert "name a folder" in message
    assert f"cross-encoder:{model} or, for a ColBERT, late-interaction:{model}" in message
    assert "\n" not in message


@pytest.mark.slow
def test_a_model_that_is_not_here_costs_no_import_of_a_model_library(tmp_path: Path) -> None:
    script = (
        "import sys; from app.reranking.names import load_reranker; from app.settings import Settings\n"
        "try: load_reranker('BAAI/bge-reranker-base', Settings())\n"
        "except Exception as error: print(type(error).__name__, {'torch', 'sentence_transformers'} & set(sys.modules))"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path)}
    printed = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert printed.stdout == "RerankerError set()\n", printed.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("offline", "asks"), [({}, False), ({"HF_HUB_OFFLINE": "0"}, True)])
def test_the_hub_is_asked_only_by_those_who_say_so(
    offline: dict[str, str], asks: bool, tmp_path: Path, httpserver: HTTPServer
) -> None:
    script = (
        "from app.reranking.names import load_reranker; from app.settings import Settings\n"
        "load_reranker('BAAI/bge-reranker-base', Settings())"
    )
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    environment |= offline | {"HF_ENDPOINT": httpserver.url_for(""), "HF_HUB_CACHE": str(tmp_path)}
    httpserver.expect_request(re.compile(".*")).respond_with_data(status=404)  # other errors are tried again
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert "hf download BAAI/bge-reranker-base" in ended.stderr
    assert bool(httpserver.log) is asks


@pytest.mark.slow
def test_the_shipped_reranker_knows_what_it_cannot_read(settings: Settings) -> None:
    reranker = load_reranker("shipped", settings)
    can_read: dict[str, bool] = {}
    assert isinstance(reranker, Monolingual)
    for language in ("en", "de", "fr", "zh"):
        rows = (
            (ROOT / "data" / "eval" / "languages" / language / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
        )
        can_read[language] = reranker.reads([json.loads(row)["text"] for row in rows[:10]])
    assert can_read == {"en": True, "de": False, "fr": False, "zh": False}
    assert reranker.reads(["4711", ""])


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("name", ["/no/such/folder", "./no/folder", "cross-encoder:~/model"])
def test_a_path_that_is_not_there_is_no_reason_to_download(name: str, settings: Settings) -> None:
    with pytest.raises(RerankerError, match="there is no such folder") as caught:
        load_reranker(name, settings)
    assert "hf download" not in str(caught.value)


@pytest.mark.parametrize(
    "files",
    [
        {"config_json": {"architectures": ["HF_ColBERT"]}},
        {
            "config_json": {"architectures": ["BertModel"]},
            "config_sentence_transformers_json": {"model_type": "ColBERT"},
        },
        {
            "config_json": {"architectures": ["BertModel"]},
            "config_sentence_transformers_json": {"model_type": "MultiVectorEncoder"},
        },
        {"config_json": {}, "artifact_metadata": {"dim": 96}},
        {
            "config_json": {},
            "modules_json": [{"type": "sentence_transformers.multi_vector_encoder.modules.MultiVectorMask"}],
        },
    ],
)
def test_a_downloaded_colbert_is_known_by_its_files(
    files: dict[str, Any], hub: Path, loaded: list[str], settings: Settings
) -> None:
    download(hub, "someone/small-v1", **files)
    load_reranker("someone/small-v1", settings)
    assert loaded == ["late-interaction:someone/small-v1"]
    with pytest.raises(RerankerError, match="use late-interaction:someone/small-v1"):
        load_reranker("cross-encoder:someone/small-v1", settings)


@pytest.mark.parametrize(
    "files",
    [
        {"config_json": {"architectures": ["BertForSequenceClassification"]}},
        {
            "config_json": {"architectures": ["ModernBertModel"]},
            "config_sentence_transformers_json": {"model_type": "CrossEncoder"},
            "modules_json": [{"type": "sentence_transformers.base.modules.dense.Dense", "path": "1_Dense"}],
        },
    ],
)
def test_a_name_that_sounds_like_a_colbert_makes_none(
    files: dict[str, Any], hub: Path, loaded: list[str], settings: Settings
) -> None:
    download(hub, "someone/colbert-teacher", **files)
    load_reranker("someone/colbert-teacher", settings)
    load_reranker("cross-encoder:someone/colbert-teacher", settings)
    assert loaded == ["cross-encoder:someone/colbert-teacher"] * 2


@pytest.mark.parametrize("config", ["{", "[]", "[[1]]", "null", '{"architectures": null}'])
def test_a_config_that_tells_nothing_leaves_the_word_to_the_loader(
    config: str, tmp_path: Path, loaded: list[str], settings: Settings
) -> None:
    for name in ("config.json", "config_sentence_transformers.json", "modules.json"):
        (tmp_path / name).write_text(config)
    load_reranker(str(tmp_path), settings)
    assert loaded == [f"cross-encoder:{tmp_path}"]


def test_a_folder_with_a_colbert_is_loaded_as_one(tmp_path: Path, settings: Settings) -> None:
    folder = save_colbert(tmp_path / "saved")
    reranker = must_load(str(folder), settings)
    assert isinstance(reranker, LateInteractionReranker)
    (score,) = reranker.score("where is gold", ["gold is where silver is"])
    assert -1 <= score <= 1
    assert reranker.name == f"late-interaction:{folder}"


def test_each_kind_says_whether_it_is_ready(hub: Path, settings: Settings) -> None:
    download(hub, HUB_IDS[-1], model_safetensors=None)
    before = describe(settings)
    after = describe(settings.model_copy(update={"rerank_url": "http://localhost:8080"}))
    assert list(before) == list(DESCRIPTIONS)
    assert all(description.startswith(DESCRIPTIONS[kind]) for kind, description in before.items())
    assert before["none"].endswith("[ready]")
    assert (before["live"].endswith("[now shipped]"), before["trained"].endswith("[none yet]")) == (True, True)
    Registry(settings.home).promote(add_model(settings.home), "ann", "", override=True)
    assert describe(settings)["live"].endswith("[now reranker-1]")
    assert describe(settings)["trained"].endswith("[reranker-1]")
    assert before["late-interaction"].endswith("[ready with the embedder; downloaded: none of these]")
    assert before["cross-encoder"].endswith(f"[downloaded: {HUB_IDS[-1]}]")
    assert (before["http"].endswith("[needs an address]"), after["http"].endswith("[address set]")) == (True, True)


@pytest.mark.parametrize(("exists", "ready"), [(True, "[ready]"), (False, "[missing: install from a full checkout]")])
def test_the_shipped_one_is_ready_where_its_weights_lie(
    exists: bool, ready: str, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rerankers, "MODELS_FOLDER", tmp_path)
    if exists:
        (tmp_path / "shipped").mkdir()
        for name in ("model.safetensors", "blend.json"):
            (tmp_path / "shipped" / name).touch()
    assert describe(settings)["shipped"].endswith(ready)


def test_the_examples_are_told_with_their_kind() -> None:
    assert all(model in DESCRIPTIONS[kind] for kind, models in EXAMPLES.items() for model in models)


# Cross-encoder ---------------------------------------------------------------------------------------

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "gold", "silver", "iron", "is", "##s", "where"]


def save_bert(folder: Path, *, bias: float = 0.0, num_labels: int = 1, headless: bool = False) -> Path:
    """A BERT of two layers with random weights and the vocabulary above; bias is added to every output."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizer

    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        initializer_range=1.0,  # outputs far apart, so that an order can be told from rounding
    )
    config.num_labels = num_labels
    if headless:
        BertModel(config).save_pretrained(folder)
        return folder
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.bias.fill_(bias)
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(cross_encoder, "preferred_dtype", lambda: torch.float32)


def logits(folder: Path, query: str, passages: Sequence[str]) -> list[float]:
    """What transformers itself computes for (query, passage)."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(
        [query] * len(passages), list(passages), padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        model = AutoModelForSequenceClassification.from_pretrained(folder)
        return [float(value) for value in model.eval()(**tokens).logits[:, 0]]


@pytest.mark.usefixtures("float32")
def test_a_cross_encoder_returns_the_models_own_logits_in_the_order_of_the_passages(
    tmp_path: Path, settings: Settings
) -> None:
    folder = save_bert(tmp_path / "model")
    passages = ["iron", "gold is gold", "silvers is where gold is", "gold"]
    scores = must_load(str(folder), settings).score("where is gold", passages)
    assert scores == pytest.approx(logits(folder, "where is gold", passages), abs=1e-4)
    assert len({round(score, 3) for score in scores}) == 4


@pytest.mark.parametrize("plain", [True, False])
def test_a_cross_encoder_gets_texts_cut_to_what_it_can_read(
    plain: bool, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cross_encoder, "_is_plain_bert", lambda _folder: plain)
    reranker = must_load(str(save_bert(tmp_path / "model")), settings)
    module = "ingest.embed.packed_bert" if plain else "app.reranking.cross_encoder"
    monkeypatch.setattr(f"{module}.readable_part", lambda text, _max_tokens: text[:4])
    assert reranker.score("gold is", ["iron is gold"]) == reranker.score("gold", ["iron"])


def test_a_colbert_gets_texts_cut_to_what_it_can_read(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reranker = must_load(str(save_colbert(tmp_path / "model")), settings)
    monkeypatch.setattr("app.reranking.late_interaction.readable_part", lambda text, _max_tokens: text[:4])
    assert reranker.score("gold is", ["iron is gold"]) == reranker.score("gold", ["iron"])


@pytest.mark.parametrize("bias", [8.0, -8.0])
def test_logits_are_not_squeezed_into_0_to_1(bias: float, tmp_path: Path, settings: Settings) -> None:
    folder = save_bert(tmp_path / "model", bias=bias)
    (score,) = must_load(f"cross-encoder:{folder}", settings).score("where is gold", ["gold"])
    assert score > 1 if bias > 0 else score < 0


def test_a_cross_encoder_is_named_after_its_folder_and_brings_its_blend(tmp_path: Path, settings: Settings) -> None:
    folder = save_bert(tmp_path / "model")
    assert must_load(str(folder), settings).blend is None
    (folder / "blend.json").write_text('{"weights": {"reranker": 1, "vector": 2, "text": 3}}')
    reranker = must_load(str(folder), settings)
    assert (reranker.name, reranker.blend) == (f"cross-encoder:{folder}", Blend(1, 2, 3))


def test_a_model_with_several_outputs_is_no_reranker(tmp_path: Path) -> None:
    with pytest.raises(RerankerError, match="has 3 outputs, a reranker must have one"):
        CrossEncoderReranker(str(save_bert(tmp_path / "model", num_labels=3)))


def test_an_encoder_without_a_head_is_no_reranker(tmp_path: Path) -> None:
    folder = save_bert(tmp_path / "model", headless=True)
    with pytest.raises(RerankerError):
        CrossEncoderReranker(str(folder))


def save_kind(kind: str, folder: Path) -> Path:
    return save_colbert(folder) if kind == "late-interaction" else save_bert(folder)


@pytest.mark.parametrize("kind", ["cross-encoder", "late-interaction"])
@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_without_a_file_of_the_model_is_named(
    kind: str, missing: str, tmp_path: Path, settings: Settings
) -> None:
    folder = save_kind(kind, tmp_path / "model")
    (folder / missing).unlink()
    with pytest.raises(RerankerError, match=f"cannot load {folder}: it is neither a folder with config.json and"):
        load_reranker(f"{kind}:{folder}", settings)


def test_pickled_weights_are_not_loaded(tmp_path: Path, settings: Settings) -> None:
    import torch

    folder = save_bert(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(RerankerError, match=r"no file named model\.safetensors"):
        load_reranker(str(folder), settings)


def test_a_pickled_module_behind_the_transformer_is_refused(tmp_path: Path, settings: Settings) -> None:
    import torch

    folder = save_bert(tmp_path / "model")
    (folder / "1_Dense").mkdir()
    torch.save({}, folder / "1_Dense" / "pytorch_model.bin")
    modules = {"": "base.modules.Transformer", "1_Dense": "base.modules.Dense", "2": "modules.MultiVectorMask"}
    rows = [
        {"idx": place, "name": path, "path": path, "type": kind} for place, (path, kind) in enumerate(modules.items())
    ]
    (folder / "2").mkdir()
    (folder / "modules.json").write_text(json.dumps(rows))
    for kind in (CrossEncoderReranker, LateInteractionReranker):
        with pytest.raises(RerankerError, match=r"pickled weights \(pytorch_model\.bin\)"):
            kind(str(folder))


def test_modules_that_are_not_downloaded_yet_are_passed_over(tmp_path: Path) -> None:
    rows = [{"idx": 1, "name": "1", "path": "1_Dense", "type": "sentence_transformers.base.modules.Dense"}]
    (tmp_path / "modules.json").write_text(json.dumps(rows))
    check_model_files(tmp_path)


def test_a_plain_encoder_is_no_late_interaction_model(tmp_path: Path, settings: Settings) -> None:
    folder = save_bert(tmp_path / "model", headless=True)
    with pytest.raises(RerankerError, match="expected a ColBERT or a MultiVectorEncoder"):
        load_reranker(f"late-interaction:{folder}", settings)


def test_a_head_in_a_module_of_its_own_is_a_head(tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from torch.nn import Identity

    folder, weights = tmp_path / "model", save_bert(tmp_path / "weights", headless=True)
    transformer = Transformer(str(weights))
    head = Dense(16, 1, activation_function=Identity(), module_output_name="scores")
    CrossEncoder(modules=[transformer, Pooling(16, pooling_mode="cls"), head]).save_pretrained(str(folder))
    assert len(CrossEncoderReranker(str(folder)).score("where is gold", ["gold", "iron"])) == 2


@pytest.mark.slow
def test_a_plain_bert_is_computed_without_the_large_libraries(tmp_path: Path) -> None:
    folder = save_bert(tmp_path / "model")
    code = (
        f"from app.reranking.cross_encoder import CrossEncoderReranker as R; R({str(folder)!r}).score('gold', ['iron'])"
    )
    code += "; import sys; assert not {'transformers', 'sentence_transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_code_that_comes_with_a_model_is_not_run(tmp_path: Path, settings: Settings) -> None:
    folder = save_bert(tmp_path / "model")
    ran = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass EvilConfig: pass\nclass EvilModel: pass\n")
    classes = {"AutoConfig": "evil.EvilConfig", "AutoModelForSequenceClassification": "evil.EvilModel"}
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": classes}))
    with pytest.raises(RerankerError, match="cannot load"):
        load_reranker(str(folder), settings)
    assert not ran.exists()


EVIL_MODULES = [{"idx": 0, "name": "0", "path": "", "type": "evil.EvilModel"}]


@pytest.mark.parametrize("kind", ["cross-encoder", "late-interaction"])
@pytest.mark.parametrize("by", ["auto_map", "modules.json"])
def test_code_in_a_local_folder_is_refused_and_not_run(kind: str, by: str, tmp_path: Path, settings: Settings) -> None:
    folder, ran = save_kind(kind, tmp_path / "model"), tmp_path / "ran"
    (folder / "evil.py").write_text(
        f"open({str(ran)!r}, 'w')\nfrom transformers import BertConfig, BertModel\n"
        "class EvilConfig(BertConfig): model_type = 'evil'\nclass EvilModel(BertModel): config_class = EvilConfig\n"
    )
    if by == "auto_map":
        config = json.loads((folder / "config.json").read_text()) | {"model_type": "evil"}
        names = ("AutoModel", "AutoModelForSequenceClassification")
        config["auto_map"] = {"AutoConfig": "evil.EvilConfig"} | dict.fromkeys(names, "evil.EvilModel")
        (folder / "config.json").write_text(json.dumps(config))
    else:
        config = {"model_type": "MultiVectorEncoder" if kind == "late-interaction" else "CrossEncoder"}
        (folder / "config_sentence_transformers.json").write_text(json.dumps(config))
        (folder / "modules.json").write_text(json.dumps(EVIL_MODULES))
        (folder / "sentence_bert_config.json").write_text('{"do_lower_case": true}')  # no plain BERT, computed by us
    with pytest.raises(RerankerError, match=r"cannot load .*(contains custom code|executes third-party code)"):
        load_reranker(f"{kind}:{folder}", settings)
    assert not ran.exists()


@pytest.mark.parametrize("kind", ["cross-encoder", "late-interaction"])
def test_weights_cut_short_by_a_broken_download_are_a_reranker_error(
    kind: str, tmp_path: Path, settings: Settings
) -> None:
    weights = save_kind(kind, tmp_path / "model") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(RerankerError, match="cannot load"):
        load_reranker(f"{kind}:{weights.parent}", settings)


@pytest.mark.parametrize("name", ["nobody/nothing", "cross-encoder:nobody/nothing", "late-interaction:nobody/nothing"])
def test_a_hub_id_that_cannot_be_had_says_to_download_it(name: str, settings: Settings) -> None:
    with pytest.raises(
        RerankerError, match=r"cannot load nobody/nothing: .*hf download nobody/nothing\) .*or name a folder"
    ):
        load_reranker(name, settings)


def save_plain(folder: Path) -> Path:
    """A late interaction model like the shipped one, which is computed without the large libraries."""
    save_bert(folder, headless=True)
    kinds = ["base.modules.Transformer", "multi_vector_encoder.modules.MultiVectorMask", "base.modules.Normalize"]
    rows = [
        {
            "idx": place,
            "name": str(place),
            "path": f"{place}_{kind}" if place else "",
            "type": f"sentence_transformers.{kind}",
        }
        for place, kind in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(rows))
    (folder / "blend.json").write_text('{"weights": {"reranker": 1, "vector": 2, "text": 3}}')
    return folder


LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 45264384\n"
DAMAGES: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("model.safetensors", lambda data: data[:-100]),
    ("model.safetensors", lambda _: LFS_POINTER),
    ("model.safetensors", lambda _: b""),
    ("tokenizer.json", lambda _: b"{}"),
    ("tokenizer.json", lambda data: data[:-9]),
    ("modules.json", lambda data: data[:-9]),
    ("modules.json", lambda _: b"[{}]"),
    ("modules.json", lambda _: b"5"),
    ("config.json", lambda data: data[:-9]),
    ("config.json", lambda _: b"[]"),
    ("config.json", lambda _: b'{"model_type": "bert", "hidden_act": "gelu"}'),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGES)
def test_a_damaged_model_of_the_shipped_kind_is_a_reranker_error(
    name: str, damage: Callable[[bytes], bytes], tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rerankers, "MODELS_FOLDER", tmp_path)
    folder = save_plain(tmp_path / "shipped")
    assert must_load("shipped", settings).score("where is gold", ["gold"])
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    with pytest.raises(RerankerError, match=f"cannot load {folder}: it is neither a folder with config.json and"):
        load_reranker("shipped", settings)


# Late interaction ------------------------------------------------------------------------------------


class TokenEncoder:
    """Token vectors by hand: one of two axes, or between them."""

    def __init__(self, encoded: dict[str, list[list[float]]]) -> None:
        self._encoded = encoded
        self.calls: list[list[str]] = []

    def encode_document(self, passages: list[str], **_options: object) -> list[torch.Tensor]:
        import torch

        self.calls.append(list(passages))
        return [torch.tensor(self._encoded[passage]) for passage in passages]

    def encode_query(self, query: str, **_options: object) -> torch.Tensor:
        import torch

        return torch.tensor(self._encoded[query])


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> TokenEncoder:
    encoder = TokenEncoder(
        {
            "query": [[1.0, 0.0], [0.0, 1.0]],
            "one side": [[1.0, 0.0]],
            "both": [[0.6, 0.8], [1.0, 0.0], [-1.0, 0.0]],
            "against": [[-0.6, -0.8]],
        }
    )
    monkeypatch.setattr(late_interaction, "_token_encoder", lambda _: encoder)
    return encoder


@pytest.mark.usefixtures("encoder")
def test_late_interaction_is_the_mean_of_each_query_tokens_best_match() -> None:
    scores = LateInteractionReranker().score("query", ["one side", "both", "against"])
    assert scores == pytest.approx([0.5, 0.9, -0.7], abs=0.1)  # (1 + 0) / 2, (1 + 0.8) / 2, (-0.6 - 0.8) / 2


def test_a_passage_is_encoded_once(encoder: TokenEncoder) -> None:
    reranker = LateInteractionReranker()
    first = reranker.score("query", ["both", "one side", "both"])
    second = reranker.score("query", ["one side", "against", "both"])
    assert encoder.calls == [["both", "one side"], ["against"]]
    assert second == pytest.approx([first[1], -0.7, first[0]], abs=0.1)


def test_more_passages_than_the_cache_holds_are_scored_all_the_same(
    encoder: TokenEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late_interaction, "_CACHE_BYTES", 15)  # three vectors of five bytes
    reranker = LateInteractionReranker()
    passages = ["one side", "both", "against"]
    assert (
        reranker.score("query", passages)
        == reranker.score("query", passages)
        == pytest.approx([0.5, 0.9, -0.7], abs=0.1)
    )
    assert len(encoder.calls) == 2


class PatientText(str):
    """Lets other threads run whenever it is looked up."""

    __slots__ = ()

    def __hash__(self) -> int:
        time.sleep(1e-5)
        return super().__hash__()


def test_threads_share_a_full_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    passages = [PatientText(f"passage {number}") for number in range(20)]
    encoder = TokenEncoder({text: [[1.0, 0.0]] for text in ("query", *passages)})
    monkeypatch.setattr(late_interaction, "_token_encoder", lambda _: encoder)
    monkeypatch.setattr(late_interaction, "_CACHE_BYTES", 5 * 10)
    reranker = LateInteractionReranker()
    errors: list[Exception] = []

    def ask(first: int) -> None:
        try:
            for turn in range(15):
                reranker.score("query", [passages[(first + turn * 3 + step) % 20] for step in range(8)])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=ask, args=(number * 5,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.slow
def test_the_shipped_reranker_puts_the_obvious_passage_first(settings: Settings) -> None:
    reranker = must_load("shipped", settings)
    scores = reranker.score(QUESTION, PASSAGES)
    assert max(range(3), key=scores.__getitem__) == 1
    ranking = rerank(QUESTION, make_candidates(*PASSAGES), reranker)
    assert ranking[0].chunk.text == PASSAGES[1]
    assert (reranker.name, ranking[0].rank_change) == ("shipped", 1)
    assert reranker.blend is not None


@pytest.mark.slow
def test_the_embedders_own_token_vectors_rank_without_a_blend(settings: Settings) -> None:
    reranker = must_load("late-interaction", settings)
    first, second = reranker.score(QUESTION, PASSAGES), reranker.score(QUESTION, PASSAGES)
    assert max(range(3), key=first.__getitem__) == 1
    assert all(-1 <= score <= 1 for score in first)
    assert first == pytest.approx(second)
    assert reranker.blend is None
