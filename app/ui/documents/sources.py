"""Sources on the Documents page: last and next sync, and buttons to sync, add and remove."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.settings import read_settings
from app.ui import markup
from app.ui.documents.collections import check_may_add, choose_collection, give_up
from app.ui.resources import job_store, pipeline
from app.ui.who import act_as, current_rights
from app.ui.words import ago, moment
from ingest import CiteloopError, worker
from ingest.jobs import Job
from ingest.sources.connect import is_website, new_source
from ingest.sources.source import Source
from ingest.sources.store import SourceStore

_INTERVALS = {"": "by hand only", "1h": "every hour", "1d": "every day", "7d": "every week"}


def show_sources() -> None:
    """Show the sources whose collections the visitor may read."""
    sources = [source for source in _store().sources() if current_rights().may_read(source.collection)]
    with st.expander(f"Connected sources ({len(sources)})", icon=":material/sync:"):
        for source in sources:
            with st.container(border=True, gap="xsmall", key=f"source-{source.name}"):
                _show_source(source)
        with st.popover("Add a source", icon=":material/add:"):
            _show_form()


def _show_source(source: Source) -> None:
    last = next(iter(job_store().syncs(source.name)), None)
    st.markdown(f"**{markup.plain(source.name)}** {markup.plain(source.address)}")
    due = f"next sync {moment(source.next_at)}" if source.next_at else "synced by hand only"
    st.caption(markup.plain(f"Collection {source.collection} · {due} · {_outcome(last)}"))
    with st.container(horizontal=True):
        st.button("Sync now", key=f"sync-{source.name}", icon=":material/sync:", on_click=_sync, args=(source,))
        with st.popover("Remove", icon=":material/delete:"):
            st.caption("Feedback is kept in both cases.")
            st.button("Keep its documents", key=f"keep-{source.name}", on_click=_remove, args=(source, False))
            st.button("Remove its documents too", key=f"drop-{source.name}", on_click=_remove, args=(source, True))


def _outcome(job: Job | None) -> str:
    """Return how the last sync ended, with the number of documents by status."""
    if job is None:
        return "never synced"
    if job.is_open:
        return "syncing now"
    words = ", ".join(f"{number:,} {status}" for status, number in job_store().counts(job.id).items()) or "no change"
    return f"last sync {ago(job.ended_at)}: {job.message or words}"


def _show_form() -> None:
    st.text_input("Address", key="source-address", placeholder="https://docs.example.com/", max_chars=1000)
    if _may_add_any():
        st.caption(
            "A website, a sitemap, a Git repository, a folder of this machine, s3://, webdavs://, sftp:// and others"
        )
        st.checkbox("In the company's network", key="source-inner")
    choose_collection("source-collection")
    st.selectbox("Sync", list(_INTERVALS), format_func=_INTERVALS.__getitem__, index=2, key="source-every")
    st.button("Add source", type="primary", icon=":material/add:", on_click=_add)


def _may_add_any() -> bool:
    """Return whether the visitor may add more than public websites: anything is read with this server's rights."""
    return current_rights().may_act_as("admin") and not read_settings().lock_settings


def _add() -> None:
    typed = st.session_state
    inner, collection = bool(typed.get("source-inner")), (typed["source-collection"] or "").strip()

    def add() -> None:
        source = new_source(typed["source-address"], "", collection, typed["source-every"], inner=inner)
        check_may_add(source.collection)
        if (inner or not is_website(source.address)) and not _may_add_any():
            raise CiteloopError("only an administrator can add anything but a website of the public internet")
        _store().add(source)
        _queue(source)

    _act("source added", add, typed["source-address"], "Added. Its documents appear as they are read.")


def _sync(source: Source) -> None:
    def sync() -> None:
        check_may_add(source.collection)
        _queue(source)

    _act("source synced", sync, source.name, f"{source.name} is being synced.")


def _remove(source: Source, with_documents: bool) -> None:
    def remove() -> None:
        check_may_add(source.collection)
        worker.remove_source(pipeline().table, source, with_documents=with_documents, on_wait=give_up)

    fate = "were removed" if with_documents else "stay and are no longer updated"
    _act("source removed", remove, source.name, f"Removed {source.name}. Its documents {fate}.")


def _queue(source: Source) -> None:
    _store().begin(source)
    worker.queue_sync(job_store(), source, embedder=read_settings().embedder)
    worker.start(job_store().home)


def _act(what: str, act: Callable[[], None], subject: str, done: str) -> None:
    try:
        act_as("curator", what, act, subject)
        message = ("success", done)
    except (CiteloopError, OSError) as error:
        message = ("error", str(error))
    st.session_state.setdefault("documents-messages", []).append(message)


def _store() -> SourceStore:
    return SourceStore(job_store().home)
