"""Can it be told from scores that the documents do not answer a question? python -m tests.benchmarks.abstention

Questions of the sample documents that have no answer there, and questions of training data and of sources kept aside
whose answer is taken out of what search found. Three signals: how near the best sentence is, by whose floor the app
refuses; the probability of the best passage, by whose floor it does not; and a logistic regression on the best raw
score and the mean of the five behind it, the best of 43 features, fitted on the training questions here. With
--own-say a fourth: whether the language model of the usual variables (OPENAI_BASE_URL, OPENAI_MODEL ...), which reads
the five best passages as in the app, answers or says that they do not hold it. Without the training data, which lie
outside of the project, all but the fitted one are measured on the sample. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from app.answer import EXTRACTIVE, Answer, cite, extract
from app.answer.extractive import MIN_VALUE
from app.answer.writer import Writer
from app.evaluation.abstention import Abstention, abstention
from app.evaluation.benchmark import Benchmark, read_benchmark
from app.evaluation.metrics import Interval
from app.evaluation.tables import benchmark_table
from app.language_model.endpoint import Endpoint, read_endpoint
from app.language_model.openai_model import OpenAILanguageModel
from app.language_model.tokens import estimate_tokens
from app.registry import SHIPPED
from app.reranking.late_interaction import LateInteractionReranker
from app.reranking.names import MODELS_FOLDER
from app.reranking.rerank import Blend, rerank
from app.reranking.similarity import Similarity
from app.search.search import Candidate, search
from app.settings import read_settings
from app.training.candidate import PROBE
from app.training.labels.pairs import Pair, as_benchmark, read_pairs, split_by_source, spread
from ingest.embed.embedder import load_embedder
from tests.benchmarks.citation_support import SHARED_DATA, TEST_SOURCES

_TURNED_AWAY = 0.05
"""Share of the training questions with an answer that a fitted floor turns away."""
_NUM_CITATIONS = 5
_RESAMPLES = 2000
_ASIDE = {"docs_faq": 0.2, "vespa_docs": 0.12}
"""Share of the sources that the shipped reranker was not trained on."""


SearchIn = Callable[[Benchmark], Callable[[str], list[Candidate]]]
"""Documents -> question -> candidates."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What the scores of one question say. best, behind: raw scores of the reranker, the mean of the next five.

    own_say: 1 where the language model answers, 0 where it says that it cannot; 1 where none is asked.
    """

    similarity: float
    probability: float
    best: float
    behind: float
    own_say: float


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions on one set of documents. is_tuning: whether a floor may be fitted on them."""

    name: str
    is_tuning: bool
    answerable: tuple[Signals, ...]
    unanswerable: tuple[Signals, ...]


