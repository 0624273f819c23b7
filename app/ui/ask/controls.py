"""The row of small controls below an answer: copy, ask again, edit the question, share, details."""

from __future__ import annotations

import streamlit as st

from app.answer import Answer
from app.feedback import StoredAnswer
from app.reranking.live import NONE
from app.translation import gettext as _
from app.ui.ask.answer_text import shown_text, timings_line
from app.ui.ask.conversations import show_sharing
from app.ui.resources import answerer, current_user, feedback_store, pipeline
from app.ui.who import current_rights
from app.ui.words import on_page

_copy = st.components.v2.component(
    "citeloop_copy",
    html='<button type="button"><i aria-hidden="true">content_copy</i><span></span></button>',
    css="""i { font: 1rem/1 "Material Symbols Rounded"; font-feature-settings: "liga"; }
        button { display: flex; align-items: center; gap: 0.5rem; min-height: 2.5rem; padding: 0.25rem 0; border: 0;
            font: 0.875rem var(--st-font); white-space: nowrap; color: var(--st-text-color);
            background: none; cursor: pointer; }
        button:hover { color: var(--st-primary-color); }
        button:focus-visible { outline: 2px solid var(--st-primary-color); border-radius: var(--st-base-radius); }""",
    js="""export default ({ data, parentElement }) => {
        const button = parentElement.querySelector("button");
        const show = (label) => { button.lastElementChild.textContent = label; };
        show(data.copy);
        button.onclick = async () => {
            try {
                await navigator.clipboard.writeText(data.text);
                show(data.copied);
            } catch {  // browsers allow it only on https and localhost
                show(data.blocked);
            }
            setTimeout(() => show(data.copy), 2000);
        };
    }""",
)


def show_controls(turn: StoredAnswer) -> None:
    """Show the row; only the owner can ask again, edit and share."""
    answer, is_own = turn.answer, turn.user == current_user()
    with st.container(horizontal=True, vertical_alignment="center"):
        if answer.text:
            words = {"copy": _("Copy"), "copied": _("Copied"), "blocked": _("Copying is blocked by the browser")}
            _copy(data={"text": as_text(answer), **words}, key=f"copy-{turn.id}", width="content")
        if is_own and st.button(_("Ask again"), key=f"again-{turn.id}", icon=":material/refresh:", type="tertiary"):
            ask(answer.question, instead_of=turn.id)
        if is_own:
            with st.popover(_("Edit question"), icon=":material/edit:", type="tertiary"):
                question = st.text_area(_("Question"), answer.question, key=f"edit-{turn.id}", max_chars=2000)
                if st.button(_("Ask edited question"), key=f"ask-edited-{turn.id}"):
                    ask(question, instead_of=turn.id)
        if is_own and answer.citations:
            with st.popover(_("Share"), icon=":material/link:", type="tertiary"):
                show_sharing(turn.conversation_id, turn.id)
        if answer.citations:
            with st.popover(_("Details"), icon=":material/info:", type="tertiary"):
                st.caption(timings_line(answer))


def ask(question: str, *, as_typed: bool = False, instead_of: str = "") -> None:
    """Rerun the page to ask a question.

    as_typed: never as a follow-up. instead_of: id of the answer whose question it replaces; its context is the same.
    """
    st.session_state.update({"asked": question, "asked-as-it-is": as_typed, "asked-instead-of": instead_of})
    st.rerun()


def rank_again(turn: StoredAnswer, *, ignore_votes: bool = False) -> None:
    """Rank and write an answer again, without what is struck out. ignore_votes: as if nobody had said anything."""
    reranker = NONE if turn.answer.reranker == NONE else pipeline().settings.reranker
    struck = feedback_store().deleted(turn.id, turn.user)
    answerer().rank_again(turn, reranker, struck, current_rights(), ignore_votes=ignore_votes)


def as_text(answer: Answer) -> str:
    """Return the answer and the sources it cites as plain text, to paste elsewhere."""
    lines = [shown_text(answer), *(["", _("Sources:")] if answer.used else [])]
    for citation in answer.citations:
        if citation.number in answer.used:
            chunk = citation.chunk
            where = f"{chunk.document}{on_page(chunk.page)}"
            lines.append(f"[{citation.number}] {' > '.join((chunk.title, *chunk.headings))} ({where})")
    return "\n".join(lines)
