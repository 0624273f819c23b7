"""documents -> example questions that they answer, for an empty page; in the documents' own words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ingest.chunk import Chunk
from ingest.listing import StoredDocument

NUM_EXAMPLES = 3
_NUM_READ = 12
"""Documents to look at; reading all would take long."""
_MAX_TITLE_CHARACTERS = 60
_SEVERAL_WORDS = 3
_NUMBERING = re.compile(r"^(?:\d+(?:\.\d+)*[.)]?|[A-Z][.)])\s+")
_TOPIC = re.compile(r"[^\W\d_].{3,48}")
"""A heading that names a topic: not a number, not a sentence."""


def example_questions(documents: Sequence[StoredDocument], chunks_of: Callable[[str], Sequence[Chunk]]) -> list[str]:
    """Return up to NUM_EXAMPLES questions of different documents: headings that are questions, else about headings."""
    step = max(len(documents) // _NUM_READ, 1)
    read = [chunks_of(document.id) for document in documents[::step][:_NUM_READ]]
    asked = [question for chunks in read if (question := _question(chunks))]
    made = [about for chunks in read if not _question(chunks) and (about := _about_heading(chunks))]
    return list(dict.fromkeys((*asked, *made)))[:NUM_EXAMPLES]


def _question(chunks: Sequence[Chunk]) -> str:
    """Return the first heading that is a question, or ''."""
    headings = (_NUMBERING.sub("", chunk.headings[-1]) for chunk in chunks if chunk.headings)
    return next((heading for heading in headings if heading.endswith(("?", "\uff1f")) and 8 <= len(heading) <= 90), "")


def _about_heading(chunks: Sequence[Chunk]) -> str:
    """Return the title with a heading that names a topic, else alone; '' without a short title.

    Takes the first heading of several words: shorter ones ("Purpose", "In short") stand in many documents.
    """
    if not chunks or len(chunks[0].title) > _MAX_TITLE_CHARACTERS:
        return ""
    title = chunks[0].title
    headings = (_NUMBERING.sub("", chunk.headings[-1]) for chunk in chunks if chunk.headings)
    topics = [each for each in headings if _TOPIC.fullmatch(each) and each.lower() not in title.lower()]
    topic = next((topic for topic in topics if len(topic.split()) >= _SEVERAL_WORDS), topics[0] if topics else "")
    return f"{title}: {topic}" if topic else title
