"""XLSX -> a table per block of cells, as the sheet shows it: merged cells, links, notes, and no hidden rows."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import unescape
from typing import Any

from ingest.parse.archive import embedded_note, office_file
from ingest.parse.document import (
    FoundFigure,
    Heading,
    Page,
    Parsed,
    hidden_note,
    joined,
    joined_notes,
    one_line,
    real_title,
)
from ingest.parse.fields import Field
from ingest.parse.figures import at_address, in_package
from ingest.parse.html.markup import from_html
from ingest.parse.marks import address_of
from ingest.parse.office.cells import Looks
from ingest.parse.office.charts import chart_html, chart_text, words_of
from ingest.parse.office.parts import is_telling, tree
from ingest.parse.sheet_tables import block_text, blocks

Place = tuple[int, int]
"""Row and column, from 1."""

_MOST_MERGED = 1_000_000
"""Fields of merged cells that are filled per sheet; a sheet may claim to have billions."""
_FORMULA = re.compile(
    rb'<c\b([^>]*\br="[A-Z]+\d+"[^>]*)>\s*<f\b[^>]*?(?:/>|>([^<]*)</f>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*(</c>)?'
)
_THREAD = re.compile(r"^\[[^\]]*\].*linkid=870924[^:]*:\s*", re.DOTALL)
"""What Excel writes before a comment with replies, for older versions, in the language of its user."""
_EDGE_CODE = re.compile(r'&(?:"[^"]*"|K[0-9A-Fa-f]{6}|K\d\d[+-]\d{3}|1#|\d+|[A-Z])')
"""Font, color, size and the like of a header's text; programs that label files mark theirs with a # of one point."""
_LINK_FORMULA = re.compile(r'(?i)HYPERLINK\(\s*"([^"]+)"')


def parse_xlsx(data: bytes) -> Parsed:
    """Parse the visible sheets of a workbook, with the last values of its formulas."""
    import openpyxl

    package = office_file(data)
    file = io.BytesIO(package)
    book = openpyxl.load_workbook(file, read_only=True, data_only=True, rich_text=True)
    title = real_title(book.properties.title or "")
    cover = [headed(1, title, "")] if title else []
    counts: Counter[str] = Counter()
    hidden = [sheet.title for sheet in book.worksheets if sheet.sheet_state != "visible"]
    with zipfile.ZipFile(file) as parts:
        sheets = [
            _sheet(sheet, _Layout.of(parts, sheet._worksheet_path, hidden), 2 if title else 1, counts)
            for sheet in book.worksheets
            if sheet.sheet_state == "visible"
        ]
        sheets += _chart_sheets(parts)
    counts["hidden sheets"] = len(hidden)
    note = joined_notes(_note(counts), embedded_note(package))
    parsed = joined([*cover, *(sheet for sheet in sheets if sheet.pages)], title, note)
    return replace(parsed, figures=in_package(parsed.figures, package))


def _chart_sheets(parts: zipfile.ZipFile) -> Iterator[Parsed]:
    """Yield the charts that have a sheet of their own, with their numbers."""
    names = set(parts.namelist())
    for path in filter(re.compile(r"xl/chartsheets/\w+\.xml").fullmatch, parts.namelist()):
        for drawing in (target for _, target in _related(parts, path).values() if target in names):
            for kind, target in _related(parts, drawing).values():
                if kind == "chart" and target in names:
                    yield from_html(chart_html(parts.read(target)))


def _note(counts: Mapping[str, int]) -> str:
    formulas = counts["formulas"]
    no_value = f"{formulas:,} formulas have no stored value; open the file in Excel and save it" if formulas else ""
    hidden = [hidden_note(counts[f"hidden {what}"], what) for what in ("sheets", "rows", "columns", "cells")]
    return joined_notes(no_value, *hidden)


def _sheet(sheet: Any, layout: _Layout, level: int, counts: Counter[str]) -> Parsed:
    sheet.reset_dimensions()  # a format in the last cell would give a million rows of 16,384 cells
    looks = Looks(counts, layout.grounds)
    rows = [[looks.field(cell) for cell in row] for row in sheet.iter_rows()]
    layout.write_into(rows)
    counts["formulas"] += len(layout.formulas)
    visible = layout.without_hidden(rows, counts)
    text = "\n\n".join([*map(block_text, blocks(visible)), *layout.texts])
    parsed = headed(level, one_line(sheet.title), text) if text else Parsed((), (), "")
    return replace(parsed, figures=tuple(layout.pictures))


def headed(level: int, title: str, text: str) -> Parsed:
    """Return a sheet's text below its name as a heading."""
    line = "#" * level + " " + title
    return Parsed((Page(None, f"{line}\n\n{text}".rstrip()),), (Heading(level, title, 0, len(line)),), title)


