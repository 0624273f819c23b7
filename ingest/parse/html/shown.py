"""What elements of a page show besides their text -> text: form fields, terms, formulas, list numbers, raised marks."""

from __future__ import annotations

import re

from bs4.element import NavigableString, Tag

from ingest.parse.document import one_line
from ingest.parse.html.hidden import style_of
from ingest.parse.html.lists import join_lists, part_labels, set_apart, write_ticks
from ingest.parse.marks import list_figure, lowered, raised
from ingest.parse.symbols import as_shown

_NO_VALUE = {"hidden", "submit", "button", "image", "reset", "file", "password", "range", "color"}
_TABLE_ROLES = {
    "table": "table",
    "grid": "table",
    "row": "tr",
    "cell": "td",
    "gridcell": "td",
    "columnheader": "th",
    "rowheader": "th",
}
_LONGEST_MEANING = 300
"""Characters of an item; longer text is paragraphs."""
_MOST_ALT = 60
"""Characters of the alternative text of a picture within a sentence; a longer one describes a figure."""
_FILE = re.compile(r"\w+://\S+|\S+\.(?:png|jpe?g|gif|svg|webp)", re.IGNORECASE)
_SIGNS = {"(tick)": "✓", ":check_mark:": "✓", "(error)": "✗", "(cross)": "✗", ":cross_mark:": "✗"}
"""Alternative texts of pictures that stand for a sign."""
_TITLE_OF_BOX = re.compile(
    r"^(?:markdown-alert-|custom-block-|callout-)title$|^admonition-?(?:title|heading)|^panelHeader$", re.IGNORECASE
)
_DAY = re.compile(r"^\d{4}-\d\d-\d\d")
_NAME_OF_HEADING = re.compile(r"^h\.")
"""Google writes the title of a document as a paragraph."""
_FORMULA = re.compile(r"^(\w+:)?math$")


def write_shown(body: Tag) -> None:
    """Write out all of it; `body` changes."""
    for formula in body(_FORMULA):
        formula.replace_with(_formula(formula))
    for field in body(["input", "select"]):
        if value := _value(field):
            set_apart(field)
        field.replace_with(value or " ")
    for text in body("textarea"):
        set_apart(text)
    write_ticks(body)
    part_labels(body)
    join_lists(body)
    for ordered in body("ol"):
        _write_numbers(ordered)
    for terms in body("dl"):
        _write_terms(terms)
    for picture in body("img", alt=True):
        _write_alternative(picture)
    first = {str(short["title"]): short for short in reversed(body("abbr", title=True))}  # some pages mark each one
    for title, short in first.items():
        if not body.find(string=re.compile(re.escape(title))):
            short.append(f" ({title})")
    for summary in body("summary"):
        summary.name = "p"
    for box_title in body(class_=_TITLE_OF_BOX):
        _write_title(box_title)
    for paragraph in body("p", class_="title", id=_NAME_OF_HEADING):
        paragraph.name = "h1"
    for heading in body(role="heading"):
        level = _whole(heading.get("aria-level"), 2)
        heading.name = f"h{min(max(level, 1), 6)}"
    for time in body("time", datetime=_DAY):
        if not re.search(r"\d{4}", time.get_text()):  # such as "2 years ago"
            time.append(f" ({str(time['datetime'])[:10]})")
    for element in body(role=list(_TABLE_ROLES)):
        element.name = _TABLE_ROLES[str(element["role"])]
    for foot in body("tfoot"):
        foot.parent.append(foot)  # type: ignore[union-attr]
    _write_marks(body)


def _write_title(title: Tag) -> None:
    """Write the title of a box, such as "Warning", before its first sentence; a list or table follows it."""
    text, after = one_line(title.get_text()), title.find_next_sibling()
    if not text:
        return
    colon = "" if text[-1] in ":?!." else ":"
    if after and after.name == "div":
        after = after.find(True, recursive=False)
    if after and after.name == "p":
        after.insert(0, f"{text}{colon} ")
        title.decompose()
    else:
        title.name, title.string = "p", f"{text}{colon}"


def _write_marks(body: Tag) -> None:
    """Write raised and lowered text so that it does not join the figure before it, and mark what is struck out.

    Letters of symbol fonts become signs; in mails of Outlook, a smile is a J.
    """
    for mark in body(["sup", "sub", "strike", "span", "a", "font"]):
        style = style_of(mark) if mark.has_attr("style") else {}
        font = style.get("font-family", str(mark.get("face", ""))).split(",")[0].strip("'\"").lower()
        for text in mark(string=True) if font.startswith("wingdings") else ():
            text.replace_with(as_shown(text, font))
        is_reference = "noteref" in f"{mark.get('epub:type')}{mark.get('role')}"  # raised by the style of most books
        position = "super" if mark.name == "sup" or is_reference else mark.name
        position = style.get("vertical-align", position)
        if position in ("super", "sub"):
            before = str(mark.find_previous(string=True) or "")
            mark.replace_with((raised if position == "super" else lowered)(one_line(mark.get_text()), before))
        elif mark.name == "strike" or "line-through" in style.get("text-decoration", ""):
            mark.name = "s"


