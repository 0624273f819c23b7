"""question -> Asked -> the events of its answer; texts -> scores. All of it blocks: call it in a thread."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np

from app.access.admission import expect_waiting
from app.answer import Answer
from app.answering import failure_note
from app.api.shapes import AskBody, FeedbackBody, Passage, RerankBody, SearchBody, SearchResult
from app.feedback import FeedbackError, FeedbackStore, StoredAnswer, new_id
from app.pipeline import Pipeline
from app.registry import SHIPPED, Registry
from app.reranking.live import NONE
from app.reranking.names import LIVE, name_of
from app.reranking.rerank import Reranker, RerankerError
from app.search.filters import EVERYTHING, Filter, FilterError
from app.search.follow_up import NUM_EARLIER
from ingest import CiteloopError
from ingest.embed.embedder import Embedder

Record = dict[str, object]
_TEXTS_AT_ONCE = 32
"""Texts scored between two looks at whether anybody still waits."""
SOURCES = (
    "answer_id",
    "conversation_id",
    "question",
    "query",
    "citations",
    "ranking",
    "reranker",
    "note",
    "timings_ms",
)
"""What of an answer is known before its text is."""


class UnknownError(CiteloopError):
    """What a request names is not there: an answer, a citation, a conversation."""


class WrongValueError(CiteloopError):
    """A value of a request does not fit."""


@dataclass(frozen=True, slots=True)
class Event:
    """What is said of an answer that is being made: sources, text, answer, error."""

    name: str
    data: Record


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was searched for and kept, with its ranking, and is yet to be answered."""

    answer_id: str
    conversation_id: str
    user: str
    ranked: Answer

    def record(self, answer: Answer) -> Record:
        """The answer as `citeloop ask --json` prints it, and what later requests refer to."""
        return {"answer_id": self.answer_id, "conversation_id": self.conversation_id, **answer.as_record()}


def rank(
    question: str,
    reranker: str | None,
    pipeline: Pipeline,
    stop: threading.Event,
    within: Filter = EVERYTHING,
    earlier: Sequence[str] = (),
) -> Answer:
    """The ranking, as the page makes it.

    Raises WrongValueError for a reranker that programs cannot choose, or a document that is not there; BusyError when
    too many wait; StoppedError soon after stop is set.
    """
    if reranker is not None:
        _require_reranker(reranker, [LIVE, NONE], pipeline)
    query = pipeline.in_full(question, earlier, stop)
    try:
        return pipeline.rank(
            question,
            reranker,
            query=query,
            within=within,
            fall_back=True,
            on_step=lambda _step: expect_waiting(stop),
        )
    except FilterError as error:
        raise WrongValueError(str(error)) from error


def search(body: SearchBody, pipeline: Pipeline, stop: threading.Event) -> SearchResult:
    """The best passages for a query. Raises as `rank`."""
    found = rank(body.query, body.reranker, pipeline, stop, body.within.as_filter())
    rows: list[Any] = [ranked.as_row() for ranked in found.ranking[: body.num_results]]
    return SearchResult(
        query=body.query,
        reranker=found.reranker,
        ranking=[Passage(**row) for row in rows],
        timings_ms=dict(found.timings_ms),
        note=found.note,
    )


def begin(body: AskBody, user: str, pipeline: Pipeline, store: FeedbackStore, stop: threading.Event) -> Asked:
    """Search, and keep what was found. Raises as `rank`, and UnknownError for a conversation of somebody else."""
    conversation_id, earlier = body.conversation_id or new_id(), []
    if body.conversation_id:
        turns = store.conversation(conversation_id, user, last=NUM_EARLIER)
        if not turns:
            raise UnknownError("no such conversation of this user; leave conversation_id out to begin one")
        earlier = [turn.answer.searched for turn in turns]
    ranked = rank(body.question, body.reranker, pipeline, stop, body.within.as_filter(), earlier)
    return Asked(store.save_answer(ranked, conversation_id, user), conversation_id, user, ranked)


def sources(asked: Asked) -> Event:
    """What the answer will rest on."""
    record = asked.record(asked.ranked)
    return Event("sources", {name: record[name] for name in SOURCES})