def main() -> None:
    """Print precision, recall and F1 of refusing, and who is turned away, for each set and signal."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        measure = Measure(_endpoint() if options.own_say else None)
        asked = list(collections(options.home or Path(scratch), (options.questions, options.passages), measure))
    blend = Blend.load(MODELS_FOLDER / SHIPPED)
    assert blend is not None
    assert blend.calibration is not None
    floors: dict[str, tuple[Callable[[Signals], float], float]] = {
        "best quote": (lambda each: each.similarity, MIN_VALUE),
        "probability": (lambda each: each.probability, blend.calibration.floor),
    }
    if tuning := [each for each in asked if each.is_tuning]:
        floors["fitted"] = fit(tuning)
    if options.own_say:
        floors["own say"] = (lambda each: each.own_say, 0.5)
    print("mean (95% interval)")
    for each in asked:
        kind = "tuning" if each.is_tuning else "test"
        print(f"\n{each.name} ({kind}; {len(each.answerable)} with and {len(each.unanswerable)} without an answer)")
        for name, (signal, floor) in floors.items():
            scores = [[signal(one) for one in questions] for questions in (each.answerable, each.unanswerable)]
            print(f"  {name:<18}{auc(*scores):.3f} AUC  {described(abstention(scores[0], scores[1], floor))}")


def described(found: Abstention) -> str:
    """The shares with their intervals, in a line."""
    shares = intervals(found).items()
    return "  ".join(f"{name} {share.mean:.2f} ({share.low:.2f} to {share.high:.2f})" for name, share in shares)


def intervals(found: Abstention) -> dict[str, Interval]:
    """Return precision, recall, f1 and the share turned away, with 95% bootstrap intervals (fixed seed).

    Questions with and without an answer are resampled separately, so that the numbers of abstentions are binomial.
    """
    rng = np.random.default_rng(0)
    hits = rng.binomial(found.num_unanswerable, found.recall, _RESAMPLES)
    rate = found.num_turned_away / max(1, found.num_answerable)
    wrong = rng.binomial(found.num_answerable, rate, _RESAMPLES)
    shares = {
        "precision": (found.precision, hits / np.maximum(1, hits + wrong)),
        "recall": (found.recall, hits / max(1, found.num_unanswerable)),
        "f1": (found.f1, 2 * hits / np.maximum(1, hits + wrong + found.num_unanswerable)),
        "turned_away": (rate, wrong / max(1, found.num_answerable)),
    }
    return {
        name: Interval(share, *(float(end) for end in np.quantile(drawn, [0.025, 0.975])))
        for name, (share, drawn) in shares.items()
    }


def auc(answerable: Sequence[float], unanswerable: Sequence[float]) -> float:
    """Share of pairs in which the question with an answer has the higher score."""
    higher, lower = np.array(answerable)[:, None], np.array(unanswerable)[None]
    return float((higher > lower).mean() + (higher == lower).mean() / 2)


def fit(tuning: Sequence[Asked]) -> tuple[Callable[[Signals], float], float]:
    """The score and its floor, the mean of those of the sets, each of which counts the same."""
    rows = np.concatenate([_rows([*each.answerable, *each.unanswerable]) for each in tuning])
    labels = np.concatenate([[1.0] * len(each.answerable) + [0.0] * len(each.unanswerable) for each in tuning])
    sizes = [len(each.answerable) + len(each.unanswerable) for each in tuning]
    shares = np.concatenate([np.full(size, 1 / size) for size in sizes])

    def loss(weights: NDArray[np.float64]) -> float:
        logits = rows @ weights
        return float(shares @ (np.logaddexp(0, logits) - labels * logits))

    weights = minimize(loss, np.zeros(3), method="BFGS").x

    def score(signals: Signals) -> float:
        return float(_rows([signals])[0] @ weights)

    print(f"fitted: {weights[0]:.2f} + {weights[1]:.2f} best + {weights[2]:.2f} behind")
    return score, float(np.mean([np.quantile([*map(score, each.answerable)], _TURNED_AWAY) for each in tuning]))


def _rows(signals: Sequence[Signals]) -> NDArray[np.float64]:
    return np.array([(1.0, each.best, each.behind) for each in signals])


def collections(home: Path, sizes: tuple[int, int], measure: Measure) -> Iterator[Asked]:
    """Each set with what its scores say; sizes: how many questions, and how many passages beside their answers."""
    search_in = searcher(home)
    if SHARED_DATA.exists():
        rows = {name: read_pairs(SHARED_DATA / f"{name}.jsonl.gz") for name in (*_ASIDE, "docs_headings")}
        headings = rows.pop("docs_headings")
        for name, pairs in rows.items():
            known = [pair for pair in pairs if pair.source not in TEST_SOURCES]
            aside = split_by_source(known, _ASIDE[name])[1]
            beside = _of(headings, aside) or known
            yield _taken_out(name, True, aside, beside, sizes, search_in, measure)
        unseen = [pair for pair in rows["docs_faq"] if pair.source in TEST_SOURCES]
        yield _taken_out("unseen sources", False, unseen, _of(headings, unseen), sizes, search_in, measure)
    else:
        print(f"no training data in {SHARED_DATA}, so only the sample is measured")
    yield _sample(search_in, measure)


def _of(pairs: Sequence[Pair], others: Sequence[Pair]) -> list[Pair]:
    """Those of the same sources."""
    sources = {pair.source for pair in others}
    return [pair for pair in pairs if pair.source in sources]


class Measure:
    """question, candidates -> Signals, with the shipped reranker and what finds the sentences of an answer."""

    def __init__(self, endpoint: Endpoint | None) -> None:
        """endpoint: of the language model that is asked as well."""
        self._reranker = LateInteractionReranker(str(MODELS_FOLDER / SHIPPED))
        self._scorer = LateInteractionReranker()
        self._writer = _writer(endpoint, self._scorer) if endpoint else None

    def __call__(self, question: str, candidates: Sequence[Candidate]) -> Signals:
        ranking = rerank(question, candidates, self._reranker)
        raw = sorted((ranked.reranker_score or 0.0 for ranked in ranking), reverse=True)
        citations = cite(ranking, _NUM_CITATIONS)
        best_similarity = max((each.vector_score or 0.0 for each in candidates), default=0.0)
        nearest = extract(question, citations, self._reranker, best_similarity).value
        own_say = 1.0
        if self._writer:
            unwritten = Answer(question, "", EXTRACTIVE, citations, tuple(ranking), SHIPPED)
            *_, written = self._writer.write(unwritten, citations)
            own_say = float(written.found)
        return Signals(nearest, ranking[0].score, raw[0], float(np.mean(raw[1:6])), own_say)


def _writer(endpoint: Endpoint, scorer: Similarity) -> Writer:
    return Writer(
        OpenAILanguageModel(endpoint), lambda: scorer, lambda: scorer, estimate_tokens, endpoint.context_tokens
    )


def _endpoint() -> Endpoint:
    if endpoint := read_endpoint(read_settings()):
        return endpoint
    raise SystemExit("--own-say needs a language model: set OPENAI_BASE_URL and OPENAI_MODEL, or OPENAI_API_KEY")


def _taken_out(
    name: str,
    is_tuning: bool,
    pairs: Sequence[Pair],
    beside: Sequence[Pair],
    sizes: tuple[int, int],
    search_in: SearchIn,
    measure: Measure,
) -> Asked:
    """Each question with what search finds, and with that but for its answer."""
    num_questions, num_passages = sizes
    benchmark = as_benchmark(name, spread(pairs, num_questions, 0), spread(beside, num_passages, 0))
    found = search_in(benchmark)
    with_answer, without = [], []
    for query_id, question in benchmark.queries.items():
        candidates = found(question)
        left = [each for each in candidates if each.chunk.document not in benchmark.qrels[query_id]]
        if 1 < len(left) < len(candidates):  # search found the answer
            with_answer.append(measure(question, candidates))
            without.append(measure(question, left))
    return Asked(name, is_tuning, tuple(with_answer), tuple(without))


def _sample(search_in: SearchIn, measure: Measure) -> Asked:
    benchmark = read_benchmark(PROBE)
    found = search_in(benchmark)
    answerable, unanswerable = (
        tuple(measure(question, found(question)) for question in questions.values())
        for questions in (benchmark.queries, benchmark.unanswerable)
    )
    return Asked("sample", False, answerable, unanswerable)


def searcher(home: Path) -> SearchIn:
    """Searches a benchmark's documents, whose table is built below home."""
    embedder = load_embedder()

    def search_in(benchmark: Benchmark) -> Callable[[str], list[Candidate]]:
        table = benchmark_table(benchmark, home, embedder)
        return lambda question: search(question, table, embedder)

    return search_in


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.abstention", description=__doc__)
    parser.add_argument("--questions", type=int, default=200, help="how many of each set of training data")
    parser.add_argument("--passages", type=int, default=1000, help="how many other passages lie beside their answers")
    parser.add_argument("--own-say", action="store_true", help="ask the language model of the usual variables, too")
    parser.add_argument("--home", type=Path, help="where the tables are kept for the next time; default: nowhere")
    return parser.parse_args()


if __name__ == "__main__":
    main()
