"""RTF -> Markdown text: striprtf decodes it, after hidden text is removed and what it loses is marked.

striprtf gives plain text without notes, text boxes, headers and pictures, and shows hidden text and deletions.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field, replace
from html import escape
from itertools import groupby

from ingest.parse.document import Parsed, ParseError, hidden_note, one_line, real_title, whole_characters
from ingest.parse.html.markup import from_html
from ingest.parse.office.parts import is_telling

_TOKEN = re.compile(r"\\bin(\d+) ?|\\([a-z]+)(-?\d+)? ?|\\'..|\\.|([{}])|[^\\{}]+", re.DOTALL | re.IGNORECASE)
_OPEN, _CLOSE, _CELL, _ROW, _ROW_START, _HEADER, _BREAK, _LEVEL, _ADDRESS, _LABEL = map(chr, range(0xE010, 0xE01A))
"""Private characters that stand for the structure of the document while striprtf decodes it."""
_GROUPS = {
    "field": "field",
    "fldinst": "address",
    "footnote": "note",
    "annotation": "comment",
    "atnid": "initials",
    "listtext": "label",
    "pntext": "label",
    "title": "title",
    **dict.fromkeys(("header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf"), "edge"),
}
"""Control word -> name of the mark around its group."""
_LOOKS = {"super": "sup", "sub": "sub", "strike": "s"}
_READ = {"info", "shp", "shpgrp", "shpinst", "shppict", "object", "result"}
"""Groups that striprtf leaves out, and that contain others to read."""
_DROPPED = {"nonshppict", "shprslt", "objdata", "themedata", "datastore", "colorschememapping"}
_SINGLE = {
    "cell": _CELL,
    "row": _ROW,
    "trowd": _ROW_START,
    "intbl": _ROW_START,
    "trhdr": _HEADER,
    "line": _BREAK,
    "nestcell": "; ",
}
_DEEPEST = 50
"""Marks in marks, such as a raised figure in a link in a footnote."""
_PICTURES = {"pngblip": "png", "jpegblip": "jpeg"}
_MARKED = re.compile(f"{_OPEN}(\\w+) ([^{_OPEN}{_CLOSE}]*){_CLOSE}")


def parse_rtf(data: bytes) -> Parsed:
    """Parse a document of WordPad, Word or LibreOffice. Raises ParseError if it is no RTF."""
    from striprtf.striprtf import rtf_to_text

    if not data.lstrip().startswith(b"{\\rtf"):
        raise ParseError("this is not an RTF file")
    source = _Source(data.decode("latin-1"))
    text = whole_characters(rtf_to_text(source.marked(), errors="replace"))
    page = _Page(source.pictures)
    parsed = from_html(page.html(text))
    return replace(parsed, title=parsed.title or real_title(page.title), note=hidden_note(source.num_hidden))


@dataclass(slots=True)
class _Group:
    """A group in braces. hidden: words that hide its text. picture: its format. ends: marks to close with it."""

    hidden: frozenset[str] = frozenset()
    is_dropped: bool = False
    picture: str | None = None
    num_looks: int = 0
    ends: str = ""


class _Source:
    """The text of a file. pictures: format and hex digits of each. num_hidden: texts that no reader sees."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._groups = [_Group()]
        self._star = ""
        self.pictures: list[tuple[str, str]] = []
        self.num_hidden = 0

    def marked(self) -> str:
        """Return the text with marks, and without what is hidden."""
        parts, position = [], 0
        while match := _TOKEN.match(self._text, position):
            position = match.end() + int(match[1] or 0)
            parts.append(self._token(match, self._text[match.end() : position]))
        return "".join(parts)

    def _token(self, match: re.Match[str], binary: str) -> str:
        group, star = self._groups[-1], self._star
        if match[0] == "\\*":
            self._star = match[0]
            return ""
        self._star = ""
        if match[4]:
            return star + self._brace(match[4])
        if group.picture is not None and not match[2]:
            kind, digits = self.pictures[-1]
            self.pictures[-1] = kind, digits + (binary.encode("latin-1").hex() if match[1] else match[0])
        if match[2] and not group.is_dropped:
            return self._word(match[2].lower(), match[3] or "", star, match[0])
        if match[2] in _PICTURES and group.picture is not None:
            self.pictures[-1] = _PICTURES[match[2]], self.pictures[-1][1]
        if group.is_dropped or match[1]:
            return ""
        if group.hidden:
            self.num_hidden += re.search(r"\w", match[0]) is not None
            return ""
        return star + re.sub("[\x80-\xff]", lambda byte: f"\\'{ord(byte[0]):02x}", match[0])

    def _brace(self, brace: str) -> str:
        if brace == "{":
            outer = self._groups[-1]
            self._groups.append(_Group(outer.hidden, outer.is_dropped))
            return brace
        ends = self._groups.pop().ends if len(self._groups) > 1 else ""
        return _written(ends) + brace

    def _word(self, word: str, number: str, star: str, token: str) -> str:
        group = self._groups[-1]
        if word in ("v", "deleted", "plain"):
            group.hidden = (group.hidden | {word}) if word != "plain" and number != "0" else group.hidden - {word, "v"}
        if word in ("plain", "pard", "nosupersub") or (word in _LOOKS and number == "0"):
            ended, group.num_looks = _CLOSE * group.num_looks, 0
            group.ends = group.ends.removesuffix(ended)
            return _written(ended) + token
        if word in _GROUPS or word in _LOOKS:
            group.ends += _CLOSE
            group.num_looks += word in _LOOKS
            return _written(f"{_OPEN}{_GROUPS.get(word) or _LOOKS[word]} ")
        if word == "pict":
            group.is_dropped, group.picture = True, ""
            self.pictures.append(("", ""))
            return _written(f"{_OPEN}picture {len(self.pictures) - 1}{_CLOSE}")
        if word in _DROPPED:
            group.is_dropped = True
            return ""
        if word == "shptxt":
            return "\\par "
        if word == "outlinelevel":
            return _written(f"{_LEVEL}{number}")
        if word in _SINGLE:
            return "" if group.hidden else _written(_SINGLE[word])
        return "" if word in _READ else star + token


