"""The text and timings of an answer, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable

from app.answer import EXTRACTIVE, Answer
from app.reranking.live import NONE
from app.ui import markup

_CITATIONS = re.compile(r"[. \t]*(?:\[\d+\])+\.?|")
_ROW_END = re.compile(r"(?<!\\)\|(?:[. \t]*\[\d+\])*[. \t]*$")
"""End of the last cell of a table row; tables do not show text after it."""
_MARK = "\ue000"
"""Placeholder for _NOT_FOUND during conversion; no text contains it."""
_NOT_FOUND = " :orange-badge[:material/help: not found in the sources]"


def answer_markdown(answer: Answer, address: Callable[[int], str]) -> str:
    """Return the answer, with each citation linked to the address of its number and unsupported sentences marked."""
    if answer.answered_by == EXTRACTIVE:
        return markup.with_citation_links(markup.passage(answer.text), address)
    return markup.with_citation_links(markup.written(_marked(answer)), address).replace(_MARK, _NOT_FOUND)


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
    milliseconds = {step: f"{value:.0f} ms" for step, value in answer.timings_ms.items()}
    parts = [f"searched {milliseconds.get('search', '')}"]
    if answer.reranker != NONE:
        reranker = markup.plain(answer.reranker)
        parts.append(f"reranked {len(answer.ranking)} candidates {milliseconds.get('rerank', '')} ({reranker})")
    else:
        parts.append(f"{len(answer.ranking)} candidates, not reranked")
    if "answer" in milliseconds:
        parts.append(f"answered {milliseconds['answer']} ({markup.plain(answer.answered_by)})")
    return " · ".join(parts)
