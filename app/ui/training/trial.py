"""The model on trial: its tally in words, and the button that stops it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.evaluation.trial import tally
from app.feedback import FeedbackStore
from app.registry import RERANKER_KINDS, Trial, TrialOutcome
from app.settings import read_settings
from app.ui import markup
from app.ui.messages import attempt
from app.ui.resources import current_user, registry
from app.ui.who import act_as
from app.ui.words import moment, person


def show_trial() -> None:
    """Show the trial that goes on, or that ended just now; nothing without one."""
    found = tally(registry(), FeedbackStore(read_settings().home)) if registry().trial() else None
    if found is None:
        return
    st.subheader("Trial", anchor=False)
    st.markdown(markup.plain(found.sentence))
    st.caption(_since(found.trial, found.outcome))
    if not found.outcome and st.button("Stop the trial", key="stop-trial", icon=":material/stop:"):
        stop = partial(registry().end_trial, "stopped")
        attempt(lambda: act_as("curator", "trial stopped", stop, found.trial.model), "The trial has been stopped")


def trial_button(name: str) -> None:
    """A button that puts this model on trial, if it can rank and no other one is on trial."""
    if registry().trial() or registry().model(name).kind not in RERANKER_KINDS:
        return
    help_text = "Answers show sources of both rankings. What people strike out decides which model is better."
    if st.button(f"Try {markup.plain(name)} on real questions", key="start-trial", help=help_text):
        start = partial(registry().start_trial, name, current_user())
        attempt(lambda: act_as("curator", "trial started", start, name), f"{name} is on trial")


def _since(trial: Trial, outcome: TrialOutcome) -> str:
    who, verb = markup.plain(person(trial.who, current_user())), "Ran" if outcome else "Runs"
    return f"{verb} since {moment(trial.since)}, started by {who}. Nothing is promoted automatically."
