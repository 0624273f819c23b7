"""candidate and what is live, on the gate's questions -> GateReport.

The questions are those of people's feedback that no model was ever trained on. Of the passages, people judged only
what they were shown, by the live model, so what nobody judged is left out of both orders before they are compared
(condensed lists; Sakai, 2007). That the candidate brings up what nobody has judged is watched apart, as is what it
has forgotten, on questions about other documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from app.evaluation import Benchmark, JudgedTable, Qrels, Run, evaluate
from app.evaluation.changes import CHANGE_MEASURE, largest_changes
from app.evaluation.metrics import Difference, Interval, difference, interval, measure
from app.rerank import RankedChunk, Reranker, rerank
from app.search import Candidate
from app.training.gate import Found, GateReport, Group, decide
from app.training.rules import MIN_USERS, LabeledPassage
from ingest.embed import Embedder
from ingest.table import ChunkTable

MAX_QUESTIONS_OF_ONE = 0.2
"""Share of the gate's questions that one user may have judged alone, where three or more people take part."""
_MEASURES = ("nDCG@10", "MRR@10", "hit rate@5")


@dataclass(frozen=True, slots=True)
class Contender:
    """A reranker with the search below it, under the name that people know it by."""

    name: str
    reranker: Reranker | None
    search: Callable[[str], Sequence[Candidate]]


@dataclass(frozen=True, slots=True)
class Probe:
    """gain: in nDCG@10, of the candidate over what is live. latency_ms: live, candidate -> median of reranking."""

    gain: Difference
    latency_ms: Mapping[str, float]


def probe(
    candidate: Contender,
    live: Contender,
    candidate_embedder: Embedder,
    live_embedder: Embedder,
    benchmark: Benchmark,
    home: Path,
) -> Probe:
    """Compare both on questions about other documents, whose tables are built below home on first use."""
    (after,) = evaluate(benchmark, home, candidate_embedder, {"candidate": candidate.reranker}).results
    (before,) = evaluate(benchmark, home, live_embedder, {"live": live.reranker}).results
    return Probe(
        difference(after.per_query["nDCG@10"], before.per_query["nDCG@10"]),
        {"live": before.latency_ms["rerank"].p50, "candidate": after.latency_ms["rerank"].p50},
    )


def compare(
    candidate: Contender,
    live: Contender,
    gate: Mapping[str, Sequence[LabeledPassage]],
    table: ChunkTable,
    probed: Probe | None,
    budget_ms: float,
) -> GateReport:
    """Rank the gate's questions by the candidate, the live model and its search alone, and decide.

    budget_ms: that reranking may take at most.
    """
    judged, condensed = _judged(fair_share(gate), table)
    contenders = {"none": replace(live, reranker=None), "live": live, "candidate": candidate}
    found_by = {  # most contenders share one search
        search: {query_id: search(query) for query_id, query in judged.queries.items()}
        for search in {live.search, candidate.search}
    }
    rankings = {
        name: {
            query_id: rerank(query, found_by[each.search][query_id], each.reranker)
            for query_id, query in judged.queries.items()
        }
        for name, each in contenders.items()
    }
    shown = {name: measure(judged.qrels, _run(each)) for name, each in rankings.items()}
    values = {name: measure(judged.qrels, _only(_run(each), condensed)) for name, each in rankings.items()}
    compared = {
        query_id: (values["live"][CHANGE_MEASURE][query_id], values["candidate"][CHANGE_MEASURE][query_id])
        for query_id in judged.queries
    }
    found = Found(
        num_questions=len(judged.queries),
        gain=_gains(values["candidate"], values["live"]),
        gain_over_none=_gains(values["candidate"], values["none"]),
        shown_gain=_gain(shown["candidate"], shown["live"], "hit rate@5"),
        probe=probed.gain if probed else None,
        latency_ms=probed.latency_ms if probed else {},
        budget_ms=budget_ms,
    )
    verdict, sentence, reasons = decide(found, candidate.name, live.name)
    return GateReport(
        candidate=candidate.name,
        live=live.name,
        decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
        verdict=verdict,
        sentence=sentence,
        reasons=reasons,
        num_questions=found.num_questions,
        metrics={name: _means(each) for name, each in values.items()} if judged.queries else {},
        gain=found.gain,
        gain_over_none=found.gain_over_none,
        shown_gain=found.shown_gain,
        probe=found.probe,
        latency_ms=found.latency_ms,
        groups=_groups(gate, judged, compared),
        changes=largest_changes(judged, rankings["live"], rankings["candidate"], compared),
    )