def _value(field: Tag) -> str:
    """Return what a form field shows: a check mark, the chosen options, or else all of them."""
    if field.name == "select":
        options = field("option", selected=True) or field("option")
        return "; ".join(one_line(option.get_text()) for option in options)
    kind = str(field.get("type", "text")).lower()
    if kind in ("checkbox", "radio"):
        return "[x]" if field.has_attr("checked") else "[ ]"
    return "" if kind in _NO_VALUE else str(field.get("value", ""))


def _write_numbers(ordered: Tag) -> None:
    """Write the numbers of items into their text if Markdown would count otherwise."""
    items = ordered.find_all("li", recursive=False)
    kind, backwards = str(ordered.get("type", "1")), ordered.has_attr("reversed")
    if kind not in "aAiI" and not backwards and not any(item.has_attr("value") for item in items):
        return
    number = _whole(ordered.get("start"), len(items) if backwards else 1)
    for item in items:
        number = _whole(item.get("value"), number)
        is_past_z = kind in "aA" and number > 26  # then browsers write ab where Word writes bb
        item.insert(0, f"{list_figure(number, '1' if is_past_z else kind)}. ")
        number += -1 if backwards else 1
    ordered.name = "ul"


def _write_terms(terms: Tag) -> None:
    """Write each term of a list of terms before its meanings; short ones stay a list."""
    for group in terms.find_all("div", recursive=False):
        group.unwrap()
    for part in reversed(terms(["dt", "dd"])):
        if part.parent and part.parent.name in ("dt", "dd"):  # which was left open
            part.parent.insert_after(part)
    is_long = any(len(meaning.get_text()) > _LONGEST_MEANING for meaning in terms("dd"))
    names: list[Tag] = []
    meaning: Tag | None = None
    for part in terms.find_all(["dt", "dd"], recursive=False):
        if part.name == "dt":
            part.name = "p" if is_long else "li"  # of a term alone
            names, meaning = [*([] if meaning else names), part], None
        elif meaning:
            meaning.extend(["; ", part])
            part.name = "div" if is_long else "span"
        else:
            part.name, meaning = "div" if is_long else "li", part
            term = ", ".join(one_line(name.extract().get_text()) for name in names)
            first = part.find(True, recursive=False)
            begin = first if first and first.name == "p" else part
            begin.insert(0, f"{term.removesuffix(':')}: " if term else "")
    terms.name = "div" if is_long else "ul"


def _write_alternative(picture: Tag) -> None:
    """Write the alternative text of a picture that stands for a cell's text, or for words of a sentence."""
    shown = one_line(str(picture.get("data-emoji-fallback") or picture["alt"]))
    words, after = _SIGNS.get(shown, shown), picture.next_sibling
    if _FILE.fullmatch(words):
        return
    if (cell := picture.find_parent("td")) and not cell.get_text(strip=True):
        cell.append(words)
    elif isinstance(after, NavigableString) and after.strip() and len(words) <= _MOST_ALT:
        set_apart(picture)
        picture.insert_after(words)


def _whole(value: object, otherwise: int) -> int:
    return int(str(value)) if re.fullmatch(r"-?\d{1,6}", str(value)) else otherwise


def _formula(element: Tag) -> str:
    """Return MathML in one line: as its own TeX, or with / for fractions, ^ and _ for raised and lowered parts."""
    if tex := element.find(encoding="application/x-tex"):
        return one_line(tex.get_text())
    name = element.name.rpartition(":")[2]
    inner = [child for child in element.children if isinstance(child, Tag)]
    if not inner:
        return one_line("".join(text for text in element.find_all(string=True, recursive=False)))
    parts = [_formula(child) for child in inner]
    grouped = [part if part.isalnum() else f"({part})" for part in parts]
    marks = {"mfrac": "/", "msup": "^", "msub": "_", "mover": "^", "munder": "_"}
    if name in marks and len(parts) == 2:
        return f"{parts[0] if name != 'mfrac' else grouped[0]}{marks[name]}{grouped[1]}"
    if name in ("msubsup", "munderover") and len(parts) == 3:
        return f"{parts[0]}_{grouped[1]}^{grouped[2]}"
    if name == "msqrt":
        whole = "".join(parts)
        return f"√{whole}" if whole.isalnum() else f"√({whole})"
    if name == "mroot" and len(parts) == 2:
        return f"({grouped[1]})√{grouped[0]}"
    return {"mtable": "; ", "mtr": ", ", "mfenced": ", "}.get(name, "").join(parts)
