"""Patterns of several languages -> one that finds any of them."""

from __future__ import annotations

CJK = r"\u3040-\u30ff\u3400-\u9fff"
"""Japanese and Chinese letters, for a character class."""


def in_any(**patterns: str) -> str:
    """Return a regular expression that finds what that of any language does. patterns: by the language's code."""
    return f"(?:{'|'.join(patterns.values())})"


def words_in_any(**words: str) -> frozenset[str]:
    """Return the words of all languages. words: of each, with spaces between, by the language's code."""
    return frozenset(" ".join(words.values()).split())
