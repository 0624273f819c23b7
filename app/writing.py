"""ranked Answer -> the same with its text, as it grows: a curator's, one of a language model, or quotes.

Chooses which of them, by the settings of the home and the state of the answer; app/answer/ makes the texts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from app.answer import ALL_STRUCK_OUT, CURATED, EXTRACTIVE, NO_DOCUMENTS, NO_QUESTION, NOTHING_MATCHES, Answer, Citation
from app.answer.curated import text_of
from app.answer.prompts import read_prompts
from app.answer.writer import Writer
from app.language_model.tokens import estimate_tokens
from app.memory.votes import Statement
from app.models import Models
from app.search.follow_up import is_small_talk
from app.telemetry.stages import stage
from ingest import CiteloopError
from ingest.figures import Figures, read_picture

_MAX_PICTURES = 3
"""Pictures that a language model is shown with a question."""


class Writing:
    """Gives the answers of one home folder their texts; safe to share between threads."""

    def __init__(self, models: Models) -> None:
        self._models, self._settings = models, models.settings

    @property
    def writer(self) -> Writer:
        """Return a writer for the current endpoint, or one that quotes. Raises EndpointError."""
        language_model, context_tokens = self._models.connection()
        return Writer(
            language_model,
            lambda: self._models.sentence_scorer,  # loaded on first use
            lambda: self._models.quote_scorer,
            estimate_tokens,
            context_tokens,
            read_prompts(self._settings.home).answer,
            self._pictures if language_model and language_model.name == self._settings.vision_model else lambda _: [],
        )

    def write(
        self, unwritten: Answer, citations: Sequence[Citation], stop: threading.Event | None = None
    ) -> Iterator[Answer]:
        """Yield the answer as its text grows from these citations; the last is complete, or says what cut it off."""
        answer, started = unwritten, time.perf_counter()
        with stage("answer") as current:
            for text in self._texts(unwritten, citations, stop):
                timings = {**unwritten.timings_ms, "answer": (time.perf_counter() - started) * 1000}
                answer = replace(text, timings_ms=timings)
                yield answer
            fields = {"answered_by": answer.answered_by, "found": answer.found, "complete": answer.complete}
            current.fields |= fields
            current.model = "" if answer.answered_by in (EXTRACTIVE, CURATED) else answer.answered_by
            current.query, current.output = answer.searched, answer.text

    def _texts(
        self, unwritten: Answer, citations: Sequence[Citation], stop: threading.Event | None
    ) -> Iterator[Answer]:
        try:
            writer = self.writer
        except CiteloopError as error:  # invalid settings: quote the passages instead
            writer = Writer(
                None, lambda: self._models.sentence_scorer, lambda: self._models.quote_scorer, estimate_tokens
            )
            unwritten = replace(unwritten, note=f"{unwritten.note} {error}".strip())
        unwritten = replace(
            unwritten,
            answered_by=writer.name if citations else EXTRACTIVE,
            found=False,
            complete=False,
            stopped=False,
            num_dropped=0,
            sentences=(),
        )
        if citations and (statement := unwritten.statement) and _has_sources(statement, citations):
            by = CURATED if statement.text else EXTRACTIVE
            yield replace(unwritten, text=text_of(statement), answered_by=by, found=bool(statement.text), complete=True)
        elif citations:
            yield from writer.write(unwritten, citations, stop)
        else:
            yield replace(unwritten, text=self._nothing_to_write_from(unwritten), complete=True)

    def _nothing_to_write_from(self, unwritten: Answer) -> str:
        """Return why nothing was found, in words."""
        if is_small_talk(unwritten.searched):
            return NO_QUESTION
        if unwritten.without or unwritten.ranking:
            return ALL_STRUCK_OUT
        return NOTHING_MATCHES if self._models.table.num_chunks() else NO_DOCUMENTS

    def _pictures(self, citations: Sequence[Citation]) -> list[tuple[int, bytes]]:
        """Return the pictures beside these citations, with their numbers."""
        kept, table, found = Figures(self._settings.home), self._models.table, dict[Path, int]()
        for citation in citations:
            for _, path in kept.shown_with(citation.chunk, table):
                found.setdefault(path, citation.number)
        first = islice(found.items(), _MAX_PICTURES)
        return [(number, picture) for path, number in first if (picture := read_picture(path))]


def _has_sources(statement: Statement, citations: Sequence[Citation]) -> bool:
    """Return whether all sources of a curator's answer are among the citations; they have the first numbers."""
    return {citation.number for citation in citations} >= set(range(1, len(statement.sources) + 1))
