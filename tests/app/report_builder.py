"""Reports made by hand, for the tests of what is said of them and where they are kept."""

from __future__ import annotations

from collections.abc import Mapping

from app.evaluation.changes import Place, QuestionChange
from app.evaluation.metrics import MEASURES, Difference, Interval
from app.evaluation.report import EvaluationReport
from app.evaluation.results import Latency, Result
from app.search.search import Retriever

NO_GAIN = Difference(0.0, 0.0, 0.0, 1.0)


def make_place(title: str = "Leave", text: str = "Thirty days.", *, relevant: bool = False) -> Place:
    return Place(document="leave.md", title=title, heading="Annual leave", page=3, text=text, relevant=relevant)


def make_change(question: str, before: float, after: float, *places: Place) -> QuestionChange:
    shown = places or (make_place(), make_place("Travel", "By train.", relevant=True))
    return QuestionChange(question[:4], question, before, after, shown, tuple(reversed(shown)))


def make_result(
    reranker: str = "none",
    *,
    retriever: Retriever = "hybrid",
    depth: int = 50,
    quality: float = 0.5,
    gain: Mapping[str, Difference] | None = None,
    changes: tuple[QuestionChange, ...] = (),
    best: float = 0.9,
    hits: float | None = None,
) -> Result:
    """A result whose measures all have this quality; gain: of the measures that have one, the others have none.

    hits: the hit rate@5 where it differs from the quality. best: that of the best possible order.
    """
    compared = reranker != "none"
    means = dict.fromkeys(MEASURES, quality) | ({} if hits is None else {"hit rate@5": hits})
    return Result(
        retriever=retriever,
        reranker=reranker,
        num_candidates=depth,
        metrics={name: Interval(mean, mean - 0.1, mean + 0.1) for name, mean in means.items()},
        oracle=dict.fromkeys(MEASURES, best),
        latency_ms={"search": Latency(20.0, 30.0), "rerank": Latency(41.0, 52.0)},
        gain={name: (gain or {}).get(name, NO_GAIN) for name in MEASURES} if compared else {},
        slow_down=3.05 if compared else None,
        per_query={name: {"q1": quality} for name in MEASURES},
        changes=changes,
        run={"q1": {"a b": 1.0, "c%d": 0.5}},
    )


def make_report(*results: Result, num_queries: int = 100, evaluated_at: str = "") -> EvaluationReport:
    return EvaluationReport(
        benchmark="our questions",
        judged="passages",
        num_queries=num_queries,
        num_documents=3,
        num_chunks=9,
        num_candidates=tuple(dict.fromkeys(result.num_candidates for result in results)),
        embedder="fake",
        chunking="heading-sentence/5",
        fingerprint="0123",
        evaluated_at=evaluated_at or "2026-11-21T14:30:00+00:00",
        left_out=("row 7: the question is empty",),
        results=results,
        qrels={"q1": {"a b": 1}},
    )
