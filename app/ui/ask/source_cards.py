"""One card per citation: its text, its place, and a button to strike it out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import streamlit as st

from app.answer import NUMBER, Answer, Citation
from app.feedback import Action, FeedbackEvent, Reason, StoredAnswer
from app.memory.votes import Vote
from app.reranking.rerank import RankedChunk
from app.translation import N_, ngettext
from app.translation import gettext as _
from app.ui import markup
from app.ui.ask.controls import rank_again
from app.ui.ask.ranking import moved_words, moves_of, shown_score
from app.ui.ask.reasons import vote_words, why_above
from app.ui.readers_language import in_readers_language
from app.ui.resources import collections, current_user, feedback_store
from app.ui.source.drawer import open_source
from app.ui.source.figures import show_beside, show_described
from app.ui.source.strike import choose_reason
from app.ui.words import beginning_of, reason_words, sentence
from ingest import CiteloopError

_PREVIEW_CHARACTERS = 420


@dataclass(slots=True)
class _Drawn:
    """One rendering of a card; its buttons work once.

    Streamlit handles clicks on a busy page together and unordered, so the second half of a double click could undo
    the first.
    """

    is_done: bool = False


def show_sources(turn: StoredAnswer, deleted: Mapping[str, FeedbackEvent]) -> None:
    """Show all cards of a stored answer, struck-out ones collapsed; only its owner can strike out and undo.

    deleted: as of FeedbackStore.deleted.
    """
    cited = {citation.chunk.id for citation in turn.answer.citations}
    ranked = [ranked for ranked in turn.answer.ranking if ranked.chunk.id in cited]
    if problem := st.session_state.pop(f"error-{turn.id}", None):
        st.error(markup.plain(problem), icon=":material/error:")
    ranked_by_id = {each.chunk.id: each for each in ranked}
    stored_in = collections()
    reasons = {upper.chunk.id: why_above(upper, lower) for upper, lower in pairwise(ranked)}
    moves = moves_of(turn.answer.ranking)
    for citation in turn.answer.citations:
        chunk = citation.chunk
        with st.container(border=True):
            if event := deleted.get(chunk.id):
                _show_deleted(turn, citation, event)
            else:
                collection = stored_in.get(chunk.document_id, "")
                _show_card(turn, citation, ranked_by_id[chunk.id], moves.get(chunk.id, 0), collection)
                _show_reason(ranked_by_id[chunk.id], reasons.get(chunk.id, ""))
    _show_left_out(turn)
    if message := st.session_state.pop(f"toast-{turn.id}", None):
        st.toast(message, icon=":material/check:")


def _show_left_out(turn: StoredAnswer) -> None:
    """List the passages that were struck out for this question before; own strikes can be taken back."""
    left_out = [ranked for ranked in turn.answer.ranking if ranked.is_struck_out]
    if not left_out:
        return
    with st.expander(
        ngettext(
            "Left out: {n} passage struck out for this question before",
            "Left out: {n} passages struck out for this question before",
            len(left_out),
        )
    ):
        for ranked in left_out:
            vote = ranked.vote
            if vote is None:
                continue
            with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
                st.markdown(f"{_place(ranked)} · {markup.plain(vote_words(vote))}", width="content")
                if vote.vote.own and turn.user == current_user():
                    st.button(
                        _("Bring back"),
                        key=f"back-{turn.id}-{ranked.chunk.id}",
                        icon=":material/undo:",
                        on_click=_take_back,
                        args=(turn, vote.vote, _Drawn()),
                    )


def _take_back(turn: StoredAnswer, vote: Vote, drawn: _Drawn) -> None:
    def take_back() -> None:
        feedback_store().take_back(vote.question, vote.passage.text, current_user())
        drawn.is_done = True
        rank_again(turn)
        st.session_state[f"toast-{turn.id}"] = _("Brought back")

    if not drawn.is_done:
        _try_to(turn, take_back)


def _show_card(turn: StoredAnswer, citation: Citation, ranked: RankedChunk, move: int, collection: str) -> None:
    chunk = citation.chunk
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.header(
            f"\\[{citation.number}\\] {markup.plain(chunk.title)}",
            anchor=f"{turn.id}-s{citation.number}",
            width="content",
        )
        with st.container(horizontal=True, vertical_alignment="center", width="content", wrap=False):
            st.button(
                _("Open [{number}]", number=citation.number),
                key=f"open-{turn.id}-{citation.number}",
                icon=":material/visibility:",
                type="tertiary",
                on_click=open_source,
                args=(turn.id, chunk.id),
            )
            if turn.user == current_user():
                st.button(
                    _("Strike out [{number}]", number=citation.number),
                    key=f"strike-{turn.id}-{citation.number}",
                    icon=":material/thumb_down:",
                    on_click=_record,
                    args=(turn, chunk.id, "deleted", _Drawn()),
                )
    is_named = chunk.document.startswith(f"{collection}/")  # its folder
    where = " · " + _("in {collection}", collection=markup.plain(collection)) if collection and not is_named else ""
    st.caption(_place(ranked, move, used=citation.number in turn.answer.used) + where)
    _show_supported(turn.answer, citation.number)
    if chunk.described_by:
        show_described(chunk)
        return
    st.markdown(markup.passage(beginning_of(chunk.text, _PREVIEW_CHARACTERS)))
    show_beside(chunk)


def _show_reason(ranked: RankedChunk, reason: str) -> None:
    """Show what people said of the passage, and why it stands above the next one."""
    if ranked.vote:
        icon, moved = ("arrow_upward", _("Raised")) if ranked.vote.vote.is_for else ("arrow_downward", _("Lowered"))
        st.caption(f":material/{icon}: **{moved}**: {markup.plain(vote_words(ranked.vote))}")
    if reason:
        st.caption(markup.plain(f"{sentence(reason)}."))


def _show_supported(answer: Answer, number: int) -> None:
    """Show the answer's sentences that cite this passage, and whether it supports them."""
    for cited in answer.sentences:
        if number in cited.numbers:
            words = re.sub(r" ([.,;:!?])", r"\1", " ".join(NUMBER.sub("", cited.text).split()))
            verdict = _("Supports") if cited.is_supported else _(":orange[Not found here]")
            st.caption(f"{verdict}: “{markup.plain(words)}”")


