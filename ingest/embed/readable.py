"""text, number of tokens -> the part that a model can read, so that the rest is not tokenized."""

from __future__ import annotations

_CHARACTERS_PER_TOKEN = 128
"""A generous bound: Thai has clauses without spaces, each one token of an English vocabulary."""
_DEFAULT_MAX_TOKENS = 8192


def readable_part(text: str, max_tokens: int | None) -> str:
    """Return the beginning of a text, long enough to hold its first max_tokens tokens.

    max_tokens: the model's limit; None if unknown.
    """
    return text[: (max_tokens or _DEFAULT_MAX_TOKENS) * _CHARACTERS_PER_TOKEN]
