"""A BERT folder -> PackedBert: texts -> a vector per word piece, several times faster than with padding.

Texts are concatenated, each word piece attends only to its own text, and weights are reordered for oneDNN. Reads
config.json, tokenizer.json and model.safetensors as transformers writes them and gives the same vectors. Needs only
torch, which starts three seconds faster than transformers.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

for _cache in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
    # Read when torch starts. The default caches 1,024 shapes; as every batch has a new one, a process grew to 8 GB.
    os.environ.setdefault(_cache, "64")

import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from tokenizers import Encoding, Tokenizer  # noqa: E402
from torch.nn.functional import embedding, gelu, layer_norm, linear  # noqa: E402

from ingest.embed.readable import readable_part  # noqa: E402

Text = str | tuple[str, str]
"""A text, or a pair of texts read together."""
Groups = list[tuple[int, int]]
"""(number of texts, word pieces in each) of neighboring texts of equal length, in order."""

_BATCH_TOKENS = 2048
"""Word pieces per batch: enough to keep a core busy, few enough for its cache."""
_MODEL_PREFIX = "bert."
"""Prefix of the weights if a head was trained on top."""


class Module(NamedTuple):
    """One module of a sentence-transformers folder: class name and configuration."""

    kind: str
    config: Mapping[str, Any]


def read_modules(folder: Path) -> list[Module]:
    """Return the modules of a sentence-transformers folder in order; [] if it has no modules.json."""
    return [
        Module(row["type"].rpartition(".")[2], read_json(folder / row["path"] / "config.json"))
        for row in read_json(folder / "modules.json", [])
    ]


def is_plain_bert(folder: Path) -> bool:
    """Return whether `PackedBert` can compute the folder's model: a standard BERT encoder without prompts."""
    config, settings = read_json(folder / "config.json"), read_json(folder / "sentence_bert_config.json")
    prompts = read_json(folder / "config_sentence_transformers.json")
    return bool(
        config.get("model_type") == "bert"
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
        and not settings.get("do_lower_case")
        and not prompts.get("default_prompt_name")
        and not any((prompts.get("prompts") or {}).values())
        and prompts.get("truncate_dim") is None
        and (folder / "tokenizer.json").exists()
        and (folder / "model.safetensors").exists()
    )


class BertParts(NamedTuple):
    """What a PackedBert is made of. weights: by the names of transformers.

    max_length: word pieces of a text. embedded_words: ids -> rows of the word table if the weights lack it.
    """

    config: Mapping[str, Any]
    weights: Mapping[str, torch.Tensor]
    make_tokenizer: Callable[[], Tokenizer]
    max_length: int
    embedded_words: Callable[[torch.Tensor], torch.Tensor] | None = None


def read_parts(folder: Path) -> BertParts:
    """Return the BERT of a folder. Raises OSError or ValueError when a file is damaged."""
    config = json.loads((folder / "config.json").read_text())
    return BertParts(
        config,
        load_file(folder / "model.safetensors"),
        lambda: Tokenizer.from_file(str(folder / "tokenizer.json")),
        min(_max_length(folder, config), int(config["max_position_embeddings"])),
    )