@dataclass(slots=True)
class _Layout:
    """What a sheet's part of the file says besides values.

    merged, headers and grounds (cells that may have a color): ranges as (left, top, right, bottom). links: addresses.
    notes: comments. formulas: those without a stored value. hidden: numbers of rows and columns. texts: in boxes,
    titles of charts, what is printed at edges.
    """

    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    headers: list[tuple[int, int, int, int]] = field(default_factory=list)
    grounds: list[tuple[int, int, int, int]] = field(default_factory=list)
    links: dict[Place, str] = field(default_factory=dict)
    notes: dict[Place, str] = field(default_factory=dict)
    formulas: dict[Place, str] = field(default_factory=dict)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    pictures: list[FoundFigure] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, parts: zipfile.ZipFile, path: str, hidden: Sequence[str]) -> _Layout:
        """Read the layout of the sheet at this path in the file. hidden: titles of hidden sheets."""
        xml = parts.read(path)
        if b"<sheetData" not in xml:  # all names have a prefix
            xml = re.sub(rb"<(/?)\w+:", rb"<\1", xml)
        head, _, rest = xml.partition(b"<sheetData")
        tail = rest.rpartition(b"</sheetData>")[2]
        layout = cls()
        layout.merged = [_range(tag["ref"]) for tag in _tags(tail, "mergeCell")]
        layout.headers = [_range(tag["ref"]) for tag in _tags(tail, "autoFilter")]
        layout.hidden_columns = [(int(tag["min"]), int(tag["max"])) for tag in _tags(head, "col") if _is_hidden(tag)]
        if b"<filterColumn" not in tail and b'hidden="' in rest:  # a reader can clear a filter
            layout.hidden_rows = {int(tag["r"]) for tag in _tags(rest, "row") if _is_hidden(tag) and "r" in tag}
        layout.grounds = [
            _range(area) for tag in _tags(tail, "conditionalFormatting") for area in tag.get("sqref", "").split()
        ]
        layout._read_related(parts, path, tail, hidden)
        edges = re.findall(rb"<(?:\w+:)?odd(?:Header|Footer)>([^<]*)<", tail)
        lines = (one_line(_EDGE_CODE.sub(" ", unescape(unescape(edge.decode())))) for edge in edges)
        layout.texts += filter(is_telling, lines)
        layout._read_formulas(rest)
        return layout

    def _read_related(self, parts: zipfile.ZipFile, path: str, tail: bytes, hidden: Sequence[str]) -> None:
        related = _related(parts, path)
        for tag in _tags(tail, "hyperlink"):
            kind, target = related.get(tag.get("id", ""), ("", ""))
            if kind == "hyperlink":
                self.links[_place(tag["ref"])] = target
        for kind, target in related.values():
            if kind == "table" and target in parts.namelist():
                table = tree(parts.read(target))
                if table.get("headerRowCount") != "0":
                    self.headers.append(_range(table.get("ref")))
                self.grounds += [_range(table.get("ref")) for _ in table.iter("{*}tableStyleInfo")]
            elif kind == "comments" and target in parts.namelist():
                for note in tree(parts.read(target)).iter("{*}comment"):
                    text = _THREAD.sub("", "".join(part.text or "" for part in note.iter("{*}t")))
                    self.notes[_place(note.get("ref"))] = one_line(text)
            elif kind == "drawing" and target in parts.namelist():
                self._read_drawing(parts, target, hidden)

    def _read_drawing(self, parts: zipfile.ZipFile, path: str, hidden: Sequence[str]) -> None:
        related, drawing = _related(parts, path), tree(parts.read(path))
        for box in drawing.iter("{*}txBody"):
            self.texts.append(one_line(" ".join(words_of(paragraph) for paragraph in box.iter("{*}p"))))
        for kind, target in related.values():
            if kind in ("chart", "chartEx") and target in parts.namelist():
                self.texts += chart_text(parts.read(target), hidden)
        self.texts = [text for text in self.texts if text]
        for picture in drawing.iter("{*}pic"):
            words = " ".join(tag.get("descr", "") for tag in picture.iter("{*}cNvPr"))
            names = [str(name) for tag in picture.iter("{*}blip") for name in tag.values()]
            self.pictures += [at_address(related[name][1], words) for name in names if name in related]

    def _read_formulas(self, rows: bytes) -> None:
        for match in _FORMULA.finditer(rows) if b"<f" in rows else ():
            cell, formula = next(_tags(b"<c" + match[1] + b">", "c")), unescape((match[2] or b"").decode())
            place = _place(cell["r"])
            if link := _LINK_FORMULA.match(formula):
                self.links[place] = link[1]
            if match[3] and cell.get("t") != "str":  # a formula may well give an empty text
                self.formulas[place] = "=" + formula if formula else "(formula)"

    def write_into(self, rows: list[list[str]]) -> None:
        """Add formulas, addresses and notes to the cells, and fill merged ones."""
        for place, formula in self.formulas.items():
            _add(rows, place, formula)
        for place, link in self.links.items():
            if address := address_of(link, _at(rows, place)):
                _add(rows, place, f"({address})")
        for place, note in self.notes.items():
            _add(rows, place, f"(Note: {note})" if _at(rows, place) else note)
        for left, top, right, _ in self.headers:
            for column in range(left, min(right, len(rows[top - 1])) + 1) if top <= len(rows) else ():
                rows[top - 1][column - 1] = Field(rows[top - 1][column - 1], strong=True)
        self._fill_merged(rows)

    def _fill_merged(self, rows: list[list[str]]) -> None:
        width, num_filled = max(map(len, rows), default=0), 0
        for merged in self.merged:
            left, top, right, bottom = merged
            fields = [
                (y, x) for y in range(top, min(bottom, len(rows)) + 1) for x in range(left, min(right, width) + 1)
            ]
            num_filled += len(fields)
            if num_filled > _MOST_MERGED:
                return
            cell = _at(rows, (top, left))
            for y, x in fields if cell else ():
                row = rows[y - 1]
                row += [""] * (x - len(row))
                row[x - 1] = Field(cell, merged, isinstance(cell, Field) and cell.strong)

    def without_hidden(self, rows: list[list[str]], counts: Counter[str]) -> Iterator[list[str]]:
        """Yield the visible cells of the visible rows, and count what is hidden if it has text."""
        width = max(map(len, rows), default=0)
        columns = {x for left, right in self.hidden_columns for x in range(left, min(right, width) + 1)}
        counts["hidden columns"] += sum(any(_at([row], (1, x)) for row in rows) for x in columns)
        counts["hidden rows"] += sum(any(rows[y - 1]) for y in self.hidden_rows if y <= len(rows))
        for y, row in enumerate(rows, 1):
            if y not in self.hidden_rows:
                yield [cell for x, cell in enumerate(row, 1) if x not in columns]


