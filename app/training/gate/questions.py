"""labels of questions never used for training -> GateQuestions, to compare models.

Documents may have changed since, so each labeled passage is looked up by its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.evaluation.benchmark import Qrels
from app.evaluation.tables import JudgedTable
from app.feedback.rules import MIN_USERS, LabeledPassage
from app.training.labels.split import groups_of
from ingest.embed.embedder import Embedder
from ingest.table import ChunkTable

MAX_SHARE_OF_ONE = 0.2
"""Maximum share of labels that rest on one user alone, if three or more people take part."""


@dataclass(frozen=True, slots=True)
class GateQuestions:
    """Questions with the passages in the table that answer them.

    known: query id -> ids of the judged chunks. groups: query id -> number of its group of similar questions. folders:
    query id -> the top folder of an answering document.
    """

    judged: JudgedTable
    known: Mapping[str, frozenset[str]]
    groups: Mapping[str, int]
    folders: Mapping[str, str]


def gate_questions(
    gate: Mapping[str, Sequence[LabeledPassage]], table: ChunkTable, embedder: Embedder
) -> GateQuestions:
    """Return the questions that a passage in the table answers.

    embedder: finds similar questions, which count as one, since a gain on one is a gain on all.
    """
    fair = fair_share(gate)
    chunks = table.find_texts({label.text for passages in fair.values() for label in passages})
    stored = {
        question: {chunk.id: label for label in passages for chunk in chunks.get(label.text, ())}
        for question, passages in fair.items()
    }
    stored = {question: found for question, found in stored.items() if any(label.relevant for label in found.values())}
    queries = {str(number): question for number, question in enumerate(stored)}
    found_by = {query_id: stored[question] for query_id, question in queries.items()}
    qrels: Qrels = {
        query_id: {chunk_id: 1 for chunk_id, label in found.items() if label.relevant}
        for query_id, found in found_by.items()
    }
    folders = {
        query_id: _folder(next(label.document for label in found.values() if label.relevant))
        for query_id, found in found_by.items()
    }
    groups = groups_of(embedder.embed(list(queries.values())), embedder.name) if queries else []
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
    known = {query_id: frozenset(found) for query_id, found in found_by.items()}
    return GateQuestions(judged, known, dict(zip(queries, groups, strict=True)), folders)


def fair_share(gate: Mapping[str, Sequence[LabeledPassage]]) -> dict[str, list[LabeledPassage]]:
    """Return the questions with an answering passage; cap each user's share of labels at MAX_SHARE_OF_ONE.

    Only labels that rest on one user alone are capped, and not those of curators.
    """
    fair = {question: list(passages) for question, passages in gate.items()}
    voters = {user for passages in fair.values() for label in passages for user in (*label.struck_by, *label.kept_by)}
    if len(voters) >= MIN_USERS:
        own: dict[str, list[LabeledPassage]] = {}
        for label in (label for passages in fair.values() for label in passages):
            if len(label.voters) == 1 and not label.judged_by:
                own.setdefault(next(iter(label.voters)), []).append(label)
        num_allowed = _num_allowed([len(labels) for labels in own.values()], sum(map(len, fair.values())))
        surplus = {id(label) for labels in own.values() for label in labels[num_allowed:]}
        fair = {question: [one for one in passages if id(one) not in surplus] for question, passages in fair.items()}
    return {question: passages for question, passages in fair.items() if any(label.relevant for label in passages)}


def _num_allowed(owned: Sequence[int], num_labels: int) -> int:
    """Return the number of labels to keep per user, so that none exceeds the share of all kept labels."""
    for allowed in range(num_labels, 0, -1):
        left = num_labels - sum(max(0, number - allowed) for number in owned)
        if allowed <= MAX_SHARE_OF_ONE * left or max(owned, default=0) <= MAX_SHARE_OF_ONE * left:
            return allowed
    return 1


def _folder(document: str) -> str:
    return document.partition("/")[0] if "/" in document else "(no folder)"
