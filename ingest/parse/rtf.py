"""RTF -> Markdown text by way of HTML: paragraphs, headings, lists and tables, without what is hidden or deleted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape

from ingest.parse.document import Parsed, hidden_note
from ingest.parse.html.markup import from_html
from ingest.parse.marks import BULLETS
from ingest.parse.plain import parse_plain

_TOKEN = re.compile(
    rb"\\(?P<word>[a-zA-Z]+)(?P<value>-?\d{1,10})? ?|\\'(?P<code>[0-9a-fA-F]{2})|\\(?P<sign>[^a-zA-Z])"
    rb"|(?P<brace>[{}])|[\r\n]+|(?P<text>[^\\{}\r\n]+)"
)
_BINARY = re.compile(rb"\\bin(\d{1,9}) ?")
_FONT = re.compile(rb"\\f(\d{1,5})\b[^{};]*?\\fcharset(\d{1,3})")
_CHARSETS = {
    b"128": "cp932",
    b"129": "cp949",
    b"134": "cp936",
    b"136": "cp950",
    b"161": "cp1253",
    b"162": "cp1254",
    b"177": "cp1255",
    b"178": "cp1256",
    b"186": "cp1257",
    b"204": "cp1251",
    b"222": "cp874",
    b"238": "cp1250",
}
"""Character set of a font -> code page of Windows."""
_NOT_TEXT = re.compile(
    "fonttbl|colortbl|stylesheet|info|pict|objdata|fldinst|header[lrf]?|footer[lrf]?|filetbl|nonesttables"
)
"""Groups without words of the text; headers and footers repeat on every page."""
_TEXT_THOUGH_NEW = ("shptxt", "annotation")
"""Groups with text, although older programs should skip them."""
_SIGNS = {
    "bullet": "\u2022",
    "emdash": "\u2014",
    "endash": "\u2013",
    "lquote": "\u2018",
    "rquote": "\u2019",
    "ldblquote": "\u201c",
    "rdblquote": "\u201d",
    "_": "-",
    **dict.fromkeys(("tab", "emspace", "enspace", "~", "\t"), " "),
    **{sign: sign for sign in "{}\\"},
}
_MARKS = {"super": "sup", "sub": "sub", "strike": "s", "striked": "s"}
_ENDS = ("par", "sect", "page", "\r", "\n")


def parse_rtf(data: bytes) -> Parsed:
    """Parse a text in RTF, in the encodings that it names; other text as plain text. Raises ParseError."""
    if not is_rtf(data):
        return parse_plain(data)
    data = _without_binary(data)
    page = re.search(rb"\\ansicpg(\d{3,5})", data)
    fonts = {font: _CHARSETS[name] for font, name in _FONT.findall(data) if name in _CHARSETS}
    reader = _Reader(fonts, _Look(encoding=f"cp{page[1].decode()}" if page else "cp1252"))
    for token in _TOKEN.finditer(data):
        reader.read(token)
    reader.finish()
    parsed = from_html("".join(reader.html).replace("</ul><ul>", ""))
    return replace(parsed, note=hidden_note(reader.num_hidden))


def is_rtf(data: bytes) -> bool:
    """Return whether it begins as RTF does."""
    return data.startswith(b"{\\rtf")


def _without_binary(data: bytes) -> bytes:
    """Return the file without pictures that are stored as bytes."""
    parts, position = [], 0
    while binary := _BINARY.search(data, position):
        parts.append(data[position : binary.start()])
        position = binary.end() + int(binary[1])
    return b"".join([*parts, data[position:]])


@dataclass(frozen=True, slots=True)
class _Look:
    """How the text of a group is read.

    skipped: whether it is no text. mark: an HTML element. num_instead: characters that stand for each one of Unicode.
    """

    encoding: str
    skipped: bool = False
    hidden: bool = False
    mark: str = ""
    num_instead: int = 1
    end: str = ""


@dataclass(slots=True)
class _Reader:
    """Writes the HTML of the tokens that it reads."""

    fonts: Mapping[bytes, str]
    look: _Look
    outer: list[_Look] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    text: str = ""
    codes: bytes = b""
    num_instead: int = 0
    cells: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    in_table: bool = False
    is_header: bool = False
    level: int = 0
    num_hidden: int = 0

    def read(self, token: re.Match[bytes]) -> None:
        """Take in the next token."""
        if token["text"] or token["code"]:
            codes = token["text"] or bytes.fromhex(token["code"].decode())
            skipped, self.num_instead = min(self.num_instead, len(codes)), max(0, self.num_instead - len(codes))
            self.codes += codes[skipped:]
            return
        self._write_codes()
        if token["brace"] == b"{":
            self.outer.append(self.look)
            self.look = replace(self.look, end="")
        elif token["brace"] and self.outer:
            self.text = self.text.rstrip() + self.look.end if self.look.end else self.text
            self.look = self.outer.pop()
        elif word := (token["word"] or token["sign"] or b"").decode("latin-1"):
            self._obey(word, token["value"])

    def _write_codes(self) -> None:
        try:
            text = self.codes.decode(self.look.encoding, errors="replace")
        except LookupError:
            text = self.codes.decode("cp1252", errors="replace")
        self.codes = b""
        self._write(text)

    def _write(self, text: str) -> None:
        if self.look.hidden and not self.look.skipped:
            self.num_hidden += bool(text.strip())
        elif text and not self.look.skipped:
            mark = self.look.mark
            self.text += f"<{mark}>{escape(text)}</{mark}>" if mark else escape(text)

    def _obey(self, word: str, value: bytes | None) -> None:
        is_on = value != b"0"
        if word == "*" or _NOT_TEXT.fullmatch(word):
            self.look = replace(self.look, skipped=True)
        elif word in _TEXT_THOUGH_NEW:
            self.look = replace(self.look, skipped=False)
        elif word == "u" and value:
            self._write(chr(int(value) % 0x10000))
            self.num_instead = self.look.num_instead
        elif word == "uc":
            self.look = replace(self.look, num_instead=int(value or 1))
        elif word in ("v", "deleted"):
            self.look = replace(self.look, hidden=is_on)
        elif word == "plain":
            self.look = replace(self.look, hidden=False, mark="")
        elif word in _MARKS or word == "nosupersub":
            self.look = replace(self.look, mark=_MARKS.get(word, "") if is_on else "")
        elif word == "f":
            encoding = self.fonts.get(value or b"", self.outer[0].encoding if self.outer else self.look.encoding)
            self.look = replace(self.look, encoding=encoding)
        elif word in _SIGNS:
            self._write(_SIGNS[word])
        elif not self.look.skipped:
            self._lay_out(word, value)

    def _lay_out(self, word: str, value: bytes | None) -> None:
        if word in _ENDS:
            self.end_paragraph()
        elif word in ("line", "nestcell", "nestrow"):
            self.text += {"line": "<br>", "nestcell": ", ", "nestrow": "; "}[word]
        elif word == "pard":
            self.in_table, self.level = False, 0
        elif word == "intbl":
            self.in_table = True
        elif word == "outlinelevel":
            self.level = int(value or 0) + 1
        elif word == "footnote":
            self.text += " ("
            self.look = replace(self.look, end=")", mark="")
        elif word in ("trowd", "trhdr"):
            self.is_header = word == "trhdr"
        elif word == "cell":
            self.cells.append(self.text)
            self.text = ""
        elif word == "row":
            name = "th" if self.is_header else "td"
            self.rows.append("".join(f"<{name}>{cell}</{name}>" for cell in self.cells))
            self.cells = []

    def finish(self) -> None:
        """End what is open, also in a file that is cut off."""
        self._write_codes()
        if self.cells:
            self._lay_out("row", None)
        self.outer, self.in_table, self.look = [], False, replace(self.look, end="")
        self.end_paragraph()
        self.end_table()

    def end_paragraph(self) -> None:
        """End a paragraph; in a cell of a table, a line, and in a note, which is part of a paragraph, a sentence."""
        if any(look.end for look in (self.look, *self.outer)):
            self.text += " "
        elif self.in_table:
            self.text += "<br>"
        elif self.text.strip():
            self.end_table()
            words = self.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()
            if words[0] in BULLETS + "\xb7":
                self.html.append(f"<ul><li>{words[1:]}</li></ul>")
            else:
                name = f"h{min(self.level, 6)}" if 0 < self.level < 10 else "p"
                self.html.append(f"<{name}>{words}</{name}>")
            self.text = ""

    def end_table(self) -> None:
        """Write the rows so far as a table."""
        rows = "".join(f"<tr>{row}</tr>" for row in self.rows)
        self.html.append(f"<table>{rows}</table>" if rows else "")
        self.rows = []
