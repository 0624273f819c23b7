"""How long a cross-encoder takes for 50 passages, here and elsewhere: python -m tests.benchmarks.rerank_speed

The same weights, the same threads, the same passages, side by side in one run: sentence-transformers'
`CrossEncoder.predict` as it comes, LanceDB's own reranker, an ONNX export, and ours. The sides take turns; what
counts is the ratio of neighbours. Nothing is asserted: a time is a fact about a machine.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, cast
from unittest.mock import patch

import numpy as np
import onnxruntime
import pyarrow as pa
import torch
from lancedb.rerankers import CrossEncoderReranker as LanceReranker
from sentence_transformers import CrossEncoder
from tokenizers import Tokenizer

from app.reranking.cross_encoder import CrossEncoderReranker
from app.reranking.kept_vectors import KeptVectors
from app.reranking.late_interaction import LateInteractionReranker
from ingest.embed.embedder import default_embedder_path, load_embedder
from tests.benchmarks.ingest_speed import read_passages
from tests.benchmarks.timing import machine, timed

QUERY = "How many days before a trip does a travel request have to be approved?"
Score = Callable[[], Sequence[float]]


def main() -> None:
    """Print for each side its milliseconds, its share of `CrossEncoder.predict`, and how well it agrees."""
    options = _options()
    if options.without_bfloat16:
        _hide_bfloat16()
    passages = choose_passages(options.folder, options.passages)
    with tempfile.TemporaryDirectory() as scratch:
        sides = all_sides(options.model or untrained_cross_encoder(Path(scratch, "model")), passages)
        scores = {name: list(score()) for name, score in sides.items()}  # all are warm
        turns = [{name: timed(score).wall for name, score in sides.items()} for _ in range(options.rounds)]
        seconds = {name: [turn[name] for turn in turns] for name in sides}
    plain = "CrossEncoder.predict"
    rows = [
        {
            "side": name,
            "milliseconds": 1000 * median(found),
            "share": median(ours / theirs for ours, theirs in zip(found, seconds[plain], strict=True)),
            "same_top_10": len(top(scores[name]) & top(scores[plain])) if name not in OTHER_MODELS else None,
        }
        for name, found in seconds.items()
    ]
    if options.json:
        print(json.dumps({"machine": machine(), "passages": len(passages), "rows": rows}))
        return
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    print(f"{'':<34}{'ms':>8}{'share':>8}  of the top 10 the same")
    for row in rows:
        print(f"{row['side']:<34}{row['milliseconds']:>8.0f}{row['share']:>8.2f}  {row['same_top_10'] or ''}")


OTHER_MODELS = ("late interaction, new passages", "late interaction, in memory", "late interaction, kept on disk")
"""Sides that do not compute the cross-encoder and so need not agree with it."""


def all_sides(model: Path, passages: list[str]) -> dict[str, Score]:
    """Name -> a call that scores the passages."""
    pairs = [(QUERY, passage) for passage in passages]
    plain = CrossEncoder(str(model), device="cpu", activation_fn=torch.nn.Identity())
    ours, late = CrossEncoderReranker(str(model)), LateInteractionReranker()
    lance = LanceReranker(str(model), column="text", device="cpu", trust_remote_code=False)
    late.kept = kept = KeptVectors(model.parent, "benchmark")
    late.prepare(passages)
    table = pa.table({"text": passages, "number": range(len(passages)), "_distance": [0.0] * len(passages)})

    def lance_scores() -> Sequence[float]:
        ranked = lance.rerank_vector(QUERY, table)
        found = dict(zip(ranked["number"].to_pylist(), ranked["_relevance_score"].to_pylist(), strict=True))
        return [found[number] for number in range(len(passages))]

    def new_passages() -> Sequence[float]:
        late.kept = None
        late.forget()
        return late.score(QUERY, passages)

    def kept_passages() -> Sequence[float]:
        late.kept = kept
        late.forget()
        return late.score(QUERY, passages)

    return {
        "CrossEncoder.predict": lambda: list(plain.predict(pairs, show_progress_bar=False)),
        "LanceDB CrossEncoderReranker": lance_scores,
        "ONNX Runtime, float32": onnx_scores(model, plain, passages),
        "ours": lambda: ours.score(QUERY, passages),
        OTHER_MODELS[0]: new_passages,
        OTHER_MODELS[1]: lambda: late.score(QUERY, passages),
        OTHER_MODELS[2]: kept_passages,
    }


def onnx_scores(model: Path, plain: CrossEncoder, passages: list[str]) -> Score:
    """As FlashRank does it: the exported graph in ONNX Runtime, all pairs in one padded batch."""
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_padding()
    tokenizer.enable_truncation(512)
    names = ["input_ids", "attention_mask", "token_type_ids"]
    graph = model / "model.onnx"
    bert = cast(Any, plain[0]).auto_model.eval()
    bert.set_attn_implementation("eager")
    torch.onnx.export(
        bert,
        tuple(torch.ones(2, 8, dtype=torch.long) for _ in names),
        str(graph),
        input_names=names,
        output_names=["logits"],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
        dynamo=False,
    )
    bert.set_attn_implementation("sdpa")
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])

    def scores() -> Sequence[float]:
        found = tokenizer.encode_batch([(QUERY, passage) for passage in passages])
        inputs = {
            "input_ids": [each.ids for each in found],
            "attention_mask": [each.attention_mask for each in found],
            "token_type_ids": [each.type_ids for each in found],
        }
        (logits,) = session.run(None, {name: np.array(value) for name, value in inputs.items()})
        return [float(logit) for logit in np.asarray(logits)[:, 0]]

    return scores


def untrained_cross_encoder(folder: Path) -> Path:
    """A cross-encoder of the embedder's weights with a new head: its time is that of a trained one."""
    torch.manual_seed(0)
    CrossEncoder(str(default_embedder_path()), num_labels=1, max_length=512, device="cpu").save_pretrained(str(folder))
    return folder


def choose_passages(folder: Path, num_passages: int) -> list[str]:
    """Passages of about 170 word pieces."""
    embedder = load_embedder()
    passages = dict.fromkeys(read_passages(folder, embedder))
    return sorted(passages, key=lambda passage: abs(embedder.count_tokens(passage) - 170))[:num_passages]


def top(scores: Sequence[float]) -> set[int]:
    """Places of the ten best."""
    return set(np.argsort(scores)[::-1][:10].tolist())


def _hide_bfloat16() -> None:
    """From everything that asks torch what the CPU can do. Older instructions: ONEDNN_MAX_CPU_ISA."""
    capabilities = {**torch.cpu.get_capabilities(), "avx512_bf16": False, "amx_bf16": False}
    patch.object(torch.cpu, "get_capabilities", return_value=capabilities).start()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.rerank_speed", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("data/sample"), help="documents for the passages")
    parser.add_argument("--model", type=Path, help="a cross-encoder's folder; default: the embedder with a new head")
    parser.add_argument("--passages", type=int, default=50, help="how many")
    parser.add_argument("--without-bfloat16", action="store_true", help="as on a CPU that does not compute in it")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each side")
    parser.add_argument("--json", action="store_true", help="print a record instead of a table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
