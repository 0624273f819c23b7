"""The answers with and without the reranker, side by side."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.answer import Answer
from app.feedback import StoredAnswer
from app.reranking.live import NONE
from app.reranking.names import LIVE
from app.translation import gettext as _
from app.ui import links, markup
from app.ui.ask.answer_text import answer_markdown, timings_line
from app.ui.resources import pipeline, readable
from ingest import CiteloopError
from ingest.chunk import breadcrumb


def compare(turn: StoredAnswer) -> None:
    """Show the answer on the left and the one from the other ranking on the right; nothing is stored."""
    st.dialog(_("With and without the reranker"), width="large")(_show)(turn)


def _show(turn: StoredAnswer) -> None:
    st.markdown(f"**{markup.plain(turn.answer.searched)}**")
    try:
        _compare(turn.answer)
    except CiteloopError as error:  # such as a filter on a removed document
        st.error(markup.plain(str(error)), icon=":material/error:")


def _compare(answer: Answer) -> None:
    given, other = st.columns(2, gap="medium")
    with given:
        _show_title(answer)
        st.markdown(answer_markdown(answer, _source_of(answer)))
        place = st.empty()
    with other:
        name = LIVE if answer.reranker == NONE else NONE
        with st.spinner(_("Searching the documents")):
            ranked = pipeline().rank(
                answer.question, name, query=answer.query, as_typed=True, within=readable(answer.within), fall_back=True
            )
        title, text = st.container(), st.empty()
        _show_sources(ranked, answer)
        with place.container():
            _show_sources(answer, ranked)
        for ranked in pipeline().write(ranked):  # noqa: B020
            text.markdown(answer_markdown(ranked, _source_of(ranked)))
        with title:
            _show_title(ranked)


def _show_title(answer: Answer) -> None:
    name = markup.plain(answer.reranker)
    st.header(_("Not reranked") if answer.reranker == NONE else _("Reranked ({reranker})", reranker=name))
    st.caption(timings_line(answer))
    if answer.note:
        st.warning(markup.plain(answer.note), icon=":material/warning:")


def _show_sources(answer: Answer, other: Answer) -> None:
    """Show an answer's sources; mark those missing in the other answer."""
    theirs = {citation.chunk.id for citation in other.citations}
    places = {ranked.chunk.id: ranked.rank for ranked in other.ranking}
    for citation in answer.citations:
        chunk = citation.chunk
        place = breadcrumb(chunk.title, *chunk.headings)
        badge = "" if chunk.id in theirs else _missing_badge(places.get(chunk.id))
        st.markdown(f"[\\[{citation.number}\\] {markup.plain(place)}]({links.source_address(chunk.id)}){badge}")


def _missing_badge(rank: int | None) -> str:
    """Return a badge for a source that is missing in the other answer. rank: in its ranking, if it is there."""
    if rank:
        return _(" :blue-badge[Not in the other list (rank {rank} there)]", rank=rank)
    return _(" :blue-badge[Not in the other list]")


def _source_of(answer: Answer) -> Callable[[int], str]:
    """Return the function from a citation's number to the page of its passage; both open in a new tab."""
    chunk_ids = {citation.number: citation.chunk.id for citation in answer.citations}
    return lambda number: links.source_address(chunk_ids.get(number, ""))