# the questions -------------------------------------------------------------------------------------------


def fair_share(gate: Mapping[str, Sequence[LabeledPassage]]) -> dict[str, Sequence[LabeledPassage]]:
    """The questions that have a passage that answers them, and of one user's own no more than a fifth.

    A user's own are those that nobody else has judged; a curator's word counts always.
    """
    usable = {
        question: passages
        for question, passages in gate.items()
        if any(each.relevant and each.chunk_id for each in passages)  # what was imported may be of no document here
    }
    own: dict[str, list[str]] = {}
    users = {question: _users(passages) for question, passages in usable.items()}
    for question, names in users.items():
        if len(names) == 1 and not any(each.judged_by for each in usable[question]):
            own.setdefault(next(iter(names)), []).append(question)
    if len(set().union(*users.values())) < MIN_USERS:
        return usable
    num_allowed = _num_allowed([len(questions) for questions in own.values()], len(usable))
    surplus = {question for questions in own.values() for question in questions[num_allowed:]}
    return {question: passages for question, passages in usable.items() if question not in surplus}


def _num_allowed(owned: Sequence[int], num_questions: int) -> int:
    """How many questions of one user may stay so that they are at most the share of all that stay."""
    for allowed in range(num_questions, 0, -1):
        left = num_questions - sum(max(0, number - allowed) for number in owned)
        if allowed <= MAX_QUESTIONS_OF_ONE * left or max(owned, default=0) <= MAX_QUESTIONS_OF_ONE * left:
            return allowed
    return 1


def _users(passages: Sequence[LabeledPassage]) -> set[str]:
    return {user for each in passages for user in (*each.struck_by, *each.kept_by, *each.opened_by)}


def _judged(
    gate: Mapping[str, Sequence[LabeledPassage]], table: ChunkTable
) -> tuple[JudgedTable, Mapping[str, frozenset[str]]]:
    """The gate's questions on the table, and by query the ids of the chunks that people judged.

    A chunk's id comes from its text: one that the documents no longer hold is simply never found.
    """
    queries = {str(number): question for number, question in enumerate(gate)}
    here = {
        query_id: {each.chunk_id: bool(each.relevant) for each in gate[question] if each.chunk_id}
        for query_id, question in queries.items()
    }
    qrels: Qrels = {
        query_id: {chunk_id: 1 for chunk_id, relevant in judged.items() if relevant}
        for query_id, judged in here.items()
    }
    judged = JudgedTable(
        name="gate",
        table=table,
        judged="passages",
        queries=queries,
        qrels=qrels,
        num_documents=len(table.documents()),
        chunking="",
        fingerprint="",
    )
    return judged, {query_id: frozenset(each) for query_id, each in here.items()}


def _run(rankings: Mapping[str, Sequence[RankedChunk]]) -> Run:
    return {
        query_id: {ranked.chunk.id: 1 / ranked.rank for ranked in ranking} for query_id, ranking in rankings.items()
    }


def _only(run: Run, kept: Mapping[str, frozenset[str]]) -> Run:
    return {
        query_id: {chunk_id: score for chunk_id, score in scores.items() if chunk_id in kept[query_id]}
        for query_id, scores in run.items()
    }


# the figures ---------------------------------------------------------------------------------------------

PerQuery = Mapping[str, Mapping[str, float]]


def _gains(values: PerQuery, baseline: PerQuery) -> dict[str, Difference]:
    return {name: _gain(values, baseline, name) for name in _MEASURES}


def _gain(values: PerQuery, baseline: PerQuery, name: str) -> Difference:
    return difference(values[name], baseline[name]) if values[name] else Difference(0.0, 0.0, 0.0, 1.0)


def _means(values: PerQuery) -> dict[str, Interval]:
    return {name: interval(list(values[name].values())) for name in _MEASURES}


def _groups(
    gate: Mapping[str, Sequence[LabeledPassage]], judged: JudgedTable, values: Mapping[str, tuple[float, float]]
) -> tuple[Group, ...]:
    """By the uppermost folder of the first passage that answers."""
    members: dict[str, list[tuple[float, float]]] = {}
    for query_id, question in judged.queries.items():
        document = next(each.document for each in gate[question] if each.relevant and each.chunk_id)
        folder = document.partition("/")[0] if "/" in document else "(no folder)"
        members.setdefault(folder, []).append(values[query_id])
    return tuple(
        Group(name, len(each), *(float(value) for value in np.mean(each, axis=0)))
        for name, each in sorted(members.items(), key=lambda member: -len(member[1]))
    )
