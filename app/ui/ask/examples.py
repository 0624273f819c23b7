"""documents -> example questions that they answer, for an empty page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from app.translation import LANGUAGES, Language
from app.translation import gettext as _
from ingest.chunk import Chunk
from ingest.listing import StoredDocument

NUM_EXAMPLES = 3
_NUM_READ = 12
"""Documents to look at; reading all would take long."""
_MAX_TITLE_CHARACTERS = 60
_SEVERAL_WORDS = 3
_COMMON_WORDS: Mapping[Language, frozenset[str]] = {
    "en": frozenset({"the", "of", "and", "to", "for", "is", "are", "with", "that", "by", "from", "not"}),
    "de": frozenset({"der", "die", "das", "und", "den", "von", "zu", "ist", "sind", "mit", "dem", "nicht"}),
}
_NUMBERING = re.compile(r"^(?:\d+(?:\.\d+)*[.)]?|[A-Z][.)])\s+")
_TOPIC = re.compile(r"[^\W\d_].{3,48}")
"""A heading that names a topic: not a number, not a sentence."""


def example_questions(
    documents: Sequence[StoredDocument], chunks_of: Callable[[str], Sequence[Chunk]], language: Language = "en"
) -> list[str]:
    """Return up to NUM_EXAMPLES questions of different documents: headings that are questions, else about headings.

    language: of the page. A document in another one is asked about by title and heading alone.
    """
    step = max(len(documents) // _NUM_READ, 1)
    read = [chunks_of(document.id) for document in documents[::step][:_NUM_READ]]
    asked = [question for chunks in read if (question := _question(chunks))]
    made = [about for chunks in read if not _question(chunks) and (about := _about_heading(chunks, language))]
    return list(dict.fromkeys((*asked, *made)))[:NUM_EXAMPLES]


def _question(chunks: Sequence[Chunk]) -> str:
    """Return the first heading that is a question, or ''."""
    headings = (_NUMBERING.sub("", chunk.headings[-1]) for chunk in chunks if chunk.headings)
    return next((heading for heading in headings if heading.endswith(("?", "\uff1f")) and 8 <= len(heading) <= 90), "")


def _about_heading(chunks: Sequence[Chunk], language: Language) -> str:
    """Return a question about a heading that names a topic, else about the title; '' without a short title.

    Takes the first heading of several words: shorter ones ("Purpose", "In short") stand in many documents.
    """
    if not chunks or len(chunks[0].title) > _MAX_TITLE_CHARACTERS:
        return ""
    title = chunks[0].title
    headings = (_NUMBERING.sub("", chunk.headings[-1]) for chunk in chunks if chunk.headings)
    topics = [each for each in headings if _TOPIC.fullmatch(each) and each.lower() not in title.lower()]
    topic = next((topic for topic in topics if len(topic.split()) >= _SEVERAL_WORDS), topics[0] if topics else "")
    if _is_in_another_language(chunks, language):
        return f"{title}: {topic}" if topic else title
    if not topic:
        return _("What is “{title}” about?", title=title)
    return _("What does “{title}” say about “{topic}”?", title=title, topic=topic)


def _is_in_another_language(chunks: Sequence[Chunk], language: Language) -> bool:
    """Return whether common words of another language of the pages are more frequent."""
    words = " ".join(chunk.text for chunk in chunks).lower().split()
    counts = {each: sum(word in _COMMON_WORDS[each] for word in words) for each in LANGUAGES}
    return max(counts.values()) > counts[language]
