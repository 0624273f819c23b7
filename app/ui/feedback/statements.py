"""Curators' statements on questions: edit written answers, withdraw any statement."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.feedback.judgements import wording_key
from app.memory.votes import Statement
from app.translation import gettext as _
from app.ui import markup
from app.ui.feedback.counts import Feedback
from app.ui.feedback.review import changed, statements
from app.ui.feedback.say import withdraw
from app.ui.feedback.write_answer import write_answer
from app.ui.paging import page_of
from app.ui.resources import current_user
from app.ui.words import day, person

_NUM_STATEMENTS = 10


def show_written(_said: Feedback) -> None:
    """Show the written answers that nobody withdrew."""
    written = [statement for statement in statements() if statement.text]
    if not written:
        st.caption(_("No written answers. Write one in the inbox, or for a question under “By question”."))
    show_statements(written, "written")


def show_statements(said: Sequence[Statement], kind: str) -> None:
    """Show statements, each with who said it and when. kind: for the key."""
    for statement in page_of(said, _NUM_STATEMENTS, f"statements-page-{kind}"):
        with st.container(border=True, gap="xsmall"):
            with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
                who = markup.plain(person(statement.user, current_user()))
                words = f"{markup.plain(statement.question)}  \n:small[{who}, {day(statement.at)}]"
                st.markdown(words, width="content")
                with st.container(horizontal=True, width="content"):
                    if statement.text and st.button(_("Edit"), key=f"edit-{statement.question}-{statement.at}"):
                        write_answer(statement.question, earlier=statement)
                    with st.popover(_("Withdraw"), key=f"withdrawing-{statement.question}-{statement.at}"):
                        st.caption(_("Nobody will see it any longer."))
                        st.button(
                            _("Withdraw"),
                            key=f"withdraw-{statement.question}-{statement.at}",
                            on_click=withdraw,
                            args=([statement.question], statement.collections),
                        )
            if statement.text:
                st.markdown(markup.written(statement.text))
                if _has_changed_source(statement):
                    st.caption(
                        _(
                            ":orange[:material/history:] A source has changed since, so nobody sees this answer. Edit "
                            "it, or decide in the inbox."
                        )
                    )


def _has_changed_source(statement: Statement) -> bool:
    waiting = changed().get(wording_key(statement.question))
    return waiting is not None and waiting.statement == statement
