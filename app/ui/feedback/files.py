"""Export labeled passages for other libraries; import files as a curator's judgements."""

from __future__ import annotations

import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.settings import read_settings
from app.training.exchange.exports import (
    ExchangeError,
    ExportFormat,
    JudgedQuestion,
    export_bytes,
    judged_questions,
    needs_both,
)
from app.training.exchange.imports import ImportResult, import_labels
from app.translation import N_, ngettext
from app.translation import gettext as _
from app.ui.documents.uploads import safe_name
from app.ui.feedback.counts import Feedback
from app.ui.messages import tell
from app.ui.resources import current_user, feedback_store, reads_everything
from app.ui.upload_limit import allow_uploads
from app.ui.who import act_as
from ingest import CiteloopError

_MAX_UPLOAD_MB = 50
_MAX_UNPACKED_BYTES = 200_000_000
_FORMATS: Mapping[ExportFormat, tuple[str, str, str]] = {
    "triplets": (N_("Triplets"), N_("Question, answering passage, other passage: sentence-transformers"), "jsonl"),
    "pairs": (N_("Pairs"), N_("Question, passage and label: sentence-transformers"), "jsonl"),
    "beir": ("BEIR", N_("Documents, questions and judgements: `citeloop evaluate` and other tools"), "zip"),
}
"""Format -> name, contents and user, file suffix."""
_BEIR_FILES = {
    "corpus.jsonl": "corpus.jsonl",
    "queries.jsonl": "queries.jsonl",
    "corpus.jsonl.gz": "corpus.jsonl.gz",
    "queries.jsonl.gz": "queries.jsonl.gz",
    "qrels.tsv": "qrels.tsv",
    "test.tsv": "qrels.tsv",
    "qrels_test.tsv": "qrels.tsv",
}
"""File name anywhere in a zip -> name it is unpacked to."""
_NOT_UNPACKED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
)
"""Errors of zipfile for damaged, unsupported or encrypted files."""


def show_files(said: Feedback) -> None:
    """Show the exports and the import."""
    left, right = st.columns(2, gap="large")
    with left:
        _show_exports(said)
    with right:
        st.header(_("Import"), anchor=False)
        if reads_everything():  # it says how many passages are in the documents
            _show_import()


def _show_exports(said: Feedback) -> None:
    """Keep outside fragments: a rerun during a click would lose the file."""
    st.header(_("Export"), anchor=False)
    questions = judged_questions(said.labeled)
    for export_format, (name, holds, ending) in _FORMATS.items():
        num_used = sum(each.has_both or not needs_both(export_format) for each in questions)
        with st.container(gap="xsmall"):
            st.download_button(
                f"{_(name)} (.{ending})",
                data=partial(_bytes, export_format, said),  # called on click
                file_name=f"citeloop-{export_format}.{ending}",
                mime="application/octet-stream",
                on_click="ignore",
                icon=":material/download:",
                disabled=not num_used,
                key=f"export-{export_format}",
            )
            st.caption(f"{_(holds)}. {used_words(export_format, questions)}")


def _bytes(export_format: ExportFormat, said: Feedback) -> bytes:
    return export_bytes(export_format, said.labeled)[1]


def used_words(export_format: ExportFormat, questions: Sequence[JudgedQuestion]) -> str:
    """Return how many questions an export holds, and why not all."""
    num_used = sum(each.has_both or not needs_both(export_format) for each in questions)
    if num_used == len(questions):
        return ngettext("Holds {n} question.", "Holds {n} questions.", num_used)
    return ngettext(
        "Holds {num_used} of {n} question: those with both kinds of passages.",
        "Holds {num_used} of {n} questions: those with both kinds of passages.",
        len(questions),
        num_used=num_used,
    )


def _show_import() -> None:
    st.markdown(
        _(
            "Import a CSV with the columns `question`, `answer` and optionally `label` (yes or no), or any export "
            "except the log. Its labels count as a curator's decisions. Importing a file twice adds nothing. A file "
            "with an error is not imported."
        )
    )
    allow_uploads()
    with st.form("import", clear_on_submit=True):
        label = _("File, up to {n} MB (.csv, .json, .jsonl or .zip)", n=_MAX_UPLOAD_MB)
        file = st.file_uploader(label, type=["csv", "jsonl", "json", "zip"], max_upload_size=_MAX_UPLOAD_MB)
        submitted = st.form_submit_button(_("Import"), type="primary", icon=":material/upload:")
    if submitted and not file:
        st.warning(_("Choose a file first."))
    elif submitted and file:
        try:
            result = act_as("curator", "decisions imported", lambda: _import(file), file.name)
            tell("success", import_words(file.name, result))
        except CiteloopError as error:
            tell("error", _("Nothing was imported: {error}", error=error))
        st.rerun()


def _import(file: UploadedFile) -> ImportResult:
    """Import a file. Calls Streamlit only for the user, before anything is stored. Raises CiteloopError."""
    user = current_user()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / safe_name(file.name)
        try:
            with path.open("wb") as target:
                shutil.copyfileobj(file, target)
            return import_labels(
                _unpacked(path) if path.suffix.lower() == ".zip" else path, feedback_store(), user, read_settings().home
            )
        except CiteloopError as error:
            raise ExchangeError(str(error).replace(f"{scratch}/", "")) from error
        except OSError as error:
            raise ExchangeError(
                _("{name} cannot be saved: {error}", name=path.name, error=error.strerror or error)
            ) from error


def _unpacked(path: Path) -> Path:
    """Unpack a zip in BEIR layout under fixed file names; return the folder. Raises ExchangeError."""
    folder = path.with_suffix("")
    folder.mkdir()
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {name: each for each in archive.infolist() if (name := PurePosixPath(each.filename).name)}
            wanted = {target: entries[name] for name, target in _BEIR_FILES.items() if name in entries}
            if sum(each.file_size for each in wanted.values()) > _MAX_UNPACKED_BYTES:
                raise ExchangeError(
                    _("{name} unpacks to more than {n} MB", name=path.name, n=_MAX_UNPACKED_BYTES // 10**6)
                )
            for target, entry in wanted.items():
                with archive.open(entry) as source, (folder / target).open("wb") as copy:
                    shutil.copyfileobj(source, copy)
    except _NOT_UNPACKED as error:
        raise ExchangeError(_("{name} cannot be unpacked: {error}", name=path.name, error=error)) from error
    return folder


def import_words(name: str, result: ImportResult) -> str:
    """Return the outcome of an import."""
    num_known = result.num_read - result.num_new - result.num_overruled
    words = ngettext(
        "{name}: {n} label read, {num_new} new, {num_known} already there",
        "{name}: {n} labels read, {num_new} new, {num_known} already there",
        result.num_read,
        name=name,
        num_new=result.num_new,
        num_known=num_known,
    )
    if result.num_located < result.num_read:
        words += _(
            "; {n} are in no document and only used for training",
            n=result.num_read - result.num_located,
        )
    if result.num_overruled:
        words += _(", {n} skipped because a curator decided otherwise", n=result.num_overruled)
    return words
