"""what people say on questions that no model was trained on -> GateQuestions: what models are compared by, now.

People's labels are of passages as they were then. Documents change, so each is looked up by its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.evaluation import JudgedTable, Qrels
from app.feedback.rules import MIN_USERS, LabeledPassage
from app.training.labels.split import groups_of
from ingest.embed.embedder import Embedder
from ingest.table import ChunkTable

MAX_SHARE_OF_ONE = 0.2
"""Of the labels that rest on one user alone, where three or more people take part."""


@dataclass(frozen=True, slots=True)
class GateQuestions:
    """Questions with the passages of the table that answer them.

    known: query id -> ids of the chunks of which people say that they answer or do not. groups: query id -> number of
    the group of questions that ask nearly the same. folders: query id -> the uppermost folder of what answers.
    """

    judged: JudgedTable
    known: Mapping[str, frozenset[str]]
    groups: Mapping[str, int]
    folders: Mapping[str, str]


def gate_questions(
    gate: Mapping[str, Sequence[LabeledPassage]], table: ChunkTable, embedder: Embedder
) -> GateQuestions:
    """Those of these questions that a passage in the table answers; the others can compare nothing."""
    fair = fair_share(gate)
    places = table.find_texts({each.text for passages in fair.values() for each in passages})
    here = {
        question: {chunk.id: each for each in passages for chunk in places.get(each.text, ())}
        for question, passages in fair.items()
    }
    here = {question: found for question, found in here.items() if any(each.relevant for each in found.values())}
    queries = {str(number): question for number, question in enumerate(here)}
    found_by = {query_id: here[question] for query_id, question in queries.items()}
    qrels: Qrels = {
        query_id: {chunk_id: 1 for chunk_id, each in found.items() if each.relevant}
        for query_id, found in found_by.items()
    }
    folders = {
        query_id: _folder(next(each.document for each in found.values() if each.relevant))
        for query_id, found in found_by.items()
    }
    groups = groups_of(embedder.embed(list(queries.values()))) if queries else []
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
    """The questions that have a passage that answers them, by labels of which no user made more than a fifth alone.

    What nobody else says of a passage is a user's own; a curator's word counts always.
    """
    fair = {question: list(passages) for question, passages in gate.items()}
    voters = {
        user
        for passages in fair.values()
        for each in passages
        for user in (*each.struck_by, *each.kept_by, *each.opened_by)
    }
    if len(voters) >= MIN_USERS:
        own: dict[str, list[LabeledPassage]] = {}
        for each in (each for passages in fair.values() for each in passages):
            if len(each.voters) == 1 and not each.judged_by:
                own.setdefault(next(iter(each.voters)), []).append(each)
        num_allowed = _num_allowed([len(labels) for labels in own.values()], sum(map(len, fair.values())))
        surplus = {id(each) for labels in own.values() for each in labels[num_allowed:]}
        fair = {question: [each for each in passages if id(each) not in surplus] for question, passages in fair.items()}
    return {question: passages for question, passages in fair.items() if any(each.relevant for each in passages)}


def _num_allowed(owned: Sequence[int], num_labels: int) -> int:
    """How many labels of one user may stay so that they are at most the share of all that stay."""
    for allowed in range(num_labels, 0, -1):
        left = num_labels - sum(max(0, number - allowed) for number in owned)
        if allowed <= MAX_SHARE_OF_ONE * left or max(owned, default=0) <= MAX_SHARE_OF_ONE * left:
            return allowed
    return 1


def _folder(document: str) -> str:
    return document.partition("/")[0] if "/" in document else "(no folder)"