def _written(text: str) -> str:
    """Return characters so that striprtf copies them."""
    return "{\\uc0" + "".join(f"\\u{ord(character)} " for character in text) + "}" if text else ""


@dataclass(slots=True)
class _Page:
    """Marked text -> HTML; what stands elsewhere is collected."""

    pictures: list[tuple[str, str]]
    title: str = ""
    initials: str = ""
    notes: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    edges: list[str] = field(default_factory=list)

    def html(self, text: str) -> str:
        """Return the document, then its notes, comments, headers and footers."""
        text = escape(text)
        for _ in range(_DEEPEST):
            text, count = _MARKED.subn(self._shown, text)
            if not count:
                break
        body = _blocks(re.sub(f"{_OPEN}\\w+ |{_CLOSE}", "", text))
        notes = "".join(f"<li>{_paragraphs(note)}</li>" for note in self.notes)
        edges = dict.fromkeys(line for edge in self.edges for line in edge.split("\n") if is_telling(line))
        return f"{body}<ol>{notes}</ol><dl>{''.join(self.comments)}</dl>{''.join(f'<p>{line}</p>' for line in edges)}"

    def _shown(self, mark: re.Match[str]) -> str:
        name, text = mark[1], mark[2]
        if name == "field":
            address, _, shown = text.rpartition(_ADDRESS)
            return f'<a href="{address.strip()}">{shown}</a>' if address.strip() else shown
        if name == "address":
            link = re.search(r"HYPERLINK\s+&quot;(.*?)&quot;", text)
            return f"{link[1] if link else ''}{_ADDRESS}"
        if name == "note":
            self.notes.append(text)
            return f"<sup>[{len(self.notes)}]</sup>"
        if name == "comment":
            label = f"[{self.initials}{len(self.comments) + 1}]"
            self.comments.append(f"<dt>Comment {label}</dt><dd>{_paragraphs(text)}</dd>")
            return f"<sup>{label}</sup>"
        if name == "label":
            return f"{_LABEL}{one_line(text)}{_LABEL}"
        if name == "picture":
            return self._picture(*self.pictures[int(text)])
        if name in ("title", "initials"):
            setattr(self, name, text)
        elif name == "edge":
            self.edges.append(text)
        elif re.search(f"[\n{_CELL}{_ROW}]", text):
            return text
        else:
            return f"<{name}>{text}</{name}>"
        return ""

    def _picture(self, kind: str, digits: str) -> str:
        digits = re.sub(r"[^0-9A-Fa-f]", "", digits)
        if not kind:
            return ""
        return (
            f'<img src="data:image/{kind};base64,{b64encode(bytes.fromhex(digits[: len(digits) // 2 * 2])).decode()}">'
        )


def _blocks(text: str) -> str:
    """Return paragraphs and tables as HTML.

    The properties of a row, which mark its start, may also stand at its end only.
    """
    *rows, end = text.split(_ROW)
    html = ""
    for row in rows:
        first, *others = row.split(_CELL)
        before, _, first = first.partition(_ROW_START) if _ROW_START in first else first.rpartition("\n")
        tag = "th" if _HEADER in row else "td"
        cells = "".join(f"<{tag}>{_paragraphs(cell)}</{tag}>" for cell in [first, *others][:-1])
        html += f"{_paragraphs(before)}<table><tr>{cells}</tr></table>"
    return html.replace("</table><table>", "") + _paragraphs(end)


def _paragraphs(text: str) -> str:
    lines = [line for line in re.sub(f"[{_CELL}{_ROW_START}{_HEADER}]", " ", text).split("\n") if line.strip()]
    html = ""
    for is_item, part in groupby(map(_line, lines), lambda line: line[0]):
        shown = "".join(line for _, line in part)
        html += f"<ul>{shown}</ul>" if is_item else shown
    return html


def _line(line: str) -> tuple[bool, str]:
    """Return whether a line is an item of a list with bullets, and its HTML."""
    level = re.search(f"{_LEVEL}([0-8])", line)
    label = re.search(f"{_LABEL}(.*?){_LABEL}", line)
    words = re.sub(f"{_LEVEL}[0-9]?|{_LABEL}.*?{_LABEL}|{_LABEL}", "", line).replace(_BREAK, "<br>")
    if label and re.search(r"\w", label[1]):
        words = f"{label[1]} {words}"
    if level:
        tag = f"h{min(int(level[1]) + 1, 6)}"
        return False, f"<{tag}>{words}</{tag}>"
    return (True, f"<li>{words}</li>") if label and not re.search(r"\w", label[1]) else (False, f"<p>{words}</p>")
