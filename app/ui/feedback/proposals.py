"""Questions that a language model proposes for passages without one; a curator decides on each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from threading import Thread

import streamlit as st

from app.pipeline import Pipeline
from app.settings import read_settings
from app.training.proposals.jobs import ProposalJob, ProposalJobStore, run
from app.training.proposals.propose import NO_LANGUAGE_MODEL
from app.training.proposals.store import MAX_CHARACTERS, STATES, Proposal, ProposalStore
from app.translation import N_, ngettext
from app.translation import gettext as _
from app.ui import links, markup
from app.ui.feedback.counts import Feedback
from app.ui.messages import tell, try_to
from app.ui.paging import page_of
from app.ui.readers_language import in_readers_language
from app.ui.resources import current_user, pipeline, reads_everything
from app.ui.who import act_as, current_rights
from app.ui.words import ago, on_page, sentence
from ingest import CiteloopError
from ingest.chunk import breadcrumb

_NUM_PROPOSALS = 5
_MAX_COUNT = 200
_REFRESH_SECONDS = 1.0
_COUNT = "proposals-count"
_STATES: Mapping[str, str] = {
    "open": N_("**{n}** open"),
    "accepted": N_("**{n}** accepted"),
    "rejected": N_("**{n}** rejected"),
}
_REFUSALS = (
    N_("refused"),
    N_("no single question of 10 to 200 characters"),
    N_("repeats its instructions"),
    N_("copies the passage"),
    N_("known already"),
    N_("search does not find the passage"),
    N_("not answered by the passage"),
)


def show_proposals(_said: Feedback) -> None:
    """Request proposals, follow the progress, and accept or reject each."""
    if not reads_everything():
        return
    st.caption(
        _(
            "A language model writes a question for each passage that has none. A question is dropped if search does "
            "not find its passage. Only the ones that you accept are used."
        )
    )
    jobs = ProposalJobStore(read_settings().home)
    last = next(iter(jobs.jobs(1)), None)
    if last and last.is_open and not last.is_dead:
        st.fragment(_show_progress, run_every=_REFRESH_SECONDS)(last.id)
    else:
        _show_start()
        if last:
            _show_ended(last)
    _show_open(ProposalStore(read_settings().home))


# requesting ---------------------------------------------------------------------------------------------------


def _show_start() -> None:
    try:
        language_model = pipeline().models.language_model
    except CiteloopError as error:  # invalid settings; existing proposals can still be decided
        st.error(markup.plain(in_readers_language(str(error))), icon=":material/error:")
        return
    if language_model is None:
        st.info(f"{sentence(_(NO_LANGUAGE_MODEL))}.", icon=":material/info:")
        if current_rights().may_act_as("admin"):
            links.to_settings(_("Set up a language model"))
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(_("Number of passages"), 1, _MAX_COUNT, 20, key=_COUNT, width=180)
        st.button(
            _("Propose questions"),
            icon=":material/auto_awesome:",
            type="primary",
            on_click=_start,
            help=_("Each passage is sent to {name}; you can leave this page.", name=markup.plain(language_model.name)),
        )


def _start() -> None:
    count = int(st.session_state[_COUNT])
    try_to(lambda: act_as("curator", "questions proposed", lambda: begin(pipeline(), count), f"{count} passages"))


def begin(asked: Pipeline, count: int) -> None:
    """Propose questions in a server thread. Raises JobError if a job is already running."""
    jobs = ProposalJobStore(asked.settings.home)
    job = jobs.begin(count)

    def work() -> None:
        with suppress(CiteloopError):  # recorded with the job
            run(jobs, job, asked)

    Thread(target=work, name="proposals", daemon=True).start()


def _show_progress(job_id: str) -> None:
    """Refresh every second; rerun the page at the end."""
    jobs = ProposalJobStore(read_settings().home)
    job = jobs.job(job_id)
    if not job.is_open or job.is_dead:
        st.rerun()
    with st.container(border=True, gap="xsmall"):
        st.progress(min(job.num_done / job.count, 1.0), text=progress_words(job))
        if job.refused:
            st.caption(sentence(_refused_words(job.refused)))
        if not job.cancel_requested:
            st.button(_("Stop"), icon=":material/stop_circle:", on_click=_stop, args=(job_id,))


def _stop(job_id: str) -> None:
    act = partial(ProposalJobStore(read_settings().home).cancel, job_id)
    try_to(lambda: act_as("curator", "proposing stopped", act))


def progress_words(job: ProposalJob) -> str:
    """Return the progress in words."""
    if job.cancel_requested:
        return _("Stopping. Proposed questions are kept")
    done = ngettext("{done} of {n} passage read", "{done} of {n} passages read", job.count, done=job.num_done)
    return f"{done}, {_proposed_words(job)}"


def _proposed_words(job: ProposalJob) -> str:
    return ngettext("{n} question proposed", "{n} questions proposed", job.num_proposed)


def _refused_words(refused: str) -> str:
    """Return the stored English words on refusals in the reader's language."""
    for words in _REFUSALS:
        refused = refused.replace(words, _(words))
    return refused


