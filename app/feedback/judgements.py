"""Passage that was shown for a question, and what a curator says of it -> Judgement."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, fields
from typing import Literal, Protocol, get_args

from ingest.chunk import Chunk

Label = Literal["relevant", "not relevant", "left out"]
"""left out: it says nothing, whatever users did with the passage."""
LABELS: tuple[Label, ...] = get_args(Label)
IMPORTED = "imported from"
"""So begins the origin of what came in a file; its name follows."""


class Passage(Protocol):
    """A text with its place in the documents; a Chunk is one."""

    @property
    def document(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def heading(self) -> str: ...
    @property
    def page(self) -> int | None: ...
    @property
    def text(self) -> str: ...


class ShownPassage(Passage, Protocol):
    """A passage with the question that it was shown for; a FeedbackEvent is one."""

    @property
    def question(self) -> str: ...
    @property
    def chunk_id(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a curator says of a passage for a question.

    id and at (UTC, ISO 8601) are the store's to give: '' until then. origin: 'curator', or 'imported from' and the
    file's name. The place of a passage that was imported may be unknown.
    """

    id: str = ""
    at: str = ""
    user: str
    question: str
    label: Label
    origin: str = "curator"
    chunk_id: str = ""
    document: str = ""
    title: str = ""
    heading: str = ""
    page: int | None = None
    text: str

    @classmethod
    def of(cls, passage: ShownPassage, label: Label, user: str, origin: str = "curator") -> Judgement:
        """The judgement of a passage that people did something with."""
        return cls._of(passage, passage.question, passage.chunk_id, label, user, origin)

    @classmethod
    def of_chunk(cls, question: str, chunk: Chunk, label: Label, user: str, origin: str = "curator") -> Judgement:
        """The judgement of a chunk, whoever has seen it."""
        return cls._of(chunk, question, chunk.id, label, user, origin)

    @classmethod
    def _of(cls, passage: Passage, question: str, chunk_id: str, label: Label, user: str, origin: str) -> Judgement:
        return cls(
            user=user,
            question=question,
            label=label,
            origin=origin,
            chunk_id=chunk_id,
            document=passage.document,
            title=passage.title,
            heading=passage.heading,
            page=passage.page,
            text=passage.text,
        )

    @property
    def key(self) -> str:
        """The same, 32 hex digits, for judgements of the same text for the same question: the last of them stands."""
        return hashlib.sha256(f"{question_key(self.question)}\0{self.text}".encode()).hexdigest()[:32]


JUDGEMENT_COLUMNS = tuple(field.name for field in fields(Judgement))


def is_imported(origin: str) -> bool:
    """Whether a judgement with this origin came in a file, rather than from somebody's hand."""
    return origin.startswith(IMPORTED)


def question_key(question: str) -> str:
    """The same for questions that differ in capitals, spaces and closing marks only."""
    return re.sub(r"\s+", " ", question).strip(" ?!.").casefold()
