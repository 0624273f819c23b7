"""question -> Asked -> events of its answer; texts -> scores. These functions block: call them in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np

from app.access.admission import expect_waiting
from app.access.rights import Rights
from app.answer import Answer
from app.answering import failure_note
from app.api.rerank_shapes import RerankBody
from app.api.shapes import AskBody, FeedbackBody, Passage, RankingOptions, SearchBody, SearchResult
from app.feedback import FeedbackError, FeedbackStore, StoredAnswer, new_id
from app.feedback.reading import ReadableAnswers
from app.pipeline import Pipeline
from app.registry import SHIPPED, Registry
from app.reranking.live import NONE
from app.reranking.names import LIVE, name_of
from app.reranking.rerank import Reranker, RerankerError
from app.search.filters import FilterError
from app.search.follow_up import NUM_EARLIER
from app.telemetry.stages import stage
from ingest import CiteloopError
from ingest.embed.embedder import Embedder

Record = dict[str, object]
_TEXTS_AT_ONCE = 32
"""Texts scored between two checks that the client still waits."""
SOURCES = (
    "answer_id",
    "conversation_id",
    "question",
    "query",
    "corrected_from",
    "citations",
    "ranking",
    "reranker",
    "note",
    "timings_ms",
)
"""Fields of an answer that are known before its text."""


class UnknownError(CiteloopError):
    """The request names an unknown answer, citation or conversation."""


class WrongValueError(CiteloopError):
    """A value of the request is invalid."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event while an answer is written. name: sources, text, answer or error."""

    name: str
    data: Record


@dataclass(frozen=True, slots=True)
class Asked:
    """A stored question with its ranking, not yet answered."""

    answer_id: str
    conversation_id: str
    ranked: Answer

    def record(self, answer: Answer) -> Record:
        """Return the answer as `citeloop ask --json` prints it, with the ids for later requests."""
        return {"answer_id": self.answer_id, "conversation_id": self.conversation_id, **answer.as_record()}


def rank(
    question: str,
    options: RankingOptions,
    pipeline: Pipeline,
    stop: threading.Event,
    *,
    rights: Rights,
    earlier: Sequence[str] = (),
    user: str = "",
) -> Answer:
    """Return the ranking, made as on the page for this user; '' for nobody in particular.

    rights: of the caller, who finds only what they may read.

    Raises WrongValueError for a reranker that programs cannot choose or an unknown document; BusyError when too many
    wait; StoppedError soon after stop is set.
    """
    if options.reranker is not None:
        _require_reranker(options.reranker, [LIVE, NONE], pipeline)
    query = pipeline.in_full(question, earlier, stop)
    try:
        return pipeline.rank(
            question,
            options.reranker,
            query=query,
            as_typed=options.as_typed,
            within=options.within.as_filter().read_by(rights),
            user=user,
            ignore_votes=options.ignore_votes,
            fall_back=True,
            on_step=lambda _step: expect_waiting(stop),
        )
    except FilterError as error:
        raise WrongValueError(str(error)) from error


def search(body: SearchBody, pipeline: Pipeline, stop: threading.Event, rights: Rights) -> SearchResult:
    """Return the best passages for a query. Raises as `rank`."""
    found = rank(body.query, body, pipeline, stop, rights=rights)
    rows: list[Any] = [ranked.as_row() for ranked in found.ranking[: body.num_results]]
    return SearchResult(
        query=found.searched,
        corrected_from=found.corrected_from,
        reranker=found.reranker,
        ranking=[Passage(**row) for row in rows],
        timings_ms=dict(found.timings_ms),
        note=found.note,
    )


def begin(
    body: AskBody,
    user: str,
    voter: str,
    rights: Rights,
    pipeline: Pipeline,
    store: FeedbackStore,
    stop: threading.Event,
    earlier: Sequence[str] = (),
) -> Asked:
    """Search and store the ranking. Raises as `rank`, and UnknownError for another user's conversation.

    voter: whose own votes act. earlier: queries before this one, oldest first, if it names no conversation.
    """
    conversation_id = body.conversation_id or new_id()
    if body.conversation_id:
        turns = pipeline.readable_answers(store, rights).conversation(conversation_id, user, last=NUM_EARLIER)
        if not turns:
            raise UnknownError("this user has no such conversation; omit conversation_id to start one")
        earlier = [turn.answer.searched for turn in turns]
    ranked = rank(body.question, body, pipeline, stop, rights=rights, earlier=earlier, user=voter)
    return Asked(store.save_answer(ranked, conversation_id, user), conversation_id, ranked)


def sources(asked: Asked) -> Event:
    """Return the event with the answer's sources."""
    record = asked.record(asked.ranked)
    return Event("sources", {name: record[name] for name in SOURCES})


