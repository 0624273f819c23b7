"""Formulas of Office files (OMML) -> text in one line."""

from __future__ import annotations

from lxml import etree

MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MARKS = {"sup": "^", "sub": "_", "den": "/"}
_JOINTS = {"m": "; ", "mr": ", ", "eqArr": "; "}


def formula_text(element: etree._Element) -> str:
    """Return a formula with / for fractions, ^ and _ for raised and lowered parts, and its brackets, roots and sums."""
    name = element.tag.removeprefix(MATH) if isinstance(element.tag, str) else ""
    if name == "t":
        return element.text or ""
    parts = [text for child in element if (text := formula_text(child))]
    if name == "d":
        return _sign(element, "begChr", "(") + _sign(element, "sepChr", "|").join(parts) + _sign(element, "endChr", ")")
    inner = _JOINTS.get(name, "").join(parts)
    if name == "nary":
        return _sign(element, "chr", "∫") + inner
    if name == "rad":
        degree = element.find(f"{MATH}deg")
        index = "" if degree is None else formula_text(degree)
        return f"({index})" * bool(index) + f"√{_grouped(inner.removeprefix(index))}"
    return _MARKS.get(name, "") + (_grouped(inner) if name in (*_MARKS, "num") else inner)


def _grouped(text: str) -> str:
    return f"({text})" if len(text) > 1 and not text.isalnum() else text


def _sign(element: etree._Element, name: str, usual: str) -> str:
    """Return a sign of a bracket or sum; an empty value means none."""
    found = element.find(f"{MATH}{element.tag.removeprefix(MATH)}Pr/{MATH}{name}")
    return usual if found is None else found.get(f"{MATH}val", "")