class PackedBert:
    """A BERT that reads concatenated texts, without padding and masks."""

    def __init__(self, source: Path | BertParts, dtype: torch.dtype) -> None:
        """Raises OSError or ValueError when a file is damaged, KeyError when a weight is missing."""
        parts = source if isinstance(source, BertParts) else read_parts(source)
        config, self.max_length, self._embedded_words = parts.config, parts.max_length, parts.embedded_words
        self.width: int = config["hidden_size"]
        self._dtype = dtype
        self.weights = {name.removeprefix(_MODEL_PREFIX): weight.to(dtype) for name, weight in parts.weights.items()}
        self._num_heads: int = config["num_attention_heads"]
        self._norm = (self.width,), config["layer_norm_eps"]
        self._layers = [  # each takes its large weights out of the mapping
            _Layer(self.weights, f"encoder.layer.{number}.", self) for number in range(config["num_hidden_layers"])
        ]
        self._tokenizer, self._counter = parts.make_tokenizer(), parts.make_tokenizer()
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.max_length)
        self._counter.no_padding()
        self._counter.no_truncation()
        self.vocabulary_size = self._counter.get_vocab_size()
        self._workers = _single_threaded_workers()

    def count_tokens(self, text: str) -> int:
        """Return the number of word pieces without special ones, at least of the text's readable part."""
        (encoding,) = self._counter.encode_batch_fast([readable_part(text, self.max_length)], add_special_tokens=False)
        return len(encoding.ids)  # `encode` would hold the GIL

    def encode(self, texts: Sequence[Text], finish: Callable[[torch.Tensor], torch.Tensor]) -> list[torch.Tensor]:
        """Return finish(vectors) for each text in order; vectors: the last layer, shape (word pieces, width)."""
        encodings = self._tokenizer.encode_batch([self._cut(text) for text in texts])
        batches = batches_of_like_length([len(encoding.ids) for encoding in encodings], torch.get_num_threads())
        found: dict[int, torch.Tensor] = {}
        results = self._workers.map(lambda batch: self._hidden([encodings[i] for i in batch], finish), batches)
        for batch, result in zip(batches, results, strict=True):
            found |= dict(zip(batch, result, strict=True))
        return [found[i] for i in range(len(encodings))]

    def _cut(self, text: Text) -> Text:
        """Cut a text to the part that the model can read."""
        if isinstance(text, str):
            return readable_part(text, self.max_length)
        return readable_part(text[0], self.max_length), readable_part(text[1], self.max_length)

    def _hidden(self, encodings: list[Encoding], finish: Callable[[torch.Tensor], torch.Tensor]) -> list[torch.Tensor]:
        """Encode texts that are sorted by length."""
        lengths = [len(encoding.ids) for encoding in encodings]
        groups = [(len(list(same)), length) for length, same in groupby(lengths)]
        with torch.inference_mode():
            hidden = (
                self._words(torch.tensor([id for encoding in encodings for id in encoding.ids]))
                + self._embedded("token_type", torch.tensor([id for encoding in encodings for id in encoding.type_ids]))
                + self._embedded("position", torch.cat([torch.arange(length) for length in lengths]))
            )
            hidden = self.normalized(hidden, "embeddings.LayerNorm.")
            for layer in self._layers:
                hidden = layer(hidden, groups)
            return [finish(text) for text in torch.split(hidden, lengths)]

    def attend(self, queries_keys_values: torch.Tensor, groups: Groups) -> torch.Tensor:
        """Return the attention within each text, shape (word pieces, width).

        On a CPU two large products per group are faster than scaled_dot_product_attention's many small ones.
        """
        heads = torch.unflatten(queries_keys_values, 1, (3, self._num_heads, -1)).permute(1, 2, 0, 3)
        scaling = heads.shape[-1] ** -0.5
        contexts = []
        start = 0
        for count, length in groups:
            q, k, v = torch.unflatten(heads[:, :, start : start + count * length], 2, (count, length)).unbind(0)
            contexts.append((torch.softmax((q * scaling) @ k.mT, dim=-1) @ v).flatten(1, 2))
            start += count * length
        return torch.cat(contexts, dim=1).transpose(0, 1).flatten(1)

    def normalized(self, hidden: torch.Tensor, prefix: str) -> torch.Tensor:
        """Return the vectors after the layer norm with this name."""
        shape, epsilon = self._norm
        return layer_norm(hidden, shape, self.weights[f"{prefix}weight"], self.weights[f"{prefix}bias"], epsilon)

    def _words(self, ids: torch.Tensor) -> torch.Tensor:
        if self._embedded_words is None:
            return self._embedded("word", ids)
        return self._embedded_words(ids).to(self._dtype)

    def _embedded(self, kind: str, ids: torch.Tensor) -> torch.Tensor:
        return embedding(ids, self.weights[f"embeddings.{kind}_embeddings.weight"])


