"""Questions without an answer: how many each week, which ones, and those that a curator called unanswered."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial

import pandas as pd
import streamlit as st

from app.feedback.inbox import troubles
from app.feedback.unanswered import UnansweredQuestion, by_week, standing, unanswered_questions
from app.memory.votes import Unanswered
from app.ui import markup
from app.ui.feedback.counts import Feedback
from app.ui.messages import try_to
from app.ui.paging import page_of
from app.ui.resources import askings, current_user, feedback_store, only_shown_readable
from app.ui.who import act_as
from app.ui.words import day, person

_NUM_STATEMENTS = 10


def show_unanswered(said: Feedback) -> None:
    """Show counts by week, the questions, and the statements."""
    asked = askings()
    trouble_of = troubles(asked, said.events)
    weeks = by_week(asked, trouble_of)
    st.caption("Not answered: nothing found, all sources struck out, or struck out again after a rewrite.")
    st.dataframe(
        pd.DataFrame(
            {
                "Week from": [week.begins for week in weeks],
                "Questions": [week.num_asked for week in weeks],
                "Not answered": [week.num_unanswered for week in weeks],
                "Share": [week.num_unanswered / week.num_asked for week in weeks],
            }
        ),
        hide_index=True,
        width="content",
        column_config={
            "Week from": st.column_config.DateColumn(format="D MMM YYYY"),
            "Share": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
        },
        alt="Questions asked and not answered, by week",
    )
    questions = unanswered_questions(asked, trouble_of)
    st.download_button(
        "Download questions (.csv)",
        data=lambda: csv_of(questions),  # called on click
        file_name="citeloop-unanswered.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
        disabled=not questions,
    )
    _show_statements(only_shown_readable(standing(feedback_store().statements())))


def csv_of(questions: list[UnansweredQuestion]) -> bytes:
    """Return one row per question, with a byte order mark for spreadsheets."""
    rows = [asdict(question) for question in questions]
    for row in rows:
        if str(row["question"])[:1] in "=+-@\t\r":  # a spreadsheet would take it for a formula
            row["question"] = f"'{row['question']}"
    return pd.DataFrame(rows).to_csv(index=False).encode("utf-8-sig")


def _show_statements(statements: list[Unanswered]) -> None:
    if not statements:
        return
    st.subheader("Not in the documents, says a curator", anchor=False)
    for statement in page_of(statements, _NUM_STATEMENTS, "statements-page"):
        with st.container(border=True, horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            who = markup.plain(person(statement.user, current_user()))
            st.markdown(f"{markup.plain(statement.question)}  \n:small[{who}, {day(statement.at)}]", width="content")
            st.button("Withdraw", key=f"withdraw-{statement.question}", on_click=_withdraw, args=(statement,))


def _withdraw(statement: Unanswered) -> None:
    withdrawn = replace(statement, user=current_user(), withdrawn=True)
    act = partial(feedback_store().say_unanswered, [withdrawn])
    try_to(lambda: act_as("curator", "withdrawn: not in the documents", act))
