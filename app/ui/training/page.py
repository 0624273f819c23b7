"""Training: live model, training data, start and progress, comparison, promote or keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app.training.labels.from_feedback import Readiness, questions_needed
from app.training.labels.split import SHARES
from app.training.plan import Plan
from app.translation import N_, ngettext, pgettext
from app.translation import gettext as _
from app.ui import links
from app.ui.feedback.counts import Feedback, by_origin
from app.ui.messages import attempt, show_messages
from app.ui.resources import current_user, feedback, reads_everything, training_job_store
from app.ui.training.models import show_comparison, show_live, show_models
from app.ui.training.progress import KINDS, is_training, show_trainings
from app.ui.training.trial import show_trial
from app.ui.training.votes import show_votes
from app.ui.who import act_as
from app.ui.words import origin_words, passages_that_answer, people, sentence

_MAX_SEED = 2**31 - 1


def show() -> None:
    """The page."""
    st.title(_("Training"), anchor=False)
    if not reads_everything():
        return
    st.markdown(
        _(
            "Strike-outs and other votes act at once, without training. Training improves the reranker, the model that "
            "puts the best sources first. It pays when people use code names and other words that no model knows. You "
            "decide what goes live, and can always roll back."
        )
    )
    show_messages()
    left, right = st.columns(2, gap="large")
    with left:
        show_live()
    with right:
        _show_training_data(feedback())
    show_votes()
    show_trainings()
    show_trial()
    show_comparison()
    show_models()


def _show_training_data(said: Feedback) -> None:
    ready = said.ready
    st.header(_("Training data"), anchor=False)
    num_usable, num_needed = ready.num_questions - ready.num_without_positive, questions_needed()
    if not said.labeled:
        st.info(
            _(
                "No training data yet. Ask questions and strike out wrong sources below the answers, or import "
                "questions with answers on the Feedback page."
            ),
            icon=":material/info:",
        )
    share = min(num_usable / num_needed, 1.0)
    have = (
        N_("{n} questions, each with a passage that answers")
        if share == 1
        else N_("{n} of {needed} questions needed, each with a passage that answers")
    )
    st.progress(share, text=_(have, n=num_usable, needed=num_needed))
    if ready.num_questions:
        st.markdown(ready_words(said))
    if ready.missing:
        st.markdown(_("**Needed before training**") + "\n\n" + "\n".join(f"- {line}" for line in ready.missing))
    links.to_feedback(_("Review feedback"))
    if ready.num_questions:
        with st.expander(_("Origins")):
            st.dataframe(
                origin_table(by_origin(said.labeled)),
                hide_index=True,
                alt=_("Passages by origin"),
            )
    _show_start(ready)


def ready_words(said: Feedback) -> str:
    """Return the numbers of questions and passages, as Markdown."""
    ready = said.ready
    num_usable = ready.num_questions - ready.num_without_positive
    by_people = _(" by {people}", people=people(ready.num_users)) if ready.num_users else ""
    disagree = (
        ngettext(
            " {n} passage with conflicting feedback.",
            " {n} passages with conflicting feedback.",
            ready.num_contradictions,
        )
        if ready.num_contradictions
        else ""
    )
    questions = ngettext("{n} question", "{n} questions", ready.num_questions)
    passages = passages_that_answer(ready.num_positives)
    kept = round(SHARES["gate"] * num_usable)
    set_aside = ngettext(
        " About {n} of the questions is set aside to compare models.",
        " About {n} of the questions are set aside to compare models.",
        kept,
    )
    return (
        f"{questions}{by_people}: "
        + _("{passages}, {n} that do not.", passages=passages, n=ready.num_negatives)
        + disagree
        + (set_aside if kept else "")
    )


def origin_table(origins: Mapping[str, Counter[str]]) -> pd.DataFrame:
    """One row per origin: number of positive, negative and unused passages."""
    return pd.DataFrame(
        {
            _("From"): [sentence(origin_words(origin)) for origin in origins],
            pgettext("column", "Answer"): [counts["answers"] for counts in origins.values()],
            _("Do not answer"): [counts["does not answer"] for counts in origins.values()],
            _("Not used for training"): [counts["not used"] for counts in origins.values()],
        }
    )


def _show_start(ready: Readiness) -> None:
    with st.expander(_("Details")):
        kind = st.radio(_("Model to train"), list(KINDS), format_func=lambda kind: _(KINDS[kind]), key="training-kind")
        base = ""
        if kind != "reranker":  # that one continues from the live model
            base = st.text_input(
                _("Base model"),
                placeholder=_("A folder or a Hugging Face model name"),
                help=_("If empty, the embedder that comes with Citeloop."),
                key="training-base",
                max_chars=300,
            )
        seed = st.number_input(
            _("Random seed"),
            min_value=0,
            max_value=_MAX_SEED,
            step=1,
            help=_("The same number repeats the random choices of a training."),
            key="training-seed",
        )
    waits = is_training()
    if st.button(
        _("Start training"), type="primary", icon=":material/play_arrow:", disabled=bool(ready.missing) or waits
    ):
        attempt(
            lambda: _start(Plan(kind, base.strip(), int(seed))),
            _("Training started. You can leave this page"),
        )
    if waits:
        st.caption(_("A training is running. Start the next one when it has ended."))
    elif ready.missing:
        st.caption(_("There is too little training data yet."))


def _start(plan: Plan) -> None:
    user = current_user()
    act_as("curator", "training started", lambda: training_job_store().add(plan, user), plan.kind)
    training_job_store().start_worker()
