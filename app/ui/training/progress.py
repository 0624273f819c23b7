"""Trainings: progress and curves, outcomes of earlier ones, cancel and resume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import streamlit as st

from app.training.charts import loss_chart
from app.training.gate.decision import GateReport
from app.training.jobs import TrainingJob
from app.training.plan import Kind, Step
from app.translation import N_, number
from app.translation import gettext as _
from app.ui import markup
from app.ui.messages import tell, try_to
from app.ui.readers_language import in_readers_language
from app.ui.resources import current_user, registry, training_job_store
from app.ui.training.comparison import VERDICTS, choose_comparison
from app.ui.who import act_as
from app.ui.words import OUTCOME_ICONS, age, ago, by_person, duration, moment, sentence

KINDS: dict[Kind, str] = {
    "reranker": N_("Continue from the live reranker"),
    "late-interaction": N_("New reranker that compares word by word (late interaction)"),
    "cross-encoder": N_("New reranker that reads question and passage together (cross-encoder)"),
}
"""Kind of a plan -> its name for people."""

_STEPS: dict[Step, str] = {
    "reading the feedback": N_("Reading the feedback"),
    "training": N_("Training"),
    "comparing it with the live one": N_("Comparing it with the live model"),
}
_NUM_JOBS = 50
_REFRESH_SECONDS = 1.5
_JUST_ENDED = timedelta(minutes=30)
_QUEUED_FOR_LONG = timedelta(seconds=30)
_CURVES = N_(
    "A lower line means fewer errors. Training stops when the error on held-back questions no longer falls; the best "
    "state is kept."
)


def is_training() -> bool:
    """Return whether a training is queued or running."""
    return any(job.is_open for job in training_job_store().jobs(_NUM_JOBS))


def show_trainings() -> None:
    """Show the section of trainings; nothing if there are none."""
    trainings = training_job_store().jobs(_NUM_JOBS)
    open_ids = tuple(job.id for job in trainings if job.is_open)
    ended = [job for job in trainings if not job.is_open]
    latest = [job for job in ended[:1] if not open_ids and age(job.ended_at) < _JUST_ENDED]
    if open_ids or latest:
        st.header(_("Current training") if open_ids else _("Last training"), anchor=False)
    if open_ids:
        # Keep Streamlit from fading the section between refreshes on a busy machine.
        st.html("<style>[class*='st-key-training-job-'] [data-stale='true'] { opacity: 1 !important; }</style>")
        st.fragment(_show_open, run_every=_REFRESH_SECONDS)(open_ids)
    for job in latest:
        _show_ended(job)
    if earlier := [job for job in ended if job not in latest]:
        with st.expander(_("Earlier trainings")):
            for job in earlier:
                _show_ended(job)


# open trainings ------------------------------------------------------------------------------------------


def _show_open(shown: Sequence[str]) -> None:
    """Refresh automatically; rerun the page when a training starts or ends."""
    recent = training_job_store().jobs(_NUM_JOBS)
    trainings = [job for job in recent if job.is_open]
    if {job.id for job in trainings} != set(shown):
        for job in (job for job in recent if job.id in shown and not job.is_open):
            _show_end(job)  # at once, as the page takes longer
        st.rerun()
    for job in trainings:
        with st.container(border=True, gap="small", key=f"training-job-{job.id}"):
            _show_progress(job)


def _show_end(job: TrainingJob) -> None:
    with st.container(border=True, gap="small", key=f"training-job-{job.id}"):
        st.markdown(f"**{_(KINDS.get(job.kind, job.kind))}**")
        st.caption(outcome_words(job))


def _show_progress(job: TrainingJob) -> None:
    is_forgotten = job.is_waiting and age(job.created_at) > _QUEUED_FOR_LONG and not training_job_store().has_worker
    is_stuck = job.is_dead or is_forgotten
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{_(KINDS.get(job.kind, job.kind))}**", width="content")
        with st.container(horizontal=True, width="content"):
            if is_stuck:
                _button(N_("Resume"), job, _resume, ":material/play_arrow:")
            if not job.cancel_requested or is_stuck:
                _button(N_("Cancel"), job, _cancel, ":material/close:")
    if job.is_dead:
        st.warning(_("Stopped: its process is gone. Resume restarts this training."))
    with st.container(horizontal=True, gap="small"):  # on a phone, lines break between steps
        for step in steps_of(job):
            st.markdown(step, width="content")
    if job.num_steps:
        share = 1.0 if _is_compared(job) else min(job.step / job.num_steps, 1.0)
        st.progress(share, text=progress_words(job))
    _show_curves(job)
    by = markup.plain(by_person(job.user, current_user()))
    st.caption(_("Started {by}, {ago}", by=by, ago=ago(job.created_at)))


def steps_of(job: TrainingJob) -> list[str]:
    """Return the steps as Markdown, marked as done, current or open."""
    if job.cancel_requested and not job.is_dead:
        return [_("Stopping. The live model stays")]
    if job.message:
        return [markup.plain(sentence(job.message))]
    if not job.current:
        return [_("Starting") if job.heartbeat_at else _("Queued")]
    if job.current not in _STEPS:
        return [markup.plain(sentence(job.current))]
    at = list(_STEPS).index(job.current)
    marks = [":green[:material/check_circle:]"] * at + [":blue[:material/arrow_circle_right:]"]
    marks += [":gray[:material/circle:]"] * (len(_STEPS) - at - 1)
    names = [_(name) for name in _STEPS.values()]
    names[at] = f"**{names[at]}**"
    return [f"{mark} {name}" for mark, name in zip(marks, names, strict=True)]


def progress_words(job: TrainingJob) -> str:
    """Return the progress, with the remaining time if known."""
    words = _("Step {step} of {num_steps}", step=job.step, num_steps=job.num_steps)
    if _is_compared(job):
        return _(
            "Training ended at step {step} of {num_steps}. The comparison can take several minutes",
            step=job.step,
            num_steps=job.num_steps,
        )
    left = job.seconds_left
    if left is None or job.is_dead or job.current != "training":
        return words
    return _("{words}, about {time} left, then the comparison", words=words, time=duration(left))


def _is_compared(job: TrainingJob) -> bool:
    """Return whether training has ended, perhaps before its last step, and the comparison runs."""
    return job.current == "comparing it with the live one" and not job.is_dead


def _show_curves(job: TrainingJob) -> None:
    if losses := training_job_store().losses(job.id):
        st.altair_chart(
            loss_chart(losses),
            key=f"curves-{job.id}",
            alt=_(
                "Error by step, last {error}", error=number(losses[-1].training or losses[-1].validation or 0, ".3f")
            ),
        )
        st.caption(_(_CURVES))


# ended trainings -----------------------------------------------------------------------------------------


def _show_ended(job: TrainingJob) -> None:
    with st.container(border=True, gap="xsmall", key=f"training-job-{job.id}"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"{OUTCOME_ICONS[job.state]} **{outcome_words(job)}**", width="content")
            if job.state == "done" and GateReport.load(registry().folder(job.model)):  # the model may be removed
                st.button(
                    _("Show comparison"),
                    key=f"comparison-{job.id}",
                    on_click=choose_comparison,
                    args=(job.model,),
                    icon=":material/bar_chart:",
                )
            elif job.state != "done":
                _button(N_("Run again"), job, _resume, ":material/replay:", _("Training restarted"))
        took = _(" · took {time}", time=duration(job.seconds)) if job.started_at else ""
        when = moment(job.ended_at) if job.ended_at else ""
        kind = _(KINDS.get(job.kind, job.kind))  # older versions had more kinds
        st.caption(f"{kind} · {when}{took} · {markup.plain(by_person(job.user, current_user()))}")
        if job.message and job.state == "failed":
            st.markdown(f":red[{markup.plain(in_readers_language(' '.join(job.message.split())))}]")
        if training_job_store().losses(job.id):
            with st.expander(_("Error by step")):
                _show_curves(job)


def outcome_words(job: TrainingJob) -> str:
    """Return the outcome of a training as Markdown."""
    if job.state != "done":
        return _("Failed") if job.state == "failed" else _("Cancelled")
    verdict = _(VERDICTS.get(job.verdict, job.verdict))
    return f"{markup.plain(job.model)}: {markup.plain(verdict)}"


# actions ---------------------------------------------------------------------------------------


def _button(label: str, job: TrainingJob, act: Callable[[TrainingJob], None], icon: str, message: str = "") -> None:
    """Show a button. message: shown below the title, '' if the training's card shows what happened."""
    st.button(
        _(label),
        key=f"{label}-{job.id}",
        icon=icon,
        type="primary" if label == "Resume" else "secondary",
        on_click=_act,  # before anything is drawn, so that a slow page shows it at once
        args=(label, job, act, message),
    )


def _act(label: str, job: TrainingJob, act: Callable[[TrainingJob], None], message: str) -> None:
    if try_to(lambda: act_as("curator", f"training: {label.lower()}", lambda: act(job), job.kind)) and message:
        tell("success", message)


def _cancel(job: TrainingJob) -> None:
    training_job_store().cancel(job.id)


def _resume(job: TrainingJob) -> None:
    training_job_store().restart(job)
