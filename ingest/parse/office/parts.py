"""Parts of an Office file: their XML, and which headers and footers say something."""

from __future__ import annotations

import re

from lxml import etree

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
_FEWEST_LETTERS = 8
_OF_PAGE = re.compile(
    r"\b(?:page|pages|seite|seiten|sida|side|página|pagina|p|s|of|von|av|af|de|di|sur)\b", re.IGNORECASE
)


def tree(xml: bytes) -> etree._Element:
    """Return a part's XML, without what it refers to outside of the file; a long document is a huge tree."""
    return etree.fromstring(xml, _PARSER)


def is_telling(line: str) -> bool:
    """Return whether a header or footer says more than the number of the page; a code such as QP-17 does."""
    line = _OF_PAGE.sub("", line)
    is_code = re.search(r"[^\W\d_]", line) is not None and re.search(r"\d", line) is not None
    return is_code or len(re.findall(r"[^\W_]", line)) >= _FEWEST_LETTERS
