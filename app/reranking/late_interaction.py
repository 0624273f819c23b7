"""A model with a vector per token, as Reranker and Similarity: compares all tokens of query and passage."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cachetools import LRUCache

from app.reranking.kept_vectors import KeptVectors
from app.reranking.model_files import not_loaded, refuse_unsafe
from app.reranking.rerank import Blend, RerankerError
from ingest.embed.embedder import default_embedder_path, preferred_dtype
from ingest.embed.readable import readable_part
from ingest.embed.vocabulary import reads_language

if TYPE_CHECKING:
    import torch

_CACHE_BYTES = 256 * 2**20
_MAX_VOCABULARY = 60_000
"""A larger vocabulary is one for many languages."""


class TokenEncoder(Protocol):
    """Texts -> unit vectors of their tokens, each of shape (tokens, dimension)."""

    def encode_document(self, passages: list[str]) -> list[torch.Tensor]: ...
    def encode_query(self, query: str) -> torch.Tensor: ...


class LateInteractionReranker:
    """Scores the mean over the query's tokens of the best cosine similarity to a token of the passage (MaxSim;
    Khattab and Zaharia, SIGIR 2020).

    Packed token vectors of texts are cached in memory up to 256 MB. kept: where those of passages are on disk.
    """

    def __init__(
        self,
        target: str | None = None,
        *,
        name: str | None = None,
        encoder: TokenEncoder | None = None,
        blend: Blend | None = None,
    ) -> None:
        """target: a folder or hub id that MultiVectorEncoder reads; None: the default embedder's own token vectors.

        encoder, blend: instead of those of the target.
        """
        self.name = name or (f"late-interaction:{target}" if target else "late-interaction")
        self.blend = blend or (Blend.load(Path(target)) if target else None)
        self.kept: KeptVectors | None = None
        self._encoder = encoder or _token_encoder(target)
        self._packed: LRUCache[str, bytes] = LRUCache(_CACHE_BYTES, getsizeof=len)
        self._lock = threading.Lock()  # reading the cache also changes it

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        return self.similarities(query, passages)

    def similarities(self, text: str, texts: Sequence[str]) -> list[float]:
        from app.reranking.packing import mean_maxsim

        with self._lock:
            packed = {text: self._packed[text] for text in texts if text in self._packed}
        if self.kept and (unknown := _missing(texts, packed)):
            packed |= self.kept.get(unknown)
        packed |= self._encode(_missing(texts, packed))
        with self._lock:
            self._packed.update(packed)
        return mean_maxsim(self._encoder.encode_query(text), [packed[text] for text in texts])

    def unprepared(self, passages: Sequence[str]) -> list[str]:
        return self.kept.missing(passages) if self.kept else []

    def prepare(self, passages: Sequence[str]) -> None:
        if self.kept:
            self.kept.put(self._encode(list(passages)))

    def keep_only(self, keys: Collection[str]) -> None:
        if self.kept:
            self.kept.keep_only(keys)

    def reads(self, texts: Sequence[str]) -> bool:
        return not isinstance(self._encoder, _PackedTokens) or self._encoder.reads(texts)

    def forget(self) -> None:
        """Drop the vectors that are cached in memory."""
        with self._lock:
            self._packed.clear()

    def _encode(self, texts: list[str]) -> dict[str, bytes]:
        from app.reranking.packing import pack

        return dict(zip(texts, map(pack, self._encoder.encode_document(texts)), strict=True)) if texts else {}


def _missing(texts: Sequence[str], packed: Mapping[str, bytes]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text not in packed]


class _PackedTokens:
    """A plain BERT, computed without padding."""

    def __init__(self, folder: Path) -> None:
        from ingest.embed.packed_bert import PackedBert

        self._bert = PackedBert(folder, preferred_dtype())

    def encode_document(self, passages: list[str]) -> list[torch.Tensor]:
        from torch.nn.functional import normalize

        return self._bert.encode(passages, lambda tokens: normalize(tokens, dim=1))

    def encode_query(self, query: str) -> torch.Tensor:
        return self.encode_document([query])[0]

    def reads(self, texts: Sequence[str]) -> bool:
        """Return whether the texts are in a language of the vocabulary."""
        return self._bert.vocabulary_size > _MAX_VOCABULARY or reads_language(texts, self._bert.count_tokens)


class _MultiVectorTokens:
    """Any model that sentence-transformers' MultiVectorEncoder reads."""

    def __init__(self, target: str) -> None:
        from sentence_transformers import MultiVectorEncoder

        self._model = MultiVectorEncoder(target, model_kwargs={"dtype": preferred_dtype(), "use_safetensors": True})

    def encode_document(self, passages: list[str]) -> list[torch.Tensor]:
        parts = [readable_part(passage, self._model.max_seq_length) for passage in passages]
        encoded: Any = self._model.encode_document(parts, batch_size=16, show_progress_bar=False)
        return list(encoded)

    def encode_query(self, query: str) -> torch.Tensor:
        part = readable_part(query, self._model.max_seq_length)
        return self._model.encode_query(part, show_progress_bar=False)


def _token_encoder(target: str | None) -> TokenEncoder:
    """Return the fastest encoder for a model's token vectors; None: those of the default embedder.

    Raises RerankerError when the model is damaged.
    """
    folder = Path(target) if target else default_embedder_path()
    try:
        refuse_unsafe(str(target or folder))
        encoder = _PackedTokens(folder) if target is None or _is_plain(folder) else _MultiVectorTokens(target)
        if not encoder.encode_query("a").isfinite().all():  # some damage shows only then
            raise ValueError("its vectors are no numbers")
        return encoder
    except RerankerError:
        raise
    except Exception as error:  # damaged files make the libraries raise anything
        raise not_loaded(target or str(folder), error) from error


def _is_plain(folder: Path) -> bool:
    from ingest.embed.packed_bert import is_plain_bert, read_modules

    kept = [module.kind for module in read_modules(folder) if not _drops_tokens(module.config)]
    return kept == _PLAIN_MODULES and is_plain_bert(folder)


_PLAIN_MODULES = ["Transformer", "MultiVectorMask", "Normalize"]


def _drops_tokens(config: Any) -> bool:
    return bool(config.get("skiplist_words") or config.get("keep_only_token_ids"))