def _show_ended(job: ProposalJob) -> None:
    st.caption(markup.plain(ended_words(job)))


def ended_words(job: ProposalJob) -> str:
    """Return the outcome of a job in words."""
    if not job.num_done and job.state == "done":
        return _("No passages left: each has a question or is too short.")
    read = ngettext("{n} passage read", "{n} passages read", job.num_done)
    words = "; ".join(filter(None, (f"{read}, {_proposed_words(job)}", _refused_words(job.refused))))
    if job.state == "done":
        return f"{words} ({ago(job.ended_at)})"
    if job.state == "cancelled":
        return _("{words}. Stopped.", words=words)
    why = _("the server was stopped") if job.is_dead else job.message
    return _("{words}. Ended early: {why}", words=words, why=why)


# deciding -------------------------------------------------------------------------------------------------


def _show_open(store: ProposalStore) -> None:
    proposals = store.proposals()
    counts = {state: sum(each.state == state for each in proposals) for state in STATES}
    if not proposals:
        return
    st.markdown(", ".join(_(_STATES[state], n=number) for state, number in counts.items()))
    for proposal in page_of([each for each in proposals if each.state == "open"], _NUM_PROPOSALS, "proposals-page"):
        _show_proposal(proposal)


def _show_proposal(proposal: Proposal) -> None:
    with st.container(border=True, gap="small", key=f"proposal-{proposal.id}"):
        st.text_input(_("Question"), proposal.question, key=f"question-{proposal.id}", max_chars=MAX_CHARACTERS)
        where = breadcrumb(proposal.title, proposal.heading)
        st.markdown(f"**{markup.plain(where)}** · {markup.plain(proposal.document)}{on_page(proposal.page)}")
        st.markdown(markup.passage(proposal.text))  # in full: accepting it confirms that it answers
        if pipeline().table.chunk(proposal.chunk_id):
            links.to_source(_("Open in document"), chunk_id=proposal.chunk_id, icon=":material/visibility:")
        else:
            st.caption(_(":orange[:material/history:] The passage was changed or removed; this is its earlier text."))
        st.caption(_("Proposed by {model}, {ago}", model=markup.plain(proposal.model), ago=ago(proposal.at)))
        with st.container(horizontal=True):
            _button(N_("Accept"), proposal, _accept, ":material/check:")
            _button(N_("Reject"), proposal, _reject, ":material/close:")


def _button(label: str, proposal: Proposal, act: Callable[[Proposal], None], icon: str) -> None:
    st.button(_(label), key=f"{label}-{proposal.id}", icon=icon, on_click=act, args=(proposal,))


def _accept(proposal: Proposal) -> None:
    question = str(st.session_state[f"question-{proposal.id}"])
    store, user = ProposalStore(read_settings().home), current_user()
    _decide("accepted", proposal, lambda: store.accept(proposal.id, question, user))


def _reject(proposal: Proposal) -> None:
    store, user = ProposalStore(read_settings().home), current_user()
    _decide("rejected", proposal, lambda: store.reject(proposal.id, user))


def _decide(what: str, proposal: Proposal, act: Callable[[], bool]) -> None:
    def tell_if_late() -> None:
        if not act_as("curator", f"proposed question {what}", act, proposal.document):
            tell("info", _("Another user has already decided on this question."))

    try_to(tell_if_late)
