"""Feedback by question: what people did with each passage, its label, and a curator's decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

import streamlit as st

from app.feedback import Judgement, Label, is_imported
from app.feedback.rules import LabeledPassage
from app.translation import N_, ngettext, number
from app.translation import gettext as _
from app.ui import links, markup
from app.ui.ask.answer_search import find_answer
from app.ui.feedback.counts import (
    Feedback,
    PassageKey,
    QuestionFeedback,
    key_of,
    questions_of,
)
from app.ui.feedback.say import judge
from app.ui.feedback.write_answer import write_answer
from app.ui.messages import attempt, try_to
from app.ui.paging import page_of
from app.ui.resources import current_user
from app.ui.words import by_person, counted_reasons, on_page, origin_words, preview, sentence
from ingest.chunk import breadcrumb

_NUM_QUESTIONS, _NUM_PASSAGES = 10, 3
_PREVIEW_CHARACTERS = 180
_HARDLY = 0.05
"""Smaller weights come from votes that nearly cancel, or from users with very many votes."""
_SHOWN: Mapping[str, str] = {
    "all": N_("All"),
    "contradicted": N_("Conflicting feedback"),
    "unanswered": N_("No answering passage"),
    "judged": N_("Decided by a curator"),
}
DECISIONS: Mapping[Label, str] = {
    "relevant": N_("answers"),
    "not relevant": N_("does not answer"),
    "left out": N_("not used for training"),
}


def show_questions(said: Feedback) -> None:
    """Show ten questions per page, those with conflicting feedback first."""
    questions = questions_of(said.labeled)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(
            _("Find"), placeholder=_("Part of a question, document or passage"), key="questions-filter"
        )
        shown = st.selectbox(
            _("Show"),
            list(_SHOWN),
            format_func=lambda name: f"{_(_SHOWN[name])} ({sum(_is_shown(each, name) for each in questions):,})",
            key="questions-shown",
            width=300,
        )
        if st.button(_("Add question and answer"), icon=":material/add:"):
            find_answer("")
    chosen = [each for each in questions if _is_shown(each, shown) and _has_words(each, words.lower())]
    if not chosen:
        st.caption(_("No questions match."))
    st.caption(_("Your decision overrides user feedback. The log is kept."))
    for question in page_of(chosen, _NUM_QUESTIONS, "questions-page"):
        _show_question(question, said.reasons)


def _is_shown(question: QuestionFeedback, name: str) -> bool:
    if name == "contradicted":
        return question.is_contradicted
    if name == "unanswered":
        return not question.is_answered
    return name == "all" or any(each.judged_by for each in question.passages)


def _has_words(question: QuestionFeedback, words: str) -> bool:
    return not words or any(
        words in f"{question.question}\n{each.document}\n{each.title}\n{each.text}".lower()
        for each in question.passages
    )


def _show_question(question: QuestionFeedback, reasons: Mapping[PassageKey, Counter[str]]) -> None:
    key = Judgement.of(question.passages[0].question, question.passages[0], "relevant", "").key
    with st.container(border=True, gap="small", key=f"question-{key}"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{markup.plain(question.question)}**", width="content")
            with st.container(horizontal=True, width="content"):
                if st.button(_("Add answering passage"), key=f"add-{key}", icon=":material/add:", type="tertiary"):
                    find_answer(question.question)
                if st.button(_("Write the answer"), key=f"write-{key}", icon=":material/edit_note:", type="tertiary"):
                    write_answer(question.question)
        if not question.is_answered:
            st.caption(_(":orange[:material/help:] No answering passage yet, so not used for training."))
        for passage in question.passages[:_NUM_PASSAGES]:
            _show_passage(passage, reasons.get(key_of(passage), Counter()))
        if rest := question.passages[_NUM_PASSAGES:]:
            _show_rest(rest, reasons, key)


def _show_rest(rest: Sequence[LabeledPassage], reasons: Mapping[PassageKey, Counter[str]], key: str) -> None:
    if st.toggle(ngettext("Show {n} more passage", "Show {n} more passages", len(rest)), key=f"rest-{key}"):
        for passage in rest:
            _show_passage(passage, reasons.get(key_of(passage), Counter()))


def _show_passage(passage: LabeledPassage, reasons: Mapping[str, int]) -> None:
    word = _decision(passage)
    judged = Judgement.of(passage.question, passage, "relevant", "").key
    key = f"judge-{judged}-{word}"  # a new decision needs a new control to show it
    left, right = st.columns([3, 2], gap="medium")
    with left, st.container(gap="xsmall"):
        beginning = markup.plain(preview(passage.text, _PREVIEW_CHARACTERS))
        st.markdown(f"{mark_of(passage)} {_place(passage)}  \n{beginning}")
        if passage.chunk_id:
            links.to_source(_("Open in document"), chunk_id=passage.chunk_id, icon=":material/visibility:")
    with right:
        st.caption("  \n".join(filter(None, (people_words(passage, reasons), counts_as(passage, current_user())))))
        st.segmented_control(
            _("Your decision"),
            list(DECISIONS),
            default=word,
            format_func=lambda label: sentence(_(DECISIONS[label])),
            required=bool(word),  # a second click on it by mistake must not withdraw it
            key=key,
            on_change=_judge,
            args=(passage, key),
            label_visibility="collapsed",
            wrap=True,  # else the last option is cut off where words are long
        )
        if word:
            _show_withdraw(passage, key)


def _show_withdraw(passage: LabeledPassage, key: str) -> None:
    """Show the button that withdraws a decision; no callback, which an outdated browser page could run."""
    help_text = _("After that, only people's votes on this passage count.")
    if st.button(
        _("Withdraw decision"), key=f"withdraw-{key}", icon=":material/undo:", type="tertiary", help=help_text
    ):
        attempt(
            lambda: judge("withdrawn", [passage.question], passage),
            _("Withdrawn: the decision on “{question}”.", question=passage.question),
        )


def mark_of(passage: LabeledPassage) -> str:
    """Return its label as a badge."""
    if passage.needs_decision:
        return _(":orange-badge[:material/warning: conflict]")
    if passage.relevant is None:
        return _(":gray-badge[not used for training]")
    return _(":green-badge[answers]") if passage.relevant else _(":red-badge[does not answer]")


def people_words(passage: LabeledPassage, reasons: Mapping[str, int]) -> str:
    """Return what people did with it, as Markdown."""
    parts = []
    if passage.struck_by or reasons:
        struck = _("struck out by {n}", n=len(passage.struck_by)) if passage.struck_by else _("struck out")
        parts.append(f"{struck} ({counted_reasons(reasons)})" if reasons else struck)
    if passage.kept_by:
        parts.append(_("kept by {n}", n=len(passage.kept_by)))
    return _("People: {words}", words=", ".join(parts)) if parts else ""


def counts_as(passage: LabeledPassage, me: str) -> str:
    """Return its label and weight, as Markdown."""
    if passage.judged_by:
        by = markup.plain(by_person(passage.judged_by, me))
        said = _(DECISIONS[_decision(passage) or "left out"])
        imported = f", {markup.plain(passage.origin)}" if is_imported(passage.origin) else ""
        return _("Decided {by}: {said}", by=by, said=said) + imported
    if passage.relevant is None:
        return _("Not used for training: {origin}", origin=markup.plain(origin_words(passage.origin)))
    if passage.weight < _HARDLY:
        return _("Weight near 0")
    counted = N_("Counted as right (weight {weight})") if passage.relevant else N_("Counted as wrong (weight {weight})")
    return _(counted, weight=number(passage.weight, ".2g"))


def _decision(passage: LabeledPassage) -> Label | None:
    if not passage.judged_by:
        return None
    return "left out" if passage.relevant is None else "relevant" if passage.relevant else "not relevant"


def _judge(passage: LabeledPassage, key: str) -> None:
    label, before = cast("Label | None", st.session_state[key]), _decision(passage)
    if not label or label == before:  # not a click: an outdated browser page sent its old state
        return
    if not try_to(lambda: judge(label, [passage.question], passage)):
        st.session_state[key] = before  # allow another try


def _place(passage: LabeledPassage) -> str:
    where = markup.plain(breadcrumb(passage.title, passage.heading) or _("Passage"))
    document = f" · {markup.plain(passage.document)}{on_page(passage.page)}" if passage.document else ""
    return f"**{where}**{document}"
