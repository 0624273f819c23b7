"""The document side: files become a searchable table.

    home                   the home folder: databases, jobs, settings, write lock
    extras                 parts that an installation may leave out
    files      SourceFile  paths -> the files at and below them
    parse      Document    file -> pages of Markdown text, their headings and printed lines
    isolation  ParserPool  the same in separate processes, with limits
    cluster    RayParsers the same, with vectors, on the machines of a Ray cluster
    chunk      Chunk       document -> passages that fit the embedder, with their positions
    collections Groups     ids of documents -> a condition on rows; the default collection
    embed      Embedder    passages -> unit vectors
    embedded   Embedded    documents -> their chunks, each with the vector of its passage
    rows       Identity    chunks and vectors -> rows with digests
    listing    Outline     rows of a table -> its documents, and their headings and openings
    indexes    IndexState  size of a table -> its indexes, and when their upkeep pays
    upkeep                 brings indexes and files up to date in a separate process
    table      ChunkTable  rows -> one LanceDB table, one transaction per document
    originals  Original    copies of the ingested files
    figures    KeptFigure  pictures of documents, kept beside those copies
    describe   Describer   pictures -> their descriptions by a vision model, if one is set
    removal                documents removed, or moved to another collection
    languages              documents -> what to do if the embedder does not read their language
    pipeline   FileResult  paths -> table, with a result for each file
    reindex                the kept files -> a new table that replaces the old one
    repair     Finding     a damaged table -> a repaired one
    backup     Backup      home folder -> one tar file, and back
    sources    Source      documents from elsewhere -> changes since the last sync, through the pipeline
    jobs       Job         an ingest as a row with its progress
    worker                 runs queued jobs in a separate process
    progress_bar           progress of an ingest on a terminal
    commands               ingest, watch, reindex, jobs

This package knows nothing about questions, rerankers or pages and imports nothing from `app`.
"""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # model libraries read this on import; then none contacts its hub


class CiteloopError(Exception):
    """Base of all errors shown to the user; the message says what was expected, what came, what to do."""
