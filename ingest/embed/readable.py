"""text, number of tokens -> the part of the text that a model can read. Every text is cut so before it is tokenized.

Tokenizing takes time that grows with the whole text, though a model reads only its beginning.
"""

from __future__ import annotations

_CHARACTERS_PER_TOKEN = 128
"""More than usual text has. Thai writes whole clauses without a space, each one token of an English vocabulary."""
_DEFAULT_MAX_TOKENS = 8192


def readable_part(text: str, max_tokens: int | None) -> str:
    """Return the beginning of a text, long enough to hold its first max_tokens tokens.

    max_tokens: what the model reads; None where it does not say.
    """
    return text[: (max_tokens or _DEFAULT_MAX_TOKENS) * _CHARACTERS_PER_TOKEN]
