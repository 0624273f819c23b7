"""Does a liar get a worse model promoted? python -m tests.benchmarks.poisoning BEIR_DIR

Campaigns of simulated attackers beside ten honest users: they strike out what is right, praise one document whatever
was asked, or click at random, with up to half of all questions, under one name or three. After each, a model is
trained and judged by the gate as `citeloop train` does it; then the truth is measured, on questions that are like none
of those. What must not happen is a promotion that loses more than half a point.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

from app.evaluation.benchmark import Benchmark, read_benchmark
from app.evaluation.metrics import difference
from app.pipeline import Pipeline
from app.training.candidate import make_candidate
from app.training.fit.trainer import Watch
from app.training.labels.material import TooLittleFeedbackError
from app.training.plan import Plan
from tests.benchmarks.curator import (
    NUM_USERS,
    Clicks,
    Judge,
    ask_and_click,
    make_home,
    split_questions,
    strike_at_random,
    strike_right,
    strike_wrong,
)

TOLERATED_POINTS = 0.5


@dataclass(frozen=True, slots=True)
class Campaign:
    """attack: what the attackers do. share: of all questions that they ask. num_names: under how many names."""

    attack: str
    share: float
    num_names: int
    seed: int


def campaigns() -> Iterator[Campaign]:
    """Twenty: every attack in several strengths."""
    attacks = "strikes out what is right", "praises one document", "clicks at random"
    for seed, (share, num_names, attack) in enumerate(product((0.5, 0.3, 0.1), (1, 3), attacks)):
        yield Campaign(attack, share, num_names, seed)
    yield Campaign(attacks[0], 0.5, 1, 100)
    yield Campaign(attacks[1], 0.5, 3, 101)


def main() -> None:
    """Print a line for each campaign, and in the end how many broke the rule."""
    options = _options()
    benchmark = read_benchmark(options.folder)
    num_promoted = num_harmful = 0
    for campaign in list(campaigns())[options.first :][: options.number]:
        found = run(campaign, benchmark, options)
        print(json.dumps(asdict(found)), flush=True)
        num_promoted += found.verdict == "promote"
        num_harmful += found.verdict == "promote" and found.true_points < -TOLERATED_POINTS
    print(f"{num_promoted} promotions, {num_harmful} of them harmful")


@dataclass(frozen=True, slots=True)
class Outcome:
    """seen_points: the gain in nDCG@10 that the gate saw. true_points: by the judgements, on other questions."""

    campaign: Campaign
    verdict: str
    seen_points: float
    true_points: float
    sentence: str


def run(campaign: Campaign, benchmark: Benchmark, options: argparse.Namespace) -> Outcome:
    """One home folder, honest users and attackers, one training."""
    with tempfile.TemporaryDirectory() as scratch:
        pipeline = make_home(benchmark, Path(scratch) / "home", options.cache)
        questions = split_questions(benchmark, options.questions, options.measured, campaign.seed)
        num_attacked = round(campaign.share * len(questions.asked))
        attacked, honest = questions.asked[:num_attacked], questions.asked[num_attacked:]
        users = [f"user {number}" for number in range(NUM_USERS)]
        ask_and_click(pipeline, benchmark, honest, strike_wrong(0.1), users, campaign.seed)
        attackers = [f"attacker {number}" for number in range(campaign.num_names)]
        clicks, favourite = _attack(campaign, pipeline, benchmark, attacked)
        ask_and_click(pipeline, benchmark, attacked, clicks, attackers, campaign.seed, favourite=favourite)
        try:
            made = make_candidate(Plan(seed=campaign.seed), pipeline, "simulated", "", Watch())
        except TooLittleFeedbackError as error:  # attackers who strike out everything leave nothing to learn from
            return Outcome(campaign, "refused", 0.0, 0.0, str(error))
        judge = Judge.of(pipeline, benchmark, questions.measured)
        before = judge.values(pipeline.models.reranker("live"))
        true = difference(judge.values(pipeline.models.reranker(f"trained:{made.name}")), before)
        seen = made.report.gain["nDCG@10"].mean
        return Outcome(
            campaign, made.report.verdict, round(100 * seen, 2), round(100 * true.mean, 2), made.report.sentence
        )


def _attack(
    campaign: Campaign, pipeline: Pipeline, benchmark: Benchmark, attacked: tuple[str, ...]
) -> tuple[Clicks, str | None]:
    """What the attackers click on, and the document that they praise."""
    if campaign.attack == "strikes out what is right":
        return strike_right(), None
    if campaign.attack == "clicks at random":
        return strike_at_random(), None
    shown: Counter[str] = Counter()
    for query_id in attacked:
        answer = pipeline.rank(benchmark.queries[query_id])
        shown.update({citation.chunk.document for citation in answer.citations})
    return strike_wrong(0.0), shown.most_common(1)[0][0]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="in BEIR layout")
    parser.add_argument("--questions", type=int, default=200, help="that people and attackers ask")
    parser.add_argument("--measured", type=int, default=300, help="questions to measure the truth by")
    parser.add_argument("--first", type=int, default=0, help="campaign to begin with")
    parser.add_argument("--number", type=int, default=20, help="how many campaigns")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "citeloop-benchmarks")
    return parser.parse_args()


if __name__ == "__main__":
    main()
