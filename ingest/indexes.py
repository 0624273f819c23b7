"""The indexes of a table by its size, and the upkeep of its indexes and files.

Below MIN_INDEXED chunks the question is compared with every vector, which is exact. Above, an inverted file (IVF) finds
the nearest by vectors of 8-bit numbers, and the exact similarity of these decides. Upkeep reads the whole table at
worst, so it waits until enough has changed to pay for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lancedb.index import FTS, Bitmap, BTree, IvfSq

MIN_INDEXED = 20_000
"""With fewer chunks, an exact search takes no longer than one with an index."""
TEXT_INDEX = FTS(base_tokenizer="icu/split", max_token_length=200)
"""Cuts as usual at spaces and punctuation, and Chinese, Japanese and Thai into words; long compounds are kept."""
_MAX_WAITING = 500
MAX_SCANNED = 2_000
"""Full text cuts each chunk outside its index into words again for every question: some 80 us each."""
_MAX_WAITING_SHARE = 0.1
_MAX_FILES = 200
_MAX_PARTS = 10
"""Each update adds a part to the vector index, which every search reads, and a file that stays apart from others."""
NUM_PROBES = 150
"""Partitions that a search compares with the question; there are as many as the square root of the chunks."""
_SCALAR_INDEXES: Mapping[str, Any] = {"document_id": BTree(), "id": BTree(), "collection": Bitmap()}
_KEPT = timedelta(hours=1)
"""Older states of the table are deleted; one is needed while something still reads it, and for repair."""


@dataclass(frozen=True, slots=True)
class IndexState:
    """num_waiting: chunks that some index lacks. num_parts: of the vector index; 0: there is none."""

    num_chunks: int = 0
    num_waiting: int = 0
    num_files: int = 0
    num_parts: int = 0

    @property
    def is_large(self) -> bool:
        """Return whether the table is to have a vector index."""
        return self.num_chunks >= MIN_INDEXED

    @property
    def is_to_be_built(self) -> bool:
        """Return whether the vector index is missing, or in too many parts."""
        return self.is_large and not 0 < self.num_parts <= _MAX_PARTS

    @property
    def is_due(self) -> bool:
        """Return whether upkeep pays once nothing else is written."""
        return self.is_to_be_built or self.num_waiting > _MAX_WAITING or self.num_files > _MAX_FILES

    @property
    def is_urgent(self) -> bool:
        """Return whether upkeep pays amid a long ingest; its share of the time is then the same at any size."""
        return self.num_waiting > max(MAX_SCANNED, _MAX_WAITING_SHARE * self.num_chunks)

    def __str__(self) -> str:
        """Return which index there is, why, and what would change it."""
        exact = f"exact vector search, since {self.num_chunks:,} passages are fewer than {MIN_INDEXED:,}"
        indexed = (
            f"vector index (IVF with 8 bits, exact for the nearest), since there are {MIN_INDEXED:,} passages or more; "
            f"{self.num_parts} parts, built again above {_MAX_PARTS}"
        )
        missing = f"exact vector search, though {self.num_chunks:,} passages are to have a vector index"
        found = indexed if self.num_parts else missing if self.is_large else exact
        waiting = f"{self.num_waiting:,} passages wait for the indexes, which are updated above {_MAX_WAITING:,}"
        due = "; upkeep is due and follows the next change" if self.is_due else ""
        return f"{found}; {waiting}; {self.num_files} files{due}"


def index_state(table: Any) -> IndexState:
    """Return the state of a LanceDB table's indexes, read from its newest manifest."""
    indexes = list(table.list_indices())
    return IndexState(
        num_chunks=table.count_rows(),
        num_waiting=max((index.num_unindexed_rows for index in indexes), default=0),
        num_files=table.stats()["fragment_stats"]["num_fragments"],
        num_parts=sum(index.num_segments for index in indexes if index.columns == ["vector"]),
    )


def keep_up(table: Any) -> None:
    """Compact the files, bring the indexes up to date, and build those that the size asks for.

    Compaction is first, since it changes the row numbers that indexes hold.
    """
    table.checkout_latest()
    table.optimize(cleanup_older_than=_KEPT)
    state = index_state(table)
    if state.is_large:
        indexed = {index.columns[0] for index in table.list_indices()}
        for column in _SCALAR_INDEXES.keys() & set(table.schema.names) - indexed:
            table.create_index(column, config=_SCALAR_INDEXES[column])
    if state.is_to_be_built:
        table.create_index("vector", config=_vector_index(state.num_chunks))


def _vector_index(num_chunks: int) -> IvfSq:
    """Return the index for a table of this size. LanceDB's own number of partitions is so small that all are probed."""
    num_partitions = math.isqrt(num_chunks)
    return IvfSq(distance_type="cosine", num_partitions=num_partitions, sample_rate=64, max_iterations=20)
