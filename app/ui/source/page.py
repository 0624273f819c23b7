"""Source: a passage in its document, on a page of the stored file or in the text.

Opened by a link from a citation or from the list of documents: `source?chunk=...&a=...`, `source?document=...`.
Only the user who asked can load the answer, or everyone with `&share=...` of a shared conversation. The answers of
programs have such links, and no owner who could open them.
Values in the address are ids to look up, never paths.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import streamlit as st

from app.feedback import NotSavedError, StoredAnswer
from app.translation import N_, ngettext
from app.translation import gettext as _
from app.ui import links, markup
from app.ui.messages import show_messages
from app.ui.resources import answers, current_user, feedback_store, is_readable, pipeline, readable
from app.ui.source.figures import show_described
from app.ui.source.page_picture import SUFFIXES
from app.ui.source.page_view import STYLE as PAGE_STYLE
from app.ui.source.page_view import show_page
from app.ui.source.strike import show_strike
from app.ui.source.text_view import as_markdown, show_text
from app.ui.who import current_rights
from ingest.chunk import Chunk
from ingest.figures import Figures
from ingest.files import is_remote
from ingest.listing import StoredDocument
from ingest.originals import Originals

OPENED = "opened-source"
"""Key in the session: answer and passage of the open drawer."""
_NUM_WORDS = 50
"""Maximum number of passages beside a page."""

STYLE = (
    """
.st-key-source-body { container-type: inline-size; }
.st-key-source-marked { position: relative; padding: 0.75rem 1rem; border-radius: 0.25rem;
  background: rgba(255, 215, 64, 0.22); border-left: 4px solid rgb(214, 158, 0); }
