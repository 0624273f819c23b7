"""Judgements of passages from elsewhere -> the same of those of this home's documents, where they stand there."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from app.evaluation.benchmark import find_words
from app.feedback import Judgement
from ingest.chunk import Chunk
from ingest.embed.embedder import DeferredEmbedder
from ingest.table import ChunkTable, TableError, read_identity

_MIN_WORDS, _SEARCHED_WORDS, _NUM_SEARCHED = 5, 40, 10
"""A text of fewer words stands in many passages by chance; so many of its words are searched; so many are looked at."""

_log = logging.getLogger(__name__)


def located(judgements: Sequence[Judgement], home: Path) -> list[Judgement]:
    """The judgements, of the passages of this home's documents that have the same text, or hold it word by word.

    One that stands nowhere stays as it is: it can teach, but not compare. So does one of a part of a passage, where
    something else is said of the whole, or of a part before it.
    """
    table = _serving_table(home)
    if table is None:
        return list(judgements)
    same = table.find_texts({each.text for each in judgements})
    found: dict[str, Judgement] = {}
    for each in sorted(judgements, key=lambda each: each.text not in same):  # whole passages first
        chunk = next(iter(same.get(each.text, ())), None) or _holding(each.text, table)
        placed = Judgement.of_chunk(each.question, chunk, each.label, each.user, each.origin) if chunk else each
        if found.setdefault(placed.key, placed).label != placed.label:
            found[each.key] = each
    return list(found.values())


def _serving_table(home: Path) -> ChunkTable | None:
    """Without its embedder, which takes seconds to load; None where there is none that opens."""
    try:
        made_with = read_identity(home)
        if made_with is None:
            return None
        return ChunkTable(home, DeferredEmbedder(made_with.embedder, made_with.dimension))
    except TableError as error:
        _log.warning("imported passages are not looked up in the documents: %s", error)
        return None


def _holding(text: str, table: ChunkTable) -> Chunk | None:
    """The passage of the documents that holds the words of a text in a row; None for a text of a few words."""
    wanted = _words(text)
    if len(wanted) < _MIN_WORDS:
        return None
    for chunk, _ in table.search_text(" ".join(wanted[:_SEARCHED_WORDS]), _NUM_SEARCHED):
        if find_words(wanted, _words(chunk.text)) is not None:
            return chunk
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
