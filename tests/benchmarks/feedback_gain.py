"""What struck-out citations are worth: python -m tests.benchmarks.feedback_gain BEIR_DIR

A simulated curator works over the questions of a benchmark (10% of the clicks are wrong), a model is trained as
`citeloop train` does it, and compared with the one that was live on questions that are like none of those, and on
questions about other documents. Nothing is asserted: a gain is a fact about a set of documents.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from app.evaluation.benchmark import Benchmark, read_benchmark
from app.evaluation.metrics import Difference, difference
from app.training.candidate import make_candidate
from app.training.fit.trainer import Watch
from app.training.labels.material import TooLittleFeedbackError
from app.training.plan import Plan
from tests.benchmarks.curator import (
    NUM_USERS,
    Judge,
    ask_and_click,
    make_home,
    name_answers,
    split_groups,
    split_questions,
    strike_wrong,
)


def main() -> None:
    """Print a row for each number of deletions."""
    options = _options()
    benchmark = read_benchmark(options.folder)
    for number in options.deletions or [None]:
        for seed in range(options.seeds):
            print(json.dumps(measure_gain(benchmark, options, number, seed)), flush=True)


def measure_gain(
    benchmark: Benchmark, options: argparse.Namespace, max_deletions: int | None, seed: int
) -> dict[str, object]:
    """One home folder, one curator, one training."""
    with tempfile.TemporaryDirectory() as scratch:
        pipeline = make_home(benchmark, Path(scratch) / "home", options.cache)
        split = split_groups if options.alike else split_questions
        questions = split(benchmark, options.questions, options.measured, seed)
        users = [f"user {number}" for number in range(NUM_USERS)]
        clicks = strike_wrong(options.wrong)
        deletions = ask_and_click(pipeline, benchmark, questions.asked, clicks, users, seed, max_deletions)
        named = name_answers(pipeline, benchmark, questions.asked) if options.named else 0
        started = time.perf_counter()
        try:
            made = make_candidate(
                Plan(seed=seed), pipeline, "simulated", "", Watch(), lambda what: print(what, file=sys.stderr)
            )
        except TooLittleFeedbackError as error:
            return {"deletions": deletions, "seed": seed, "verdict": "not trained", "sentence": str(error)}
        seconds = time.perf_counter() - started
        judge = Judge.of(pipeline, benchmark, questions.measured)
        before = judge.values(pipeline.models.reranker("live"))
        after = judge.values(pipeline.models.reranker(f"trained:{made.name}"))
        return {
            "deletions": deletions,
            "named": named,
            "seed": seed,
            "measured": len(after),
            "none": _mean(judge.values(None)),
            "live": _mean(before),
            "tuned": _mean(after),
            "gain": _points(difference(after, before)),
            "probe": _points(made.report.probe) if made.report.probe else None,
            "verdict": made.report.verdict,
            "sentence": made.report.sentence,
            "training_seconds": round(seconds),
        }


def _mean(values: dict[str, float]) -> float:
    return round(float(np.mean(list(values.values()))), 4)


def _points(found: Difference) -> str:
    return f"{100 * found.mean:+.2f} ({100 * found.low:+.2f} to {100 * found.high:+.2f}), p = {found.p_value:.3g}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="in BEIR layout")
    parser.add_argument("--questions", type=int, default=200, help="that people ask")
    parser.add_argument("--measured", type=int, default=300, help="questions to measure by")
    parser.add_argument("--deletions", type=int, nargs="*", help="stop after so many; several make a learning curve")
    parser.add_argument("--wrong", type=float, default=0.1, help="share of the clicks that hit another citation")
    parser.add_argument("--named", action="store_true", help="a curator also says which passage answers each question")
    parser.add_argument("--alike", action="store_true", help="measure by questions that are like those asked")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "citeloop-benchmarks")
    return parser.parse_args()


if __name__ == "__main__":
    main()