@container (min-width: 641px) {
  [data-testid="stColumn"]:has(.st-key-source-side) { position: sticky; top: 4.5rem; align-self: flex-start;
    max-height: calc(100vh - 6rem); overflow-y: auto; }
}
@container (max-width: 640px) {
  [data-testid="stColumn"] { min-width: 100%; }
}
.st-key-source-side [data-testid="stMarkdownContainer"] { font-size: 0.9rem; }
.st-key-source-text { max-width: 48rem; }
[class*="st-key-scroll-to"] { position: absolute; }
"""
    + PAGE_STYLE
)
"""The width of the body decides, since a drawer is narrow on a wide screen."""


@dataclass(frozen=True, slots=True)
class Source:
    """What ids name: document, passage, and the answer that ranked it; None if missing.

    is_gone: the passage is in the answer but no longer in the documents.
    """

    document: StoredDocument | None
    chunk: Chunk | None
    answer: StoredAnswer | None
    is_gone: bool = False


def show() -> None:
    """The page."""
    st.html(f"<style>{STYLE}</style>")
    st.session_state.pop(OPENED, None)  # who comes from the drawer has left it
    named = {key: str(st.query_params.get(key, "")) for key in ("chunk", "document", "a", "share")}
    source = find_source(**named)
    record_opened(source)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        if source.answer and (named["share"] or source.answer.user == current_user()):
            links.to_answer(
                _("Back to the answer"),
                conversation_id=source.answer.conversation_id,
                answer_id=source.answer.id,
                share=named["share"],
            )
        elif current_rights().may_act_as("curator"):
            links.to_documents(_("All documents"))
        else:
            links.to_ask(_("Ask a question"))
        if source.document:
            _show_download(source.document)
    show_messages()
    if source.answer and source.chunk:
        with st.container(key="source-strike"):  # keeps its place while the page changes below it
            show_strike(source.answer, source.chunk.id)
    shown = source.document or source.chunk
    st.title(markup.plain(shown.title) if shown else _("Source"), anchor=False)
    if any(named.values()):
        show_source(source)
    else:
        st.info(_("Open a source below an answer."))


def find_source(chunk: str, document: str, a: str, share: str) -> Source:
    """Look up ids, as they stand in the address; a: of the answer."""
    table = pipeline().table
    within = readable().document_ids(table)
    answer = _answer(a, share)
    found = table.chunk(chunk, within) if chunk else None
    ranking = answer.answer.ranking if answer else ()
    ranked = next((ranked.chunk for ranked in ranking if ranked.chunk.id == chunk), None)
    passage = found or ranked
    document_id = passage.document_id if passage else document
    is_readable = within is None or document_id in within
    stored = table.document(document_id) if document_id and is_readable else None
    return Source(stored, passage, answer, is_gone=found is None and ranked is not None)


def _answer(answer_id: str, share: str) -> StoredAnswer | None:
    if share:
        turns = answers().shared_conversation(share)
        return next((turn for turn in turns if turn.id == answer_id), None)
    return answers().answer(answer_id, current_user()) or answers().answer_of_program(answer_id)


def record_opened(source: Source) -> None:
    """Record once that the user opened a passage of their answer."""
    answer = source.answer
    if answer is None or answer.user != current_user() or source.chunk is None:
        return
    if source.chunk.id in {ranked.chunk.id for ranked in answer.answer.ranking}:
        with suppress(NotSavedError):  # reading must go on
            feedback_store().record(answer, source.chunk.id, "opened", current_user())


def show_source(source: Source) -> None:
    """Show the document at the passage, or say that it is gone."""
    with st.container(key="source-body"):
        if source.is_gone and source.chunk:
            _show_gone(source.chunk, source.document)
        elif source.document:
            _show_document(source.document, source.chunk)
        else:
            st.info(_("Source not found. It may have been changed or removed."))


def _show_gone(chunk: Chunk, document: StoredDocument | None) -> None:
    name = markup.plain(chunk.document)
    gone = (
        N_("This passage is no longer in the documents: {name} has changed.")
        if document
        else N_("This passage is no longer in the documents: {name} was removed.")
    )
    st.warning(_(gone, name=name), icon=":material/history:")
    st.caption(_place(chunk))
    st.markdown(_("**Passage at the time of the answer**"))
    with st.container(key="source-marked"):
        st.markdown(markup.passage(chunk.shown))
    if document:
        links.to_source(_("Open current document"), document_id=document.id, icon=":material/visibility:")


def _show_document(document: StoredDocument, chunk: Chunk | None) -> None:
    st.caption(_place(chunk) if chunk else markup.plain(document.name))
    if is_remote(document.source):
        st.caption(_("From {source}", source=address_link(document.source)))
    path = _original(document)
    if path.suffix in SUFFIXES and path.is_file():
        _show_paged(document, path, chunk)
        return
    if not path.is_file():
        st.caption(_("The original file is not stored; this is its text."))
    figures = Figures(pipeline().table.home)
    with st.container(key="source-text"):
        if chunks := pipeline().table.chunks_of(document.id):
            paths = [(figure, figures.path(document, figure.picture)) for figure in figures.of(document)]
            show_text(chunks, chunk, [(figure, path) for figure, path in paths if path.is_file()])
    if num_left_out := figures.num_left_out(document):
        st.caption(
            ngettext(
                "Not shown: {n} small or repeated picture", "Not shown: {n} small or repeated pictures", num_left_out
            )
        )


def address_link(source: str) -> str:
    """Return the address that a document came from as Markdown, a link if a browser can open it."""
    shown = markup.plain(source)
    target = quote(source, safe=":/?&=#%@+,;~")
    return f"[{shown}]({target})" if source.startswith(("http://", "https://")) else shown


@st.fragment
def _show_paged(document: StoredDocument, path: Path, chunk: Chunk | None) -> None:
    """Show the page as a picture with its text beside it, as a fragment."""
    if not is_readable(document.id):
        st.rerun()
    left, right = st.columns([3, 2], gap="medium")
    with left:
        number = show_page(document, path, chunk)
    with right, st.container(key="source-side"):
        if chunk and chunk.described_by:
            st.markdown(_("**Cited picture**"))
            with st.container(key="source-marked"):
                show_described(chunk)
        elif chunk:
            st.markdown(_("**Cited passage**"))
            with st.container(key="source-marked"):
                st.markdown(markup.passage(chunk.text))
        else:
            st.markdown(_("**Text of this page**") if number else _("**Text**"))
            st.markdown(_words_of(pipeline().table.chunks_of(document.id), number))


def _original(document: StoredDocument) -> Path:
    return Originals(pipeline().table.home).path(document)


def _words_of(chunks: Sequence[Chunk], number: int | None) -> str:
    """Return a page's passages as Markdown, to search and copy; None: the first passages."""
    words = (chunk for chunk in chunks if not chunk.described_by)
    here = [chunk for chunk in words if number in (None, chunk.page, *(box.page for box in chunk.boxes))]
    return as_markdown(here[:_NUM_WORDS]) or _("There is no text on this page.")


def _show_download(document: StoredDocument) -> None:
    """Keep outside fragments: a rerun during a click would lose the file."""
    path = _original(document)
    if not path.is_file():
        return
    st.download_button(
        _("Download original"),
        data=lambda: path.open("rb"),  # called on click, so drawing the page reads no bytes
        file_name=download_name(document.name),
        mime="application/octet-stream",  # keeps the browser from showing it as a page of this site
        on_click="ignore",
        icon=":material/download:",
        key=f"download-{document.id}",
    )


def download_name(name: str) -> str:
    """Return a document's name as a safe file name: no folders, control or reserved characters."""
    last = PurePosixPath(name.replace("\\", "/")).name
    kept = "".join("_" if unicodedata.category(each)[0] == "C" or each in '<>:"|?*' else each for each in last)
    stem, suffix = PurePosixPath(kept).stem, PurePosixPath(kept).suffix
    return (stem.strip(". ")[:120] or "document") + suffix


def _place(chunk: Chunk) -> str:
    """Return heading path, document and page as Markdown."""
    parts = [
        f"**{markup.plain(chunk.heading)}**" if chunk.headings else "",
        markup.plain(chunk.document),
        _pages(chunk),
    ]
    return " · ".join(part for part in parts if part)


def _pages(chunk: Chunk) -> str:
    numbers = sorted({box.page for box in chunk.boxes})
    if len(numbers) > 1:
        pages = N_("pages {first} and {last}") if len(numbers) == 2 else N_("pages {first} to {last}")
        return _(pages, first=numbers[0], last=numbers[-1])
    return _("page {number}", number=chunk.page) if chunk.page else ""