class _Layer:
    """One transformer layer: attention, then two products with GELU between them, both with residuals."""

    def __init__(self, weights: dict[str, torch.Tensor], prefix: str, bert: PackedBert) -> None:
        self._prefix, self._bert = prefix, bert
        parts = [f"{prefix}attention.self.{part}." for part in ("query", "key", "value")]
        weight, bias = (torch.cat([weights.pop(f"{part}{kind}") for part in parts]) for kind in ("weight", "bias"))
        self._queries_keys_values = product(weight, bias)
        self._context, self._inner, self._outer = (
            product(weights.pop(f"{prefix}{part}.dense.weight"), weights.pop(f"{prefix}{part}.dense.bias"), activation)
            for part, activation in (("attention.output", "none"), ("intermediate", "gelu"), ("output", "none"))
        )

    def __call__(self, hidden: torch.Tensor, groups: Groups) -> torch.Tensor:
        context = self._bert.attend(self._queries_keys_values(hidden), groups)
        attended = self._bert.normalized(hidden + self._context(context), f"{self._prefix}attention.output.LayerNorm.")
        changed = self._outer(self._inner(attended))
        return self._bert.normalized(attended + changed, f"{self._prefix}output.LayerNorm.")


def product(
    weight: torch.Tensor, bias: torch.Tensor, activation: str = "none"
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a linear layer, optionally with GELU; its weights are reordered for oneDNN only once.

    In float32 this also avoids MKL, which takes more than twice the time on AMD processors.
    """
    # The operator is internal to torch and was measured on x86 only, hence the fallback.
    if hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.cpu.get_capabilities().get("avx2"):
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, _BATCH_TOKENS)
        operator = torch.ops.mkldnn._linear_pointwise
        return lambda rows: operator(rows, packed, bias, activation, [], "none")
    if activation == "gelu":
        return lambda rows: gelu(linear(rows, weight, bias))
    return lambda rows: linear(rows, weight, bias)


def batches_of_like_length(lengths: list[int], num_workers: int) -> list[list[int]]:
    """Return batches of indices, longest first, each at most _BATCH_TOKENS in total (or a single text).

    Batches are smaller if there would be fewer than workers.
    """
    size = min(_BATCH_TOKENS, -(-sum(lengths) // num_workers))
    batches: list[list[int]] = []
    room = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if not batches or lengths[index] > room:
            batches.append([])
            room = size
        batches[-1].append(index)
        room -= lengths[index]
    return batches


def _single_threaded_workers() -> ThreadPoolExecutor:
    """Return as many threads as torch would use for one product, each computing on its own.

    Threads that share a product wait for each other by spinning; on cores that are also busy with parsing, this takes
    several times as long as the product.
    """
    num_threads = torch.get_num_threads()
    workers = ThreadPoolExecutor(num_threads, "embed", torch.set_num_threads, (1,))
    all_started = threading.Barrier(num_threads)
    list(workers.map(lambda _: all_started.wait(), range(num_threads)))
    torch.set_num_threads(num_threads)  # undo the workers' setting for future threads
    return workers


def _max_length(folder: Path, config: Mapping[str, Any]) -> int:
    """Return the maximum number of word pieces, by the rules of sentence-transformers."""
    settings, tokenizer = (read_json(folder / f"{name}.json") for name in ("sentence_bert_config", "tokenizer_config"))
    length = settings.get("max_seq_length") or tokenizer.get("model_max_length") or config["max_position_embeddings"]
    return int(length)


def read_json(path: Path, default: Any = None) -> Any:
    """Return the file's content, or the default ({} unless given) if it does not exist."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {} if default is None else default
