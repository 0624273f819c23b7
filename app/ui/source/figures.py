"""Pictures of documents, with their captions and with a model's descriptions under its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from app.translation import gettext as _
from app.translation import ngettext
from app.ui import markup
from app.ui.resources import figures_of
from ingest.chunk import Chunk
from ingest.figures import KeptFigure, read_picture

_NUM_SHOWN = 2
"""Maximum number of pictures beside a passage; the others are one click away."""
_WIDTH = 480


def show_beside(chunk: Chunk) -> None:
    """Show the pictures that belong to a passage."""
    found = figures_of(chunk)
    for figure, path in found[:_NUM_SHOWN]:
        show_figure(figure, path)
    if more := found[_NUM_SHOWN:]:
        with st.expander(ngettext("{n} more picture", "{n} more pictures", len(more))):
            for figure, path in more:
                show_figure(figure, path)


def show_described(chunk: Chunk, figures: Sequence[tuple[KeptFigure, Path]] | None = None) -> None:
    """Show the picture that a chunk describes; its text alone if the picture is gone."""
    for figure, path in figures_of(chunk) if figures is None else figures:
        show_figure(figure, path)
        return
    st.caption(_("Described by {model}", model=markup.plain(chunk.described_by)))
    st.markdown(markup.passage(chunk.text))


def show_figure(figure: KeptFigure, path: Path) -> None:
    """Show a picture with its caption and description."""
    if picture := read_picture(path):
        st.image(picture, width=_WIDTH, alt=figure.caption or _("Picture without a caption"))
    if figure.caption:
        st.caption(markup.plain(figure.caption))
    if figure.description:
        with st.expander(_("Described by {model}", model=markup.plain(figure.described_by))):
            st.markdown(markup.passage(figure.description))
