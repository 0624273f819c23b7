"""Elements of an ODT, ODS or ODP -> HTML with all that a reader sees, by their styles and list styles."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape, unescape
from urllib.parse import quote, unquote

from lxml import etree

from ingest.parse.document import one_line
from ingest.parse.html.markup import from_html
from ingest.parse.office.opendocument_styles import OUTLINE, Styles, attribute, has_text, name_of, whole
from ingest.parse.office.opendocument_tables import WIDEST, is_collapsed, own, repeated
from ingest.parse.office.parts import tree

_MOST_REPEATED = 1000
_ROW = 0.8
"""Centimeters: shapes whose tops differ by less are side by side."""
_CENTIMETERS = {"cm": 1.0, "mm": 0.1, "in": 2.54, "pt": 2.54 / 72}
_SHAPES = ("custom-shape", "rect", "ellipse", "circle", "line", "polyline", "polygon", "path", "connector", "caption")
_LONE = re.compile(r"\A\s*<p>((?:(?!</?p>).)*)</p>(?=\s*(?:<[ou]l|\Z))", re.DOTALL)
"""The only paragraph of an item, which would put an empty line between the items."""
_UNSEEN = re.compile(
    r"office:(automatic-styles|styles|font-face-decls|scripts|forms|event-listeners|annotation-end)"
    r"|svg:(title|desc)|text:(script|.*-source|.*-decls)|presentation:notes|math:annotation|:(creator|date)|"
)


def plain(html: str) -> str:
    """Return what `Html` wrote as text in one line."""
    if re.search(r"<(?!/?[pb]>)", html):
        return one_line(from_html(html).pages[0].text)
    return one_line(unescape(re.sub("</?p>", " ", re.sub("</?b>", "", html))))


class Html:
    """Writes elements as HTML. hidden: how many of each kind no reader sees. embedded: names of other files in it."""

    def __init__(self, content: etree._Element, styles: etree._Element, parts: Mapping[str, bytes]) -> None:
        """Content, styles: two parts of a file. parts: all of them, by name, for charts and formulas."""
        self.hidden: Counter[str] = Counter()
        self.embedded: set[str] = set()
        self._parts = parts
        self._is_book, self._is_text = (
            content.find(f"{{*}}body/{{*}}{kind}") is not None for kind in ("spreadsheet", "text")
        )
        self.styles = Styles(styles, content)
        self._list = ("", 0)
        self._number = ""
        self._below: list[str] | None = [] if self._is_book else None
        self._footnotes: list[str] = []
        self._comments: list[str] = []

    def of(self, element: etree._Element) -> str:
        """Return an element as HTML, '' for a hidden one."""
        name = name_of(element)
        if name == "text:tracked-changes":
            self.hidden["passages"] += sum(map(has_text, element.iter("{*}deletion")))
        elif self.styles.is_hidden(element):
            self.hidden["cells" if name == "table:table-cell" else "passages"] += has_text(element)
        elif not _UNSEEN.fullmatch(name):
            return _WRITERS.get(name, Html._inner)(self, element)
        return ""

    def notes(self) -> str:
        """Return the footnotes, endnotes and comments, which stand at the end."""
        notes = "".join(f"<li>{note}</li>" for note in self._footnotes)
        return f"<ol>{notes}</ol>" * bool(notes) + f"<dl>{''.join(self._comments)}</dl>" * bool(self._comments)

    def drawn(self, table: etree._Element) -> str:
        """Return the pictures, charts and boxes of a sheet whose cells have been read."""
        below, self._below = self._below or [], None
        on_sheet = "".join(map(self.of, table.iterfind("{*}shapes")))
        self._below = []
        return "".join(below) + on_sheet

    def _inner(self, element: etree._Element) -> str:
        return escape(element.text or "") + "".join(self.of(child) + escape(child.tail or "") for child in element)

    def _marked(self, element: etree._Element) -> str:
        look, text = self.styles.look(element), self._inner(element)
        position = look.get("text-position", "")
        marks = {
            "sup": re.match("super|[1-9]", position),
            "sub": re.match("sub|-[1-9]", position),
            "s": look.get("text-line-through-style", "none") != "none",
            "b": look.get("font-weight") == "bold",
        }
        for mark in (mark for mark, applies in marks.items() if applies and text.strip()):
            text = f"<{mark}>{text}</{mark}>"
        return text

    # text

    def _paragraph(self, element: etree._Element) -> str:
        """Return a paragraph or heading with its number, and the boxes anchored in it below."""
        tag, level = "p", whole(element, "text:outline-level")
        if "Title" in self.styles.look(element).get("names", "").split():
            tag = "h1"
        elif name_of(element) == "text:h":
            tag = f"h{min(level, 6)}"
            if not self._number and attribute(element, "text:is-list-header") != "true":
                self._number = self.styles.next_number(OUTLINE, level, element)
        outer, self._below = self._below, []
        number, self._number = f"{self._number} ".lstrip(), ""
        text = self._marked(element)
        below, self._below = self._below, outer
        return f"<{tag}>{escape(number)}{text}</{tag}>{''.join(below)}"

    def _link(self, element: etree._Element) -> str:
        return f'<a href="{escape(attribute(element, "xlink:href"))}">{self._inner(element)}</a>'

    def _ruby(self, element: etree._Element) -> str:
        base, reading = (self._inner(part) for part in element)
        return f"{base}({reading})"

    def _footnote(self, element: etree._Element) -> str:
        self._footnotes.append("")
        number = len(self._footnotes)
        self._footnotes[number - 1] = "".join(map(self._inner, element.iterchildren("{*}note-body")))
        return f"<sup>[{number}]</sup>"

    def _comment(self, element: etree._Element) -> str:
        text = "".join(self.of(part) for part in element if name_of(part).startswith("text:"))
        if not self._is_text:
            return f"<p>({'Note' if self._is_book else 'Comment'}: {escape(plain(text))})</p>"
        author = element.findtext("{*}creator") or ""
        initials = element.findtext("{*}creator-initials") or "".join(name[0] for name in author.split())
        label = f"[{escape(initials)}{len(self._comments) + 1}]"
        self._comments.append(f"<dt>Comment {label}</dt><dd>{text}</dd>")
        return f"<sup>{label}</sup>"

    # lists

    def _items(self, element: etree._Element) -> str:
        """Return a list; items with numbers that HTML does not write are paragraphs."""
        outer = self._list
        name, level = attribute(element, "text:style-name") or outer[0], outer[1] + 1
        self._list = name, level
        if not (attribute(element, "text:continue-numbering") == "true" or attribute(element, "text:continue-list")):
            self.styles.restart(name, level)
        items, start = [], 0
        for item in element:
            items.append(self._item(item))
            start = start or self.styles.count(name, level)
        self._list = outer
        kind = self.styles.kind(name, level)
        first = f' start="{start}"' if kind == "ol" else ""
        return f"<{kind}{first}>{''.join(items)}</{kind}>"

    def _item(self, item: etree._Element) -> str:
        name, level = self._list
        begins = name_of(item[0]) if len(item) else "text:list"
        if name_of(item) != "text:list-item" or begins == "text:list":
            return self._inner(item)
        kind = self.styles.kind(name, level)
        number = "" if kind == "ul" else self.styles.next_number(name, level, item)
        is_apart = kind == "div" or begins == "text:h"
        self._number = number if is_apart else ""
        text = self._inner(item)
        self._number = ""
        return text if is_apart else "<li>" + _LONE.sub(r"\1", text) + "</li>"

    # tables

    def rows(self, table: etree._Element) -> Iterator[tuple[list[tuple[int, etree._Element]], int]]:
        """Yield the visible cells of each row with their columns from 0, and how often the row repeats."""
        hidden = set[int]()
        column = 0
        for one in own(table, "table:table-column"):
            times = min(whole(one, "table:number-columns-repeated"), WIDEST)
            hidden |= set(range(column, column + times)) if is_collapsed(one) else set()
            column += times
        concealed = set[int]()
        for row in own(table, "table:table-row"):
            cells = list(enumerate(repeated(row)))
            if is_collapsed(row):
                self.hidden["rows"] += any(has_text(cell) for _, cell in cells)
                continue
            concealed |= {column for column, cell in cells if column in hidden and has_text(cell)}
            yield [cell for cell in cells if cell[0] not in hidden], whole(row, "table:number-rows-repeated")
        self.hidden["columns"] += len(concealed)

    def span(self, cell: etree._Element) -> tuple[int, int]:
        """Return how many columns and rows a cell covers."""
        width, height = (whole(cell, f"table:number-{what}-spanned") for what in ("columns", "rows"))
        return min(width, WIDEST), height

    def _table(self, table: etree._Element) -> str:
        rows = []
        for number, (cells, times) in enumerate(self.rows(table)):
            first = cells[0][1].getparent() if cells else table
            named = number == 0 and attribute(table, "table:use-first-row-styles") == "true"
            tag = "th" if named or name_of(first.getparent()) == "table:table-header-rows" else "td"
            row = "".join(self._cell(cell, tag) for _, cell in cells if name_of(cell) == "table:table-cell")
            rows += [f"<tr>{row}</tr>"] * min(times, _MOST_REPEATED)
        return self._apart(f"<table>{''.join(rows)}</table>")

    def _cell(self, cell: etree._Element, tag: str) -> str:
        width, height = self.span(cell)
        return f'<{tag} colspan="{width}" rowspan="{height}">{self.of(cell)}</{tag}>'

    # drawings

    def _apart(self, html: str) -> str:
        """Return a block, or keep it for below the paragraph or sheet that it is in."""
        if self._below is None or not html:
            return html
        self._below.append(html)
        return ""

    def in_order(self, shapes: Iterable[etree._Element]) -> str:
        """Return shapes as HTML, in reading order."""
        return "".join(map(self.of, sorted(shapes, key=_place)))

    def _shape(self, shape: etree._Element) -> str:
        return self._apart("".join(self.of(part) for part in shape if name_of(part).startswith("text:")))

    def _frame(self, frame: etree._Element) -> str:
        """Return the first form of a frame that can be read, since it may have several of the same thing."""
        words = " ".join(frame.findtext(f"{{*}}{name}", "") for name in ("title", "desc")).strip()
        outer, in_text = self._below, self._below is not None and not self._is_book
        self._below = None
        forms = (self._image(part, words) if name_of(part) == "draw:image" else self.of(part) for part in frame)
        html = next(filter(None, forms), "")
        self._below = outer
        if html.startswith(("<img", "<math")):
            return html if in_text else self._apart(f"<p>{html}</p>")
        return self._apart(html)

    def _image(self, image: etree._Element, words: str) -> str:
        source = quote(unquote(attribute(image, "xlink:href")))
        return f'<img src="{escape(source)}" alt="{escape(words)}">' if source else ""

    def _object(self, element: etree._Element) -> str:
        """Return a formula or chart; other files in a document are named in a note."""
        name = posixpath.normpath(attribute(element, "xlink:href") or "object")
        part = self._parts.get(f"{name}/content.xml")
        root = None if part is None else tree(part)
        if root is not None and name_of(root) == "math:math":
            return self._formula(root)
        chart = None if root is None else root.find("{*}body/{*}chart")
        if root is None or chart is None:
            self.embedded.add(name)
            return ""
        for table in chart.findall(".//{*}table") if self._is_book else ():
            table.getparent().remove(table)
        return Html(root, root, {}).of(chart)

    def _formula(self, element: etree._Element) -> str:
        for annotation in element.findall(".//{*}annotation"):
            annotation.getparent().remove(annotation)
        html = etree.tostring(element, encoding="unicode", with_tail=False)
        return re.sub(r"<(/?)\w+:", r"<\1", html)


def _place(shape: etree._Element) -> tuple[float, float]:
    if name_of(shape) == "draw:g" and len(shape):
        return min(map(_place, shape))
    lengths = (re.fullmatch(r"(-?\d*\.?\d+)(cm|mm|in|pt)", attribute(shape, name)) for name in ("svg:y", "svg:x"))
    top, left = (float(length[1]) * _CENTIMETERS[length[2]] if length else 0.0 for length in lengths)
    return top // _ROW, left


_WRITERS: dict[str, Callable[[Html, etree._Element], str]] = {
    "text:p": Html._paragraph,
    "text:h": Html._paragraph,
    "text:span": Html._marked,
    "text:a": Html._link,
    "text:s": lambda *_: " ",
    "text:tab": lambda *_: " ",
    "text:line-break": lambda *_: "<br>",
    "text:ruby": Html._ruby,
    "text:note": Html._footnote,
    "text:list": Html._items,
    "office:annotation": Html._comment,
    "table:table": Html._table,
    "draw:frame": Html._frame,
    "draw:g": Html.in_order,
    "draw:object": Html._object,
    "draw:object-ole": Html._object,
    **dict.fromkeys((f"draw:{name}" for name in _SHAPES), Html._shape),
}
