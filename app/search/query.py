"""text as people type or paste it -> the query that search, reranker and answer read."""

from __future__ import annotations

import re

from ingest.parse.marks import without_invisible

MAX_QUERY_CHARACTERS = 1000
"""The embedder reads no more. A longer text is a pasted log or mail: its question and its ends matter most."""
QUESTION_ENDS = ("?", "？", "؟")  # noqa: RUF001
INTRO_ENDS = (":", "：")  # noqa: RUF001
_NUM_FIRST, _NUM_LAST = 1, 2
_SENTENCE_END = re.compile(r"(?<=[.?!؟])\s+|(?<=[。！？])|\n")  # noqa: RUF001


def as_query(text: str) -> str:
    """Return the query in a text, without invisible characters.

    A long text is reduced to its last two questions, its last lines and its first line, in this order, until
    MAX_QUERY_CHARACTERS are used.
    """
    text = without_invisible(text).strip()  # as in the documents
    if len(text) <= MAX_QUERY_CHARACTERS:
        return text
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    questions = [sentence for sentence in _SENTENCE_END.split(text) if sentence.endswith(QUESTION_ENDS)]
    kept: dict[str, None] = {}
    for line in (*questions[-2:], *reversed(lines[-_NUM_LAST:]), *lines[:_NUM_FIRST]):
        room = MAX_QUERY_CHARACTERS - sum(len(each) + 1 for each in kept)
        if not any(line in each for each in kept) and room > 0:
            kept[line[:room]] = None
    return "\n".join(kept)
