"""Text layer of a PDF page -> whether it is text that a person can read."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

UNMAPPED = "\ufffd"
"""Stands for a glyph without a character in the file."""

_FEW_UNMAPPED = 0.03  # of the characters
_FEW_SMALL = 0.2  # of the Latin letters
_LEAST_LATIN = 0.5  # of the letters; other scripts have names such as "HTML" among them


def is_readable(text: str) -> bool:
    """Return whether a text layer is text, not mostly glyph numbers, private or unmapped characters."""
    bare = re.sub(r"\(cid:\d+\)", UNMAPPED, "".join(text.split()))
    junk = sum(char == UNMAPPED or unicodedata.category(char) in ("Co", "Cn", "Cc") for char in bare)
    return junk <= 0.5 * len(bare)


def is_shifted(text: str) -> bool:
    """Return whether a text layer has glyph numbers for letters, as with a font without a character map.

    In most fonts for Windows "a" is glyph 68, which is the character "D", and the space is glyph 3. So there are
    control or unmapped characters, hardly any small letters, and more of D, H, L, R and X, which are a, e, i, o and u,
    than of A, E, I, O and U.
    """
    counts = Counter(text)
    num_unmapped = counts[UNMAPPED] + sum(number for char, number in counts.items() if char < " ")
    if num_unmapped <= _FEW_UNMAPPED * len(text):
        return False
    letters = {char: number for char, number in counts.items() if char.isalpha()}
    latin = {char: number for char, number in letters.items() if char.isascii()}
    num_latin, num_small = sum(latin.values()), sum(number for char, number in latin.items() if char.islower())
    if num_latin < _LEAST_LATIN * sum(letters.values()) or num_small > _FEW_SMALL * num_latin:
        return False
    shifted, vowels = (sum(counts[char] for char in chars) for chars in ("DHLRX", "AEIOU"))
    return shifted > vowels
