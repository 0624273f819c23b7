"""all statements of curators -> those that hold, and their withdrawals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from app.feedback.judgements import question_key, wording_key
from app.memory.votes import Statement


def standing(statements: Iterable[Statement]) -> list[Statement]:
    """Return the statements that nobody withdrew, newest first: the last one of each question, in any wording.

    Curators who could read other collections do not replace each other's.
    """
    last = {(wording_key(statement.question), statement.collections): statement for statement in statements}
    held = [statement for statement in last.values() if not statement.withdrawn]
    return sorted(held, key=lambda statement: statement.at, reverse=True)


def withdrawn(
    statements: Iterable[Statement], question: str, user: str, collections: tuple[str, ...] | None
) -> list[Statement]:
    """Return a user's withdrawals of the statements on a question, in any wording of the same.

    collections: as of the statements.
    """
    said = [one for one in statements if one.collections == collections]
    last = {question_key(one.question): one for one in said if wording_key(one.question) == wording_key(question)}
    return [replace(one, user=user, withdrawn=True) for one in last.values() if not one.withdrawn]
