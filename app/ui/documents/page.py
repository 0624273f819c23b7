"""Documents: upload, ingest jobs, and the list to open or remove documents."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.translation import N_, ngettext
from app.translation import gettext as _
from app.ui import links, markup
from app.ui.cells import as_text
from app.ui.documents.collections import check_may_add, choose_collection, give_up
from app.ui.documents.jobs import queue_upload, show_jobs
from app.ui.documents.sources import show_sources
from app.ui.documents.too_large import show_too_large
from app.ui.documents.uploads import safe_folder, safe_name
from app.ui.documents.versions import show_correction, show_families
from app.ui.messages import show_messages, tell, try_to
from app.ui.readers_language import in_readers_language
from app.ui.resources import pipeline, readable_documents
from app.ui.upload_limit import allow_uploads
from app.ui.who import act_as, current_rights
from app.ui.words import listed
from ingest import CiteloopError
from ingest.collections import UPLOADS
from ingest.home.folder import create_private
from ingest.home.job_store import new_job_id
from ingest.home.sharing import writer_elsewhere
from ingest.listing import StoredDocument
from ingest.parse import PARSERS
from ingest.removal import move, remove
from ingest.table import ChunkTable
from ingest.worker import uploads_folder

_MAX_UPLOAD_MB = 200
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".gz", ".bz2", ".xz")
_TITLE_WIDTH = 230
"""Pixels; on a phone, part of the next column shows that the table scrolls."""
_FORMATS = N_("PDF, Office, web pages, Markdown, text, e-mail, e-books, scans and pictures")


def show() -> None:
    """The page."""
    st.title(_("Documents"), anchor=False)
    if hint := pipeline().models.hint:
        st.info(markup.plain(in_readers_language(hint)), icon=":material/info:")
    if writer := writer_elsewhere(pipeline().settings.home):
        st.info(markup.plain(_("Documents are added on another server, {host}. This one follows it.", host=writer)))
    else:
        _show_upload()
        show_messages()
        show_sources()
    show_jobs()
    documents = readable_documents()
    if not documents:
        show_messages("table")
        if not writer:
            st.info(_("No documents yet. Add some above, or run `citeloop ingest FOLDER`."))
        return
    num_chunks = sum(document.num_chunks for document in documents)
    st.markdown(_("**{documents}**, {n} passages", documents=_count(documents), n=num_chunks))
    show_families()
    wanted = st.text_input(
        _("Find a document"), placeholder=_("Part of a name or title"), key="document-filter"
    ).lower()
    above_table = st.container()
    chosen = _choose(documents, wanted)
    with above_table:
        show_messages("table")
        if chosen:
            _show_actions(chosen)
        else:
            st.caption(_("Select documents in the table to open, correct, move or remove them."))


def _show_actions(chosen: Sequence[StoredDocument]) -> None:
    """Show what can be done with the selected documents."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(chosen) == 1:
            name = markup.plain(PurePosixPath(chosen[0].name).name)
            links.to_source(_("Open {name}", name=name), document_id=chosen[0].id, icon=":material/visibility:")
            show_correction(chosen[0])
        _show_move(chosen)
        with st.popover(_("Remove {documents}", documents=_count(chosen)), icon=":material/delete:"):
            st.markdown("\n".join(f"- {markup.plain(document.name)}" for document in chosen))
            st.caption(
                _(
                    "Feedback on them and earlier answers are kept. Files outside Citeloop's folder are not deleted; "
                    "the next sync of their folder adds them again."
                )
            )
            st.button(_("Remove"), type="primary", on_click=_remove, args=(chosen,))


def _choose(documents: Sequence[StoredDocument], wanted: str) -> list[StoredDocument]:
    """Show the documents whose name or title has the wanted words; return the selected ones."""
    shown = [document for document in documents if wanted in f"{document.name} {document.title}".lower()]
    selection = st.dataframe(
        _table(shown),
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"documents-{hash(tuple(document.id for document in shown))}",  # a selection is row numbers
        column_config={
            _("Title"): st.column_config.TextColumn(width=_TITLE_WIDTH),
            _("Pages"): st.column_config.TextColumn(alignment="right"),
            _("Added"): st.column_config.DatetimeColumn(format=_("D MMM YYYY, HH:mm"), timezone=st.context.timezone),
        },
        alt=_("Documents with title, collection, pages, passages and time added"),
    )
    return [shown[row] for row in selection["selection"]["rows"] if row < len(shown)]


# adding --------------------------------------------------------------------------------------------------


_NUM_UPLOADS = "documents-num-uploads"
"""Key in the session; the uploader is empty again after each upload."""


class UploadError(CiteloopError):
    """Uploaded files cannot be saved; the message says which and why."""


def _show_upload() -> None:
    """Show the collection to upload to, and the uploader, which adds files as soon as they are dropped."""
    is_optional = current_rights().may_read(UPLOADS)
    label = _("Collection for new files (optional)") if is_optional else _("Collection for new files")
    collection = choose_collection("upload-collection", label)
    may_add = current_rights().may_read(collection or UPLOADS)
    allow_uploads()
    key = f"upload-{st.session_state.get(_NUM_UPLOADS, 0)}"
    st.file_uploader(
        _("Add files, up to {n} MB each ({formats})", n=_MAX_UPLOAD_MB, formats=_(_FORMATS)),
        accept_multiple_files=True,
        max_upload_size=_MAX_UPLOAD_MB,
        key=key,
        on_change=_add,
        args=(key, collection),
        disabled=not may_add,
    )
    show_too_large(key, _MAX_UPLOAD_MB, sorted(PARSERS))
    if not may_add:
        st.caption(_("Choose a collection first."))


