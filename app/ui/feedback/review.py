"""What curators review: cached for the server, and computed again only after it has changed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from app.feedback.changed import Changed, changed_since
from app.feedback.curators import Asking
from app.feedback.inbox import InboxItem
from app.feedback.inbox import inbox as open_items
from app.feedback.recall import Memory
from app.feedback.statements import standing
from app.memory.votes import Statement
from app.memory.wording import Wording
from app.settings import read_settings
from app.translation import gettext as _
from app.ui.resources import (
    feedback,
    feedback_store,
    only_readable,
    only_readable_statements,
    only_shown_readable,
    pipeline,
    readable,
    readers,
)
from app.ui.who import current_rights

if TYPE_CHECKING:
    from app.evaluation.replay import Replay


def askings() -> list[Asking]:
    """Return what the inbox needs of the answers that the current user may read; new ones appear within a minute."""
    with st.spinner(_("Reading the answers")):
        return only_shown_readable(_askings())


@st.cache_resource(ttl=60, show_spinner=False)
def _askings() -> list[Asking]:
    return feedback_store().askings()


def statements() -> list[Statement]:
    """Return the curators' statements that stand, of those that the current user may read."""
    return only_readable_statements(standing(feedback_store().statements()))


def inbox() -> list[InboxItem]:
    """Return what a curator should decide next; recomputed after new feedback, answers and documents."""
    asked = askings()
    with st.spinner(_("Comparing the questions")):
        return _inbox(_state(), asked)


def changed() -> Mapping[Wording | str, Changed]:
    """Return what waits since the documents have changed, by wording key; recomputed as the inbox."""
    asked = askings()
    with st.spinner(_("Comparing the documents")):
        return _changed(_state(), asked)


def _state() -> str:
    """Return what the inbox depends on."""
    asked, last = askings(), feedback_store().position()
    newest = asked[-1].answer_id if asked else ""
    return f"{read_settings().home} {last} {len(asked)} {newest} {pipeline().table.version} {readers()}"


@st.cache_resource(max_entries=4, show_spinner=False)
def _changed(state: str, _asked: list[Asking]) -> dict[Wording | str, Changed]:  # noqa: ARG001
    votes = pipeline().memory.votes()
    may_read = set(only_readable(vote.passage for vote in votes))
    votes = [vote for vote in votes if vote.passage in may_read]
    return changed_since(
        {asking.question for asking in _asked},
        feedback_store().statements(),
        statements(),
        votes,
        pipeline().table,
        partial(pipeline().is_overtaken, within=readable()),
    )


@st.cache_resource(max_entries=4, show_spinner=False)
def _inbox(state: str, _asked: list[Asking]) -> list[InboxItem]:  # noqa: ARG001
    return open_items(
        feedback_store(),
        pipeline().models.embedder,
        _asked,
        feedback().labeled,
        changed(),
        current_rights().collections,
    )


def replayed() -> Replay:
    """Return what votes were worth; measured again only after new feedback. Raises CiteloopError."""
    with st.spinner(_("Ranking the judged questions again")):
        return _replayed(f"{read_settings().home} {feedback_store().position()}")


@st.cache_resource(max_entries=4, show_spinner=False)
def _replayed(state: str) -> Replay:  # noqa: ARG001
    from app.evaluation.replay import replay  # takes a second to import

    used = pipeline()
    memory = Memory(used.models.embedder, used.settings.min_agreeing)
    return replay(feedback_store(), memory, used.find_passages)
