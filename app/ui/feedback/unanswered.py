"""Questions without an answer: how many each week, which ones, and those that a curator called unanswered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd
import streamlit as st

from app.feedback.inbox import troubles
from app.feedback.unanswered import UnansweredQuestion, by_week, unanswered_questions
from app.translation import N_, pgettext
from app.translation import gettext as _
from app.ui.cells import as_text
from app.ui.feedback.counts import Feedback
from app.ui.feedback.inbox import TROUBLES
from app.ui.feedback.review import askings, statements
from app.ui.feedback.statements import show_statements

_REASONS: Mapping[str, str] = dict(TROUBLES.items()) | {"a curator says so": N_("A curator says so")}


def show_unanswered(said: Feedback) -> None:
    """Show counts by week, the questions, and the statements."""
    asked = askings()
    trouble_of = troubles(asked, said.events)
    weeks = by_week(asked, trouble_of)
    share = pgettext("column", "Share")
    st.caption(_("Not answered: nothing found, all sources struck out, or struck out again after a rewrite."))
    st.dataframe(
        pd.DataFrame(
            {
                _("Week from"): [week.begins for week in weeks],
                _("Questions"): [week.num_asked for week in weeks],
                _("Not answered"): [week.num_unanswered for week in weeks],
                share: [round(week.num_unanswered / week.num_asked, 2) for week in weeks],
            }
        ),
        hide_index=True,
        width="content",
        column_config={
            _("Week from"): st.column_config.DateColumn(format=_("D MMM YYYY")),
            share: st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
        },
        alt=_("Questions asked and not answered, by week"),
    )
    questions = unanswered_questions(asked, trouble_of)
    if questions:
        _show(questions)
    st.download_button(
        _("Download questions (.csv)"),
        data=lambda: csv_of(questions),  # called on click
        file_name="citeloop-unanswered.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
        disabled=not questions,
    )
    if said_unanswered := [one for one in statements() if not one.text]:
        st.header(_("Not in the documents, says a curator"), anchor=False)
        show_statements(said_unanswered, "unanswered")


def _show(questions: list[UnansweredQuestion]) -> None:
    st.dataframe(
        as_text(
            pd.DataFrame(
                {
                    _("Question"): [question.question for question in questions],
                    _("Asked"): [question.num_asked for question in questions],
                    _("People"): [question.num_people for question in questions],
                    _("Last asked"): [question.last_asked for question in questions],
                    _("Reason"): [_(_REASONS[question.reason]) for question in questions],
                }
            ),
            _("Question"),
        ),
        hide_index=True,
        column_config={_("Last asked"): st.column_config.DateColumn(format=_("D MMM YYYY"))},
        alt=_("Questions without an answer"),
    )


def csv_of(questions: list[UnansweredQuestion]) -> bytes:
    """Return one row per question, with a byte order mark for spreadsheets."""
    table = as_text(pd.DataFrame([asdict(question) for question in questions]), "question")
    return table.to_csv(index=False).encode("utf-8-sig")
