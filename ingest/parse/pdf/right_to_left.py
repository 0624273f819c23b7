"""Characters of a printed line -> the same in reading order, where it has Arabic or Hebrew letters.

pdfium turns some words around and leaves others, so the order follows from where the characters stand. Brackets are
mirrored in print; a number, a Latin word, and Latin words side by side run from left to right.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from ingest.parse.pdf.sheet import Char

_RIGHT_TO_LEFT = r"\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
_DIGITS = r"0-9\u0660-\u0669\u06f0-\u06f9"
_HAS_LETTER = re.compile(f"(?![{_DIGITS}])[{_RIGHT_TO_LEFT}]")
_LATIN = r"A-Za-z\u00c0-\u024f"
_WORD = rf"(?:[{_DIGITS}]+[-_./])*[{_LATIN}](?:[-_./:@#+&'{_LATIN}{_DIGITS}]*[{_LATIN}{_DIGITS}])?"
_LEFT_TO_RIGHT = re.compile(rf"{_WORD}(?: +{_WORD})*|[{_DIGITS}]+(?:[.,:/\u066b\u066c][{_DIGITS}]+)*")
_RUN = re.compile(rf"[{_RIGHT_TO_LEFT}](?:[^{_LATIN}]*[{_RIGHT_TO_LEFT}])?")
"""Right-to-left words in a line that runs from left to right."""
_LEAST_GAP = 0.27
"""Between a sign and a word with a space, in heights of the line."""
_MIRRORED = dict(zip("()[]{}<>«»", ")(][}{><»«", strict=True))


def in_reading_order(line: Sequence[Char]) -> list[Char]:
    """Return the line's characters in reading order; unchanged without right-to-left letters."""
    if not _HAS_LETTER.search(_text(line)):  # nearly every line of most documents
        return list(line)
    words = [part[0].text for part in _parts(line) if part[0].text.isalpha()]
    num_turned = sum(bool(_HAS_LETTER.match(letter)) for letter in words)
    if not num_turned:
        return list(line)
    seen = _from_left(line)
    if 2 * num_turned >= len(words):
        return _turned(seen)
    text, ordered, end = _text(seen), list[Char](), 0
    for run in _RUN.finditer(text):
        ordered += [*seen[end : run.start()], *_turned(seen[run.start() : run.end()])]
        end = run.end()
    return ordered + seen[end:]


def _from_left(line: Sequence[Char]) -> list[Char]:
    """Return the characters from left to right, with a space between words."""
    parts = sorted(_parts(line), key=lambda part: part[0].left + part[-1].right)
    height = max(char.bottom - char.top for char in line)
    ordered = list(parts[0])
    for before, part in pairwise(parts):
        is_glued = before[-1].right + _LEAST_GAP * height > part[0].left
        if not (is_glued and (_is_sign(before[-1]) or _is_sign(part[0]))):
            ordered.append(part[0]._replace(text=" ", left=before[-1].right, right=part[0].left))
        ordered += part
    return ordered


def _parts(line: Sequence[Char]) -> Iterator[list[Char]]:
    """Yield words, each from left to right, and signs, which pdfium puts beside any word.

    The boxes of spaces are not exact. A mark above or below a letter follows it, so stands left of it; so does
    the second letter of a ligature, which has the same box.
    """
    for (is_space, is_sign), chars in groupby(line, lambda char: (char.text.isspace(), _is_sign(char))):
        if is_sign and not is_space:
            yield from ([char] for char in chars)
        elif not is_space:
            yield _from_left_in_word(list(chars))


def _from_left_in_word(chars: Sequence[Char]) -> list[Char]:
    read = chars[::-1] if _HAS_LETTER.search(_text(chars)) else chars
    return sorted(read, key=lambda char: char.right)  # which keeps the order of equal ones


def _is_sign(char: Char) -> bool:
    return unicodedata.category(char.text[0])[0] not in "LN"


def _turned(seen: Sequence[Char]) -> list[Char]:
    """Return characters, given from left to right, as they are read from right to left."""
    ordered, end = list[Char](), len(seen)
    for run in reversed(list(_LEFT_TO_RIGHT.finditer(_text(seen)))):
        ordered += [*map(_mirrored, reversed(seen[run.end() : end])), *seen[run.start() : run.end()]]
        end = run.start()
    return ordered + [_mirrored(char) for char in reversed(seen[:end])]


def _mirrored(char: Char) -> Char:
    return char._replace(text=_MIRRORED.get(char.text, char.text))


def _text(chars: Sequence[Char]) -> str:
    """Return one letter per character, so that positions agree."""
    return "".join(char.text[0] for char in chars)
