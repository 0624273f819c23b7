"""Parts of an Office file: their XML, and which headers and footers say something."""

from __future__ import annotations

import re

from lxml import etree

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
_FEWEST_LETTERS = 8


def tree(xml: bytes) -> etree._Element:
    """Return a part's XML, without what it refers to outside of the file; a long document is a huge tree."""
    return etree.fromstring(xml, _PARSER)


def is_telling(line: str) -> bool:
    """Return whether a header or footer says more than the number of the page."""
    return len(re.findall(r"[^\W_]", line)) >= _FEWEST_LETTERS
