"""Does the default ranking hold on every set? python -m tests.benchmarks.ranking_rule BEIR_DIR...

Prints one table of all sets and checks two rules on each: hybrid search loses at most .01 nDCG@10 against the better of
its two lists, and the shipped reranker loses nothing against hybrid search. The exit status is 1 where one is broken.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from app.evaluation.benchmark import Benchmark, read_benchmark
from app.evaluation.progress import track
from app.evaluation.report import RunOptions, evaluate_table
from app.evaluation.results import NO_RERANKER, Result
from app.evaluation.tables import judged_table
from app.registry import SHIPPED
from app.reranking.names import load_reranker
from app.reranking.rerank import Reranker
from app.search.search import RETRIEVERS
from app.settings import Settings
from ingest.embed.embedder import load_embedder

MAX_HYBRID_LOSS = 0.01
"""In nDCG@10, against the better list."""
SHOWN_MEASURES = ("nDCG@10", "hit rate@5", "recall@50")


@dataclass(frozen=True, slots=True)
class MeasuredSet:
    """Means on one set: retriever, or "shipped" for hybrid search with the shipped reranker -> measure -> mean."""

    name: str
    num_queries: int
    means: Mapping[str, Mapping[str, float]]


def main() -> None:
    """Print the table, then on stderr each rule that is broken."""
    options = _options()
    benchmarks = [read_benchmark(folder, options.max_queries) for folder in options.folders]
    shipped = load_reranker(SHIPPED, Settings(home=options.cache))
    measured = [measure_set(benchmark, options.cache, shipped) for benchmark in benchmarks]
    print(json.dumps([asdict(each) for each in measured]) if options.json else markdown(measured))
    broken = [line for each in measured for line in broken_rules(each)]
    for line in broken:
        print(line, file=sys.stderr)
    sys.exit(1 if broken else 0)


def measure_set(benchmark: Benchmark, cache: Path, shipped: Reranker | None) -> MeasuredSet:
    """Every retriever without a reranker, and hybrid search with the shipped one. cache: home of the set's table."""
    embedder = load_embedder()
    judged, options = judged_table(benchmark, cache, embedder, track), RunOptions(track)
    searched = evaluate_table(judged, embedder, {NO_RERANKER: None}, RETRIEVERS, options=options)
    reranked = evaluate_table(judged, embedder, {SHIPPED: shipped}, options=options)
    means: dict[str, dict[str, float]] = {result.retriever: _means(result) for result in searched.results}
    means[SHIPPED] = _means(reranked.results[0])
    return MeasuredSet(benchmark.name, len(benchmark.queries), means)


def broken_rules(measured: MeasuredSet) -> list[str]:
    """One line for each rule that does not hold on this set, with its name and figures."""
    ndcg = {name: means["nDCG@10"] for name, means in measured.means.items()}
    better_list = max("vector", "text", key=lambda name: ndcg[name])
    limits = {"hybrid": (better_list, MAX_HYBRID_LOSS), SHIPPED: ("hybrid", 0.0)}
    return [
        f"{measured.name}: {name} has nDCG@10 {ndcg[name]:.3f}, expected at least {ndcg[other] - loss:.3f} "
        f"({other} has {ndcg[other]:.3f})"
        for name, (other, loss) in limits.items()
        if ndcg[name] < ndcg[other] - loss
    ]


def markdown(measured: Sequence[MeasuredSet]) -> str:
    """A row for each set: nDCG@10 / hit rate@5 / recall@50 of each way to rank."""
    names = list(measured[0].means)
    rows = [["set", "queries", *names], ["---"] * (2 + len(names))]
    for each in measured:
        cells = [" / ".join(f"{mean:.3f}" for mean in each.means[name].values()) for name in names]
        rows.append([each.name, str(each.num_queries), *cells])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{' / '.join(SHOWN_MEASURES)}:\n\n{table}"


def _means(result: Result) -> dict[str, float]:
    return {measure: result.metrics[measure].mean for measure in SHOWN_MEASURES}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="BEIR_DIR")
    parser.add_argument("--max-queries", type=int, help="only the first so many judged queries of each set")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "citeloop-benchmarks")
    return parser.parse_args()


if __name__ == "__main__":
    main()
