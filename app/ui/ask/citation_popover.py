"""The passage behind [n], shown when the mark is hovered, focused or tapped."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.feedback import StoredAnswer
from app.ui.ask.answer_text import card_of
from app.ui.words import on_page, without_table_marks
from ingest.chunk import Chunk, breadcrumb

_HERE = Path(__file__).parent
_popover = st.components.v2.component(
    "citeloop_citation",
    html='<div class="passage" role="tooltip" hidden></div>',
    css=(_HERE / "citation_popover.css").read_text(),
    js=(_HERE / "citation_popover.js").read_text(),
)


def show_passages_on_hover(turn: StoredAnswer) -> None:
    """Show the passage of each citation of this answer beside its mark."""
    passages = {card_of(turn.id)(each.number): passage_text(each.chunk) for each in turn.answer.citations}
    _popover(data={"passages": passages}, key=f"citations-{turn.id}", width="content")


def passage_text(chunk: Chunk) -> dict[str, str]:
    """Return place and text of a passage, as the component shows them."""
    return {
        "place": breadcrumb(chunk.title, *chunk.headings) + on_page(chunk.page),
        "text": without_table_marks(chunk.shown),
    }
