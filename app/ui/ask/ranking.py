"""The ranking before and after the reranker, as two lists joined by curves and as a table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from app.answer import Answer
from app.feedback import StoredAnswer
from app.reranking.rerank import RankedChunk
from app.ui import markup
from app.ui.ask.reasons import vote_words
from app.ui.cells import as_text
from app.ui.words import preview, without_table_marks

NUM_ROWS = 10
"""Length of each list; passages from the top of the other list are added."""

_LINE_CHARACTERS = 120
_MATCHES = ((0.3, "strong"), (0.1, "fair"), (0.0, "weak"))
"""Minimum probability and label; of passages at .3 to .4, 36% answer."""
_HERE = Path(__file__).parent
_lists = st.components.v2.component(
    "citeloop_ranking",
    html='<div class="ranking"></div>',
    css=(_HERE / "ranking_view.css").read_text(),
    js=(_HERE / "ranking_view.js").read_text(),
)


@st.dialog("How these sources were chosen", position="right", width="medium")
def show_ranking(turn: StoredAnswer) -> None:
    """Show both rankings of an answer's candidates, each linked to its document."""
    answer = turn.answer
    reranked = answer.reranker != "none"
    if reranked:
        st.markdown(
            f"Left: the {len(answer.ranking)} candidates as search ranked them. "
            f"Right: as reranked by {markup.plain(answer.reranker)} and moved by what people said. "
            "A border marks the sources used in the answer."
        )
    else:
        st.markdown("The reranker was off, so this is the order of search. Turn it on and ask again to compare.")
    _lists(data={**view_data(answer), "answer_id": turn.id}, key="ranking-lists")
    with st.expander("As a table"):
        st.dataframe(_table(answer), hide_index=True)


def view_data(answer: Answer) -> dict[str, object]:
    """Return the data of the component: the same passages in both orders."""
    used = {citation.chunk.id for citation in answer.citations if citation.number in answer.used}
    shown = [r for r in answer.ranking if r.rank <= NUM_ROWS or r.candidate.fused_rank <= NUM_ROWS]
    before = sorted(shown, key=lambda ranked: ranked.candidate.fused_rank)
    after = sorted(shown, key=lambda ranked: ranked.rank)
    return {
        "reranked": answer.reranker != "none",
        "before": [_row(ranked, ranked.candidate.fused_rank, _found_by(ranked), used) for ranked in before],
        "after": [_row(ranked, ranked.rank, _moved_by(ranked), used) for ranked in after],
    }


def shown_score(ranked: RankedChunk) -> str:
    """Return the score in words if the reranker is calibrated, else as a number."""
    if not ranked.is_probability:
        return f"score {ranked.score:.2f}"
    return next(f"{word} match" for least, word in _MATCHES if ranked.score >= least)


def _row(ranked: RankedChunk, rank: int, detail: str, used: set[str]) -> dict[str, object]:
    chunk = ranked.chunk
    text = without_table_marks(chunk.shown)
    page = f", p. {chunk.page}" if chunk.page else ""
    return {
        "id": chunk.id,
        "rank": rank,
        "title": chunk.title + page,
        "heading": chunk.headings[-1] if chunk.headings else "",
        "line": preview(text, _LINE_CHARACTERS),
        "text": text,
        "detail": detail,
        "change": ranked.rank_change,
        "used": chunk.id in used,
    }


def _moved_by(ranked: RankedChunk) -> str:
    newest = ranked.candidate.superseded_by
    notes = [f"superseded by {newest}" if newest else "", vote_words(ranked.vote) if ranked.vote else ""]
    return ", ".join(filter(None, (shown_score(ranked), *notes)))


def _found_by(ranked: RankedChunk) -> str:
    candidate = ranked.candidate
    places = [("meaning", candidate.vector_rank), ("words", candidate.text_rank)]
    return ", ".join(f"{name} #{rank}" for name, rank in places if rank)


def _table(answer: Answer) -> pd.DataFrame:
    rows = pd.DataFrame([ranked.as_row() for ranked in answer.ranking])
    columns = {
        "rank": "after",
        "fused_rank": "before",
        "rank_change": "moved",
        "unvoted_rank": "without votes",
        "superseded_by": "superseded by",
        "title": "title",
        "heading": "heading",
        "page": "page",
        "score": "score",
        "reranker_score": "reranker",
        "fused_score": "fused",
        "vector_rank": "meaning rank",
        "vector_score": "similarity",
        "text_rank": "words rank",
        "text_score": "BM25",
    }
    return as_text(rows[list(columns)].rename(columns=columns), "superseded by", "title", "heading")
