"""The model on trial: its tally in words, and the button that stops it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.evaluation.trial import end_in_words, tally
from app.feedback import FeedbackStore
from app.registry import RERANKER_KINDS, Trial
from app.settings import read_settings
from app.translation import gettext as _
from app.ui import markup
from app.ui.messages import attempt
from app.ui.resources import current_user, registry
from app.ui.who import act_as
from app.ui.words import by_person, moment


def show_trial() -> None:
    """Show the trial that goes on, or that ended just now; nothing without one."""
    found = tally(registry(), FeedbackStore(read_settings().home)) if registry().trial() else None
    if found is None:
        return
    model, live = markup.plain(found.trial.model), markup.plain(found.trial.live)
    st.header(_("Trial of {model} against {live}", model=model, live=live), anchor=False)
    st.markdown(markup.plain(found.sentence))
    st.caption(_since(found.trial))
    if not found.outcome:
        _show_stop(found.trial)


def show_past_trial(name: str) -> None:
    """Show how the model's last trial against the live one ended; nothing if there was none."""
    if outcome := registry().trial_outcome(name):
        st.caption(markup.plain(end_in_words(outcome, name, registry().live())))


def _show_stop(trial: Trial) -> None:
    """Show the button that stops the trial, with a confirmation: it cannot be continued."""
    with st.popover(_("Stop the trial"), icon=":material/stop:", key="stopping-trial"):
        st.markdown(
            _("Answers show sources of the live model only again. Strike-outs are kept; a new trial starts from zero.")
        )
        if st.button(_("Stop the trial now"), key="stop-trial", type="primary"):
            stop = partial(registry().end_trial, trial, "stopped")
            attempt(lambda: act_as("curator", "trial stopped", stop, trial.model), _("The trial has been stopped"))


def trial_button(name: str) -> None:
    """A button that puts this model on trial, if it can rank and no other one is on trial."""
    if registry().trial() or registry().model(name).kind not in RERANKER_KINDS:
        return
    help_text = _("Answers show sources of both rankings. What people strike out decides which model is better.")
    if st.button(_("Try {name} on real questions", name=markup.plain(name)), key="start-trial", help=help_text):
        start = partial(registry().start_trial, name, current_user())
        attempt(lambda: act_as("curator", "trial started", start, name), _("{name} is on trial", name=name))


def _since(trial: Trial) -> str:
    by = markup.plain(by_person(trial.who, current_user()))
    return _("Started {moment}, {by}. Nothing is promoted automatically.", moment=moment(trial.since), by=by)