def events(asked: Asked, pipeline: Pipeline, store: FeedbackStore, stop: threading.Event) -> Iterator[Event]:
    """Yield pieces of the text, then the final answer, which is stored; it is cut off once stop is set.

    The final text counts: numbers without a citation are removed at the end. Errors are raised, and the text so far is
    stored with a note.
    """
    sent, answer = "", asked.ranked
    try:
        for answer in pipeline.write(asked.ranked, stop=stop):
            if answer.text.startswith(sent) and (piece := answer.text[len(sent) :]):
                sent = answer.text
                yield Event("text", {"text": piece})
    except Exception as error:
        with suppress(FeedbackError):  # raise the first error, not this one
            store.update_answer(asked.answer_id, replace(answer, note=failure_note(error)))
        raise
    yield Event("answer", asked.record(store.update_answer(asked.answer_id, answer)))


def record_feedback(
    body: FeedbackBody, program: str, voter: str, readable: ReadableAnswers, store: FeedbackStore
) -> Record | None:
    """Record feedback and return the event, or None if nothing changed.

    program: the key's own user. readable: the answers of the store as the caller may read them.

    Raises UnknownError, WrongValueError.
    """
    if (body.number is None) == (body.chunk_id is None):
        raise WrongValueError("name the passage either by number or by chunk_id")
    if body.reason and body.action != "deleted":
        raise WrongValueError(f"a reason belongs to the action deleted, not to {body.action}")
    stored = readable.answer(body.answer_id, program)
    if stored is None:
        raise UnknownError(f"no answer has the id {body.answer_id!r}; expected an answer_id from /v1/ask")
    try:
        event = store.record(stored, body.chunk_id or _cited(stored, body.number), body.action, voter, body.reason)
    except KeyError as error:
        raise UnknownError(str(error.args[0])) from error
    return asdict(event) if event else None


@dataclass(frozen=True, slots=True)
class Scored:
    """Raw scores of texts in their order, the model's name, and the number of word pieces read."""

    model: str
    scores: list[float]
    num_tokens: int

    @property
    def order(self) -> list[int]:
        """Return the indexes of the texts, best first; ties in the given order."""
        return sorted(range(len(self.scores)), key=lambda index: -self.scores[index])


def score(body: RerankBody, pipeline: Pipeline, stop: threading.Event) -> Scored:
    """Score any texts with a reranker of this server, by default the live one.

    Only the reranker's score, without the blend: other texts have no search scores or feedback. Raises WrongValueError,
    RerankerError, BusyError, and StoppedError soon after stop is set.
    """
    name = body.model if body.model not in (None, "default") else LIVE
    _require_reranker(name, [LIVE], pipeline)
    reranker = cast(Reranker, pipeline.models.reranker(name))  # only `none` is None
    texts, scores = body.texts, list[float]()
    with pipeline.admission.slot(lambda: expect_waiting(stop)), stage("rerank"):
        num_tokens = _num_read(body.query, pipeline.models.embedder)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            expect_waiting(stop)
            part = texts[start : start + _TEXTS_AT_ONCE]
            scores += _finite_scores(reranker, body.query, part)
            num_tokens += sum(_num_read(text, pipeline.models.embedder) for text in part)
    shown = Registry(pipeline.settings.home).live() if name == LIVE else name.removeprefix("trained:")
    return Scored(shown, scores, num_tokens)


def _finite_scores(reranker: Reranker, query: str, texts: list[str]) -> list[float]:
    scores = reranker.score(query, texts)
    if len(scores) != len(texts) or not np.isfinite(scores).all():
        raise RerankerError(f"{reranker.name} must return {len(texts)} finite scores; choose another model")
    return scores


def _num_read(text: str, embedder: Embedder) -> int:
    """Return the number of word pieces of a text that an embedder reads."""
    return min(embedder.count_tokens(text), embedder.max_tokens)


def _require_reranker(name: str, others: Sequence[str], pipeline: Pipeline) -> None:
    """Raise WrongValueError unless the reranker is local: programs must not make the server load other models."""
    trained = [name_of(model.name) for model in Registry(pipeline.settings.home).models()]
    known = [*others, SHIPPED, "late-interaction", *trained]
    if name not in known:
        raise WrongValueError(f"expected one of {', '.join(known)}; got {name!r:.80}")


def _cited(stored: StoredAnswer, number: int | None) -> str:
    """Return the id of the cited chunk with this number. Raises UnknownError."""
    citations = stored.answer.citations
    for citation in citations:
        if citation.number == number:
            return citation.chunk.id
    raise UnknownError(f"answer {stored.id} has {len(citations)} citations, numbered from 1; got {number}")
