"""text with citations of any style -> the same with each as [n]; code stays as it is.

[n] is a citation where n has at most three digits, outside code, and not right behind a name: [2024] and queue[1] are
none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator

MARK = re.compile(r"(?<![0-9A-Za-z_])\[(\d{1,3})\]")
"""A citation in a text without code."""
SPACED_MARK = re.compile(rf"(?<!\s)\s*{MARK.pattern}")
"""With the white space before it, from its beginning on: tried from each place, a long run of it would take minutes."""

_FENCES = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_CODE = rf"{_FENCES.pattern}|`[^`\n]+`"
_WHOLE_CODE = re.compile(rf"({_CODE})", re.DOTALL)
_GROWING_CODE = re.compile(rf"({_CODE}|`[^`\n]*\Z)", re.DOTALL)

_LABEL = r"(?:sources?|passages?|citations?|cite|references?|refs?|doc(?:ument)?s?|quellen?|fuentes?)[\s.:#_]{0,3}"
_AND = r"\s{0,2}(?:[,;、，](?:\s?(?:and|und|et)\b)?|[-‐‑–—/&]|and\b|und\b|et\b|y\b|to\b|bis\b)\s{0,2}"  # noqa: RUF001
_NUMBER = r"[#^]?\s?\d{1,3}(?!\d)\^?"
_NUMBERS = rf"({_NUMBER}(?:{_AND}(?:{_LABEL})?{_NUMBER})*)"
_TITLE = r"(?:(?::\d+)?\s?†[^\]\n]{0,60}|:\s?[^\W\d][^\]\n]{0,60})?"
_CLAUSE_END = r"(?=\s?(?:[.,;:!?)\[。，；]|\Z|\n))"  # noqa: RUF001

_SURE = (
    re.compile(rf"(?<![0-9A-Za-z_\\])\\?\[\s?{_NUMBERS}\s?{_TITLE}\\?\]"),
    re.compile(rf"\[\s?(?:[#^]\s?|{_LABEL}){_NUMBERS}(?!\d)(?:\s?[^\w\]][^\[\]\n]{{0,60}})?\]", re.IGNORECASE),
    re.compile(rf"【\s?(?:{_LABEL})?{_NUMBERS}[^】\n]{{0,60}}】", re.IGNORECASE),
)
_IF_GIVEN = (
    re.compile(rf"\((?:(?:see|cf\.|siehe|vgl\.)\s)?{_LABEL}{_NUMBERS}\)", re.IGNORECASE),
    re.compile(
        rf"(?:(?<=[^\W\d_]{{3}})|(?<=[\s.,;:!?)]))<(?:sup|cite|ref)\b[^<>]{{0,40}}>\[?{_NUMBERS}\]?</\w{{3,4}}>"
    ),
    re.compile(r"(?:(?<=[^\W\d_]{3})|(?<=[.,;:!?)]))([⁰¹²³⁴-⁹]{1,3})(?![⁰¹²³⁴-⁹])"),
)
"""Citations only where all their numbers were given: m² and 10<sup>3</sup> have other powers."""
_IF_ALL_ARE = (
    re.compile(rf"(?<=[0-9A-Za-z_])\[{_NUMBERS}\](?:{_CLAUSE_END}())?"),
    re.compile(rf"(?<![0-9A-Za-z_])\({_NUMBERS}\)(?:{_CLAUSE_END}())?"),
)
"""Citations only where a text has no other ones, and all of these can be: given, and at the end of a clause."""
_SEPARATE = re.compile(r"(?<![0-9A-Za-z_\]])\[\d{1,3}\]")
_JOINED = re.compile(r"(?<=\d)\][-–—]\[(?=\d)")  # noqa: RUF001
_BRACKETS = str.maketrans("［］〔〕", "[][]")  # noqa: RUF001
_DOUBLED = re.compile(r"\[((?:\[\d{1,3}\])+)\]")
_LINK = re.compile(r"(?<=\d\])\((?:https?:|#|/|www\.)[^\s()]{0,500}\)")
_DASH = re.compile(r"(?<=\d)\D*(?:[-‐‑–—]|\bto\b|\bbis\b)\D*(?=\d)")  # noqa: RUF001
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_HEADINGS = ("sources", "source", "references", "citations", "footnotes", "quellen", "fuentes")
_ENTRY = re.compile(r"\s*(?:[-*•]\s+|\d+[.)]\s+)?(?:\[\d{1,3}\])+(:)?(?:\s.*)?")
_HALF = re.compile(
    r"(?<!\s)\s*(?:\\?[\[［〔]\[?[^\[\]\n]{0,75}|\[\[[^\[\]\n]{0,75}\]|【[^】\n]{0,75}|\\"  # noqa: RUF001
    r"|\((?:[a-z.]{0,4}\s)?[a-z]{0,10}[\s.:#]{0,3}(?:\d[\d\s,;a-z–-]{0,24})?\)?\s?"  # noqa: RUF001
    r"|<(?:sup|cite|ref)\b[^<>]{0,40}>[^<>]{0,20}(?:</[a-z]{0,4})?|<[a-z]{0,4}|[⁰¹²³⁴-⁹]{1,9})\Z"
    r"|(?<=\d\])(?:\((?:[h#/w][^\s()]{0,500})?|[-–—](?:\[\d{0,3})?)\Z",  # noqa: RUF001
    re.IGNORECASE,
)


def cited_numbers(text: str) -> Iterator[int]:
    """The numbers that a text cites, in its order."""
    for prose in _WHOLE_CODE.split(text)[::2]:
        yield from map(int, MARK.findall(prose))


def in_prose(change: Callable[[str], str], text: str, *, grows: bool = False) -> str:
    """The text with everything changed but its code. grows: the code at the end may be unfinished."""
    parts = (_GROWING_CODE if grows else _WHOLE_CODE).split(text)
    return "".join(part if place % 2 else change(part) for place, part in enumerate(parts))


def without_fences(text: str) -> str:
    """The text without its blocks of code."""
    return _FENCES.sub("", text)


def without_half_marks(text: str) -> str:
    """A growing text without what may become a citation at its end."""
    return _HALF.sub("", text)


def with_marks(text: str, given: Collection[int], *, grows: bool = False) -> str:
    """The text with each citation as [n], also of numbers that were not given, and without a list of sources below."""

    def marked(match: re.Match[str]) -> str:
        numbers = _expanded(match[1])
        if len(numbers) > 1 and 0 in numbers:
            return match[0]
        is_glued = re.match(r"[0-9A-Za-z_]", match.string[match.start() - 1 : match.start()])
        return (" " if is_glued else "") + "".join(f"[{number}]" for number in numbers)

    def marked_if_given(match: re.Match[str]) -> str:
        return marked(match) if set(_expanded(match[1])) <= set(given) else match[0]

    def in_brackets(prose: str) -> str:
        prose = _JOINED.sub("-", prose.translate(_BRACKETS))
        for pattern in _SURE:
            prose = pattern.sub(marked, prose)
        for pattern in _IF_GIVEN:
            prose = pattern.sub(marked_if_given, prose)
        return _LINK.sub("", _DOUBLED.sub(r"\1", prose))

    text = in_prose(in_brackets, text, grows=grows)
    has_code = (_GROWING_CODE if grows else _WHOLE_CODE).search(text)
    for pattern in () if has_code else _IF_ALL_ARE:
        found = list(pattern.finditer(text))
        if not _SEPARATE.search(text) and all(m[2] is not None and set(_expanded(m[1])) <= set(given) for m in found):
            text = pattern.sub(marked, text)
    return _without_source_list(text, grows=grows)


def _expanded(found: str) -> list[int]:
    """The numbers of one citation, ranges with all that lie between."""
    numbers: list[int] = []
    for part in re.split(r"(?<=\d)[^\d-]+(?=\d)", _DASH.sub("-", found.translate(_RAISED))):
        first, *_, last = [int(number) for number in re.findall(r"\d+", part)] * 2
        numbers += range(min(first, last), max(first, last) + 1)
    return list(dict.fromkeys(numbers))


def _without_source_list(text: str, *, grows: bool) -> str:
    """The text without the titles of sources that some models put below it, each behind its number."""
    lines = text.rstrip().split("\n")
    start = len(lines)
    while start and (not lines[start - 1].strip(" \t-*•") or _ENTRY.fullmatch(lines[start - 1])):
        start -= 1
    entries = [entry for line in lines[start:] if (entry := _ENTRY.fullmatch(line))]
    heading = re.sub(r"\W", "", lines[start - 1]).lower() if start else ""
    if heading in _HEADINGS or (grows and heading and not entries and any(h.startswith(heading) for h in _HEADINGS)):
        start -= 1
    elif not all(entry[1] for entry in entries[: -1 if grows else None]):
        return text
    rest = "\n".join(lines[:start])
    return rest if MARK.search(rest) else text
