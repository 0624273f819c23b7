"""question -> list[Recall]: a memory of the log, and one that reads the log on as it grows."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from app.feedback.answers import FeedbackError
from app.feedback.judgements import question_key
from app.feedback.question_vectors import question_vectors
from app.feedback.rules import shares
from app.feedback.store import FeedbackStore, LogEntry, Position
from app.feedback.votes import QuestionVotes
from app.memory.questions import Questions
from app.memory.reach import Prediction, Reach
from app.memory.votes import MIN_LIKENESS, Kind, Recall, Statement, Vote
from app.memory.wording import Wording, overlap
from ingest.chunk import PassageRef
from ingest.embed.embedder import Embedder, Vectors

_NUM_REACH_QUESTIONS = 500
"""The reach is learned from the last ones."""
_NUM_KEPT_QUERIES = 8
"""Vectors of the last queries: recall and statements need the same one."""
REACH_STEP = 20
"""New questions after which the reach is learned again."""
_MIN_STATEMENT_LIKENESS = 0.8
"""What a curator says of a question is quoted for questions this like, or more."""

_log = logging.getLogger(__name__)


class Memory:
    """What people said of passages, by question; safe to read while one thread adds to it.

    min_people: who must agree before their votes act for others.
    """

    def __init__(self, embedder: Embedder, min_people: int) -> None:
        self.reach = Reach.of([])
        self._min_people = min_people
        self._embed_query = lru_cache(_NUM_KEPT_QUERIES)(embedder.embed_query)
        self._questions = Questions(embedder.dimension, embedder.name)
        self._said: dict[str, QuestionVotes] = {}
        self._totals: dict[str, float] = {}
        self._shares: Mapping[str, float] = {}
        self._has_statements = False

    def __len__(self) -> int:
        return len(self._questions)

    def new_questions(self, said: Iterable[LogEntry]) -> dict[str, str]:
        """Return key -> question of the log entries on questions that are not remembered yet."""
        return {key: one.question for one in said if (key := question_key(one.question)) not in self._said}

    def take(self, said: Iterable[LogEntry], known: Mapping[str, Vectors] | None = None) -> None:
        """Add log entries, in their order. known: vectors of questions by key, which are not computed again."""
        known = known or {}
        for one in said:
            key = question_key(one.question)
            question = self._said.get(key)
            if question is None:
                question = self._said.setdefault(key, QuestionVotes(one.question))
                self._questions.add(key, known[key] if key in known else self._embed_query(one.question))
            self._totals[one.user] = self._totals.get(one.user, 0.0) + question.take(one)
            self._has_statements |= isinstance(one, Statement)
        self._shares = shares(self._totals)

    def learn_reach(self) -> None:
        """Learn from the last questions how far votes act on like ones."""
        self.reach = Reach.of(list(self._predictions()))

    def recall(self, query: str, user: str, found: Sequence[str], without: Collection[str] = ()) -> list[Recall]:
        """Return the votes for the same question and for like ones that count for a user, likest first.

        user: '' for nobody in particular. found: ids of the first chunks found for the query, best first. without:
        keys of questions to ignore.
        """
        if not self._questions:
            return []
        asked, recalls = Wording.of(query), []
        for question, log_odds in self._near(asked, self._embed_query(query), found, without):
            likeness = {is_for: self.reach.likeness(log_odds, is_for=is_for) for is_for in (True, False)}
            if max(likeness.values()) < MIN_LIKENESS:
                continue
            for vote in question.votes(user, self._shares, self._min_people):
                recall = Recall(vote, likeness[vote.is_for])
                if recall.likeness >= MIN_LIKENESS and not (vote.other_only if recall.is_same else vote.same_only):
                    recalls.append(recall)
        return sorted(recalls, key=lambda recall: -recall.likeness)

    def votes(self) -> list[Vote]:
        """Return the votes for all questions that count for others than who gave them."""
        said = list(self._said.values())
        return [vote for one in said for vote in one.votes("", self._shares, self._min_people)]

    def statement(
        self,
        query: str,
        found: Sequence[str],
        is_for_asker: Callable[[Statement], bool] = lambda _: True,
        only_readable: Callable[[Collection[PassageRef]], Collection[PassageRef]] = lambda passages: passages,
    ) -> Statement | None:
        """Return what a curator says of this question or a very like one.

        Of the statements on the same question, the last one that no other outranks counts. None if a curator named a
        passage for a question that is more like; one as like ends the statement that nothing answers. found: as for
        `recall`. is_for_asker: whether a statement is about what the asker may read. only_readable: returns those
        passages that the asker may read; the others do not count as named.
        """
        if not self._has_statements:
            return None
        near = list(self._near(Wording.of(query), self._embed_query(query), found, ()))
        if not any(self._is_like(log_odds, one) for said, log_odds in near for one in said.statements()):
            return None
        readable = only_readable({passage for said, _ in near for passage in said.named})
        statements, named = list[tuple[float, Statement]](), -math.inf
        for said, log_odds in near:
            held = [one for one in said.statements(readable) if is_for_asker(one)]
            statements += [(log_odds, one) for one in held if self._is_like(log_odds, one)]
            if not held and said.is_named(readable):
                named = max(named, log_odds)
        log_odds = max((likeness for likeness, _ in statements), default=-math.inf)
        likest = [one for likeness, one in statements if likeness == log_odds]
        kept = (one for one in likest if not any(other.outranks(one) for other in likest))
        last = max(kept, key=lambda one: one.at, default=None)
        is_overruled = named > log_odds or (named == log_odds and last is not None and not last.text)
        return None if is_overruled else last

    def _is_like(self, log_odds: float, statement: Statement) -> bool:
        return self.reach.likeness(log_odds, is_for=bool(statement.text)) >= _MIN_STATEMENT_LIKENESS

    def _near(
        self, asked: Wording, vector: Vectors, found: Sequence[str], without: Collection[str]
    ) -> Iterator[tuple[QuestionVotes, float]]:
        """Yield like questions and the log-odds that they have the same need."""
        for key, similarity in self._questions.nearest(vector):
            if key not in without:
                said = self._said[key]
                yield said, asked.log_odds(said.wording, similarity, overlap(found, said.shown))

    def _predictions(self) -> Iterator[Prediction]:
        """Predict the feedback on the last questions' passages from the votes for other questions."""
        last = list(self._said)[-_NUM_REACH_QUESTIONS:]
        usual = _usual(self._said[key] for key in last)
        for key in last:
            said, votes = self._said[key], dict[tuple[str, bool], tuple[float, Kind]]()
            for other, log_odds in self._near(said.wording, self._questions.vector(key), said.shown, {key}):
                for vote in other.votes("", {}, min_people=1):
                    known = votes.get((vote.passage.text, vote.is_for), (-math.inf, vote.kind))
                    votes[vote.passage.text, vote.is_for] = max(known, (log_odds, vote.kind))
            for text, index, stands in said.outcomes():
                for is_for in (True, False):
                    if (text, is_for) in votes:
                        yield Prediction(*votes[text, is_for], usual.get(index, 0.5), stands)


