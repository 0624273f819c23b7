"""Do quoted answers hold the evidence? python -m tests.benchmarks.quoted_answers [--reranker NAME]

The questions of data/eval/sample are asked without a language model. Counted are answerable questions whose answer has
all words of a judged quotation in order, questions of which the answer says that nothing clearly answers, and words.
Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from app.evaluation.benchmark import read_benchmark
from app.pipeline import Pipeline
from app.settings import Settings
from ingest.embed.embedder import load_embedder
from ingest.pipeline import ingest
from ingest.table import ChunkTable

DATA = Path(__file__).resolve().parents[2] / "data"


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reranker", default="shipped")
    reranker = parser.parse_args().reranker
    benchmark = read_benchmark(DATA / "eval" / "sample")
    with tempfile.TemporaryDirectory() as scratch:
        home, embedder = Path(scratch), load_embedder()
        list(ingest([DATA / "sample"], ChunkTable(home, embedder), embedder))
        pipeline = Pipeline(Settings(home=home), embedder)
        answered = {query_id: pipeline.ask(query, reranker) for query_id, query in benchmark.queries.items()}
        unanswerable = [pipeline.ask(query, reranker) for query in benchmark.unanswerable.values()]
    held = [
        answer.found and any(_bare(evidence.quote) in _bare(answer.text) for evidence in benchmark.evidence[query_id])
        for query_id, answer in answered.items()
    ]
    figures = {
        "answerable questions": len(held),
        "evidence in the answer": sum(held),
        "hedged": sum(not answer.found for answer in answered.values()),
        "unanswerable questions": len(unanswerable),
        "of these hedged": sum(not answer.found for answer in unanswerable),
        "words, median and ninth decile": _quantiles([len(answer.text.split()) for answer in answered.values()]),
    }
    print(json.dumps(figures, indent=1))


def _bare(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _quantiles(values: Sequence[int]) -> tuple[int, int]:
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 9 // 10]


if __name__ == "__main__":
    main()
