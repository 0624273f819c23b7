"""The text of an answer, and how it came about, as pages show them."""

from __future__ import annotations

import re

from app.answer import EXTRACTIVE, Answer
from app.reranking.live import NONE
from app.ui import markup

_CITATIONS = re.compile(r"[. \t]*(?:\[\d+\])+\.?|")
_ROW_END = re.compile(r"(?<!\\)\|(?:[. \t]*\[\d+\])*[. \t]*$")
"""Where the last cell of a table row ends: what stands behind it is a cell too many, which no table shows."""
_MARK = "\ue000"
"""Stands for the words below while a text becomes Markdown; no text has this character."""
_NOT_FOUND = " :orange-badge[:material/help: not found in the sources]"


def answer_markdown(answer: Answer, anchor: str) -> str:
    """What an answer says, each citation a link to the source card `anchor-sn`, each unsupported sentence marked."""
    if answer.answered_by == EXTRACTIVE:
        return markup.with_citation_links(markup.passage(answer.text), anchor)
    return markup.with_citation_links(markup.written(_marked(answer)), anchor).replace(_MARK, _NOT_FOUND)


def _marked(answer: Answer) -> str:
    """The text, behind each sentence that its passages do not say, and its citations, a mark; a row has it inside."""
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
    """What was done for an answer, and how long it took, as Markdown."""
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
