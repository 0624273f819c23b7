"""Rerankers of the catalog on the Settings page: download, result of the trial, promotion."""

from __future__ import annotations

import streamlit as st

from app.downloads.catalog import CatalogModel, catalog
from app.downloads.jobs import DownloadJob
from app.downloads.trial import words
from app.registry import RERANKER_KINDS
from app.settings import Settings
from app.training.gate.decision import GateReport
from app.translation import N_
from app.translation import gettext as _
from app.ui import markup
from app.ui.messages import try_to
from app.ui.resources import download_job_store, registry
from app.ui.training.models import promote_button
from app.ui.who import act_as

_REFRESH_SECONDS = 1.5
_STEPS = {"downloading": N_("Downloading"), "trying": N_("Timing it and comparing it with the live model")}
_LANGUAGES = {"en": N_("English"), "zh": N_("Chinese"), "many": N_("many languages")}


def show_models(settings: Settings) -> None:
    """Show the section."""
    st.header(_("Rerankers to download"), anchor=False)
    st.markdown(
        _(
            "A downloaded reranker is timed on this machine and compared with the live one on the questions that were "
            "judged here. You then decide whether to use it."
        )
    )
    last: dict[str, DownloadJob] = {}
    for job in download_job_store().jobs():
        last.setdefault(job.model_id, job)
    if settings.lock_settings:
        st.info(_("Downloads are locked. To unlock them, start Citeloop with CITELOOP_LOCK_SETTINGS=0."))
    rerankers = [model for model in catalog() if model.kind in RERANKER_KINDS]
    tried = [model for model in rerankers if model.id in last or registry().downloaded(model.id)]
    others = [model for model in rerankers if model not in tried]
    for model in tried:
        with st.container(border=True, gap="xsmall", key=f"download-{model.name}"):
            _show_model(model, last.get(model.id), is_locked=settings.lock_settings)
    if others:
        with st.expander(_("Available rerankers ({n})", n=len(others))):
            for model in others:
                with st.container(gap="xsmall", key=f"download-{model.name}"):
                    _show_model(model, None, is_locked=settings.lock_settings)


def _show_model(model: CatalogModel, job: DownloadJob | None, *, is_locked: bool) -> None:
    st.markdown(f"**{markup.plain(model.name)}**")
    st.caption(_described(model))
    if model.refusal:
        st.caption(_("Not offered: {refusal}.", refusal=markup.plain(model.refusal)))
        return
    if job and job.is_open and not job.is_dead:
        st.fragment(_show_progress, run_every=_REFRESH_SECONDS)(job.id)
        return
    if job and job.state == "failed":
        st.error(markup.plain(job.message), icon=":material/error:")
    name = registry().downloaded(model.id)
    report = GateReport.load(registry().folder(name)) if name else None
    if name and report:
        st.markdown("\n".join(f"- {markup.plain(line)}" for line in words(report)))
        if name == registry().live():
            st.markdown(_(":green-badge[live]"))
        elif not is_locked:
            promote_button(name, "settings", is_primary=report.verdict == "promote")
    elif not is_locked:
        label = _("Try {name}", name=name) if name else _("Download {name}", name=model.name)
        measured = markup.plain(model.published)
        st.button(
            markup.plain(label),
            key=f"get-{model.name}",
            icon=":material/download:",
            help=_("Measured by its authors: {measured}", measured=measured) if measured else None,
            on_click=_start,
            args=(model,),
        )


def _described(model: CatalogModel) -> str:
    languages = ", ".join(_(_LANGUAGES.get(code, code)) for code in model.languages)
    parts = [_("{n} MB", n=model.mb), model.license or _("license shown by the hub"), languages]
    return " · ".join(markup.plain(part) for part in parts if part)


def _show_progress(job_id: str) -> None:
    job = download_job_store().job(job_id)
    if not job.is_open or job.is_dead:
        st.rerun()
    share = min(job.num_bytes / job.size, 1.0) if job.size else 0.0
    label = _(_STEPS.get(job.current, N_("Waiting")))
    if job.current == "downloading" and job.size:
        label += _(" ({done} of {size} MB)", done=round(job.num_bytes / 1e6), size=round(job.size / 1e6))
    st.progress(share, label)
    st.button(
        _("Stop download"),
        key=f"stop-{job.id}",
        icon=":material/stop_circle:",
        on_click=_stop,
        args=(job.id,),
        disabled=job.cancel_requested or job.current == "trying",
    )


def _start(model: CatalogModel) -> None:
    def start() -> None:
        download_job_store().add(model.id)
        download_job_store().start_worker()

    try_to(lambda: act_as("admin", "model download started", start, model.id))


def _stop(job_id: str) -> None:
    try_to(lambda: act_as("admin", "model download stopped", lambda: download_job_store().cancel(job_id)))
