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
from collections.abc import Iterable, Sequence
from pathlib import Path

from app.answer import Answer
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
    questions = {**benchmark.queries, **benchmark.unanswerable}
    answers = dict(zip(questions, answers_from([DATA / "sample"], questions.values(), reranker), strict=True))
    answered = {query_id: answers[query_id] for query_id in benchmark.queries}
    unanswerable = [answers[query_id] for query_id in benchmark.unanswerable]
    held = [
        answer.found and any(bare(evidence.quote) in bare(answer.text) for evidence in benchmark.evidence[query_id])
        for query_id, answer in answered.items()
    ]
    figures = {
        "answerable questions": len(held),
        "evidence in the answer": sum(held),
        "hedged": sum(not answer.found for answer in answered.values()),
        "unanswerable questions": len(unanswerable),
        "of these hedged": sum(not answer.found for answer in unanswerable),
        "words, median and ninth decile": num_words(answered.values()),
    }
    print(json.dumps(figures, indent=1))


def answers_from(paths: Sequence[Path], questions: Iterable[str], reranker: str | None = None) -> list[Answer]:
    """Return the answers to the questions from these documents alone, without a language model."""
    with tempfile.TemporaryDirectory() as scratch:
        home, embedder = Path(scratch), load_embedder()
        list(ingest(paths, ChunkTable(home, embedder), embedder))
        pipeline = Pipeline(Settings(home=home), embedder)
        return [pipeline.ask(question, reranker) for question in questions]


def num_words(answers: Iterable[Answer]) -> tuple[int, int]:
    """Return the median and the ninth decile of the numbers of words."""
    ordered = sorted(len(answer.text.split()) for answer in answers)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 9 // 10]


def bare(text: str) -> str:
    """Return the words in lower case, joined by spaces."""
    return " ".join(re.findall(r"\w+", text.lower()))


if __name__ == "__main__":
    main()
