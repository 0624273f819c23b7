"""Training: what is in use, what there is to learn from, train, follow it, compare, promote or keep."""

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
from app.ui.resources import current_user, feedback, training_job_store
from app.ui.training.models import show_comparison, show_live, show_models
from app.ui.training.progress import KINDS, is_training, show_trainings, start
from app.ui.words import counted, passages_that_answer

_MAX_SEED = 2**31 - 1


def show() -> None:
    """The page."""
    st.title("Training", anchor=False)
    st.markdown(
        "The reranker puts the passages that search finds into the order that people see. What they strike out and "
        "keep teaches it a better one. You decide what goes live, and can always go back."
    )
    show_messages()
    left, right = st.columns(2, gap="large")
    with left:
        show_live()
    with right:
        _show_ready(feedback())
    show_trainings()
    show_comparison()
    show_models()


def _show_ready(said: Feedback) -> None:
    ready = said.ready
    st.subheader("What there is to learn from", anchor=False)
    num_usable, num_needed = ready.num_questions - ready.num_without_positive, questions_needed()
    if not said.labeled:
        st.info(
            "Nothing yet. Ask questions, open and strike out sources below the answers, or import questions with "
            "their answers on the Feedback page.",
            icon=":material/info:",
        )
    share = min(num_usable / num_needed, 1.0)
    of_needed = f"; {num_needed} are enough to begin" if share == 1 else f", {num_needed} are needed"
    st.progress(share, text=f"{counted(num_usable, 'question')} with a passage that answers{of_needed}")
    if ready.num_questions:
        st.markdown(ready_words(said))
    if ready.missing:
        st.markdown("**Missing until training makes sense**\n\n" + "\n".join(f"- {line}" for line in ready.missing))
    links.to_feedback("See and correct it on the Feedback page")
    if ready.num_questions:
        with st.expander("Where it comes from"):
            st.dataframe(
                origin_table(by_origin(said.labeled)),
                hide_index=True,
                alt="Passages by where the label comes from",
            )
    _show_start(ready)


def ready_words(said: Feedback) -> str:
    """What people said, in numbers, as Markdown."""
    ready = said.ready
    num_usable = ready.num_questions - ready.num_without_positive
    people = "1 person" if ready.num_users == 1 else f"{ready.num_users:,} people"
    by_people = f" by {people}" if ready.num_users else ""
    disagree = (
        f" On {counted(said.ready.num_contradictions, 'passage')} people contradict each other."
        if said.ready.num_contradictions
        else ""
    )
    return (
        f"{counted(ready.num_questions, 'question')}{by_people}: {passages_that_answer(ready.num_positives)}, "
        f"{ready.num_negatives:,} that do not.{disagree} About {round(SHARES['gate'] * num_usable)} of the "
        "questions are set aside: no model learns from them, they only compare."
    )


def origin_table(origins: Mapping[str, Counter[str]]) -> pd.DataFrame:
    """A row for each origin, in how many passages it results of which kind."""
    return pd.DataFrame(
        {
            "From": [f"{origin[0].upper()}{origin[1:]}" for origin in origins],
            "Answer": [counts["answers"] for counts in origins.values()],
            "Do not answer": [counts["does not answer"] for counts in origins.values()],
            "Not used": [counts["not used"] for counts in origins.values()],
        }
    )


def _show_start(ready: Readiness) -> None:
    with st.expander("More choices", icon=":material/tune:"):
        kind = st.radio("What to train", list(KINDS), format_func=KINDS.__getitem__, key="training-kind")
        base = ""
        if kind != "reranker":  # it goes on from what is live
            base = st.text_input(
                "Begin from",
                placeholder="A folder, or a name on the Hugging Face hub",
                help="Empty: the embedder that comes with the program.",
                key="training-base",
                max_chars=300,
            )
        seed = st.number_input(
            "Number for the dice",
            min_value=0,
            max_value=_MAX_SEED,
            step=1,
            help="Training draws at random. The same number gives the same draw, another one another.",
            key="training-seed",
        )
    waits = is_training()
    if st.button("Start training", type="primary", icon=":material/play_arrow:", disabled=bool(ready.missing) or waits):
        attempt(
            lambda: _start(Plan(kind, base.strip(), int(seed))),
            "Training has begun; it goes on when you leave this page",
        )
    if waits:
        st.caption("A training is at work; the next one can be started when it has ended.")
    elif ready.missing:
        st.caption("There is too little to learn from yet: the model would move at random.")


def _start(plan: Plan) -> None:
    training_job_store().add(plan, current_user())
    start()
