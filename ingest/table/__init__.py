"""chunks and vectors <-> one LanceDB table.

opening    home folder -> its table without an embedder, and errors that say what to do
reading    ids -> documents and chunks
searching  query -> the best chunks
writing    ChunkTable: all of that, and documents added, replaced and removed
"""

from ingest.table.opening import (
    MismatchError,
    TableError,
    drop_others,
    has_whole_history,
    keep_current_up,
    read_identity,
    stored_documents,
)
from ingest.table.writing import ChunkTable

__all__ = [
    "ChunkTable",
    "MismatchError",
    "TableError",
    "drop_others",
    "has_whole_history",
    "keep_current_up",
    "read_identity",
    "stored_documents",
]
