"""A document as text: the stored passages around a marked one, in reading order, with the pictures between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import streamlit as st

from app.translation import gettext as _
from app.ui import markup
from app.ui.resources import is_readable
from app.ui.scroll import scroll_here
from app.ui.source.figures import show_described, show_figure
from ingest.chunk import Chunk
from ingest.figures import KeptFigure

_NUM_AROUND = 6
"""Number of passages shown before and after the marked one; a long document has thousands."""
_NUM_MORE = 20

_Shown = dict[str, list[tuple[KeptFigure, Path]]]
"""Chunk id -> the pictures behind it."""


@st.fragment
def show_text(chunks: Sequence[Chunk], marked: Chunk | None, figures: Sequence[tuple[KeptFigure, Path]] = ()) -> None:
    """Show the passages of one document, as a fragment. figures: its pictures, with their files."""
    if not is_readable(chunks[0].document_id):
        st.rerun()
    words = [chunk for chunk in chunks if not chunk.described_by]
    shown = _behind(words, figures)
    key = marked.id if marked else words[0].document_id
    index = _index_of(marked, words)
    first_key, last_key = f"text-first-{key}", f"text-last-{key}"
    # Clamp to the current passages: the document may have changed.
    first = min(st.session_state.setdefault(first_key, max(index - _NUM_AROUND, 0)), index)
    last = st.session_state.setdefault(last_key, min(index + _NUM_AROUND + 1, len(words)))
    last = min(max(last, index + 1), len(words))
    if first > 0:
        earlier = {first_key: max(first - _NUM_MORE, 0)}
        st.button(_("Show earlier"), icon=":material/expand_less:", on_click=st.session_state.update, args=(earlier,))
    above = words[first - 1] if first else None
    if marked is None:
        _show(words[first:last], above, shown)
    else:
        _show_round(words[first:last], index - first, marked, above, shown)
    if last < len(words):
        later = {last_key: min(last + _NUM_MORE, len(words))}
        st.button(_("Show later"), icon=":material/expand_more:", on_click=st.session_state.update, args=(later,))


def _index_of(marked: Chunk | None, words: Sequence[Chunk]) -> int:
    """Return the place of the marked passage, or of the one before a described picture."""
    if marked is None:
        return 0
    if marked.described_by:
        return max(sum(chunk.start <= marked.start for chunk in words) - 1, 0)
    return next((index for index, chunk in enumerate(words) if chunk.id == marked.id), 0)


def _behind(words: Sequence[Chunk], figures: Sequence[tuple[KeptFigure, Path]]) -> _Shown:
    shown: _Shown = {}
    for figure, path in figures:
        before = [chunk.id for chunk in words if chunk.start <= figure.position][-1:] or [words[0].id]
        shown.setdefault(before[0], []).append((figure, path))
    return shown


def _show(chunks: Sequence[Chunk], above: Chunk | None, shown: _Shown) -> None:
    """Show passages, with pictures behind those that have some."""
    run: list[Chunk] = []
    for chunk in chunks:
        run.append(chunk)
        if figures := shown.get(chunk.id):
            st.markdown(as_markdown(run, above))
            for figure, path in figures:
                show_figure(figure, path)
            run, above = [], chunk
    if run:
        st.markdown(as_markdown(run, above))


def _show_round(chunks: Sequence[Chunk], index: int, marked: Chunk, above: Chunk | None, shown: _Shown) -> None:
    """Show passages with the marked one, at this index, set apart; of a described picture the picture behind it."""
    holder = chunks[index]
    behind = shown.pop(holder.id, [])
    _show(chunks[:index], above, shown)
    before = chunks[index - 1] if index else above
    if marked.described_by:
        st.markdown(as_markdown([holder], before))
    elif heading := new_headings(holder, before):
        st.markdown(heading)
    own = [(figure, path) for figure, path in behind if marked.picture == figure.picture]
    with st.container(key="source-marked"):
        scroll_here(key="scroll-to-marked", block="center")
        if marked.described_by:
            show_described(marked, own)
        else:
            st.markdown(markup.passage(holder.text))
    for figure, path in behind:
        if (figure, path) not in own:
            show_figure(figure, path)
    _show(chunks[index + 1 :], holder, shown)


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
        f"{'#' * min(2 + level, 6)} {markup.plain(' '.join(heading.split()))}"
        for level, heading in enumerate(chunk.headings)
        if level >= same
    ]
    return "\n\n".join(lines)
