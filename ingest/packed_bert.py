"""BERT without padding: passages end to end in one row, each token of which sees its own passage only.

Several times as fast on a CPU as `SentenceTransformer.encode`, with the same vectors; what computes is
transformers' own BertModel, with another attention and with weights laid out for oneDNN.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import BertModel

_BATCH_TOKENS = 2048
"""Word pieces computed at a time: enough to keep a core busy, few enough for its cache."""


def packed_bert(model: SentenceTransformer) -> PackedBert | None:
    """The faster way to compute a plain BERT whose vector is the mean over the tokens of the bare text, else None."""
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertModel

    match list(model):
        case [Transformer(auto_model=BertModel() as bert), Pooling(pooling_mode="mean"), *rest]:
            normalized_at_most = all(isinstance(module, Normalize) for module in rest)
            bare = not model.default_prompt_name and model.truncate_dim is None
            if normalized_at_most and bare and not bert.config.is_decoder:
                return PackedBert(bert, model)
    return None


class PackedBert:
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
        self._workers = _single_threaded_workers()

    def encode(self, texts: list[str]) -> torch.Tensor:
        """The mean vector of each text, shape (len(texts), dimension), float32, of any length."""
        import torch

        pieces = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        batches = batches_of_like_length([len(ids) for ids in pieces], torch.get_num_threads())
        means = torch.empty(len(texts), self._bert.config.hidden_size)
        results = self._workers.map(self._means, [[pieces[i] for i in batch] for batch in batches])
        for batch, result in zip(batches, results, strict=True):
            means[batch] = result
        return means

    def _means(self, pieces: list[list[int]]) -> torch.Tensor:
        """Mean vectors of passages given as word pieces and sorted by length, shape (len(pieces), dimension)."""
        import torch

        lengths = [len(ids) for ids in pieces]
        with torch.inference_mode():
            hidden = self._bert(
                input_ids=torch.tensor([[piece for ids in pieces for piece in ids]]),
                position_ids=torch.cat([torch.arange(length) for length in lengths])[None],
                groups=[(len(list(same)), length) for length, same in groupby(lengths)],
            ).last_hidden_state[0]
            return torch.stack([passage.float().mean(0) for passage in hidden.split(lengths)])


def _single_threaded_workers() -> ThreadPoolExecutor:
    """As many threads as torch would use for one product, each of which computes alone.

    Threads that share a product wait for each other by spinning, many times in a layer: on cores that are
    busy with something else (parsing, say) that takes several times as long as the product itself.
    """
    import torch

    num_threads = torch.get_num_threads()
    workers = ThreadPoolExecutor(num_threads, "embed", torch.set_num_threads, (1,))
    all_started = threading.Barrier(num_threads)
    list(workers.map(lambda _: all_started.wait(), range(num_threads)))
    torch.set_num_threads(num_threads)  # each worker has set it for itself, but also for threads yet to come
    return workers


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


def batches_of_like_length(lengths: list[int], num_workers: int) -> list[list[int]]:
    """Indices of the lengths, longest first, in batches of at most _BATCH_TOKENS together (or of one).

    The batches are smaller where there would not be one for each worker.
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
