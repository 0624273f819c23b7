"""How often do gate and trial see that a candidate is better? python -m tests.benchmarks.trial_power REPORT

REPORT: a folder of `citeloop evaluate` with the runs of both rerankers. Its questions are drawn again and again, so
that the candidate is better by --points on average, or not at all. Simulated people strike out what the judgements call
wrong, and a share of these clicks goes wrong. For the gate they judge what the live model shows; three in ten of the
questions with an answer compare. In a trial they judge drafted answers. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ir_measures
import numpy as np

from app.evaluation.metrics import Difference
from app.evaluation.slices import Slice
from app.evaluation.trial import LOOKS, gain_of, outcome_of
from app.reranking.draft import draft
from app.training.gate.decision import Comparison, decide
from app.training.labels.split import SHARES
from tests.benchmarks.curator import Clicks, strike_wrong

NUM_SHOWN, DEPTH = 5, 10
NOTHING = Difference(0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Question:
    """Passages in the order of the live model and of the candidate, and those that answer."""

    live: Sequence[str]
    candidate: Sequence[str]
    right: frozenset[str]

    @property
    def gain(self) -> float:
        return _ndcg(self.candidate, self.right) - _ndcg(self.live, self.right)

    def standing(self, shown: Sequence[str], clicks: Clicks, chance: random.Random) -> dict[str, bool]:
        struck = clicks([passage in self.right for passage in shown], chance)
        return {passage: place not in struck for place, passage in enumerate(shown)}


def main() -> None:
    """Print verdicts of the gate and outcomes of trials, with and without a difference."""
    options = _options()
    clicks = strike_wrong(options.wrong)
    questions = read_questions(options.report, options.live, options.candidate)
    for points in (options.points, 0.0):
        weights = tilted([question.gain for question in questions], points / 100)
        for number in options.judged:
            for named in (False, True):
                verdicts = Counter(
                    gate_verdict(questions, weights, number, clicks, random.Random(seed), named=named)
                    for seed in range(options.times)
                )
                print(json.dumps({"points": points, "judged": number, "named": named, "gate": verdicts}), flush=True)
        outcomes = Counter(run_trial(questions, weights, clicks, random.Random(seed)) for seed in range(options.times))
        print(json.dumps({"points": points, "answers": max(LOOKS), "trial": outcomes}), flush=True)


def read_questions(report: Path, live: str, candidate: str) -> list[Question]:
    """Read both runs and the judgements of a report."""
    right: dict[str, set[str]] = {}
    for row in ir_measures.read_trec_qrels(str(report / "runs" / "judgements.qrels")):
        right.setdefault(row.query_id, set()).update([row.doc_id] if row.relevance > 0 else [])
    before, after = (_read_run(report, name) for name in (live, candidate))
    return [Question(before[each], after[each], frozenset(right[each])) for each in before]


def _read_run(report: Path, name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    (path,) = (report / "runs").glob(f"hybrid-*-{name}.run")
    for row in sorted(ir_measures.read_trec_run(str(path)), key=lambda row: -row.score):
        found.setdefault(row.query_id, []).append(row.doc_id)
    return found


def tilted(gains: Sequence[float], mean: float) -> list[float]:
    """Return weights of the questions that give this mean gain, as equal as possible."""
    values, low, high = np.array(gains), -50.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        weights = np.exp(middle * values) / np.exp(middle * values).sum()
        low, high = (middle, high) if weights @ values < mean else (low, middle)
    return [float(weight) for weight in weights]


def gate_verdict(
    questions: Sequence[Question],
    weights: Sequence[float],
    num_judged: int,
    clicks: Clicks,
    chance: random.Random,
    *,
    named: bool,
) -> str:
    """Return the gate's verdict. named: a curator also names what answers each question that compares."""
    values: list[tuple[float, float]] = []
    while len(values) < round(SHARES["gate"] * num_judged):
        (question,) = chance.choices(questions, weights)
        labels = question.standing(question.live[:NUM_SHOWN], clicks, chance)
        labels |= dict.fromkeys(question.right, True) if named else {}
        if any(labels.values()):
            values.append((_condensed(question.candidate, labels), _condensed(question.live, labels)))
    after, before = ({str(number): pair[side] for number, pair in enumerate(values)} for side in (0, 1))
    new = Slice.of(after, before)
    found = Comparison(
        num_questions=len(values),
        num_different=len(values),
        gain={"nDCG@10": new.gain or NOTHING},
        new=new,
        gain_over_none={"nDCG@10": NOTHING},
        shown_gain=NOTHING,
        probe=None,
        latency_ms={},
    )
    return decide(found, "candidate", "live")[0]


def run_trial(questions: Sequence[Question], weights: Sequence[float], clicks: Clicks, chance: random.Random) -> str:
    """Return the outcome of a trial."""
    gains: list[float] = []
    while len(gains) < max(LOOKS):
        (question,) = chance.choices(questions, weights)
        labels = question.standing(draft(question.live, question.candidate, NUM_SHOWN, chance), clicks, chance)
        if not all(labels.values()):
            kept = [passage for passage, stands in labels.items() if stands]
            gains.append(gain_of([(question.live.index(one) + 1, question.candidate.index(one) + 1) for one in kept]))
    return outcome_of(gains)


def _condensed(order: Sequence[str], labels: Mapping[str, bool]) -> float:
    right = frozenset(passage for passage, stands in labels.items() if stands)
    return _ndcg([passage for passage in order if passage in labels], right)


def _ndcg(order: Sequence[str], right: frozenset[str]) -> float:
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(DEPTH, len(right))))
    return sum(_discount(order, passage) for passage in right) / ideal if right else 0.0


def _discount(order: Sequence[str], passage: str) -> float:
    return 1 / math.log2(order.index(passage) + 2) if passage in order[:DEPTH] else 0.0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path, help="a folder of reports/, with runs/")
    parser.add_argument("--live", default="none")
    parser.add_argument("--candidate", default="shipped")
    parser.add_argument("--points", type=float, default=5.0, help="nDCG@10 by which the candidate is better")
    parser.add_argument("--wrong", type=float, default=0.1, help="share of the clicks that hit another source")
    parser.add_argument("--judged", type=int, nargs="*", default=[50, 100, 200, 400], help="questions with an answer")
    parser.add_argument("--times", type=int, default=200)
    return parser.parse_args()


if __name__ == "__main__":
    main()
