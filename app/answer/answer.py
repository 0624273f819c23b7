"""The answer to a question: text whose every [n] is a passage of the ranking."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from app.answer.marks import cited_numbers
from app.answer.support import CitedSentence
from app.memory.votes import Statement
from app.reranking.rerank import RankedChunk
from app.search.filters import EVERYTHING, Filter
from app.translation import N_
from ingest.chunk import Chunk

EXTRACTIVE = "extractive"
CURATED = "curator"
NO_DOCUMENTS = N_("There are no documents yet. Add some on the Documents page, or with: citeloop ingest PATH")
NOTHING_MATCHES = N_("Nothing in the documents matches this question.")
NO_QUESTION = N_("Ask a question about the documents.")
NOT_FOUND = N_("Nothing here clearly answers this. The nearest passages are listed below.")
NOT_CLEAR = N_("Nothing here clearly answers this. The nearest passages are:")
NOT_CLEAR_ONE = N_("Nothing here clearly answers this. The nearest passage is:")
ALL_STRUCK_OUT = N_("All sources of this answer are struck out, so there is nothing left to answer from.")

NUMBER = re.compile(r"\[(\d+)\]")
"""A citation in a text, or what looks like one."""


@dataclass(frozen=True, slots=True)
class Citation:
    """The passage behind [number]; numbers start at 1 and follow the ranking.

    also_in: documents with the same text. superseded_by: title of the
    newest version of its document, '' if this is the newest.
    """

    number: int
    chunk: Chunk
    also_in: tuple[str, ...] = ()
    superseded_by: str = ""

    def as_record(self, is_used: bool) -> dict[str, object]:
        """The form in the record of an answer. is_used: whether its text cites it."""
        return {
            "number": self.number,
            "chunk_id": self.chunk.id,
            "document": self.chunk.document,
            "title": self.chunk.title,
            "heading": self.chunk.heading,
            "page": self.chunk.page,
            "used": is_used,
            "also_in": list(self.also_in),
            "superseded_by": self.superseded_by,
            "text": self.chunk.text,
            "described_by": self.chunk.described_by,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its sources and how it was made.

    question: as typed; query: as searched, '' if equal; corrected_from: the query before its typos were corrected, ''
    if it had none; within: the filter. answered_by: 'extractive', 'curator' or the language model's name. citations:
    the passages shown; the ones in the text are `used`. ranking: all candidates. timings_ms: search, rerank, answer.
    found: False if the documents do not answer. complete: False while the text grows, or if it was cut off or stopped
    by the user (`stopped`). note: errors, for the user; ranking_note: errors before writing. num_dropped: made-up
    citations removed from the text. sentences: of a language model, with their support by the citations; none if
    extractive. reranker_version: fingerprint in hex, embedder: name; '' in old answers. without: ids of chunks struck
    out before writing, in the order of the citations. ignores_votes: ranked as if nobody had said anything of the
    passages. statement: what a curator says of the question, also where the text is made without it after a strike-out.
    """

    question: str
    text: str
    answered_by: str
    citations: tuple[Citation, ...]
    ranking: tuple[RankedChunk, ...]
    reranker: str
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    found: bool = True
    complete: bool = True
    note: str = ""
    ranking_note: str = ""
    reranker_version: str = ""
    embedder: str = ""
    without: tuple[str, ...] = ()
    query: str = ""
    corrected_from: str = ""
    within: Filter = EVERYTHING
    stopped: bool = False
    num_dropped: int = 0
    sentences: tuple[CitedSentence, ...] = ()
    ignores_votes: bool = False
    statement: Statement | None = None

    @property
    def searched(self) -> str:
        """Query as searched."""
        return self.query or self.question

    @property
    def best_similarity(self) -> float:
        """Highest similarity of the question and a passage that search found, by the embedder; 0 if unknown."""
        return max((ranked.candidate.vector_score or 0.0 for ranked in self.ranking), default=0.0)

    @property
    def never_searched(self) -> bool:
        """Whether it ended or was stopped before it had sources."""
        return not (self.citations or self.complete)

    @property
    def shown_statement(self) -> Statement | None:
        """Return what a curator says of the question if the text says it, or None."""
        is_shown = self.statement and (self.answered_by == CURATED or not self.statement.text)
        return self.statement if is_shown else None

    @property
    def used(self) -> frozenset[int]:
        """Numbers of the citations in the text."""
        return frozenset(cited_numbers(self.text))

    def as_record(self) -> dict[str, object]:
        """The form that the command line prints, with stable names."""
        return {
            "question": self.question,
            "answer": self.text,
            "answered_by": self.answered_by,
            "found": self.found,
            "complete": self.complete,
            "stopped": self.stopped,
            "struck_out": list(self.without),
            "query": self.searched,
            "corrected_from": self.corrected_from,
            "within": self.within.as_record(),
            "num_dropped_citations": self.num_dropped,
            "sentences": [asdict(sentence) for sentence in self.sentences],
            "note": self.note,
            "ignores_votes": self.ignores_votes,
            "said_unanswered": self.statement is not None and not self.statement.text,
            "statement": self.shown_statement.as_record() if self.shown_statement else None,
            "citations": [citation.as_record(citation.number in self.used) for citation in self.citations],
            "ranking": [ranked.as_row() for ranked in self.ranking],
            "reranker": self.reranker,
            "reranker_version": self.reranker_version,
            "embedder": self.embedder,
            "timings_ms": dict(self.timings_ms),
        }


def cite(ranking: Sequence[RankedChunk], num_citations: int) -> tuple[Citation, ...]:
    """Return the best passages that are not struck out for this question, numbered from 1."""
    standing = [ranked.candidate for ranked in ranking if not ranked.is_struck_out]
    cited = enumerate(standing[:num_citations], 1)
    return tuple(Citation(number, each.chunk, each.also_in, each.superseded_by) for number, each in cited)
