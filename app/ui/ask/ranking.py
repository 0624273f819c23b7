"""The ranking before and after the reranker, as two lists joined by curves and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from app.answer import Answer
from app.feedback import StoredAnswer
from app.reranking.names import in_words
from app.reranking.rerank import RankedChunk
from app.translation import N_, number
from app.translation import gettext as _
from app.ui import markup
from app.ui.ask.reasons import vote_words
from app.ui.cells import as_text
from app.ui.words import preview, without_table_marks

NUM_ROWS = 10
"""Length of each list; passages from the top of the other list are added."""

_LINE_CHARACTERS = 120
_MATCHES = ((0.3, N_("strong match")), (0.1, N_("fair match")), (0.0, N_("weak match")))
"""Minimum probability and label; of passages at .3 to .4, 36% answer."""
_HERE = Path(__file__).parent
_lists = st.components.v2.component(
    "citeloop_ranking",
    html='<div class="ranking"></div>',
    css=(_HERE / "ranking_view.css").read_text(),
    js=(_HERE / "ranking_view.js").read_text(),
    isolate_styles=False,  # the Tab key does not reach what is isolated in a dialog
)


def show_ranking(turn: StoredAnswer) -> None:
    """Show both rankings of an answer's candidates, each linked to its document."""
    st.dialog(_("How these sources were chosen"), position="right", width="medium")(_show_ranking)(turn)


def _show_ranking(turn: StoredAnswer) -> None:
    answer = turn.answer
    if answer.reranker != "none":
        st.markdown(
            _(
                "Left: the {n} candidates as search ranked them. Right: after reranking ({reranker}). A border marks "
                "the sources used in the answer.",
                n=len(answer.ranking),
                reranker=markup.plain(in_words(answer.reranker)),
            )
        )
    else:
        st.markdown(_("The reranker was off, so this is the order of search. Turn it on to compare."))
    if any(ranked.vote for ranked in answer.ranking):
        st.caption(_("What people said has moved passages, too."))
    _lists(data={**view_data(answer), "answer_id": turn.id}, key="ranking-lists")
    with st.expander(_("As a table")):
        st.dataframe(_table(answer), hide_index=True)


def view_data(answer: Answer) -> dict[str, object]:
    """Return the data of the component: the same passages in both orders."""
    used = {citation.chunk.id for citation in answer.citations if citation.number in answer.used}
    shown = [r for r in answer.ranking if r.rank <= NUM_ROWS or r.candidate.fused_rank <= NUM_ROWS]
    before = sorted(shown, key=lambda ranked: ranked.candidate.fused_rank)
    after = sorted(shown, key=lambda ranked: ranked.rank)
    moves = moves_of(answer.ranking)
    return {
        "reranked": answer.reranker != "none",
        "in_answer": _("in the answer"),
        "headings": [_("Search"), _("Reranker") if answer.reranker != "none" else _("Shown")],
        "before": [_row(ranked, ranked.candidate.fused_rank, _found_by(ranked), moves, used) for ranked in before],
        "after": [_row(ranked, ranked.rank, _moved_by(ranked), moves, used) for ranked in after],
    }


def shown_score(ranked: RankedChunk) -> str:
    """Return the score in words if the reranker is calibrated, else as a number."""
    if not ranked.is_probability:
        return _("score {score}", score=number(ranked.score, ".2f"))
    return next(_(words) for least, words in _MATCHES if ranked.score >= least)


def moves_of(ranking: Sequence[RankedChunk]) -> dict[str, int]:
    """Return chunk id -> ranks gained since search; without passages that were struck out, which make room for all."""
    left = [ranked for ranked in ranking if not ranked.is_struck_out]
    before = sorted(left, key=lambda ranked: ranked.candidate.fused_rank)
    places = {ranked.chunk.id: place for place, ranked in enumerate(before)}
    return {ranked.chunk.id: places[ranked.chunk.id] - place for place, ranked in enumerate(left)}


def moved_words(change: int) -> str:
    """Return by how many ranks a passage moved."""
    if not change:
        return _("same")
    return _("up {n}", n=change) if change > 0 else _("down {n}", n=-change)


def _row(ranked: RankedChunk, rank: int, detail: str, moves: Mapping[str, int], used: set[str]) -> dict[str, object]:
    chunk = ranked.chunk
    change = moves.get(chunk.id)
    text = without_table_marks(chunk.shown)
    page = _(", p. {page}", page=chunk.page) if chunk.page else ""
    return {
        "id": chunk.id,
        "rank": rank,
        "title": chunk.title + page,
        "heading": chunk.headings[-1] if chunk.headings else "",
        "line": preview(text, _LINE_CHARACTERS),
        "text": text,
        "detail": detail,
        "change": change or 0,
        "moved": "" if change is None else moved_words(change),
        "used": chunk.id in used,
    }


def _moved_by(ranked: RankedChunk) -> str:
    newest = ranked.candidate.superseded_by
    notes = [
        _("superseded by {newest}", newest=newest) if newest else "",
        vote_words(ranked.vote) if ranked.vote else "",
    ]
    score = "" if ranked.is_struck_out else shown_score(ranked)
    return ", ".join(filter(None, (score, *notes)))


def _found_by(ranked: RankedChunk) -> str:
    candidate = ranked.candidate
    by_meaning = _("meaning #{rank}", rank=candidate.vector_rank) if candidate.vector_rank else ""
    by_words = _("words #{rank}", rank=candidate.text_rank) if candidate.text_rank else ""
    return ", ".join(filter(None, (by_meaning, by_words)))


def _table(answer: Answer) -> pd.DataFrame:
    rows = pd.DataFrame([ranked.as_row() for ranked in answer.ranking])
    rows["rank_change"] = rows["chunk_id"].map(moves_of(answer.ranking)).astype(pd.Int64Dtype())
    columns = {
        "rank": _("after"),
        "fused_rank": _("before"),
        "rank_change": _("moved"),
        "unvoted_rank": _("without votes"),
        "superseded_by": _("superseded by"),
        "title": _("title"),
        "heading": _("heading"),
        "page": _("page"),
        "score": _("score"),
        "reranker_score": _("reranker"),
        "fused_score": _("fused"),
        "vector_rank": _("meaning rank"),
        "vector_score": _("similarity"),
        "text_rank": _("words rank"),
        "text_score": _("BM25"),
    }
    return as_text(
        rows[list(columns)].rename(columns=columns), columns["superseded_by"], columns["title"], columns["heading"]
    )
