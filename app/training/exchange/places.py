"""Judgements of foreign passages -> judgements of the same passages in this home's documents, if found."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from app.evaluation.benchmark import find_words
from app.feedback import Judgement
from app.search.fusion import UNSPACED_WORD
from ingest.chunk import Chunk
from ingest.embed.deferred import DeferredEmbedder
from ingest.table import ChunkTable, TableError, read_identity

_MIN_WORDS, _SEARCHED_WORDS, _NUM_SEARCHED = 5, 40, 10
"""Shorter texts match many passages by chance; words to search for; passages to check."""

_log = logging.getLogger(__name__)


def located(judgements: Sequence[Judgement], home: Path) -> list[Judgement]:
    """Return the judgements, moved to this home's passages that equal or contain their text.

    A text that is not found keeps its judgement, which can train but not compare. So does a part of a passage if the
    whole or an earlier part has another label.
    """
    table = _current_table(home)
    if table is None:
        return list(judgements)
    same = table.find_texts({judgement.text for judgement in judgements})
    found: dict[str, Judgement] = {}
    for one in sorted(judgements, key=lambda judgement: judgement.text not in same):  # whole passages first
        chunk = next(iter(same.get(one.text, ())), None) or _containing(one.text, table)
        placed = Judgement.of(one.question, chunk.ref, one.label, one.user, one.origin) if chunk else one
        if found.setdefault(placed.key, placed).label != placed.label:
            found[one.key] = one
    return list(found.values())


def _current_table(home: Path) -> ChunkTable | None:
    """Return the table without loading its embedder, or None if none can be opened."""
    try:
        made_with = read_identity(home)
        if made_with is None:
            return None
        return ChunkTable(home, DeferredEmbedder(made_with.embedder, made_with.dimension))
    except TableError as error:
        _log.warning("cannot look up imported passages in the documents: %s", error)
        return None


def _containing(text: str, table: ChunkTable) -> Chunk | None:
    """Return the passage that contains the consecutive words of a text; None for short texts."""
    wanted = _words(text)
    if len(wanted) < _MIN_WORDS:
        return None
    for chunk, _ in table.search_text(" ".join(wanted[:_SEARCHED_WORDS]), _NUM_SEARCHED):
        if find_words(wanted, _words(chunk.text)) is not None:
            return chunk
    return None


def _words(text: str) -> list[str]:
    return UNSPACED_WORD.findall(text.lower())
