"""Source: a passage where it stands in its document, on the page of the kept file or in the text.

Opened by a link from a citation or from the list of documents: `source?chunk=...&a=...`, `source?document=...`.
The answer is found for the user who asked, or with `&share=...` in a conversation that is shared.
What stands in the address is looked up in the table and in the answers and is never taken for a path.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import streamlit as st

from app.feedback import NotSavedError, StoredAnswer
from app.ui import links, markup
from app.ui.resources import current_user, feedback_store, pipeline
from app.ui.source.page_picture import SUFFIXES
from app.ui.source.page_view import STYLE as PAGE_STYLE
from app.ui.source.page_view import show_page
from app.ui.source.text_view import as_markdown, show_text
from ingest.chunk import Chunk
from ingest.originals import Originals
from ingest.table import StoredDocument

_NUM_WORDS = 50
"""So many passages stand beside a page at most."""

_STYLE = """
.st-key-source-marked { position: relative; padding: 0.75rem 1rem; border-radius: 0.25rem;
  background: rgba(255, 215, 64, 0.22); border-left: 4px solid rgb(214, 158, 0); }
@media (min-width: 641px) {
  [data-testid="stColumn"]:has(.st-key-source-side) { position: sticky; top: 4.5rem; align-self: flex-start;
    max-height: calc(100vh - 6rem); overflow-y: auto; }
}
.st-key-source-side [data-testid="stMarkdownContainer"] { font-size: 0.9rem; }
.st-key-source-text { max-width: 48rem; }
[class*="st-key-scroll-to"] { position: absolute; }
"""


@dataclass(frozen=True, slots=True)
class _Source:
    """What the address names: a document, a passage in it, the answer that ranked it; None where there is none.

    is_gone: the answer knows the passage, the documents no longer do.
    """

    document: StoredDocument | None
    chunk: Chunk | None
    answer: StoredAnswer | None
    is_gone: bool = False


def show() -> None:
    """The page."""
    st.html(f"<style>{_STYLE}{PAGE_STYLE}</style>")
    named = {key: str(st.query_params.get(key, "")) for key in ("chunk", "document", "a", "share")}
    source = _find(**named)
    _record_opened(source)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        if source.answer:
            links.to_answer(
                "Back to the answer",
                conversation_id=source.answer.conversation_id,
                answer_id=source.answer.id,
                share=named["share"],
            )
        else:
            links.to_documents("All documents")
        if source.document:
            _show_download(source.document)
    if source.is_gone and source.chunk:
        _show_gone(source.chunk, source.document)
    elif source.document is None:
        _show_nothing(is_named=any(named.values()))
    else:
        _show_source(source.document, source.chunk)


def _find(chunk: str, document: str, a: str, share: str) -> _Source:
    """What the parameters of the address name, looked up by id."""
    table = pipeline().table
    answer = _answer(a, share)
    found = table.chunk(chunk) if chunk else None
    ranking = answer.answer.ranking if answer else ()
    ranked = next((ranked.chunk for ranked in ranking if ranked.chunk.id == chunk), None)
    passage = found or ranked
    document_id = passage.document_id if passage else document
    stored = table.document(document_id) if document_id else None
    return _Source(stored, passage, answer, is_gone=found is None and ranked is not None)


def _answer(answer_id: str, share: str) -> StoredAnswer | None:
    if share:
        turns = feedback_store().shared_conversation(share)
        return next((turn for turn in turns if turn.id == answer_id), None)
    return feedback_store().answer(answer_id, current_user()) if answer_id else None


def _record_opened(source: _Source) -> None:
    """Note once that the user looked up a passage of their answer where it stands."""
    answer = source.answer
    if answer is None or answer.user != current_user() or source.chunk is None:
        return
    if source.chunk.id in {ranked.chunk.id for ranked in answer.answer.ranking}:
        with suppress(NotSavedError):  # reading must go on
            feedback_store().record(answer, source.chunk.id, "opened", current_user())


def _show_nothing(*, is_named: bool) -> None:
    st.title("Source", anchor=False)
    if is_named:
        st.info("This passage is not in the documents; it may have been changed or removed since.")
    else:
        st.info("Open a source below an answer, or a document in the list of documents, to see it here.")


def _show_gone(chunk: Chunk, document: StoredDocument | None) -> None:
    name = markup.plain(chunk.document)
    st.title(markup.plain(chunk.title), anchor=False)
    became = "has changed since" if document else "has been removed"
    st.warning(f"This passage is no longer in the documents: {name} {became}.", icon=":material/history:")
    st.caption(_place(chunk))
    st.markdown("**The passage as it was when the answer was given**")
    with st.container(key="source-marked"):
        st.markdown(markup.passage(chunk.text))
    if document:
        links.to_source("Open the document as it is now", document_id=document.id, icon=":material/visibility:")


def _show_source(document: StoredDocument, chunk: Chunk | None) -> None:
    st.title(markup.plain(document.title), anchor=False)
    st.caption(_place(chunk) if chunk else markup.plain(document.name))
    path = _original(document)
    if path.suffix in SUFFIXES and path.is_file():
        _show_paged(document, path, chunk)
        return
    if not path.is_file():
        st.caption("The original file is not kept here; this is its text as it was stored.")
    with st.container(key="source-text"):
        if chunks := pipeline().table.chunks_of(document.id):
            show_text(chunks, chunk)


@st.fragment
def _show_paged(document: StoredDocument, path: Path, chunk: Chunk | None) -> None:
    """The page as a picture, the words beside it; turning a page draws only this again."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        number = show_page(document, path, chunk)
    with right, st.container(key="source-side"):
        if chunk:
            st.markdown("**Cited passage**")
            with st.container(key="source-marked"):
                st.markdown(markup.passage(chunk.text))
        else:
            st.markdown("**Text of this page**" if number else "**Text**")
            st.markdown(_words_of(pipeline().table.chunks_of(document.id), number))