def _show_deleted(turn: StoredAnswer, citation: Citation, event: FeedbackEvent) -> None:
    drawn = _Drawn()
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        title = f"~~\\[{citation.number}\\] {markup.plain(citation.chunk.title)}~~"
        words = (
            _("{title} struck out as {reason}", title=title, reason=reason_words(event.reason))
            if event.reason
            else _("{title} struck out", title=title)
        )
        st.header(words, anchor=f"{turn.id}-s{citation.number}", width="content")
        if turn.user != current_user():
            return
        st.button(
            _("Undo [{number}]", number=citation.number),
            key=f"undo-{turn.id}-{citation.number}",
            icon=":material/undo:",
            on_click=_record,
            args=(turn, citation.chunk.id, "undone", drawn),
        )
    choose_reason(turn, citation.number, event, lambda reason: _record_reason(turn, citation.chunk.id, reason, drawn))


def _record(turn: StoredAnswer, chunk_id: str, action: Action, drawn: _Drawn) -> None:
    def record() -> None:
        event = feedback_store().record(turn, chunk_id, action, current_user())
        drawn.is_done = True
        if event:  # last: Streamlit may leave the callback here
            is_struck = action == "deleted"
            done = N_("Source {number} struck out") if is_struck else N_("Source {number} restored")
            opposite = f"{'undo' if is_struck else 'strike'}-{turn.id}-{event.number}"
            st.session_state.update(
                {
                    f"toast-{turn.id}": _(done, number=event.number),
                    "scroll-to": turn.id,
                    f"focus-{turn.id}": opposite,  # it stands where the clicked button was
                }
            )

    if not drawn.is_done:
        _try_to(turn, record)


def _record_reason(turn: StoredAnswer, chunk_id: str, reason: Reason, drawn: _Drawn) -> None:
    if not drawn.is_done:
        _try_to(turn, lambda: feedback_store().record(turn, chunk_id, "deleted", current_user(), reason))


def _try_to(turn: StoredAnswer, act: Callable[[], object]) -> None:
    """Run act; show an error above the sources, where the user looks."""
    try:
        act()
    except CiteloopError as error:  # nothing else reports errors in a callback
        st.session_state[f"error-{turn.id}"] = in_readers_language(str(error))


def also_in(documents: Sequence[str]) -> str:
    """Return how many other documents have the same text, '' if none."""
    if not documents:
        return ""
    return ngettext("also in {n} other document", "also in {n} other documents", len(documents))


def superseded_by(ranked: RankedChunk) -> str:
    """Return which document replaces the passage's, '' if none does."""
    newest = ranked.candidate.superseded_by
    return _(":orange[superseded by {newest}]", newest=markup.plain(newest)) if newest else ""


def _place(ranked: RankedChunk, move: int = 0, *, used: bool = False) -> str:
    """Return where a passage stands, its score and its move; a struck-out passage has no score."""
    chunk = ranked.chunk
    parts = [
        f"**{markup.plain(chunk.heading)}**" if chunk.heading else "",
        markup.plain(chunk.document),
        _("page {number}", number=chunk.page) if chunk.page else "",
        "" if ranked.is_struck_out else shown_score(ranked),
        moved_words(move) if move else "",
        also_in(ranked.candidate.also_in),
        superseded_by(ranked),
        _("**in the answer**") if used else "",
    ]
    return " · ".join(part for part in parts if part)