def _at(rows: list[list[str]], place: Place) -> str:
    y, x = place
    return rows[y - 1][x - 1] if y <= len(rows) and x <= len(rows[y - 1]) else ""


def _add(rows: list[list[str]], place: Place, text: str) -> None:
    y, x = place
    if y <= len(rows):
        rows[y - 1] += [""] * (min(x, 16_384) - len(rows[y - 1]))
        old = rows[y - 1][x - 1]
        rows[y - 1][x - 1] = Field(f"{old} {text}".strip(), strong=isinstance(old, Field) and old.strong)


def _tags(xml: bytes, name: str) -> Iterator[dict[str, str]]:
    """Yield the attributes of each element with this name, without prefixes."""
    for match in re.finditer(rb"<(?:\w+:)?%s\b([^>]*)>" % name.encode(), xml):
        yield {
            key.decode(): unescape(text.decode()) for key, text in re.findall(rb'(?:\w+:)?(\w+)="([^"]*)"', match[1])
        }


def _place(reference: str) -> Place:
    left, top, _, _ = _range(reference.partition(":")[0])
    return top, left


def _range(reference: str) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a range such as A1:B2; whole rows and columns end where sheets do."""
    from openpyxl.utils.cell import range_boundaries

    left, top, right, bottom = range_boundaries(reference)
    return left or 1, top or 1, right or 16_384, bottom or 1_048_576


def _is_hidden(tag: Mapping[str, str]) -> bool:
    """Return whether a row or column is hidden, and not only a folded group that a reader can open."""
    is_flat = tag.get("width") in ("0", "0.0") or tag.get("ht") in ("0", "0.0")
    return (is_flat or tag.get("hidden") in ("1", "true")) and tag.get("outlineLevel", "0") == "0"


def _related(parts: zipfile.ZipFile, path: str) -> dict[str, tuple[str, str]]:
    """Return id -> kind and target of a part's relations; a target in the file is a part's name."""
    folder, name = posixpath.split(path)
    listing = f"{folder}/_rels/{name}.rels"
    if listing not in parts.namelist():
        return {}
    found = {}
    for tag in _tags(parts.read(listing), "Relationship"):
        target = tag.get("Target", "")
        if tag.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
        found[tag.get("Id", "")] = (tag.get("Type", "").rpartition("/")[2], target)
    return found
