"""Chosen parts of a block -> Quote, with what a reader needs around them; Quotes -> the text of an answer."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from app.answer.answer import NUMBER, Citation
from app.answer.blocks import Block, num_words
from app.answer.units import WHOLE

_FOLLOWING = 0.3
"""Preference for the sentence after the quoted one over the sentence before it."""
_MAX_PARAGRAPH_WORDS = 30
_MAX_GAP_WORDS = 60
"""Sentences between two quoted ones are left out only of a longer quote; often they say what the two are about."""
_SHORT_LIST_WORDS = 60
"""Lists up to this size are quoted in full."""
_MAX_LIST_WORDS = 110
_MAX_ITEMS = 5
_NUMBERED = re.compile(r"\s*\d+[.)]\s")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


@dataclass(frozen=True, slots=True)
class Quote:
    """Markdown of a block, or of the part of it that answers. heading: above it, if it says what the text does not."""

    text: str
    citation: Citation
    heading: str = ""


def quote(quotes: Sequence[Quote]) -> str:
    """Return quotes as the text of an answer, those of one passage above its document, page and citation.

    A footnote mark such as [2] in a passage becomes (2): in an answer it would be a citation. What a model wrote about
    a picture is no quotation, so the reader is sent to the picture instead, once.
    """
    first: dict[object, Quote] = {}
    for each in quotes:
        first.setdefault(each.citation.chunk.picture or each, each)
    lines: list[str] = []
    for citation, group in groupby(first.values(), lambda each: each.citation):
        same = list(group)
        lines += [NUMBER.sub(r"(\1)", _words(each)) for each in same]
        lines.append(f"— {_source(citation, same[0].heading)} [{citation.number}]")
    return "\n\n".join(lines)


def _words(quote: Quote) -> str:
    chunk = quote.citation.chunk
    if not chunk.described_by:
        return quote.text
    return f"See the figure on p. {chunk.page}." if chunk.page else "See the figure."


def _source(citation: Citation, heading: str) -> str:
    """Return title and page of a passage, with the year if only the file name has it."""
    chunk = citation.chunk
    year = _YEAR.search(chunk.document)
    title = f"{chunk.title} ({year[0]})" if year and year[0] not in chunk.title else chunk.title
    page = f"p. {chunk.page}" if chunk.page else ""
    superseded = f"superseded by {citation.superseded_by}" if citation.superseded_by else ""
    return ", ".join(filter(None, (title, heading, page, superseded)))


def with_context(block: Block, chosen: set[int], values: Mapping[int, float], *, with_steps: bool = False) -> set[int]:
    """Return the positions of a block to quote: the chosen ones and the context a reader needs.

    with_steps: quote a numbered list in full if it fits an answer, since one step alone does not tell how.
    """
    every = set(range(len(block.units)))
    if block.kind == "table":
        is_form = not re.search(r"\w", block.intro)
        return every if is_form and _num_words(block, every) <= _MAX_LIST_WORDS else chosen
    if block.kind == "list":
        most = _MAX_LIST_WORDS if with_steps and _NUMBERED.match(block.units[0].text) else _SHORT_LIST_WORDS
        if _num_words(block, every) <= most or WHOLE in chosen or len(chosen) > 1:
            best = sorted(every, key=lambda position: -values[position])[:_MAX_ITEMS]
            return every if _num_words(block, every) <= _MAX_LIST_WORDS else {*best, *(chosen - {WHOLE})}
        return chosen
    chosen = chosen | {position + 1 for position in chosen if block.units[position].is_question} & every  # its answer
    kept = set(range(min(chosen), max(chosen) + 1))
    if _num_words(block, kept) > _MAX_GAP_WORDS:
        kept = set(chosen)
    while wider := _neighbors(block, kept):
        kept.add(max(wider, key=lambda position: values[position] + _FOLLOWING * (position > max(kept))))
    return kept


def _neighbors(block: Block, kept: set[int]) -> list[int]:
    """Return the sentences beside the kept ones that fit into a short quote."""
    beside = {position + step for position in kept for step in (-1, 1)} - kept
    return [
        position
        for position in beside
        if 0 <= position < len(block.units) and _num_words(block, {*kept, position}) <= _MAX_PARAGRAPH_WORDS
    ]


def _num_words(block: Block, positions: Collection[int]) -> int:
    return num_words(block.quote(positions))
