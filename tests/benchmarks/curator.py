"""A simulated curator: asks a benchmark's questions of a home folder and strikes out what the judgements call wrong.

Everything goes through the program's own code: questions are ranked by the live model, shown, stored, struck out.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Protocol

from app.evaluation.benchmark import Benchmark
from app.evaluation.metrics import measure
from app.evaluation.tables import benchmark_table
from app.feedback import FeedbackStore, Judgement, StoredAnswer
from app.pipeline import Pipeline
from app.reranking.rerank import Reranker, rerank
from app.search.search import Candidate, search
from app.settings import Settings
from app.training.labels.split import groups_of
from ingest.chunk import Chunk
from ingest.embed.embedder import load_embedder

NUM_USERS = 10


@dataclass(frozen=True, slots=True)
class Questions:
    """Query ids: those that people ask and judge, and others to measure by."""

    asked: tuple[str, ...]
    measured: tuple[str, ...]


class Clicks(Protocol):
    """Decides which of the shown citations a user strikes out. relevant: of each citation, by rank."""

    def __call__(self, relevant: Sequence[bool], chance: random.Random) -> set[int]: ...


def strike_wrong(wrong_share: float) -> Clicks:
    """Strikes out what is wrong; this share of the clicks goes to another citation, right or wrong."""

    def clicks(relevant: Sequence[bool], chance: random.Random) -> set[int]:
        wrong = [place for place, is_relevant in enumerate(relevant) if not is_relevant]
        return {chance.randrange(len(relevant)) if chance.random() < wrong_share else place for place in wrong}

    return clicks


def strike_right() -> Clicks:
    """An attacker: strikes out what is right."""
    return lambda relevant, _: {place for place, is_relevant in enumerate(relevant) if is_relevant}


def strike_at_random(share: float = 0.5) -> Clicks:
    """An attacker, or a child: strikes out anything."""
    return lambda relevant, chance: {place for place in range(len(relevant)) if chance.random() < share}


def make_home(benchmark: Benchmark, home: Path, cache: Path) -> Pipeline:
    """A home folder whose documents are the benchmark's. cache: where the table is built, once."""
    embedder = load_embedder()
    table = benchmark_table(benchmark, cache, embedder)
    shutil.copytree(table.home, home)
    return Pipeline(Settings(home=home))


def split_questions(benchmark: Benchmark, num_asked: int, num_measured: int, seed: int) -> Questions:
    """Whole groups of like questions are asked until there are enough; the rest is to measure by."""
    groups = _groups(benchmark, seed)
    asked: list[str] = []
    while groups and len(asked) < num_asked:
        asked += groups.pop()
    return Questions(tuple(asked[:num_asked]), tuple(chain.from_iterable(groups))[:num_measured])


def split_groups(benchmark: Benchmark, num_asked: int, num_measured: int, seed: int) -> Questions:
    """Every other of the like questions of a group is asked, until there are enough; the rest is to measure by."""
    asked: list[str] = []
    measured: list[str] = []
    for group in _groups(benchmark, seed):
        if len(group) > 1 and len(asked) < num_asked:
            asked += group[::2]
            measured += group[1::2]
    return Questions(tuple(asked[:num_asked]), tuple(measured)[:num_measured])


def _groups(benchmark: Benchmark, seed: int) -> list[list[str]]:
    """The query ids in groups of like questions, shuffled."""
    ids = list(benchmark.queries)
    groups: dict[int, list[str]] = {}
    vectors = load_embedder().embed([benchmark.queries[query_id] for query_id in ids])
    for query_id, group in zip(ids, groups_of(vectors), strict=True):
        groups.setdefault(group, []).append(query_id)
    order = list(groups.values())
    random.Random(seed).shuffle(order)
    return order


def ask_and_click(
    pipeline: Pipeline,
    benchmark: Benchmark,
    query_ids: Iterable[str],
    clicks: Clicks,
    users: Sequence[str],
    seed: int,
    max_deletions: int | None = None,
    favourite: str | None = None,
) -> int:
    """Each question is asked by one of the users, who strikes out and keeps the rest; returns the deletions.

    favourite: the document that they take for the right one, whatever they ask.
    """

    def is_right(chunk: Chunk, query_id: str) -> bool:
        return chunk.document == favourite if favourite else chunk.document in benchmark.qrels[query_id]

    store, chance = FeedbackStore(pipeline.settings.home), random.Random(seed)
    num_deletions = 0
    for number, query_id in enumerate(query_ids):
        if max_deletions is not None and num_deletions >= max_deletions:
            break
        user = users[number % len(users)]
        answer = _shown(pipeline, store, benchmark.queries[query_id], user)
        cited = [citation.chunk for citation in answer.answer.citations]
        struck = clicks([is_right(chunk, query_id) for chunk in cited], chance)
        for place in sorted(struck):
            num_deletions += store.record(answer, cited[place].id, "deleted", user) is not None
        store.record_kept(answer, user)
    return num_deletions


def name_answers(pipeline: Pipeline, benchmark: Benchmark, query_ids: Iterable[str]) -> int:
    """A curator says of each question which passage answers it, where search finds one; returns of how many."""
    judgements = []
    for query_id in query_ids:
        question, right = benchmark.queries[query_id], benchmark.qrels[query_id]
        chunk = next((each.chunk for each in pipeline.search(question) if each.chunk.document in right), None)
        if chunk:
            judgements.append(Judgement.of(question, chunk.ref, "relevant", "curator"))
    return FeedbackStore(pipeline.settings.home).judge(judgements)


def _shown(pipeline: Pipeline, store: FeedbackStore, question: str, user: str) -> StoredAnswer:
    """The answer as it was shown. Its text uses every citation: who strikes out some has looked at all."""
    ranked = pipeline.rank(question)
    text = " ".join(f"[{citation.number}]" for citation in ranked.citations)
    shown = replace(ranked, text=text, found=True, complete=True)
    answer_id = store.save_answer(shown, conversation_id=user, user=user)
    stored = store.answer(answer_id, user)
    assert stored
    return stored


@dataclass(frozen=True, slots=True)
class Judge:
    """Measures rerankers on questions that nobody asked; the candidates are searched once."""

    benchmark: Benchmark
    candidates: Mapping[str, Sequence[Candidate]]

    @classmethod
    def of(cls, pipeline: Pipeline, benchmark: Benchmark, query_ids: Iterable[str]) -> Judge:
        found = {
            query_id: search(benchmark.queries[query_id], pipeline.table, pipeline.models.embedder)
            for query_id in query_ids
        }
        return cls(benchmark, found)

    def values(self, reranker: Reranker | None) -> dict[str, float]:
        """nDCG@10 by query id; a document counts where its best chunk is."""
        run = {}
        for query_id, candidates in self.candidates.items():
            order = dict.fromkeys(
                ranked.chunk.document for ranked in rerank(self.benchmark.queries[query_id], candidates, reranker)
            )
            run[query_id] = {document: 1 / rank for rank, document in enumerate(order, 1)}
        return measure({query_id: self.benchmark.qrels[query_id] for query_id in run}, run)["nDCG@10"]
