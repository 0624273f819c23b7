"""In the inbox: what waits at a question since the documents have changed, to keep or to drop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from app.answer.curated import said_by
from app.feedback import Judgement, Label
from app.feedback.changed import Changed
from app.memory.votes import Recall, Statement, Vote
from app.translation import gettext as _
from app.ui import markup
from app.ui.ask.reasons import vote_words
from app.ui.feedback.say import say, withdraw
from app.ui.feedback.write_answer import write_answer
from app.ui.messages import tell, try_to
from app.ui.resources import current_user, feedback_store
from app.ui.who import act_as
from app.ui.words import preview, sentence
from ingest.chunk import Chunk, PassageRef

_PREVIEW_CHARACTERS = 300


def show_changed(changed: Changed, questions: Sequence[str]) -> None:
    """Show the statement and votes, what the passages say now, and the choices for these questions."""
    if changed.statement:
        with st.container(border=True, gap="small"):
            if changed.statement.text:
                _show_written(changed.statement, changed.sources, questions)
            else:
                _show_overtaken(changed.statement, questions)
    for vote, chunk in changed.votes:
        with st.container(border=True, gap="small"):
            _show_vote(vote, chunk)


def _show_written(statement: Statement, sources: Sequence[Chunk | None], questions: Sequence[str]) -> None:
    st.markdown(_(":orange-badge[changed since] Answered by {by}", by=markup.plain(said_by(statement))))
    st.markdown(markup.written(statement.text))
    for number, (then, now) in enumerate(zip(statement.sources, sources, strict=True), 1):
        if now is None:
            st.markdown(
                _(
                    "\\[{number}\\] {document} is gone. It said:  \n{text}",
                    number=number,
                    document=markup.plain(then.document),
                    text=_quoted(then),
                )
            )
        elif now.text != then.text:
            st.markdown(_("\\[{number}\\] said before:  \n{text}", number=number, text=_quoted(then)))
            st.markdown(_("{document} now says:  \n{text}", document=markup.plain(now.document), text=_quoted(now)))
    refs = tuple(chunk.ref for chunk in sources if chunk)
    with st.container(horizontal=True):
        if len(refs) == len(sources):
            kept = replace(statement, sources=refs)
            st.button(_("Keep the answer"), icon=":material/check:", on_click=_keep, args=(kept, questions))
        if st.button(_("Edit the answer"), icon=":material/edit:"):
            others = [each for each in questions if each != statement.question]
            write_answer(statement.question, others, earlier=replace(statement, sources=refs))
        st.button(
            _("Withdraw the answer"),
            icon=":material/close:",
            on_click=withdraw,
            args=(questions, statement.collections),
        )


def _show_overtaken(statement: Statement, questions: Sequence[str]) -> None:
    st.markdown(
        _(
            ":orange-badge[changed since] “Nothing here answers this”, by {by}. Documents were added or changed since, "
            "and one of their passages is among the first for this question.",
            by=markup.plain(said_by(statement)),
        )
    )
    st.button(
        _("Withdraw the statement"), icon=":material/close:", on_click=withdraw, args=(questions, statement.collections)
    )


def _show_vote(vote: Vote, chunk: Chunk) -> None:
    st.markdown(
        _(":orange-badge[changed since] {vote}  \n{text}", vote=markup.plain(_said(vote)), text=_quoted(vote.passage))
    )
    st.markdown(_("{document} now says:  \n{text}", document=markup.plain(chunk.document), text=_quoted(chunk)))
    key = f"{chunk.id}-{vote.passage.chunk_id}"
    with st.container(horizontal=True):
        st.button(
            _("Keep for the new text"), key=f"keep-{key}", icon=":material/check:", on_click=_judge, args=(vote, chunk)
        )
        st.button(_("Drop the vote"), key=f"drop-{key}", icon=":material/close:", on_click=_judge, args=(vote, None))


def _said(vote: Vote) -> str:
    words = vote_words(Recall(vote, 1.0))
    return f"{sentence(words)}:"


def _quoted(passage: PassageRef | Chunk) -> str:
    return markup.plain(preview(passage.text, _PREVIEW_CHARACTERS))


def _keep(statement: Statement, questions: Sequence[str]) -> None:
    said = [replace(statement, question=question) for question in questions]
    if try_to(lambda: act_as("curator", "written answer kept", partial(say, said, statement))):
        tell(
            "success",
            _("Saved: the answer to “{question}” stays, with its sources as they are now.", question=questions[0]),
        )


def _judge(vote: Vote, chunk: Chunk | None) -> None:
    """Leave the old text out; count the vote for the new one, if any."""
    user = current_user()
    judgements = [Judgement.of(vote.question, vote.passage, "left out", user)]
    if chunk:
        label: Label = "relevant" if vote.is_for else "not relevant"
        judgements.append(Judgement.of(vote.question, chunk.ref, label, user))
    act = partial(feedback_store().judge, judgements)
    if try_to(lambda: act_as("curator", f"vote {'kept' if chunk else 'dropped'}", act, vote.passage.document)):
        done = _("Saved: the vote counts for the new text.") if chunk else _("Saved: the vote no longer counts.")
        tell("success", done)
