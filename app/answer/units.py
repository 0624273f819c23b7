"""citations -> CitedUnits: the sentences, items, rows and whole lists that can be quoted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.answer.answer import Citation
from app.answer.blocks import Block, split_blocks
from ingest.chunk import Chunk

WHOLE = -1
"""Position of a list as a whole; its items are counted from 0."""


@dataclass(frozen=True, slots=True)
class CitedUnit:
    """Sentence, item, row or whole list of a cited passage.

    position: its number in the block. text: of a whole list, its lead-in, '' if it has none. surroundings: title,
    headings and the whole block as sentences.
    """

    citation: Citation
    block: Block
    position: int
    text: str
    surroundings: str

    @property
    def chunk(self) -> Chunk:
        return self.citation.chunk

    @property
    def label(self) -> str:
        """Title and headings of the passage."""
        return f"{self.chunk.title} {self.chunk.heading}"

    @property
    def is_row(self) -> bool:
        return self.block.kind == "table"


def units_of(citations: Sequence[Citation]) -> Iterator[CitedUnit]:
    """Yield the units of the cited passages; a list comes as a whole before its items."""
    for citation in citations:
        for block in split_blocks(citation.chunk.text):
            surroundings = f"{citation.chunk.title} {citation.chunk.heading}\n{' '.join(block.sentences)}"
            if block.kind == "list":
                yield CitedUnit(citation, block, WHOLE, block.lead_in, surroundings)
            for position, unit in enumerate(block.units):
                yield CitedUnit(citation, block, position, unit.plain, surroundings)
