"""Documents: what is in, add files, take documents out."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.ui import markup
from app.ui.resources import pipeline
from ingest.parse import PARSERS
from ingest.table import StoredDocument

_MAX_UPLOAD_MB = 200


def show() -> None:
    """The page."""
    st.title("Documents")
    _show_upload()
    for kind, message in st.session_state.pop("ingest-messages", []):
        {"error": st.error, "success": st.success}[kind](message)
    documents = pipeline().table.documents()
    if not documents:
        st.info("No documents yet. Add some above, or run `citeloop ingest FOLDER` where Citeloop is installed.")
        return
    num_chunks = sum(document.num_chunks for document in documents)
    st.markdown(f"**{len(documents)} documents**, {num_chunks:,} passages")
    wanted = st.text_input("Find a document", placeholder="Part of a name or title", key="document-filter").lower()
    shown = [document for document in documents if wanted in f"{document.name} {document.title}".lower()]
    selection = st.dataframe(
        _table(shown),
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"documents-{hash(tuple(document.id for document in shown))}",  # a selection is of rows, not documents
        column_config={"Added": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")},
    )
    rows = selection["selection"]["rows"]
    chosen = [shown[row] for row in rows if row < len(shown)]
    if not chosen:
        st.caption("Select documents in the table to remove them.")
        return
    with st.popover(f"Remove {_count(chosen)}", icon=":material/delete:"):
        st.markdown("\n".join(f"- {markup.plain(document.name)}" for document in chosen))
        st.caption("Feedback on their passages is kept. Files outside Citeloop's own folder stay where they are.")
        st.button("Remove", type="primary", on_click=_remove, args=(chosen,))


def _show_upload() -> None:
    with st.form("upload", clear_on_submit=True):
        files = st.file_uploader(
            "Add files (PDF, Word, Markdown, HTML, text)",
            type=sorted(PARSERS),
            accept_multiple_files=True,
            max_upload_size=_MAX_UPLOAD_MB,
        )
        submitted = st.form_submit_button("Add to the documents", type="primary", icon=":material/upload:")
    if submitted and not files:
        st.warning("Choose one or more files first.")
    elif submitted:
        with st.status(f"Reading {len(files)} files", type="compact"):
            try:
                st.session_state["ingest-messages"] = _ingest(_save(files))
            except OSError as error:  # a name that is too long, a full disk
                message = f"Nothing was added: {error.strerror or error} ({Path(error.filename or '').name[:80]})"
                st.session_state["ingest-messages"] = [("error", markup.plain(message))]
        st.rerun()


def _save(files: Sequence[UploadedFile]) -> list[Path]:
    """Keep uploads under the home folder; the same name again is a new version of the same document."""
    folder = pipeline().settings.home / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for file in files:
        path = folder / Path(file.name).name
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".", delete=False) as unfinished:
            unfinished.write(file.getbuffer())
        Path(unfinished.name).replace(path)
        paths.append(path)
    return paths


def _ingest(paths: Sequence[Path]) -> list[tuple[str, str]]:
    """Ingest in a process of its own, so that other people's pages stay quick; returns messages to show.

    The process has its own session: it goes on when this page is left.
    """
    home = str(pipeline().settings.home)
    command = [sys.executable, "-m", "ingest", *map(str, paths), "--home", home, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, start_new_session=True, check=False)  # noqa: S603
    try:
        results = json.loads(done.stdout)["files"]
    except (json.JSONDecodeError, KeyError):
        lines = done.stderr.strip().splitlines()
        reason = lines[-1] if lines else "the process was stopped"
        return [("error", markup.plain(f"Not all of it was added: {reason}"))]
    messages = [
        ("error", markup.plain(f"{result['name']}: {result['reason']}"))
        for result in results
        if result["status"] in ("failed", "skipped")
    ]
    words = {"added": "added", "replaced": "replaced by its new version", "unchanged": "was already in"}
    messages += [
        ("success", markup.plain(f"{result['name']} {words[result['status']]}"))
        for result in results
        if result["status"] in words
    ]
    return messages


def _remove(documents: Sequence[StoredDocument]) -> None:
    table, uploads = pipeline().table, (pipeline().settings.home / "uploads").resolve()
    with table.writing():
        for document in documents:
            table.remove(document.id)
            if Path(document.source).parent == uploads:
                Path(document.source).unlink(missing_ok=True)
    st.session_state["ingest-messages"] = [("success", f"{_count(documents)} removed")]


def _count(documents: Sequence[StoredDocument]) -> str:
    return f"{len(documents)} document{'s' if len(documents) > 1 else ''}"


def _table(documents: Sequence[StoredDocument]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Document": [document.name for document in documents],
            "Title": [document.title for document in documents],
            "Pages": [str(document.num_pages or "") for document in documents],
            "Passages": [document.num_chunks for document in documents],
            "Added": [document.ingested_at for document in documents],
        }
    )
