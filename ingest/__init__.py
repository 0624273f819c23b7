"""The document side: files become a searchable table.

    parse     Document    file -> pages of Markdown text and their headings
    chunk     Chunk       document -> passages that fit the embedder, each with its place
    embed     Embedder    passages -> unit vectors
    table     ChunkTable  chunks and vectors -> one LanceDB table, one document one transaction
    pipeline  ingest()    paths -> all of the above, file by file, with a report

This package knows nothing of questions, rerankers or pages: it imports nothing of `app`.
"""


class CiteloopError(Exception):
    """Base of every error whose message is meant for the user: what was expected, what came, what to do."""
