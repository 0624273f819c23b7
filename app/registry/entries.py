"""What is said of trained models: a TrainedModel, the Verdict of the gate, a Promotion of the history."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ingest import CiteloopError

SHIPPED = "shipped"
"""The reranker that comes with the program: live as long as none was promoted, and never in the table of models."""
RERANKER_KINDS = ("late-interaction", "cross-encoder")
EMBEDDER = "embedder"
"""The kind of a model that does not rank: it goes live when the documents are embedded anew with it."""

Action = Literal["promote", "rollback", "fallback"]
Decision = Literal["promote", "keep", "too little data"]


class RegistryError(CiteloopError):
    """A model is not there, not whole, or not in a state for what was asked."""


def how_to_embed(embedder: Path) -> str:
    """How the embedder in a folder goes live."""
    return f"citeloop reindex --embedder {embedder}"


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model of a home folder.

    kind: of RERANKER_KINDS, or EMBEDDER. base: what it was trained from. created_at: ISO 8601 in
    UTC. fingerprint: as `fingerprint` gives it. job_id: of the training, or ''.
    """

    name: str
    kind: str
    base: str
    created_at: str
    fingerprint: str
    job_id: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Promotion:
    """A line of the history: from when on which model was used instead of which, by whom and why.

    at: ISO 8601 in UTC. action: a fallback changes nothing in what is live; it says that `previous` failed and that
    `model` was used instead. verdict: of the gate, '' if it was not asked; other than 'promote': it was overridden.
    """

    sequence: int
    at: str
    who: str
    model: str
    previous: str
    action: Action
    why: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of a model in its gate.json. live: what it was compared with, '' if that is not said.

    embedder: the one that was made with it, and that it was judged with; '' where there is none.
    """

    verdict: Decision
    sentence: str
    live: str = ""
    embedder: str = ""
