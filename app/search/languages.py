"""question, its candidates -> a note if the documents are in English and the question is not."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.translation import N_
from ingest.embed.embedder import DEFAULT_EMBEDDER, Embedder
from ingest.embed.vocabulary import reads_language

FOREIGN_QUESTION = N_(
    "These documents are in English, and your question does not seem to be. Search finds more if you ask in English. "
    "For questions in other languages, a curator can run: citeloop reindex --embedder multilingual-e5-small"
)

_WORD = re.compile(r"[^\W\d_]+")
_OTHER_SCRIPT = re.compile(r"[^\u0000-\u024f\u1e00-\u1eff]")
"""In a word: a letter that is not Latin."""
_MIN_WORDS = 4
"""Fewer words may be names."""
_MAX_KNOWN = 0.5
"""Of 3,500 English questions of nine kinds, two know fewer of their words; of German and French ones 85% and 65%."""
_MOST_READ = 5


def foreign_question_note(query: str, passages: Sequence[str], embedder: Embedder) -> str:
    """Return FOREIGN_QUESTION, or '' if the embedder reads the query's language or the passages share it.

    passages: texts found for the query, best first.
    """
    passages = passages[:_MOST_READ]
    if embedder.name != DEFAULT_EMBEDDER or not passages or reads_language([query], embedder.count_tokens):
        return ""
    is_foreign = _is_foreign(query) and reads_language(passages, embedder.count_tokens)
    return FOREIGN_QUESTION if is_foreign else ""


def _is_foreign(query: str) -> bool:
    """Return whether most words are in another script or in no English dictionary."""
    import simplemma  # loads its dictionary in a second, which English questions do not need

    words = _WORD.findall(query.lower())
    if sum(bool(_OTHER_SCRIPT.search(word)) for word in words) > _MAX_KNOWN * len(words):
        return True
    num_known = sum(simplemma.is_known(word, "en", low_memory=True) for word in words)
    return len(words) >= _MIN_WORDS and num_known < _MAX_KNOWN * len(words)
