"""documents -> example questions that they answer, for an empty page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ingest.chunk import Chunk
from ingest.table import StoredDocument

NUM_EXAMPLES = 3
_NUM_READ = 12
"""Documents to look at; reading all would take long."""
_MAX_TITLE_CHARACTERS = 60
_NUMBERING = re.compile(r"^(?:\d+(?:\.\d+)*[.)]?|[A-Z][.)])\s+")
_TOPIC = re.compile(r"[^\W\d_].{3,48}")
"""A heading that names a topic: not a number, not a sentence."""


def example_questions(documents: Sequence[StoredDocument], chunks_of: Callable[[str], Sequence[Chunk]]) -> list[str]:
    """Return up to NUM_EXAMPLES questions of different documents: headings that are questions, else about headings."""
    step = max(len(documents) // _NUM_READ, 1)
    read = [chunks_of(document.id) for document in documents[::step][:_NUM_READ]]
    asked = [question for chunks in read if (question := _question(chunks))]
    made = [question for chunks in read if not _question(chunks) and (question := _about_heading(chunks))]
    return list(dict.fromkeys((*asked, *made)))[:NUM_EXAMPLES]


def _question(chunks: Sequence[Chunk]) -> str:
    """Return the first heading that is a question, or ''."""
    headings = (_NUMBERING.sub("", chunk.headings[-1]) for chunk in chunks if chunk.headings)
    return next((heading for heading in headings if heading.endswith(("?", "\uff1f")) and 8 <= len(heading) <= 90), "")


def _about_heading(chunks: Sequence[Chunk]) -> str:
    """Return a question about the first heading that names a topic, else about the title; '' without a short title."""
    if not chunks or len(chunks[0].title) > _MAX_TITLE_CHARACTERS:
        return ""
    for chunk in chunks:
        heading = _NUMBERING.sub("", chunk.headings[-1]) if chunk.headings else ""
        if _TOPIC.fullmatch(heading) and heading.lower() not in chunk.title.lower():
            return f"What does {chunk.title} say about {_in_a_sentence(heading, chunks)}?"
    return f"What is {chunks[0].title} about?"


def _in_a_sentence(heading: str, chunks: Sequence[Chunk]) -> str:
    """Return the heading with a small first letter if the document writes its first word so."""
    first, rest = heading[0].lower(), heading[1:]
    word = first + rest.split(maxsplit=1)[0] if rest.split(maxsplit=1) else first
    is_common = any(re.search(rf"\b{re.escape(word)}\b", chunk.text) for chunk in chunks)
    return first + rest if is_common else heading