def _add(key: str, collection: str) -> None:
    """Queue the dropped files, except those that cannot be read and those that are in already or dropped twice.

    Streamlit can call it twice for one drop, since each file arrives on its own. It names a file that it refuses only
    until the uploader is emptied, so it is not told the formats.
    """
    taken: set[str] = st.session_state.setdefault("documents-taken", set())
    dropped = [file for file in st.session_state[key] if file.file_id not in taken]
    taken.update(file.file_id for file in dropped)
    st.session_state[_NUM_UPLOADS] = st.session_state.get(_NUM_UPLOADS, 0) + 1
    table = pipeline().table
    known = {document.sha256: document.name for document in readable_documents()}
    files = []
    for file in dropped:
        if refusal := _refusal(file.name):
            tell("error", refusal)
            continue
        sha256 = hashlib.sha256(file.getbuffer()).hexdigest()
        if name := known.get(sha256):
            tell("info", _("{file} is in already, as {name}. It was not added again.", file=file.name, name=name))
        else:
            files.append(file)
            known[sha256] = file.name
    if not files:
        return
    try:
        check_may_add(collection)
        if current_rights().collections is not None:
            collection = collection or UPLOADS  # named, so that no document of another collection is replaced
        act_as(
            "curator",
            "documents uploaded",
            lambda: _queue(files, table.home, collection),
            listed([file.name for file in files]),
        )
    except CiteloopError as error:
        tell("error", _("Nothing was added: {error}", error=in_readers_language(str(error))))


def _refusal(name: str) -> str:
    """Return why a file of this name is not added, '' if it can be read."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in PARSERS:
        return ""
    if suffix in _ARCHIVES:
        return _("{file} was not added: unpack it, then add the files in it.", file=name)
    return _("{file} was not added: files of its format cannot be read.", file=name)


def _queue(files: Sequence[UploadedFile], home: Path, collection: str = "") -> None:
    """Save the files for a job and queue it; a file with a known name replaces the old version.

    collection: also the folder in their names, so that collections do not share names. Calls nothing of Streamlit, so
    no rerun can separate files and job.
    """
    job_id = new_job_id()
    uploads = uploads_folder(home, job_id)
    try:
        _save(files, uploads, safe_folder(collection))
        queue_upload(uploads, job_id, collection)
    except BaseException:
        shutil.rmtree(uploads, ignore_errors=True)
        raise


def _save(files: Sequence[UploadedFile], uploads: Path, folder: PurePosixPath) -> None:
    """Write files to a folder in the new folder of an upload. Raises UploadError for equal and unwritable names."""
    names = [safe_name(file.name) for file in files]
    if twice := [name for name, number in Counter(names).items() if number > 1]:
        raise UploadError(_("two files are called {names}; rename one and try again", names=", ".join(twice)))
    try:
        uploads.mkdir(mode=0o700, parents=True)
        (uploads / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, file in zip(names, files, strict=True):
            with create_private(uploads / folder / name) as target:
                shutil.copyfileobj(file, target)
    except OSError as error:  # such as a name that is too long or a full disk
        name = Path(error.filename or "").name[:60]
        raise UploadError(": ".join(part for part in (name, error.strerror or str(error)) if part)) from error


# moving and removing ------------------------------------------------------------------------------------


def _show_move(documents: Sequence[StoredDocument]) -> None:
    with st.popover(_("Move {documents}", documents=_count(documents)), icon=":material/drive_file_move:"):
        collection = choose_collection("move-collection", _("Collection"))
        st.button(_("Move"), type="primary", on_click=_move, args=(documents, collection), disabled=not collection)


def _move(documents: Sequence[StoredDocument], collection: str) -> None:
    def act(table: ChunkTable) -> None:
        check_may_add(collection)
        move(documents, collection, table)

    _write(
        act,
        f"documents moved to {collection}",
        documents,
        _("{documents} moved to {collection}", documents=_count(documents), collection=collection),
    )


def _remove(documents: Sequence[StoredDocument]) -> None:
    done = _("{documents} removed", documents=_count(documents))
    _write(lambda table: remove(documents, table), "documents removed", documents, done)


def _write(act: Callable[[ChunkTable], None], what: str, documents: Sequence[StoredDocument], done: str) -> None:
    """Change the documents in the table, with a message here and an entry in the audit log."""

    def write() -> None:
        table = pipeline().table
        with table.writing(on_wait=give_up):
            if not {each.id for each in documents} <= {each.id for each in readable_documents()}:
                raise CiteloopError(_("Some of these documents are gone, so nothing was changed. Select them again."))
            act(table)

    if try_to(lambda: act_as("curator", what, write, listed([document.name for document in documents])), "table"):
        tell("success", done, "table")


def _count(documents: Sequence[StoredDocument]) -> str:
    return ngettext("{n} document", "{n} documents", len(documents))


def _table(documents: Sequence[StoredDocument]) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            _("Title"): [document.title for document in documents],
            _("Document"): [document.name for document in documents],
            _("Collection"): [document.collection for document in documents],
            _("Pages"): [str(document.num_pages or "") for document in documents],
            _("Passages"): [document.num_chunks for document in documents],
            _("Added"): [document.ingested_at for document in documents],
        }
    )
    return as_text(table, _("Document"), _("Title"), _("Collection"))
