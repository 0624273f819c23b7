"""citations -> Passages for a language model, within its token budget."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from app.answer.answer import Citation
from ingest.chunk import Chunk, breadcrumb

_DESCRIBED = " (a model's description of a picture, not the document's words)"
_MAX_GAP = 4
"""Characters between two passages that touch: line ends, and the mark of a new page."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A citation as a language model reads it.

    above: title and headings, '' where it goes on from the passage before it. also_in: titles of other documents
    that say the same.
    """

    number: int
    above: str
    text: str
    also_in: tuple[str, ...] = ()

    def __str__(self) -> str:
        also = f" (the same stands in: {', '.join(self.also_in)})" if self.also_in else ""
        return f"[{self.number}] {self.above}{also}\n{self.text}" if self.above else f"[{self.number}] {self.text}"


Cited = tuple[Passage, Citation]


def choose(citations: Sequence[Citation], budget_tokens: int, count_tokens: Callable[[str], int]) -> list[Passage]:
    """The passages that fit, the best first and what follows on one of them right behind it.

    Of two that say the same only the better one is given. The best is always there, cut where it is too long by
    itself; what does not fit after it is left out.
    """
    chosen: list[Cited] = []
    for passage, citation in _distinct(citations):
        tokens = count_tokens(str(passage))
        if tokens > budget_tokens and not chosen:
            chosen.append((_cut(passage, budget_tokens, count_tokens), citation))
            break
        if tokens <= budget_tokens:
            budget_tokens -= tokens
            chosen.append((passage, citation))
    return _joined(chosen)


def _cut(passage: Passage, budget_tokens: int, count_tokens: Callable[[str], int]) -> Passage:
    """Return as much of its beginning as fits."""

    def cut(length: int) -> Passage:
        return replace(passage, text=passage.text[:length] + "…")

    fitting = bisect_right(range(len(passage.text)), budget_tokens, key=lambda length: count_tokens(str(cut(length))))
    return cut(max(fitting - 1, 0))


def _distinct(citations: Sequence[Citation]) -> list[Cited]:
    found: list[Cited] = []
    for citation in citations:
        chunk = citation.chunk
        twin = next((n for n, (_, other) in enumerate(found) if _says_it_too(other.chunk, chunk)), None)
        if twin is None:
            superseded = f" (superseded by {citation.superseded_by})" if citation.superseded_by else ""
            described = _DESCRIBED if chunk.described_by else ""
            above = breadcrumb(chunk.title + superseded, *chunk.headings) + described
            found.append((Passage(citation.number, above, chunk.text), citation))
        elif chunk.title not in (found[twin][1].chunk.title, *found[twin][0].also_in):
            passage, other = found[twin]
            found[twin] = replace(passage, also_in=(*passage.also_in, chunk.title)), other
    return found


def _says_it_too(kept: Chunk, new: Chunk) -> bool:
    """Return whether a kept passage contains the new one's words in sequence; less would lose a "not"."""
    return _words_of(new) in _words_of(kept)


def _words_of(chunk: Chunk) -> str:
    return " ".join(["", *re.findall(r"\w+", chunk.text.casefold()), ""])


def _joined(passages: Sequence[Cited]) -> list[Passage]:
    """In this order, but for those that touch another in their document: they follow each other as they do there."""
    left = list(passages)
    ordered: list[Passage] = []
    while left:
        group = [left.pop(0)]
        while touching := [each for each in left if any(_touch(each[1], other) for _, other in group)]:
            group += touching
            left = [each for each in left if each not in touching]
        group.sort(key=lambda each: each[1].chunk.start)
        ordered += [group[0][0]]
        for (_, before), (passage, citation) in pairwise(group):
            goes_on = citation.chunk.headings == before.chunk.headings and not passage.also_in
            ordered.append(replace(passage, above="") if goes_on else passage)
    return ordered


def _touch(one: Citation, other: Citation) -> bool:
    """Whether nothing but white space stands between them in their document."""
    first, second = sorted((one.chunk, other.chunk), key=lambda chunk: chunk.start)
    if first.described_by or second.described_by:
        return False
    return first.document_id == second.document_id and second.start - first.end <= _MAX_GAP