def _original(document: StoredDocument) -> Path:
    return Originals(pipeline().table.home).path(document)


def _words_of(chunks: Sequence[Chunk], number: int | None) -> str:
    """Markdown of what the passages of a page say, to search and to copy; None: of the first passages."""
    here = [chunk for chunk in chunks if number in (None, chunk.page, *(box.page for box in chunk.boxes))]
    return as_markdown(here[:_NUM_WORDS]) or "There is no text on this page."


def _show_download(document: StoredDocument) -> None:
    """Outside every fragment: drawn again while it is being clicked, it would know no file any more."""
    path = _original(document)
    if not path.is_file():
        return

    def opened() -> BinaryIO:
        return path.open("rb")

    st.download_button(
        "Download the original",
        data=opened,  # called at a click: the bytes are not read to draw the page
        file_name=download_name(document.name),
        mime="application/octet-stream",  # never shown by the browser as a page of this site
        on_click="ignore",
        icon=":material/download:",
        key=f"download-{document.id}",
    )


def download_name(name: str) -> str:
    """A document's name as a file name: no folders, no characters that lie about what it is or that a disk refuses."""
    last = PurePosixPath(name.replace("\\", "/")).name
    kept = "".join("_" if unicodedata.category(each)[0] == "C" or each in '<>:"|?*' else each for each in last)
    stem, suffix = PurePosixPath(kept).stem, PurePosixPath(kept).suffix
    return (stem.strip(". ")[:120] or "document") + suffix


def _place(chunk: Chunk) -> str:
    """Heading path, document and page, as Markdown."""
    parts = [
        f"**{markup.plain(chunk.heading)}**" if chunk.headings else "",
        markup.plain(chunk.document),
        _pages(chunk),
    ]
    return " · ".join(part for part in parts if part)


def _pages(chunk: Chunk) -> str:
    numbers = sorted({box.page for box in chunk.boxes})
    if len(numbers) > 1:
        return f"pages {numbers[0]} and {numbers[-1]}" if len(numbers) == 2 else f"pages {numbers[0]} to {numbers[-1]}"
    return f"page {chunk.page}" if chunk.page else ""
