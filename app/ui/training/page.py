"""Training: live model, training data, start and progress, comparison, promote or keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app.training.labels.from_feedback import Readiness, questions_needed
from app.training.labels.split import SHARES
from app.training.plan import Plan
from app.ui import links
from app.ui.feedback.counts import Feedback, by_origin
from app.ui.messages import attempt, show_messages
from app.ui.resources import current_user, feedback, reads_everything, training_job_store
from app.ui.training.models import show_comparison, show_live, show_models
from app.ui.training.progress import KINDS, is_training, show_trainings, start
from app.ui.training.trial import show_trial
from app.ui.training.votes import show_votes
from app.ui.who import act_as
from app.ui.words import counted, passages_that_answer, people

_MAX_SEED = 2**31 - 1


def show() -> None:
    """The page."""
    st.title("Training", anchor=False)
    if not reads_everything():
        return
    st.markdown(
        "Strike-outs and other votes act at once, without training. Training improves the reranker itself. It pays "
        "when people use code names and other words that no model knows. You decide what goes live, and can always "
        "roll back."
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
    st.subheader("Training data", anchor=False)
    num_usable, num_needed = ready.num_questions - ready.num_without_positive, questions_needed()
    if not said.labeled:
        st.info(
            "No training data yet. Ask questions, then open or strike out sources below the answers, or import "
            "questions with answers on the Feedback page.",
            icon=":material/info:",
        )
    share = min(num_usable / num_needed, 1.0)
    have = f"{num_usable} questions" if share == 1 else f"{num_usable} of {num_needed} questions needed"
    st.progress(share, text=f"{have}, each with a passage that answers")
    if ready.num_questions:
        st.markdown(ready_words(said))
    if ready.missing:
        st.markdown("**Needed before training**\n\n" + "\n".join(f"- {line}" for line in ready.missing))
    links.to_feedback("Review feedback")
    if ready.num_questions:
        with st.expander("Origins"):
            st.dataframe(
                origin_table(by_origin(said.labeled)),
                hide_index=True,
                alt="Passages by origin",
            )
    _show_start(ready)


def ready_words(said: Feedback) -> str:
    """Return the numbers of questions and passages, as Markdown."""
    ready = said.ready
    num_usable = ready.num_questions - ready.num_without_positive
    by_people = f" by {people(ready.num_users)}" if ready.num_users else ""
    disagree = (
        f" {counted(said.ready.num_contradictions, 'passage')} with conflicting feedback."
        if said.ready.num_contradictions
        else ""
    )
    return (
        f"{counted(ready.num_questions, 'question')}{by_people}: {passages_that_answer(ready.num_positives)}, "
        f"{ready.num_negatives:,} that do not.{disagree} About {round(SHARES['gate'] * num_usable)} of the "
        "questions are set aside to compare models."
    )


def origin_table(origins: Mapping[str, Counter[str]]) -> pd.DataFrame:
    """One row per origin: number of positive, negative and unused passages."""
    return pd.DataFrame(
        {
            "From": [f"{origin[0].upper()}{origin[1:]}" for origin in origins],
            "Answer": [counts["answers"] for counts in origins.values()],
            "Do not answer": [counts["does not answer"] for counts in origins.values()],
            "Not used": [counts["not used"] for counts in origins.values()],
        }
    )


def _show_start(ready: Readiness) -> None:
    with st.expander("Details", icon=":material/tune:"):
        kind = st.radio("Model to train", list(KINDS), format_func=KINDS.__getitem__, key="training-kind")
        base = ""
        if kind != "reranker":  # that one continues from the live model
            base = st.text_input(
                "Base model",
                placeholder="A folder or a Hugging Face model name",
                help="If empty, the embedder that comes with Citeloop.",
                key="training-base",
                max_chars=300,
            )
        seed = st.number_input(
            "Random seed",
            min_value=0,
            max_value=_MAX_SEED,
            step=1,
            help="The same number repeats the random choices of a training.",
            key="training-seed",
        )
    waits = is_training()
    if st.button("Start training", type="primary", icon=":material/play_arrow:", disabled=bool(ready.missing) or waits):
        attempt(
            lambda: _start(Plan(kind, base.strip(), int(seed))),
            "Training started. You can leave this page",
        )
    if waits:
        st.caption("A training is running. Start the next one when it has ended.")
    elif ready.missing:
        st.caption("There is too little training data yet.")


def _start(plan: Plan) -> None:
    user = current_user()
    act_as("curator", "training started", lambda: training_job_store().add(plan, user), plan.kind)
    start()