def _usual(questions: Iterable[QuestionVotes]) -> dict[int, float]:
    """Return index among the chunks shown -> share of the passages there that people leave standing."""
    counts: dict[int, list[int]] = {}
    for question in questions:
        for _, index, stands in question.outcomes():
            counts.setdefault(index, [1, 1])[stands] += 1  # as if one of each had been seen
    return {index: stood / (struck + stood) for index, (struck, stood) in counts.items()}


class LiveMemory:
    """The memory of one home folder, read on before each question; safe to share between threads.

    What cannot be read of the log is read before the next question.
    """

    def __init__(self, home: Path, min_people: int) -> None:
        self._store, self._min_people = FeedbackStore(home), min_people
        self._embedder: Embedder | None = None
        self._lock = threading.Lock()

    def current(self, embedder: Embedder) -> Memory:
        """Return the memory with everything that has been said until now; another embedder begins a new one."""
        with self._lock:
            if embedder is not self._embedder:
                self._begin(embedder)
            try:
                self._read_on(embedder)
            except FeedbackError as error:
                _log.warning("%s", error)
            return self._memory

    def _begin(self, embedder: Embedder) -> None:
        self._embedder, self._memory = embedder, Memory(embedder, self._min_people)
        self._position, self._num_learned = Position(), 0

    def _read_on(self, embedder: Embedder) -> None:
        position = self._store.position()
        if position == self._position:
            return
        if position.ignored != self._position.ignored:  # somebody's votes count no more, or again
            self._begin(embedder)
        said, reached = self._store.entries_after(self._position)
        new = self._memory.new_questions(said)
        self._memory.take(said, question_vectors(new, self._store, embedder))
        self._position = replace(reached, ignored=position.ignored)  # a later change is seen next time
        if len(self._memory) >= self._num_learned + REACH_STEP:
            self._num_learned = len(self._memory)
            threading.Thread(target=self._memory.learn_reach, daemon=True).start()