def events(asked: Asked, pipeline: Pipeline, store: FeedbackStore, stop: threading.Event) -> Iterator[Event]:
    """Pieces of the text as they come, then the whole answer, which is kept; once stop is set it is cut off.

    The whole answer's text is what counts: numbers that stand for no citation are taken out of it at the end. What
    fails on the way is raised, and what is there is kept with a note.
    """
    sent, answer = "", asked.ranked
    try:
        for answer in pipeline.write(asked.ranked, stop=stop):
            if answer.text.startswith(sent) and (piece := answer.text[len(sent) :]):
                sent = answer.text
                yield Event("text", {"text": piece})
    except Exception as error:
        with suppress(FeedbackError):  # what failed first is what the client hears of
            store.update_answer(asked.answer_id, replace(answer, note=failure_note(error)))
        raise
    yield Event("answer", asked.record(store.update_answer(asked.answer_id, answer)))


def record_feedback(body: FeedbackBody, program: str, user: str, store: FeedbackStore) -> Record | None:
    """The event as it was appended, None if it stood so already; program: the user of the key, which asked.

    Raises UnknownError, WrongValueError.
    """
    if (body.number is None) == (body.chunk_id is None):
        raise WrongValueError("name the passage by number or by chunk_id, one of the two")
    if body.reason and body.action != "deleted":
        raise WrongValueError(f"a reason belongs to the action deleted, not to {body.action}")
    stored = store.answer(body.answer_id, program)
    if stored is None:
        raise UnknownError(f"no answer has the id {body.answer_id!r}; expected the answer_id that /v1/ask gave")
    try:
        event = store.record(stored, body.chunk_id or _cited(stored, body.number), body.action, user, body.reason)
    except KeyError as error:
        raise UnknownError(str(error.args[0])) from error
    return asdict(event) if event else None


@dataclass(frozen=True, slots=True)
class Scored:
    """The raw scores of texts, in their order, the model that gave them, and how many word pieces were read."""

    model: str
    scores: list[float]
    num_tokens: int

    @property
    def order(self) -> list[int]:
        """The places of the texts, best first; ties as they came."""
        return sorted(range(len(self.scores)), key=lambda index: -self.scores[index])


def score(body: RerankBody, pipeline: Pipeline, stop: threading.Event) -> Scored:
    """What a reranker of this server says of any texts; by default the live one.

    It is the reranker alone. What is blended with it for passages of this server's documents (scores of search, the
    memory of feedback) is not known of other texts. Raises WrongValueError, RerankerError, BusyError, and StoppedError
    soon after stop is set.
    """
    name = body.model if body.model not in (None, "default") else LIVE
    _require_reranker(name, [LIVE], pipeline)
    reranker = cast(Reranker, pipeline.reranker(name))  # only `none` is None
    texts, scores = body.texts, list[float]()
    with pipeline.admission.slot(lambda: expect_waiting(stop)):
        num_tokens = _num_read(body.query, pipeline.embedder)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            expect_waiting(stop)
            part = texts[start : start + _TEXTS_AT_ONCE]
            scores += _finite_scores(reranker, body.query, part)
            num_tokens += sum(_num_read(text, pipeline.embedder) for text in part)
    shown = Registry(pipeline.settings.home).live() if name == LIVE else name.removeprefix("trained:")
    return Scored(shown, scores, num_tokens)


def _finite_scores(reranker: Reranker, query: str, texts: list[str]) -> list[float]:
    scores = reranker.score(query, texts)
    if len(scores) != len(texts) or not np.isfinite(scores).all():
        raise RerankerError(f"{reranker.name} must return {len(texts)} finite scores; choose another model")
    return scores


def _num_read(text: str, embedder: Embedder) -> int:
    """How many word pieces of a text an embedder reads."""
    return min(embedder.count_tokens(text), embedder.max_tokens)


def logistic(raw: float) -> float:
    """Between 0 and 1, in the order of the raw scores: 1 / (1 + exp(-raw))."""
    return 1 / (1 + math.exp(-raw)) if raw >= 0 else (power := math.exp(raw)) / (1 + power)  # neither overflows


def _require_reranker(name: str, others: Sequence[str], pipeline: Pipeline) -> None:
    """Raises WrongValueError unless it is here already: a program must not have models loaded from anywhere."""
    trained = [name_of(model.name) for model in Registry(pipeline.settings.home).models()]
    known = [*others, SHIPPED, "late-interaction", *trained]
    if name not in known:
        raise WrongValueError(f"expected one of {', '.join(known)}; got {name!r:.80}")


def _cited(stored: StoredAnswer, number: int | None) -> str:
    """The chunk behind a number. Raises UnknownError."""
    citations = stored.answer.citations
    for citation in citations:
        if citation.number == number:
            return citation.chunk.id
    raise UnknownError(f"answer {stored.id} has {len(citations)} citations, numbered from 1; got {number}")
