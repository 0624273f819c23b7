"""passages as they were kept -> the chunks that hold them now."""

from __future__ import annotations

from collections.abc import Collection

from ingest.chunk import Chunk, PassageRef
from ingest.table import ChunkTable


def find_passages(
    passages: Collection[PassageRef], table: ChunkTable, within: Collection[str] | None = None
) -> dict[PassageRef, Chunk]:
    """Return passage -> chunk with the same text, by id or else by text; passages that are gone are left out.

    within: ids of the documents to look at.
    """
    by_id = table.chunks({passage.chunk_id for passage in passages}, within)
    rest = {passage.text for passage in passages if passage.chunk_id not in by_id}
    by_text = table.find_texts(rest, within)  # their documents were renamed, or are in twice
    found = {}
    for passage in passages:
        if chunk := by_id.get(passage.chunk_id) or next(iter(by_text.get(passage.text, ())), None):
            found[passage] = chunk
    return found
