"""Charts and diagrams of Office files -> HTML: titles, and the stored numbers as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from html import escape
from types import SimpleNamespace

from lxml import etree

from ingest.parse.document import one_line
from ingest.parse.html.markup import from_html
from ingest.parse.office.cells import shown
from ingest.parse.office.parts import tree

_FIRST_DAY = datetime(1899, 12, 30)
_MOST_POINTS = 1000


def chart_html(xml: bytes) -> str:
    """Return a chart's titles, and its categories and series as a table."""
    chart = tree(xml)
    series = [
        (_name(one), _points(data, "cat", "xVal", "strDim"), _points(data, "val", "yVal", "numDim"))
        for one, data in _series(chart)
    ]
    categories = {number: text for _, names, _ in series for number, text in names.items()}
    numbers = sorted({number for _, names, values in series for number in (*names, *values)})
    header = ["", *(name for name, _, _ in series)]
    rows = [[categories.get(number, ""), *(values.get(number, "") for _, _, values in series)] for number in numbers]
    return "".join(f"<p>{escape(title)}</p>" for title in _titles(chart)) + (_table(header, rows) if rows else "")


def chart_text(xml: bytes, hidden: Iterable[str]) -> list[str]:
    """Return the titles of a chart and its axes, and its numbers if they come from a hidden sheet."""
    chart = tree(xml)
    sources = {(source.text or "").rpartition("!")[0].strip("'") for source in chart.iter("{*}f")}
    return [from_html(chart_html(xml)).pages[0].text] if sources & set(hidden) else _titles(chart)


def _titles(chart: etree._Element) -> list[str]:
    titles = ((title, title.find("{*}tx")) for title in chart.iter("{*}title"))
    return [text for title, own in titles if (text := words_of(title if own is None else own))]


def _series(chart: etree._Element) -> Iterator[tuple[etree._Element, etree._Element]]:
    """Yield each series and the element that has its data; newer charts, such as waterfalls, keep it apart."""
    yield from ((one, one) for one in chart.iter("{*}ser"))
    stored = {data.get("id"): data for data in chart.iter("{*}data")}
    for one in chart.iter("{*}series"):
        link = one.find("{*}dataId")
        if link is not None and link.get("val") in stored:
            yield one, stored[link.get("val")]


def diagram_html(xml: bytes) -> str:
    """Return the words of a SmartArt diagram as a list."""
    paragraphs = tree(xml).iter("{http://schemas.openxmlformats.org/drawingml/2006/main}p")
    words = (words_of(paragraph) for paragraph in paragraphs)
    return "<ul>" + "".join(f"<li>{escape(word)}</li>" for word in words if word) + "</ul>"


def _table(header: list[str], rows: list[list[str]]) -> str:
    names = "".join(f"<th>{escape(name)}</th>" for name in header)
    cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table><tr>{names}</tr>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def words_of(element: etree._Element) -> str:
    """Return the text of a title, name or paragraph in one line."""
    texts = element.iter("{http://schemas.openxmlformats.org/drawingml/2006/main}t", "{*}v")
    return one_line("".join(text.text or "" for text in texts))


def _name(series: etree._Element) -> str:
    name = series.find("{*}tx")
    return "" if name is None else words_of(name)


def _points(series: etree._Element, *names: str) -> dict[int, str]:
    """Return index -> text of the categories or values; groups of categories, the last level, come first."""
    found = next((part for name in names if (part := series.find(f"{{*}}{name}")) is not None), None)
    if found is None:
        return {}
    inner, *outer = [dict(_texts(level)) for level in found.iter("{*}lvl")] or [dict(_texts(found))]
    for level in outer:  # a group's name is stored at its first category only
        starts = {number: max((start for start in level if start <= number), default=-1) for number in inner}
        inner = {number: " / ".join(filter(None, (level.get(starts[number]), text))) for number, text in inner.items()}
    return inner


def _texts(values: etree._Element) -> Iterator[tuple[int, str]]:
    code = values.findtext(".//{*}formatCode") or values.get("formatCode", "General")
    for point in list(values.iter("{*}pt"))[:_MOST_POINTS]:
        text = one_line(point.findtext("{*}v") or point.text or "")
        yield int(point.get("idx", "0")), _formatted(text, point.get("formatCode", code))


def _formatted(text: str, code: str) -> str:
    """Return a stored number as its format shows it; other text as it is."""
    from openpyxl.styles.numbers import is_date_format

    try:
        number = float(text)
    except ValueError:
        return text
    if is_date_format(code):
        value: object = _FIRST_DAY + timedelta(days=number)
    else:
        value = int(number) if number.is_integer() else number
    return shown(SimpleNamespace(value=value, data_type="n", number_format=code))
