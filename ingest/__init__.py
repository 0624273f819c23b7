"""The document side: files become a searchable table.

    home                   the home folder: databases, jobs, settings, and who writes
    files      SourceFile  paths -> the files at and below them
    parse      Document    file -> pages of Markdown text, their headings and printed lines
    isolation  ParserPool  the same in processes of their own, with limits
    chunk      Chunk       document -> passages that fit the embedder, each with its place
    embed      Embedder    passages -> unit vectors
    rows       Embedded    chunks and vectors -> rows with digests
    table      ChunkTable  rows -> one LanceDB table, one document one transaction
    originals  Original    the files as they were read
    pipeline   FileResult  paths -> all of the above, with what happened to each file
    reindex                the kept files -> a new table, which takes the place of the old one
    repair     Finding     a damaged table -> a whole one
    jobs       Job         an ingest as a row that a page can read
    worker                 queued jobs -> done ones, in a process of its own
    commands               ingest, watch, reindex, jobs

This package knows nothing of questions, rerankers or pages: it imports nothing of `app`.
"""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when a model library is imported: none asks its hub by itself


class CiteloopError(Exception):
    """Base of every error whose message is meant for the user: what was expected, what came, what to do."""
