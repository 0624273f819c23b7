"""Sources on the Documents page: last and next sync, and buttons to sync, add and remove."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.settings import read_settings
from app.translation import N_, number
from app.translation import gettext as _
from app.ui import markup
from app.ui.documents.collections import check_may_add, choose_collection, give_up
from app.ui.documents.jobs import status_words
from app.ui.messages import show_messages, tell, try_to
from app.ui.readers_language import in_readers_language
from app.ui.resources import job_store, pipeline, readable
from app.ui.who import act_as, current_rights
from app.ui.words import ago, moment
from ingest import CiteloopError, worker
from ingest.jobs import Job
from ingest.sources.connect import is_website, new_source
from ingest.sources.credentials import read_options
from ingest.sources.source import Source
from ingest.sources.store import SourceStore

_INTERVALS = {"": N_("by hand only"), "1h": N_("every hour"), "1d": N_("every day"), "7d": N_("every week")}
_FORM = "source-form"


def show_sources() -> None:
    """Show the sources whose collections the visitor may read."""
    sources = [source for source in _store().sources() if current_rights().may_read(source.collection)]
    with st.expander(_("Connected sources ({n})", n=len(sources))):
        for source in sources:
            with st.container(border=True, gap="xsmall", key=f"source-{source.name}"):
                _show_source(source)
        with st.popover(_("Add a source"), icon=":material/add:"):
            _show_form()


def _show_source(source: Source) -> None:
    last = next(iter(job_store().syncs(source.name)), None)
    st.markdown(f"**{markup.plain(source.name)}** {markup.plain(source.address)}")
    due = _("next sync {moment}", moment=moment(source.next_at)) if source.next_at else _("synced by hand only")
    st.caption(
        markup.plain(
            _("Collection {collection} · {due} · {last}", collection=source.collection, due=due, last=_outcome(last))
        )
    )
    with st.container(horizontal=True):
        st.button(_("Sync now"), key=f"sync-{source.name}", icon=":material/sync:", on_click=_sync, args=(source,))
        with st.popover(_("Remove"), icon=":material/delete:"):
            st.caption(_("Feedback is kept in both cases."))
            st.button(
                _("Remove source, keep its documents"),
                key=f"keep-{source.name}",
                on_click=_remove,
                args=(source, False),
            )
            st.button(
                _("Remove source and its documents"), key=f"drop-{source.name}", on_click=_remove, args=(source, True)
            )


def _outcome(job: Job | None) -> str:
    """Return how the last sync ended, with the number of documents by status."""
    if job is None:
        return _("never synced")
    if job.is_open:
        return _("syncing now")
    counts = (f"{number(count)} {status_words(status)}" for status, count in job_store().counts(job.id).items())
    words = ", ".join(counts) or _("no change")
    return _("last sync {ago}: {words}", ago=ago(job.ended_at), words=in_readers_language(job.message) or words)


def _show_form() -> None:
    st.text_input(_("Address"), key="source-address", placeholder="https://docs.example.com/", max_chars=1000)
    if _may_add_any():
        st.caption(
            _("A website, a sitemap, a Git repository, a folder of this machine, s3://, webdavs://, sftp:// and others")
        )
        st.checkbox(_("In the company's network"), key="source-inner")
    choose_collection("source-collection", _("Collection"))
    st.selectbox(
        _("Sync"), list(_INTERVALS), format_func=lambda every: _(_INTERVALS[every]), index=2, key="source-every"
    )
    st.button(_("Add source"), type="primary", icon=":material/add:", on_click=_add)
    show_messages(_FORM)  # in the form, which stays open and can cover the page's messages


def _may_add_any() -> bool:
    """Return whether the visitor may add more than public websites: anything is read with this server's rights."""
    return current_rights().may_act_as("admin") and not read_settings().lock_settings


def _add() -> None:
    typed = st.session_state
    inner, collection = bool(typed.get("source-inner")), (typed["source-collection"] or "").strip()

    def add() -> None:
        source = new_source(typed["source-address"], "", collection, typed["source-every"], inner=inner)
        check_may_add(source.collection)
        is_open = is_website(source.address) and not (inner or read_options(job_store().home, source.address))
        if not (is_open or _may_add_any()):
            raise CiteloopError(_("only an administrator can add anything but a website that anybody can read"))
        _store().add(source)
        _queue(source)

    done = _("Added. Its documents appear as they are read.")
    if _act("source added", add, typed["source-address"], done, _FORM):
        typed["source-address"] = ""  # the form stays open, for the next one


def _sync(source: Source) -> None:
    def sync() -> None:
        check_may_add(source.collection)
        _queue(source)

    _act("source synced", sync, source.name, _("{name} is being synced.", name=source.name))


def _remove(source: Source, with_documents: bool) -> None:
    def remove() -> None:
        check_may_add(source.collection)
        table = pipeline().table
        within = readable().document_ids(table)  # some may have been moved elsewhere since
        worker.remove_source(table, source, with_documents=with_documents, within=within, on_wait=give_up)

    done = (
        N_("Removed {name}. Its documents were removed.")
        if with_documents
        else N_("Removed {name}. Its documents stay and are no longer updated.")
    )
    _act("source removed", remove, source.name, _(done, name=source.name))


def _queue(source: Source) -> None:
    _store().begin(source)
    worker.queue_sync(job_store(), source, embedder=read_settings().embedder)
    job_store().start_worker()


def _act(what: str, act: Callable[[], None], subject: str, done: str, place: str = "") -> bool:
    """Act, queue a message, and return whether it succeeded. place: where an error is shown."""
    has_acted = try_to(lambda: act_as("curator", what, act, subject), place)
    if has_acted:
        tell("success", done)
    return has_acted


def _store() -> SourceStore:
    return SourceStore(job_store().home)
