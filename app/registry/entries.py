"""TrainedModel, the gate's Verdict, and Promotion, an entry of the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ingest import CiteloopError

SHIPPED = "shipped"
"""The reranker that comes with the program: live until another is promoted, and not in the table of models."""
RERANKER_KINDS = ("late-interaction", "cross-encoder")

Action = Literal["promote", "rollback", "fallback"]
Decision = Literal["promote", "keep", "too little data"]
TrialOutcome = Literal["", "won", "lost", "undecided", "stopped"]
"""Of the model on trial; '' while the trial goes on."""


class RegistryError(CiteloopError):
    """A model is missing or damaged, or its state does not allow the action."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model of a home folder.

    kind: one of RERANKER_KINDS, or embedder, which cannot rank. base: the model it was trained from, or of a download
    ID@REVISION. created_at: ISO 8601 in UTC. fingerprint: by `fingerprint`. job_id: of the training, or ''.
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
    """One history entry: when, who, which model replaced which, and why.

    at: ISO 8601 in UTC. action: a fallback does not change the live model; it means that `previous` failed and `model`
    was used instead. verdict: of the gate, '' if not asked; other than 'promote' means that it was overridden.
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
class Trial:
    """A model on trial against the live one: answers show places drafted from both rankings. since: ISO 8601 in UTC."""

    model: str
    live: str
    since: str
    who: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's verdict in a model's gate.json.

    live: the model that it was compared with, '' if unknown. asked_before, new: the gains on questions asked before in
    other words and on new ones, as they are in the file; None in older ones.
    """

    verdict: Decision
    sentence: str
    live: str = ""
    asked_before: object = None
    new: object = None
