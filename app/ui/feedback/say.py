"""Decisions and statements of the current user on questions -> the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from app.feedback import Judgement, Label
from app.feedback.statements import withdrawn
from app.memory.votes import Statement
from app.translation import gettext as _
from app.ui.messages import tell, try_to
from app.ui.resources import current_user, feedback_store, only_readable_statements
from app.ui.who import act_as, current_rights
from ingest.chunk import Chunk, PassageRef


def judge(label: Label, questions: Sequence[str], passage: Chunk | PassageRef) -> None:
    """Store the decision on a passage for these questions. Raises AccessError, FeedbackError."""
    user = current_user()
    judgements = [Judgement.of(question, passage.ref, label, user) for question in questions]
    act_as(
        "curator",
        "decision withdrawn" if label == "withdrawn" else f"decided: {label}",
        partial(feedback_store().judge, judgements),
        passage.document,
    )


def say(said: Sequence[Statement], instead_of: Statement | None = None) -> None:
    """Store statements as the current user's, for what they may read.

    instead_of: the statement that they replace, also if it was made by a curator who may read other collections.
    Without it, those of such curators stay, since the current user may not see them.
    """
    user, names = current_user(), current_rights().collections
    own = None if names is None else tuple(sorted(names))
    before = _withdrawals([one.question for one in said], instead_of.collections) if instead_of else []
    feedback_store().say([*before, *(replace(one, user=user, collections=own) for one in said)])


def withdraw(questions: Sequence[str], collections: tuple[str, ...] | None) -> None:
    """Withdraw the statements on questions, in any wording, that the user may read. For a callback.

    collections: as of the statements.
    """
    act = partial(feedback_store().say, _withdrawals(questions, collections))
    if try_to(lambda: act_as("curator", "statement withdrawn", act)):
        tell("success", _("Withdrawn."))


def _withdrawals(questions: Sequence[str], collections: tuple[str, ...] | None) -> list[Statement]:
    said, user = feedback_store().statements(), current_user()
    return only_readable_statements(
        [one for question in questions for one in withdrawn(said, question, user, collections)]
    )
