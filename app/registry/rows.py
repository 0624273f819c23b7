"""connection -> the rows of models, their history and their trials."""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy import Connection, insert, select

from app.registry.entries import SHIPPED, Action, Promotion, RegistryError, TrainedModel, Trial, TrialOutcome
from ingest.home.database import now
from ingest.home.tables import models, promotions, trials

MODELS = select(*(models.c[field.name] for field in fields(TrainedModel))).where(models.c.removed_at.is_(None))
NAMES = MODELS.with_only_columns(models.c.name)
_CHANGES = select(promotions.c.action, promotions.c.model).where(promotions.c.action != "fallback")
_CHANGES = _CHANGES.order_by(promotions.c.sequence)
_TRIALS = select(*(trials.c[field.name] for field in fields(Trial))).order_by(trials.c.sequence.desc())


def standing_models(connection: Connection) -> list[str]:
    """Return the stack of live models, newest first, each once, without those that a rollback undid."""
    stack = [SHIPPED]
    for action, model in connection.execute(_CHANGES):
        if action == "rollback":
            stack.pop()
            while stack[-1] != model:
                stack.pop()
        else:
            stack.append(model)
    existing = {SHIPPED, *connection.scalars(NAMES)}
    return [name for name in dict.fromkeys(reversed(stack)) if name in existing]


def expect_standing(connection: Connection, standing: list[str]) -> None:
    """Raise RegistryError if the stack of live models is not this one."""
    if standing_models(connection) != standing:
        raise RegistryError("the live model has changed meanwhile; try again")


def last_outcome(connection: Connection, name: str) -> TrialOutcome:
    """Return how the model's last trial against the live one ended; '' if it goes on or there was none."""
    past = select(trials.c.outcome).where(trials.c.model == name, trials.c.live == standing_models(connection)[0])
    outcome: TrialOutcome = connection.scalar(past.order_by(trials.c.sequence.desc()).limit(1)) or ""
    return outcome


def trial_now(connection: Connection) -> Trial | None:
    """Return the last trial, if it has no outcome yet and its opponent is still live."""
    row = connection.execute(_TRIALS.add_columns(trials.c.outcome).limit(1)).first()
    trial = Trial(*row[:-1]) if row and not row[-1] else None
    return trial if trial and trial.live == standing_models(connection)[0] else None


def model_of(connection: Connection, name: str) -> TrainedModel:
    """Return the model with this name. Raises RegistryError, with the known names."""
    row = connection.execute(MODELS.where(models.c.name == name)).first()
    if row:
        return TrainedModel(*row)
    known = connection.scalars(NAMES.order_by(models.c.sequence))
    raise RegistryError(f"no model {name!r}; known: {', '.join(known) or 'none yet'}")


def record_change(
    connection: Connection, action: Action, model: str, previous: str, who: str, why: str, verdict: str = ""
) -> Promotion:
    """Add a change of the live model, or a fallback, to the history."""
    row = insert(promotions).values(
        at=now(), who=who, model=model, previous=previous, action=action, why=why, verdict=verdict
    )
    return Promotion(**connection.execute(row.returning(promotions)).mappings().one())
