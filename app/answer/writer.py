"""ranked Answer -> the same with its text, as it grows: quoted, or written by a language model and checked."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.answer import (
    EXTRACTIVE,
    INSTRUCTIONS,
    NOT_CLEAR,
    NOT_CLEAR_ONE,
    NOT_FOUND,
    Answer,
    Citation,
    CitedSentence,
    check_support,
    checked,
    choose,
    echoes,
    extract,
    prompt,
    quote,
)
from app.answer.thoughts import without_thoughts
from app.language_model.protocol import LanguageModel, LanguageModelError
from app.reranking.rerank import RerankerError
from app.reranking.similarity import Similarity
from app.search.fusion import exact_terms, holds_term

_MAX_ANSWER_TOKENS = 1024
"""Tokens reserved for the answer, at most a quarter of the context."""
_PICTURE_TOKENS = 1000
"""Tokens reserved for a picture; models count 250 to 1,600 for one of 1600 pixels. Pictures get a quarter at most."""
_MAX_UNKNOWN_TERMS = 2
_SHOW_SECONDS = 0.05
"""Interval to check and yield a growing text; checks of long ones are slow."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the text of answers.

    language_model: None quotes. sentence_scorer: compares written sentences with passages. quote_scorer: finds what to
    quote. context_tokens: limit of the language model for instructions, passages, question and answer together,
    counted by count_tokens. pictures: those beside these citations, with their numbers, for a model that sees.
    """

    language_model: LanguageModel | None
    sentence_scorer: Callable[[], Similarity]
    quote_scorer: Callable[[], Similarity]
    count_tokens: Callable[[str], int]
    context_tokens: int = 8192
    instructions: str = INSTRUCTIONS
    pictures: Callable[[Sequence[Citation]], list[tuple[int, bytes]]] = lambda _: []

    @property
    def name(self) -> str:
        """Name of the writer in answers."""
        return self.language_model.name if self.language_model else EXTRACTIVE

    def write(
        self, unwritten: Answer, citations: Sequence[Citation], stop: threading.Event | None = None
    ) -> Iterator[Answer]:
        """Yield the answer as its text is written from these citations.

        The last one is complete, or says what cut it off: a note, or that it was stopped. Where a language model
        fails before it has written anything, the passages are quoted instead.
        """
        if self.language_model is None:
            yield self._quoted(unwritten, citations)
            return
        messages, numbers = self._read(unwritten.searched, citations)
        text, note, shown_at = "", "", 0.0
        try:
            for piece in self.language_model.stream(messages, stop):
                text += piece
                if time.monotonic() >= shown_at + _SHOW_SECONDS:
                    _refuse_echo(text, messages)
                    shown = checked(text, numbers, grows=True)
                    yield replace(unwritten, text=shown.text, num_dropped=shown.num_dropped)
                    shown_at = time.monotonic()
            _refuse_echo(text, messages)
            if text.strip() and not without_thoughts(text) and not (stop and stop.is_set()):
                raise LanguageModelError(f"{self.name} only thought; ask again or use another model")
        except LanguageModelError as error:
            note = f"{unwritten.note} {error}".strip()
            if isinstance(error, _EchoError) or not checked(text, numbers, grows=True).found:
                yield replace(self._quoted(unwritten, citations), note=note)
                return
        stopped = stop is not None and stop.is_set()
        is_whole = not (stopped or note)
        text, num_dropped, found = checked(text, numbers, grows=not is_whole)
        yield replace(
            unwritten,
            text=text,
            found=found,
            num_dropped=num_dropped,
            stopped=stopped,
            complete=is_whole,
            note=note or unwritten.note,
            sentences=self._check(text, citations, numbers) if found else (),
        )

    def _read(self, question: str, citations: Sequence[Citation]) -> tuple[list[dict[str, Any]], set[int]]:
        """Return the messages for the language model and the numbers of their passages."""
        pictures = self.pictures(citations)[: self.context_tokens // 4 // _PICTURE_TOKENS]
        reserved = self.count_tokens(self.instructions + question) + min(_MAX_ANSWER_TOKENS, self.context_tokens // 4)
        reserved += _PICTURE_TOKENS * len(pictures)
        passages = choose(citations, max(self.context_tokens - reserved, 64), self.count_tokens)
        numbers = {passage.number for passage in passages}
        pictures = [(number, picture) for number, picture in pictures if number in numbers]
        return prompt(question, passages, self.instructions, pictures), numbers

    def _check(self, text: str, citations: Sequence[Citation], numbers: Collection[int]) -> tuple[CitedSentence, ...]:
        """Return which sentences the passages support; empty without a scorer."""
        passages = {each.number: each.chunk.passage for each in citations if each.number in numbers}
        try:
            return check_support(text, passages, self.sentence_scorer())
        except RerankerError as error:
            _log.warning("the sentences of an answer could not be checked: %s", error)
            return ()

    def _quoted(self, unwritten: Answer, citations: Sequence[Citation]) -> Answer:
        question = unwritten.searched
        found = extract(question, citations, self.quote_scorer(), unwritten.best_similarity)
        unknown = _unknown_terms(question, [ranked.chunk.passage for ranked in unwritten.ranking])
        lines = [f"{term} does not occur in the documents." for term in unknown]
        is_found = found.is_clear and len(unknown) < max(1, len(exact_terms(question)))
        if not is_found:
            lines.append((NOT_FOUND, NOT_CLEAR_ONE, NOT_CLEAR)[min(len(found.quotes), 2)])
        text = "\n\n".join([*lines, *([quote(found.quotes)] if found.quotes else [])])
        return replace(unwritten, text=text, found=is_found, complete=True, answered_by=EXTRACTIVE)


def _unknown_terms(question: str, passages: Sequence[str]) -> list[str]:
    """Return the exact terms of a question that no passage holds; a pasted log has too many to mention."""
    unknown = [term for term in exact_terms(question) if not any(holds_term(passage, term) for passage in passages)]
    return unknown if len(unknown) <= _MAX_UNKNOWN_TERMS else []


class _EchoError(LanguageModelError):
    """The text repeats its instructions, instead of following them."""


def _refuse_echo(text: str, messages: Sequence[Mapping[str, Any]]) -> None:
    if echoes(text, messages):
        raise _EchoError("the language model repeated its instructions, so the passages are quoted; try another model")
