"""Slides -> the shape with their title: its placeholder, or the largest line above all other text."""

from __future__ import annotations

import re
from typing import Any

_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_USUAL_SIZE, _USUAL_BODY_SIZE = 1800, 2800  # hundredths of a point, where a text box and a placeholder have none
_LARGER = 1.1  # times the size of all other text
_MOST_WORDS = 20
_NO_TITLE = re.compile(r"^[^\w\"'(„“«¿¡]|^[a-z]|://|[.,;!]\W*$|^\W*\d*\W*$")


def title_shape(slide: Any) -> Any:
    """Return the shape with a slide's title, None without one.

    Other programs than PowerPoint save titles as text boxes; then a larger line above all other text is the title.
    """
    named = slide.shapes.title
    if named is not None and named.has_text_frame and named.text_frame.text.strip():
        return named
    texts = [shape for shape in slide.shapes if shape.has_text_frame and shape.text_frame.text.strip()]
    largest, *others = sorted(texts, key=_size, reverse=True) or [None]
    if not others or _size(largest) < _LARGER * _size(others[0]) or _is_below(largest, slide):
        return named
    text = largest.text_frame.text.strip()
    is_line = "\n" not in text and len(text.split()) <= _MOST_WORDS and not _NO_TITLE.search(text)
    return largest if is_line and not largest.is_placeholder else named


def _size(shape: Any) -> int:
    """Return the size of a shape's largest text in hundredths of a point."""
    looks = (*shape._element.iter(f"{_DRAWING}rPr"), *shape._element.iter(f"{_DRAWING}defRPr"))
    sizes = [int(look.get("sz")) for look in looks if look.get("sz")]
    return max(sizes, default=_USUAL_BODY_SIZE if shape.is_placeholder else _USUAL_SIZE)


def _is_below(shape: Any, slide: Any) -> bool:
    """Return whether another shape with text, a table or a group, stands higher on the slide."""
    others = (other for other in slide.shapes if other.shape_id != shape.shape_id and other.top is not None)
    return any(other.top < (shape.top or 0) and any(other._element.itertext(f"{_DRAWING}t")) for other in others)
