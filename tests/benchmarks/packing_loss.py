"""What packed token vectors cost the ranking: python -m tests.benchmarks.packing_loss BEIR_DIR...

The shipped reranker ranks the same candidates with its token vectors as computed and as packed, with its blend.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from app.evaluation.benchmark import read_benchmark
from app.evaluation.metrics import difference
from app.evaluation.progress import track
from app.evaluation.report import RunOptions, evaluate_table
from app.evaluation.tables import judged_table
from app.reranking.late_interaction import LateInteractionReranker, TokenEncoder
from app.reranking.names import MODELS_FOLDER
from ingest.embed.embedder import load_embedder

_SHIPPED = str(MODELS_FOLDER / "shipped")


class Remembering:
    """Encodes each text once for both."""

    def __init__(self, encoder: TokenEncoder) -> None:
        self.encode_query, self._encode = encoder.encode_query, encoder.encode_document
        self._vectors: dict[str, torch.Tensor] = {}

    def encode_document(self, passages: list[str]) -> list[torch.Tensor]:
        new = [passage for passage in dict.fromkeys(passages) if passage not in self._vectors]
        self._vectors.update(zip(new, self._encode(new) if new else [], strict=True))
        return [self._vectors[passage] for passage in passages]


class Exact(LateInteractionReranker):
    """Compares the token vectors as computed."""

    def similarities(self, text: str, texts: Sequence[str]) -> list[float]:
        query = self._encoder.encode_query(text).float()
        vectors = [vectors.float() for vectors in self._encoder.encode_document(list(texts))]
        best = torch.split((query @ torch.cat(vectors).T), [len(each) for each in vectors], dim=1)
        return [float(part.amax(1).mean()) for part in best]


def main() -> None:
    """Print nDCG@10 of both on each set, and the difference with its interval."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.packing_loss", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="sets in BEIR layout")
    parser.add_argument("--max-queries", type=int, default=100, help="questions of each set")
    options = parser.parse_args()
    rerankers = {"exact": Exact(_SHIPPED), "packed": LateInteractionReranker(_SHIPPED)}
    encoder = Remembering(rerankers["exact"]._encoder)
    for reranker in rerankers.values():
        reranker._encoder = encoder
    print("| set | as computed | packed | difference (95% interval) |\n|---|---|---|---|")
    for folder in options.folders:
        with tempfile.TemporaryDirectory() as home:
            benchmark = read_benchmark(folder, options.max_queries)
            embedder = load_embedder()
            judged = judged_table(benchmark, Path(home), embedder, track)
            exact, packed = evaluate_table(judged, embedder, rerankers, options=RunOptions(track)).results
        means = " | ".join(f"{result.metrics['nDCG@10'].mean:.4f}" for result in (exact, packed))
        gain = difference(packed.per_query["nDCG@10"], exact.per_query["nDCG@10"])
        print(f"| {folder.name} | {means} | {gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}) |")


if __name__ == "__main__":
    main()
