"""texts -> whether a model with an English vocabulary reads their language."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_WORD = re.compile(r"[^\W\d_]+")
_CHARACTERS = 500
"""Characters of a text that show its language."""
_MAX_PIECES_PER_WORD = 1.5
"""English texts of five kinds have 1.0 to 1.4 in an English vocabulary, French ones 1.6 to 1.7, German ones 2.2 or
more."""


def reads_language(texts: Sequence[str], count_tokens: Callable[[str], int]) -> bool:
    """Return whether the words of these texts stay nearly whole; True without words.

    count_tokens: counts the word pieces of a text, by a tokenizer whose vocabulary is English.
    """
    words = [word for text in texts for word in _WORD.findall(text[:_CHARACTERS].lower())]
    return count_tokens(" ".join(words)) <= _MAX_PIECES_PER_WORD * len(words)
