"""text -> an estimate of its tokens for any language model, rather too many."""

from __future__ import annotations

import math

_LETTERS_PER_TOKEN = 2.2
_FOREIGN_BYTES_PER_TOKEN = 1.5
"""Measured: 1.4 to 1.7 times SmolLM2's count for English documents and Python, and 1 to 1.5 times for German, French,
Russian, Chinese, Japanese, Arabic and Hindi, the worst case for its small vocabulary; 0.83 to 0.93 times for rows of
digits, hexadecimal and Polish. Never less than MiniLM's word pieces.
"""


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text for a model with a small vocabulary; rather too many for prose.

    ASCII letters are grouped; each digit, mark or line break may be a token, and so may one or two other bytes.
    """
    ascii_text = text.encode("ascii", "ignore").decode()
    num_letters = sum(map(str.isalpha, ascii_text))
    num_marks = len(ascii_text) - num_letters - ascii_text.count(" ") - ascii_text.count("\t")
    num_foreign = len(text.encode("utf-8", "replace")) - len(ascii_text)
    estimated = num_letters / _LETTERS_PER_TOKEN + num_marks + num_foreign / _FOREIGN_BYTES_PER_TOKEN
    return max(math.ceil(estimated), len(text.split()))
