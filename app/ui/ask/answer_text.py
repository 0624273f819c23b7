"""The text and timings of an answer, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable

from app.answer import (
    ALL_STRUCK_OUT,
    CURATED,
    EXTRACTIVE,
    NO_DOCUMENTS,
    NO_QUESTION,
    NOT_CLEAR,
    NOT_CLEAR_ONE,
    NOT_FOUND,
    NOTHING_MATCHES,
    Answer,
)
from app.answer.curated import text_of
from app.registry import SHIPPED
from app.reranking.live import NONE
from app.translation import gettext as _
from app.ui import markup
from app.ui.words import milliseconds

_CITATIONS = re.compile(r"[. \t]*(?:\[\d+\])+\.?|")
_ROW_END = re.compile(r"(?<!\\)\|(?:[. \t]*\[\d+\])*[. \t]*$")
"""End of the last cell of a table row; tables do not show text after it."""
_MARK = "\ue000"
"""Placeholder for a badge during conversion; no text contains it."""
_OWN_SENTENCES = (NOT_CLEAR, NOT_CLEAR_ONE, NOT_FOUND, NOTHING_MATCHES, NO_DOCUMENTS, NO_QUESTION, ALL_STRUCK_OUT)
_SOURCE_LINE = re.compile(r"^(— .*?)(?:, p\. (\d+))?(?:, superseded by ([^\n]+?))?( \[\d+\])$", re.MULTILINE)
_SEE_FIGURE = re.compile(r"^See the figure(?: on p\. (\d+))?\.$", re.MULTILINE)
_UNKNOWN_TERM = re.compile(r"^(\S+) does not occur in the documents\.$", re.MULTILINE)


def answer_markdown(answer: Answer, address: Callable[[int], str]) -> str:
    """Return the answer, with each citation linked to the address of its number and unsupported sentences marked."""
    if answer.answered_by == EXTRACTIVE:
        return markup.with_citation_links(markup.passage(shown_text(answer)), address)
    badge = _(" :orange-badge[:material/help: not found in the sources]")
    text = _marked(answer) if answer.sentences else shown_text(answer)
    return markup.with_citation_links(markup.written(text), address).replace(_MARK, badge)


def shown_text(answer: Answer) -> str:
    """Return the text with this program's own sentences in the reader's language; they are stored in English."""
    if answer.found:
        return _with_own_words(answer.text) if answer.answered_by == EXTRACTIVE else answer.text
    if answer.shown_statement and not answer.shown_statement.text:
        return text_of(answer.shown_statement)
    text = _UNKNOWN_TERM.sub(lambda unknown: _("{term} does not occur in the documents.", term=unknown[1]), answer.text)
    for sentence in _OWN_SENTENCES:
        text = text.replace(sentence, _(sentence))
    return text


def _with_own_words(quotes: str) -> str:
    """Return quotes with the words that `app.answer.quotes` adds in the reader's language."""

    def source(line: re.Match[str]) -> str:
        title, page, newest, number = line.groups()
        words = _(", p. {page}", page=page) if page else ""
        if newest:
            words += ", " + _("superseded by {newest}", newest=newest)
        return f"{title}{words}{number}"

    def figure(line: re.Match[str]) -> str:
        return _("See the figure on p. {page}.", page=line[1]) if line[1] else _("See the figure.")

    return _SEE_FIGURE.sub(figure, _SOURCE_LINE.sub(source, quotes))


def card_of(answer_id: str) -> Callable[[int], str]:
    """Return the function from a citation's number to the anchor of its card, such as #id-s1."""
    return lambda number: f"#{answer_id}-s{number}"


def _marked(answer: Answer) -> str:
    """Return the text with _MARK after each unsupported sentence and its citations; in table rows, in the last cell."""
    parts, place = [], 0
    for sentence in answer.sentences:
        found = answer.text.find(sentence.text, place)
        if found < 0:
            continue
        end = found + len(sentence.text)
        if row_end := _ROW_END.search(sentence.text):
            end = found + row_end.start()
        elif cited := _CITATIONS.match(answer.text, end):
            end = cited.end()
        parts += [answer.text[place:end], "" if sentence.is_supported else _MARK]
        place = end
    return "".join((*parts, answer.text[place:]))


def timings_line(answer: Answer) -> str:
    """Return the steps of an answer and their times, as Markdown."""
    took = {step: milliseconds(value) for step, value in answer.timings_ms.items()}
    n, times = len(answer.ranking), took.get
    parts = [_("Searched in {time}", time=times("search", ""))]
    if answer.reranker == NONE:
        parts.append(_("{n} passages found, not reranked", n=n))
    elif answer.reranker == SHIPPED:
        parts.append(
            _("{n} passages reranked in {time} by the model that comes with Citeloop", n=n, time=times("rerank", ""))
        )
    else:
        name = markup.plain(answer.reranker)
        parts.append(_("{n} passages reranked in {time} by {reranker}", n=n, time=times("rerank", ""), reranker=name))
    if "answer" in took:
        parts.append(_answered(answer, took["answer"]))
    return " · ".join(parts)


def _answered(answer: Answer, time: str) -> str:
    """Return how the text was made, and how long that took."""
    if answer.answered_by == EXTRACTIVE:
        return _("quotes chosen in {time}", time=time)
    if answer.answered_by == CURATED:
        return _("answer by a curator")
    return _("answer written in {time} by {name}", time=time, name=markup.plain(answer.answered_by))
