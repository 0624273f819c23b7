"""The answers with and without the reranker, side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import streamlit as st

from app.answer import Answer, Citation
from app.feedback import StoredAnswer
from app.reranking.live import NONE
from app.reranking.names import LIVE, in_words
from app.translation import gettext as _
from app.ui import links, markup
from app.ui.ask.answer_text import answer_markdown, timings_line
from app.ui.readers_language import in_readers_language, note_in_readers_language
from app.ui.resources import feedback_store, pipeline, readable
from ingest import CiteloopError
from ingest.chunk import breadcrumb


def compare(turn: StoredAnswer) -> None:
    """Show the answer on the left and the one from the other ranking on the right; nothing is stored.

    What people said and what its user struck out acts on both.
    """
    st.dialog(_("With and without the reranker"), width="large")(_show)(turn)


def _show(turn: StoredAnswer) -> None:
    st.markdown(f"**{markup.plain(turn.answer.searched)}**")
    try:
        _compare(turn)
    except CiteloopError as error:  # such as a filter on a removed document
        st.error(markup.plain(in_readers_language(str(error))), icon=":material/error:")


def _compare(turn: StoredAnswer) -> None:
    answer, struck = turn.answer, feedback_store().deleted(turn.id, turn.user)
    given, other = st.columns(2, gap="medium")
    with given:
        _show_title(answer)
        st.markdown(answer_markdown(answer, _source_of(answer)))
        place = st.empty()
    with other:
        name = LIVE if answer.reranker == NONE else NONE
        with st.spinner(_("Searching the documents")):
            ranked = pipeline().rank(
                answer.question,
                name,
                query=answer.query,
                as_typed=True,
                within=readable(answer.within),
                user=turn.user,
                ignore_votes=answer.ignores_votes,
                fall_back=True,
            )
        ranked = replace(ranked, citations=_as_many(ranked, answer, struck), ranking_note=ranked.note)
        title, text = st.container(), st.empty()
        _show_sources(ranked, answer, struck)
        with place.container():
            _show_sources(answer, ranked, struck)
        for ranked in pipeline().rewrite(ranked, struck):  # noqa: B020
            text.markdown(answer_markdown(ranked, _source_of(ranked)))
        with title:
            _show_title(ranked)


def _as_many(ranked: Answer, answer: Answer, struck: Collection[str]) -> tuple[Citation, ...]:
    """Return the citations, at most as many that are not struck out as the other answer has."""
    surplus = [each for each in ranked.citations if each.chunk.id not in struck]
    del surplus[: sum(each.chunk.id not in struck for each in answer.citations)]
    return tuple(each for each in ranked.citations if each not in surplus)


def _show_title(answer: Answer) -> None:
    name = markup.plain(in_words(answer.reranker))
    st.subheader(_("Not reranked") if answer.reranker == NONE else _("Reranked ({reranker})", reranker=name))
    st.caption(timings_line(answer))
    if answer.note:
        st.warning(markup.plain(note_in_readers_language(answer.note)), icon=":material/warning:")


def _show_sources(answer: Answer, other: Answer, struck: Collection[str]) -> None:
    """Show an answer's sources; mark those missing in the other answer. struck: chunk ids, also marked if not cited."""
    theirs = {citation.chunk.id for citation in other.citations}
    places = {ranked.chunk.id: ranked.rank for ranked in other.ranking}
    numbers = {citation.chunk.id: citation.number for citation in answer.citations}
    for ranked in answer.ranking:
        chunk, number = ranked.chunk, numbers.get(ranked.chunk.id)
        if not number and chunk.id not in struck:
            continue
        place = markup.plain(breadcrumb(chunk.title, *chunk.headings))
        label = f"\\[{number}\\] {place}" if number else place
        if chunk.id in struck:
            label, badge = f"~~{label}~~", _(" :gray-badge[struck out]")
        else:
            badge = "" if chunk.id in theirs else _missing_badge(places.get(chunk.id))
        st.markdown(f"[{label}]({links.source_address(chunk.id)}){badge}")


def _missing_badge(rank: int | None) -> str:
    """Return a badge for a source that is missing in the other answer. rank: in its ranking, if it is there."""
    if rank:
        return _(" :blue-badge[Not in the other list (rank {rank} there)]", rank=rank)
    return _(" :blue-badge[Not in the other list]")


def _source_of(answer: Answer) -> Callable[[int], str]:
    """Return the function from a citation's number to the page of its passage; both open in a new tab."""
    chunk_ids = {citation.number: citation.chunk.id for citation in answer.citations}
    return lambda number: links.source_address(chunk_ids.get(number, ""))
