"""What can training on a source's own questions win? python -m tests.benchmarks.training_ceiling PAIRS... --source NAME

The questions of one source that the shipped reranker has not seen are split into folds. For each fold the shipped
reranker is trained further on the questions of the other folds, as `citeloop train --from-pairs` does it. It is
measured on this fold, among the passages of all questions and some of the source in the other files. It keeps the
shipped blend, as a training on feedback does. Feedback cannot tell more than these questions with their answers, so
this is the ceiling. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from app.evaluation.metrics import difference, measure
from app.evaluation.tables import benchmark_table, untracked
from app.reranking.names import open_reranker
from app.reranking.rerank import Blend, Reranker, rerank
from app.training.fit.trainer import Recipe, Watch
from app.training.from_pairs import PairsPlan, train_from_pairs
from app.training.labels.examples import JudgedQuery, judged_queries
from app.training.labels.pairs import Pair, as_benchmark, read_pairs
from ingest.embed.embedder import load_embedder
from ingest.home.folder import ROOT

SHIPPED = ROOT / "data" / "models" / "shipped"


def main() -> None:
    """Print the gain on each fold and on all questions."""
    options = _options()
    files = [[pair for pair in read_pairs(path) if pair.source == options.source] for path in options.files]
    questions, others = files[0], list(chain.from_iterable(files[1:]))
    chance = random.Random(options.seed)
    chance.shuffle(questions)
    passages = chance.sample(others, min(options.passages, len(others)))
    benchmark, embedder = as_benchmark("ceiling", questions, passages), load_embedder()
    judged = judged_queries(benchmark, benchmark_table(benchmark, options.cache, embedder), embedder)
    before = values(judged, open_reranker(str(SHIPPED)))
    after: dict[str, float] = {}
    for fold in range(options.folds):
        taught = [pair for number, pair in enumerate(questions) if number % options.folds != fold]
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as scratch:
            tuned = train(taught, options, Path(scratch))
            found = values(judged[fold :: options.folds], tuned)
        after |= found
        report("fold", found, before, num_taught=len(taught), seconds=round(time.perf_counter() - started))
    report("all", after, before, num_passages=len(benchmark.documents))


def train(taught: Sequence[Pair], options: argparse.Namespace, scratch: Path) -> Reranker:
    """Return the shipped reranker, trained on these pairs. The file is given once per epoch."""
    path, output = scratch / "taught.jsonl", scratch / "tuned"
    fields = ("question", "passage", "title", "source")
    path.write_text("\n".join(json.dumps({name: getattr(pair, name) for name in fields}) for pair in taught))
    files = [(path, len(taught))] * options.epochs
    watch = Watch(lambda loss: print(loss, file=sys.stderr))
    recipe = Recipe(max_tokens=options.max_tokens)
    train_from_pairs(PairsPlan(files, recipe, base=str(SHIPPED)), output, scratch, untracked, watch)
    blend = Blend.load(SHIPPED)
    assert blend
    blend.save(output)
    return open_reranker(str(output))


def values(judged: Sequence[JudgedQuery], reranker: Reranker) -> dict[str, float]:
    """Return question -> nDCG@10."""
    run = {
        query.query: {one.chunk.document: 1 / one.rank for one in rerank(query.query, query.candidates, reranker)[::-1]}
        for query in judged
    }
    return measure({query.query: dict.fromkeys(query.relevant, 1) for query in judged}, run)["nDCG@10"]


def report(name: str, after: dict[str, float], before: dict[str, float], **more: int) -> None:
    """Print the paired gain in points of nDCG@10."""
    gain = difference(after, {question: before[question] for question in after})
    figures = {"gain": gain.mean, "low": gain.low, "high": gain.high}
    row = {
        "part": name,
        "questions": len(after),
        "shipped": round(float(np.mean([before[question] for question in after])), 4),
        **{key: round(100 * value, 2) for key, value in figures.items()},
        "p": round(gain.p_value, 4),
        **more,
    }
    print(json.dumps(row), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", help="of pairs: the questions, then more passages to search")
    parser.add_argument("--source", required=True)
    parser.add_argument("--passages", type=int, default=700, help="of the other files, drawn at random")
    parser.add_argument("--max-tokens", type=int, default=128, help="word pieces of a passage that training reads")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "citeloop-benchmarks")
    return parser.parse_args()


if __name__ == "__main__":
    main()
