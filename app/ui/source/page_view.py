"""A page of the stored file as a picture with the passage marked, and page navigation."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.translation import N_
from app.translation import gettext as _
from app.ui.resources import page_picture
from app.ui.scroll import scroll_here
from app.ui.source.page_picture import PagePicture, PictureError
from ingest.chunk import Chunk
from ingest.listing import StoredDocument

STYLE = """
.st-key-page-whole, .st-key-page-whole-wide { position: relative; }
.st-key-page-whole img, .st-key-page-whole-wide img, .st-key-page-part img {
  border: 1px solid rgba(128, 128, 128, 0.4); background: white; }
@container (min-width: 641px) {
  .st-key-page-part, :has(> .st-key-page-part), .st-key-page-toggle { display: none !important; }
}
@container (max-width: 640px) {
  .st-key-page-whole-wide, :has(> .st-key-page-whole-wide) { display: none !important; }
}
"""
"""A narrow body shows the crop around the passage unless the whole page is chosen."""


def show_page(document: StoredDocument, path: Path, marked: Chunk | None) -> int | None:
    """Show the current page and return its number; if it cannot be drawn, warn and return None."""
    home = (marked.page if marked else None) or 1
    key = f"page-{marked.id if marked else document.id}"
    number = int(st.session_state.get(key, home))
    try:
        picture = page_picture(
            document.id, document.sha256, number, marked.id if marked else "", path, marked.boxes if marked else ()
        )
    except PictureError as error:
        st.warning(_(str(error)), icon=":material/image_not_supported:")
        return None
    number = min(number, picture.num_pages)
    on_passage = {home, *(box.page for box in marked.boxes)} if marked else set()
    _turn_pages(key, number, picture.num_pages, None if number in on_passage or not marked else home)
    _show_picture(document, number, picture)
    return number


def _turn_pages(key: str, number: int, num_pages: int, home: int | None) -> None:
    """Show buttons that turn pages; home: page of the passage, if another one is shown."""
    if num_pages == 1:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _turn(N_("Previous"), key, number - 1, num_pages, icon=":material/chevron_left:")
        st.markdown(_("page {number} of {num_pages}", number=number, num_pages=num_pages), width="content")
        _turn(N_("Next"), key, number + 1, num_pages, icon=":material/chevron_right:")
        if home is not None:
            st.button(
                _("Back to the passage"),
                icon=":material/my_location:",
                type="tertiary",
                on_click=st.session_state.update,
                args=({key: home},),
            )


def _turn(label: str, key: str, to: int, num_pages: int, *, icon: str) -> None:
    st.button(
        _(label),
        icon=icon,
        icon_position="right" if label == "Next" else "left",
        key=f"{label}-{key}",
        disabled=not 1 <= to <= num_pages,
        on_click=st.session_state.update,
        args=({key: to},),
    )


def _show_picture(document: StoredDocument, number: int, picture: PagePicture) -> None:
    alt = _("Page {number} of {num_pages} of {name}", number=number, num_pages=picture.num_pages, name=document.name)
    whole = bool(picture.part) and st.toggle(_("Whole page"), key="page-toggle")
    with st.container(key="page-whole-wide" if picture.part and not whole else "page-whole"):
        st.image(picture.whole, width="stretch", alt=alt + (_(", the passage marked") if picture.part else ""))
        if picture.part:
            st.html(f"<style>.st-key-scroll-to-middle {{ top: {picture.middle:.1%}; }}</style>")
            scroll_here(key="scroll-to-middle", block="center")
    if picture.part and not whole:
        with st.container(key="page-part"):
            st.image(picture.part, width="stretch", alt=_("{alt}: the part with the passage, marked", alt=alt))
