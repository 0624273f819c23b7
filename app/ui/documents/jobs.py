"""Ingest jobs: progress, results, and buttons to cancel, resume and rerun."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import get_args

import streamlit as st

from app.access.policy import AccessError
from app.settings import read_settings
from app.translation import N_, ngettext, number
from app.translation import gettext as _
from app.ui import markup
from app.ui.readers_language import in_readers_language
from app.ui.resources import job_store
from app.ui.who import act_as, current_rights
from app.ui.words import OUTCOME_ICONS, age, ago, duration, listed
from ingest import worker
from ingest.home.job_store import JobError
from ingest.jobs import Job
from ingest.pipeline import FileResult, Status

_NUM_JOBS = 50
_NUM_FAILURES = 5
"""Number shown at once; a click shows the others."""
_MAX_FAILURES = 500
_NUM_NAMED = 5
"""Up to this number, successful files are named too."""
_JUST_ENDED = timedelta(minutes=10)
_NUM_JUST_ENDED = 3
_SECONDS_TO_TELL = 3
"""Earlier rates are unreliable, and a resumed job still shows its old numbers."""
_QUEUED_FOR_LONG = timedelta(seconds=30)


def show_jobs() -> None:
    """Show the section of jobs; nothing if there are none."""
    jobs = _readable_jobs()
    open_ids = tuple(job.id for job in jobs if job.is_open)
    ended = [job for job in jobs if not job.is_open]
    latest = [job for job in ended if age(job.ended_at) < _JUST_ENDED][:_NUM_JUST_ENDED]
    if open_ids or latest:
        st.header(_("Ingest jobs"), anchor=False)
    if open_ids:
        # Keep Streamlit from fading the section between refreshes on a busy machine.
        st.html("<style>[class*='st-key-job-'] [data-stale='true'] { opacity: 1 !important; }</style>")
        st.fragment(_show_open, run_every=1.0)(open_ids)
    for job in latest:
        _show_ended(job, can_sync=_is_newest_of_its_folder(job, jobs))
    if earlier := [job for job in ended if job not in latest]:
        with st.expander(_("Earlier jobs")):
            for job in earlier:
                _show_ended(job, can_sync=_is_newest_of_its_folder(job, jobs))


def _readable_jobs() -> list[Job]:
    """Return the last jobs, newest first, whose files are all of collections that the user may read."""
    jobs, names = job_store().jobs(_NUM_JOBS), current_rights().collections
    return jobs if names is None else [job for job in jobs if job.collection in names]


def queue_upload(folder: Path, job_id: str, collection: str = "") -> None:
    """Queue the folder and ingest it in a process that outlives the page."""
    job_store().add("upload", [folder], embedder=read_settings().embedder, collection=collection, job_id=job_id)
    job_store().start_worker()


# open jobs -----------------------------------------------------------------------------------------------


def _show_open(shown: Sequence[str]) -> None:
    """Refresh every second; rerun the page when a job starts or ends."""
    recent = _readable_jobs()
    jobs = [job for job in recent if job.is_open]
    if {job.id for job in jobs} != set(shown):
        for job in (job for job in recent if job.id in shown and not job.is_open):
            _show_end(job)  # at once, as the page takes longer
        st.rerun()
    is_worked_at, has_worker = any(job.heartbeat_at and not job.is_dead for job in jobs), job_store().has_worker
    for job in jobs:
        is_forgotten = not is_worked_at and not has_worker and age(job.created_at) > _QUEUED_FOR_LONG
        is_next = has_worker and not is_worked_at and job == jobs[-1]
        with st.container(border=True, gap="xsmall", key=f"job-{job.id}"):
            _show_progress(job, is_stuck=job.is_dead or is_forgotten, is_next=is_next)


def _show_end(job: Job) -> None:
    with st.container(border=True, gap="xsmall", key=f"job-{job.id}"):
        st.markdown(f"**{markup.plain(title(job))}**")
        st.caption(outcome_words(job, job_store().results(job.id)))


def _show_progress(job: Job, *, is_stuck: bool, is_next: bool) -> None:
    num_changed = len(job_store().results(job.id)) if job.state == "running" else 0
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{markup.plain(title(job))}**", width="content")
        with st.container(horizontal=True, width="content"):
            if is_stuck:
                _button(N_("Resume"), job, job_store().restart, icon=":material/play_arrow:", kind="primary")
            if not job.cancel_requested or is_stuck:
                _button(N_("Cancel"), job, _cancel, icon=":material/close:")
    if job.state == "running":
        st.progress(min(job.num_files_done / max(job.num_files, 1), 1.0), text=progress_words(job))
    st.caption(
        " · ".join(markup.plain(part) for part in (state_words(job, is_next=is_next), *_pace(job, num_changed)) if part)
    )


def title(job: Job, results: Sequence[FileResult] = ()) -> str:
    """Return the title of a job."""
    if job.kind == "reindex":
        return _("Reindex of all documents")
    if job.kind == "source":
        return _("Sync of {source}", source=job.source)
    if job.kind == "folder":
        return _("Ingest of {names}", names=", ".join(Path(path).name or path for path in job.paths))
    names = [result.name for result in results] or _waiting_files(job)
    num_files = job.num_files or len(names)
    if names and len(names) == num_files <= 2:
        return _("Upload of {names}", names=_(" and ").join(names))
    return ngettext("Upload of {n} file", "Upload of {n} files", num_files) if num_files else _("Upload")


def state_words(job: Job, *, is_next: bool = False) -> str:
    """Return the state of an open job; '' if the progress bar shows it. is_next: for the worker that is starting."""
    if job.is_dead:
        return _("Stopped: its process was killed. Finished files are stored.")
    if job.cancel_requested:
        return _("Stopping")
    if job.message:
        return _("Waiting: another process is writing")
    if job.state == "queued":
        return _("Starting") if job.heartbeat_at or is_next else _("Queued")
    return job.current


def progress_words(job: Job) -> str:
    """Return the number of finished files."""
    if not job.num_files:
        return _("Looking at the files")
    return ngettext("{done} of {n} file", "{done} of {n} files", job.num_files, done=job.num_files_done)


def _pace(job: Job, num_changed: int) -> list[str]:
    """Return passages, their rate, and the remaining time if known."""
    if job.state != "running" or job.is_dead or not job.num_chunks_done or job.seconds < _SECONDS_TO_TELL:
        return []
    parts = [
        ngettext("{n} passage", "{n} passages", job.num_chunks_done),
        _("{n} per second", n=round(job.chunks_per_second)),
    ]
    remaining = job.num_files - job.num_files_done
    if num_changed >= 3 and remaining:  # unchanged files come first and take no time
        parts.append(_("about {time} left", time=duration(job.seconds / num_changed * remaining)))
    return parts


def _waiting_files(job: Job) -> list[str]:
    folder = Path(job.paths[0])
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# ended jobs ----------------------------------------------------------------------------------------------

_STATUSES = (
    *(N_("added"), N_("replaced"), N_("renamed"), N_("unchanged"), N_("removed")),
    *(N_("skipped"), N_("failed")),
)
"""As they are stored; here for the catalogs."""
_FAILURES: tuple[Status, ...] = ("failed", "skipped")


def _show_ended(job: Job, *, can_sync: bool) -> None:
    results = job_store().results(job.id)
    with st.container(border=True, gap="xsmall", key=f"job-{job.id}"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            failed = any(result.status == "failed" for result in results)
            icon = ":orange[:material/warning:]" if job.state == "done" and failed else OUTCOME_ICONS[job.state]
            st.markdown(f"{icon} **{markup.plain(title(job, results))}**", width="content")
            if can_sync:
                _button(N_("Sync again"), job, _sync_again, icon=":material/sync:")
            elif job.state != "done" and _has_files(job):
                _button(N_("Run again"), job, job_store().restart, icon=":material/replay:")
        st.caption(" · ".join((outcome_words(job, results), ago(job.ended_at))))
        if job.message and job.state == "failed":
            st.markdown(f":red[{_inline(in_readers_language(job.message))}]")
        if lines := result_lines(results):
            st.markdown(lines)
        if failures := [result for result in results if result.status in _FAILURES][_NUM_FAILURES:]:
            with st.expander(_("{n} more that failed or were skipped", n=len(failures))):
                st.markdown("\n".join(_line(result) for result in failures[:_MAX_FAILURES]))


def outcome_words(job: Job, results: Sequence[FileResult]) -> str:
    """Return the outcome of a job and the number of files by status."""
    counts = Counter[str](result.status for result in results)
    counts["unchanged"] = max(job.num_files_done - sum(count for key, count in counts.items() if key != "removed"), 0)
    parts = [f"{number(counts[status])} {status_words(status)}" for status in get_args(Status) if counts[status]]
    words = ", ".join(parts) or _("nothing to do")
    state = _({"failed": N_("Failed"), "cancelled": N_("Cancelled")}.get(job.state) or N_("Queued"))
    return words if job.state == "done" else f"{state} ({words})" if parts else state


def result_lines(results: Sequence[FileResult]) -> str:
    """Return Markdown: the first failures with reasons, and the other files if few."""
    failures = [result for result in results if result.status in _FAILURES]
    good = [result for result in results if result.status not in _FAILURES]
    lines = [_line(result) for result in failures[:_NUM_FAILURES]]
    if len(good) <= _NUM_NAMED:
        lines += [_line(result) for result in good]
    return "\n".join(lines)


def _line(result: FileResult) -> str:
    passages = ngettext("{n} passage", "{n} passages", result.num_chunks)
    detail = (
        f": {in_readers_language(result.reason)}" if result.reason else f", {passages}" if result.num_chunks else ""
    )
    color = {"failed": "red", "skipped": "orange"}.get(result.status, "green")
    return f"- **{_inline(result.name)}** :{color}[{status_words(result.status)}]{_inline(detail)}"


def status_words(status: str) -> str:
    """Return a status of a file in words."""
    return _(status)


def _inline(text: str) -> str:
    return markup.plain(" ".join(text.split()))


def _is_newest_of_its_folder(job: Job, jobs: Sequence[Job]) -> bool:
    """Return whether this is the newest job of a folder that can be synced."""
    newest = next(other for other in jobs if (other.kind, other.paths) == (job.kind, job.paths))
    return job.kind == "folder" and job.state == "done" and newest == job and _has_files(job)


def _has_files(job: Job) -> bool:
    return all(Path(path).exists() for path in job.paths)


# actions ---------------------------------------------------------------------------------------


def _button(label: str, job: Job, act: Callable[[Job], None], *, icon: str, kind: str = "secondary") -> None:
    st.button(
        _(label),
        key=f"{label}-{job.id}",
        icon=icon,
        type="primary" if kind == "primary" else "secondary",
        on_click=_act,  # before anything is drawn, so that a slow page shows it at once
        args=(label, job, act),
    )


def _act(label: str, job: Job, act: Callable[[Job], None]) -> None:
    try:
        act_as("curator", f"ingest: {label.lower()}", lambda: act(job), job.source or listed(job.paths))
    except (AccessError, JobError) as error:  # the job ended before the click arrived
        st.toast(markup.plain(in_readers_language(str(error))))


def _cancel(job: Job) -> None:
    worker.cancel(job_store(), job.id)


def _sync_again(job: Job) -> None:
    paths = [Path(path) for path in job.paths]
    job_store().add("folder", paths, prune=job.prune, embedder=job.embedder, collection=job.collection)
    job_store().start_worker()
