"""The inbox: one question to decide on, with the passages shown for it, and one click that decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from app.answer import Answer
from app.feedback import Label, question_key
from app.feedback.inbox import InboxItem, Trouble
from app.feedback.judgements import wording_key
from app.feedback.rules import LabeledPassage
from app.memory.votes import Statement
from app.translation import N_
from app.translation import gettext as _
from app.ui import links, markup
from app.ui.ask.answer_search import find_answer
from app.ui.feedback.by_question import mark_of, people_words
from app.ui.feedback.changed import show_changed
from app.ui.feedback.counts import Feedback, key_of
from app.ui.feedback.review import changed, inbox
from app.ui.feedback.say import judge, say
from app.ui.feedback.write_answer import write_answer
from app.ui.messages import tell, try_to
from app.ui.paging import page_of
from app.ui.resources import answers
from app.ui.who import act_as
from app.ui.words import ago, beginning_of, day, on_page, people, times
from ingest.chunk import Chunk, breadcrumb

_PREVIEW_CHARACTERS = 400
_MAX_WORDINGS = 20
TROUBLES: Mapping[Trouble, str] = {
    "not answered": N_("Not answered"),
    "all sources struck out": N_("All sources struck out"),
    "struck out again": N_("Struck out again after the answer was rewritten"),
    "people contradict each other": N_("People contradict each other"),
    "near tie": N_("The best passages are nearly tied"),
    "weak best passage": N_("The best passage is a weak match"),
    "written answer struck out": N_("A source of the written answer was struck out"),
    "source changed": N_("A source of the written answer has changed"),
    "documents added": N_("Documents were added since a curator said that nothing answers this"),
    "passage changed": N_("A passage that people judged has changed"),
}


def show_inbox(said: Feedback) -> None:
    """Show the item with the most expected gain; a decision brings up the next one."""
    items = inbox()
    if not items:
        _show_nothing_to_decide()
        return
    st.caption(_("What helps most comes first. One decision closes a question and acts on the next answer."))
    for item in page_of(items, 1, "inbox-page"):
        _show_item(item, said)


def _show_nothing_to_decide() -> None:
    st.info(_("Nothing to decide. Questions that were not answered well come up here."), icon=":material/check_circle:")
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(_("Add question and answer"), icon=":material/add:"):
            find_answer("")
        links.to_ask(_("Ask a question"))


def item_words(item: InboxItem) -> str:
    """Return why it is in the inbox, how often it was asked, by how many people and since when."""
    asked = _(
        "asked {times} by {people} since {day}",
        times=times(item.num_asked),
        people=people(item.num_people),
        day=day(item.since),
    )
    last = _(", last {ago}", ago=ago(item.last_asked_at)) if item.num_asked > 1 else ""
    return f"{_(TROUBLES[item.trouble])} · {asked}{last}"


def _show_item(item: InboxItem, said: Feedback) -> None:
    stored = answers().answer(item.answer_id, item.user)
    with st.container(border=True, gap="small"):
        st.markdown(f"**{markup.plain(item.question)}**")
        st.caption(item_words(item))
        questions = _chosen(item)
        with st.container(horizontal=True):
            if st.button(_("Find the answering passage"), icon=":material/search:", type="primary"):
                find_answer(item.question, [each for each in questions if each != item.question])
            shown = tuple(each.chunk.id for each in stored.answer.citations) if stored else ()
            st.button(
                _("Nothing here answers this"),
                icon=":material/block:",
                on_click=_say_unanswered,
                args=(questions, shown),
                help=_("People who ask this or a similar question see it at once, with your name and the date."),
            )
            if st.button(
                _("Write the answer"),
                icon=":material/edit_note:",
                help=_(
                    "People who ask this or a similar question see your text first, with your name, the date and "
                    "its sources."
                ),
            ):
                write_answer(item.question, [each for each in questions if each != item.question])
        if waiting := changed().get(wording_key(item.question)):
            show_changed(waiting, questions)
        if stored:
            _show_passages(stored.answer, questions, said)


def _chosen(item: InboxItem) -> Sequence[str]:
    """Return the questions that a decision is for: all wordings, unless some are taken out."""
    if len(item.wordings) == 1:
        return item.wordings
    wordings = item.wordings[:_MAX_WORDINGS]
    chosen = st.multiselect(_("The decision is for"), wordings, wordings, key=f"inbox-wordings-{item.answer_id}")
    return chosen or [item.question]


def _show_passages(answer: Answer, questions: Sequence[str], said: Feedback) -> None:
    if answer.citations:
        st.markdown(_("**Shown last**"))
    key = question_key(answer.searched)
    labeled = {each.text: each for each in said.labeled if question_key(each.question) == key}
    for citation in answer.citations:
        _show_passage(citation.chunk, questions, labeled.get(citation.chunk.text), said)


def _show_passage(chunk: Chunk, questions: Sequence[str], labeled: LabeledPassage | None, said: Feedback) -> None:
    with st.container(border=True, gap="xsmall"):
        where = markup.plain(breadcrumb(chunk.title, chunk.heading) or _("Passage"))
        mark = f"{mark_of(labeled)} " if labeled else ""
        st.markdown(f"{mark}**{where}** · {markup.plain(chunk.document)}{on_page(chunk.page)}")
        st.markdown(markup.passage(beginning_of(chunk.text, _PREVIEW_CHARACTERS)))
        if labeled and (words := people_words(labeled, said.reasons.get(key_of(labeled), {}))):
            st.caption(words)
        with st.container(horizontal=True, vertical_alignment="center"):
            _judge_button(_("Answers"), ":material/check:", "relevant", questions, chunk)
            _judge_button(_("Does not answer"), ":material/close:", "not relevant", questions, chunk)
            links.to_source(_("Open in document"), chunk_id=chunk.id, icon=":material/visibility:")


def _judge_button(words: str, icon: str, label: Label, questions: Sequence[str], chunk: Chunk) -> None:
    st.button(words, key=f"inbox-{label}-{chunk.id}", icon=icon, on_click=_judge, args=(label, questions, chunk))


def _judge(label: Label, questions: Sequence[str], chunk: Chunk) -> None:
    done = {
        "relevant": N_("Saved: {title} answers “{question}”. To change it, see “By question”."),
        "not relevant": N_("Saved: {title} does not answer “{question}”. The question is now under “By question”."),
    }[label]
    if try_to(lambda: judge(label, questions, chunk)):
        tell("success", _(done, title=chunk.title, question=questions[0]))


def _say_unanswered(questions: Sequence[str], shown: tuple[str, ...]) -> None:
    said = [Statement(each, "", shown=shown) for each in questions]
    if try_to(lambda: act_as("curator", "decided: not in the documents", lambda: say(said))):
        tell(
            "success",
            _(
                "Saved: the documents do not answer “{question}”. Withdraw it under “Answers and gaps”.",
                question=questions[0],
            ),
        )
