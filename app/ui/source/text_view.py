"""A document as text: the stored passages around a marked one, in reading order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import streamlit as st

from app.translation import gettext as _
from app.ui import markup
from app.ui.scroll import scroll_here
from ingest.chunk import Chunk

_NUM_AROUND = 6
"""Number of passages shown before and after the marked one; a long document has thousands."""
_NUM_MORE = 20


@st.fragment
def show_text(chunks: Sequence[Chunk], marked: Chunk | None) -> None:
    """Show the passages of one document, as a fragment."""
    key = marked.id if marked else chunks[0].document_id
    index = next((index for index, chunk in enumerate(chunks) if marked and chunk.id == marked.id), 0)
    first_key, last_key = f"text-first-{key}", f"text-last-{key}"
    # Clamp to the current passages: the document may have changed.
    first = min(st.session_state.setdefault(first_key, max(index - _NUM_AROUND, 0)), index)
    last = st.session_state.setdefault(last_key, min(index + _NUM_AROUND + 1, len(chunks)))
    last = min(max(last, index + 1), len(chunks))
    if first > 0:
        earlier = {first_key: max(first - _NUM_MORE, 0)}
        st.button(_("Show earlier"), icon=":material/expand_less:", on_click=st.session_state.update, args=(earlier,))
    above = chunks[first - 1] if first else None
    if marked is None:
        st.markdown(as_markdown(chunks[first:last], above))
    else:
        _show_round(chunks, index, first, last, above)
    if last < len(chunks):
        later = {last_key: min(last + _NUM_MORE, len(chunks))}
        st.button(_("Show later"), icon=":material/expand_more:", on_click=st.session_state.update, args=(later,))


def _show_round(chunks: Sequence[Chunk], index: int, first: int, last: int, above: Chunk | None) -> None:
    before = chunks[first:index]
    if before:
        st.markdown(as_markdown(before, above))
    heading = new_headings(chunks[index], before[-1] if before else above)
    if heading:
        st.markdown(heading)
    with st.container(key="source-marked"):
        scroll_here(key="scroll-to-marked", block="center")
        st.markdown(markup.passage(chunks[index].text))
    if chunks[index + 1 : last]:
        st.markdown(as_markdown(chunks[index + 1 : last], chunks[index]))


def as_markdown(chunks: Sequence[Chunk], above: Chunk | None = None) -> str:
    """Return passages as Markdown, with headings where they change."""
    parts: list[str] = []
    for before, chunk in pairwise([above, *chunks]):
        if chunk:
            parts += [part for part in (new_headings(chunk, before), markup.passage(chunk.text)) if part]
    return "\n\n".join(parts)


def new_headings(chunk: Chunk, above: Chunk | None) -> str:
    """Return the headings of a chunk that the chunk above does not have, as Markdown."""
    known = above.headings if above else ()
    same = next(
        (index for index, (old, new) in enumerate(zip(known, chunk.headings, strict=False)) if old != new),
        min(len(known), len(chunk.headings)),
    )
    lines = [
        f"{'#' * min(3 + level, 6)} {markup.plain(' '.join(heading.split()))}"
        for level, heading in enumerate(chunk.headings)
        if level >= same
    ]
    return "\n\n".join(lines)
