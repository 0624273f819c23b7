"""A dialog to write the answer to a question: find passages and cite them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from app.answer.curated import MAX_CHARACTERS, MAX_SOURCES, checked_text
from app.memory.votes import Statement
from app.translation import gettext as _
from app.ui import markup
from app.ui.ask.answer_search import find_passages, title_and_heading
from app.ui.feedback.say import say
from app.ui.messages import tell
from app.ui.resources import pipeline, readable
from app.ui.who import act_as
from app.ui.words import beginning_of, on_page
from ingest import CiteloopError
from ingest.chunk import PassageRef

_PREVIEW_CHARACTERS = 300


def write_answer(question: str, wordings: Sequence[str] = (), *, earlier: Statement | None = None) -> None:
    """Open a dialog to pick sources and write a text that cites them.

    A draft stays until it is saved or discarded. wordings: other questions that it answers too. earlier: the answer to
    edit.
    """
    st.dialog(_("Write the answer"), width="large")(_write_answer)(question, wordings, earlier)


def _write_answer(question: str, wordings: Sequence[str], earlier: Statement | None) -> None:
    st.markdown(f"**{markup.plain(question)}**")
    picked: list[PassageRef] = st.session_state.setdefault(_key(question), list(earlier.sources if earlier else ()))
    for number, source in enumerate(picked, 1):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            words = markup.passage(beginning_of(source.text, _PREVIEW_CHARACTERS))
            place = f"{markup.plain(source.document)}{on_page(source.page)}"
            st.markdown(f"\\[{number}\\] **{markup.plain(source.title)}** · {place}\n\n{words}", width="content")
            st.button(
                _("Remove [{number}]", number=number),
                key=f"remove-source-{number}",
                on_click=picked.remove,
                args=(source,),
            )
    typed = st.text_area(
        _("Answer"),
        earlier.text if earlier else "",
        key=_text_key(question),
        persist_state="session",
        max_chars=MAX_CHARACTERS,
        placeholder=_("A few sentences, each with its source: The key is in the safe [1]."),
    )
    with st.container(horizontal=True):
        is_saved = st.button(_("Save answer"), type="primary", icon=":material/check:")
        st.button(_("Discard draft"), icon=":material/undo:", on_click=_forget, args=(question,))
    if is_saved:
        _save(question, wordings, typed, picked, earlier)
    if len(picked) < MAX_SOURCES:
        _find_sources(question, picked)


def _key(question: str) -> str:
    return f"sources-of-{question}"


def _text_key(question: str) -> str:
    return f"written-{question}"


def _forget(question: str) -> None:
    """Forget the draft: its text and sources belong together."""
    for key in (_key(question), _text_key(question)):
        st.session_state.pop(key, None)


def _save(
    question: str, wordings: Sequence[str], text: str, sources: Sequence[PassageRef], earlier: Statement | None
) -> None:
    try:
        checked = checked_text(text, sources)
        found = pipeline().rank(question, within=readable(), ignore_votes=True, fall_back=True)
        shown = tuple(citation.chunk.id for citation in found.citations)
        new = Statement(question, "", shown=shown, text=checked, sources=tuple(sources))
        said = [replace(new, question=one) for one in (question, *wordings)]
        act_as("curator", "answer written", lambda: say(said, instead_of=earlier))
    except CiteloopError as error:
        st.error(markup.plain(str(error)), icon=":material/error:")
        return
    _forget(question)
    tell(
        "success",
        _("Saved: your answer to “{question}”. Edit or withdraw it under “Answers and gaps”.", question=question),
    )
    st.rerun()


def _find_sources(question: str, picked: list[PassageRef]) -> None:
    words = st.text_input(_("Find sources"), value=question, key=f"find-sources-{question}", max_chars=2000).strip()
    if not words:
        return
    texts = {source.text for source in picked}
    for ranked in find_passages(words) or ():
        chunk = ranked.chunk
        if chunk.text in texts:
            continue
        with st.container(border=True, gap="xsmall"):
            with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
                st.markdown(title_and_heading(chunk), width="content")
                st.button(
                    _("Cite as [{number}]", number=len(picked) + 1),
                    key=f"cite-{chunk.id}",
                    icon=":material/add:",
                    on_click=picked.append,
                    args=(chunk.ref,),
                )
            st.caption(f"{markup.plain(chunk.document)}{on_page(chunk.page)}")
            st.markdown(markup.passage(beginning_of(chunk.text, _PREVIEW_CHARACTERS)))
