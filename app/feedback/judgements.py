"""Passage for a question, and a curator's label -> Judgement."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, fields
from typing import Literal

from app.memory.wording import Wording
from ingest.chunk import PassageRef

Label = Literal["relevant", "not relevant", "left out", "withdrawn"]
"""left out: not used, regardless of user feedback. withdrawn: no decision, so only user feedback counts."""
IMPORTED = "imported from"
"""Prefix of the origin of imported judgements; the file name follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement(PassageRef):
    """A curator's decision on a passage for a question.

    The store sets id and at (ISO 8601 in UTC); both are '' before. origin: 'curator', or 'imported from' and the file
    name.
    """

    id: str = ""
    at: str = ""
    user: str
    question: str
    label: Label
    origin: str = "curator"

    @classmethod
    def of(cls, question: str, passage: PassageRef, label: Label, user: str, origin: str = "curator") -> Judgement:
        """Return the judgement of a passage for a question."""
        return cls(user=user, question=question, label=label, origin=origin, **asdict(passage.ref))

    @property
    def key(self) -> str:
        """Key of question and text, 32 hex digits; the last judgement per key is valid."""
        return hashlib.sha256(f"{question_key(self.question)}\0{self.text}".encode()).hexdigest()[:32]


JUDGEMENT_COLUMNS = tuple(field.name for field in fields(Judgement))


def is_imported(origin: str) -> bool:
    """Return whether a judgement with this origin was imported."""
    return origin.startswith(IMPORTED)


def question_key(question: str) -> str:
    """Normalize a question's case, spaces and final punctuation."""
    return re.sub(r"\s+", " ", question).strip(" ?!.").casefold()


def wording_key(question: str) -> Wording | str:
    """Return what all wordings of the same question share, whatever their case, order and unimportant words."""
    wording = Wording.of(question)
    return wording if wording.words else question_key(question)
