"""An answer's record -> Markdown for other people's chat windows: its text without links, then its sources with links.

Nothing that a document or a model wrote can become a link, an image or HTML there; addresses written out in full stay,
since they show where they lead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from app.answer.marks import MARK
from app.api.chat_shapes import Annotation, UrlCitation
from ingest.parse.document import one_line

CitationRecord = Mapping[str, Any]
"""A citation as in an answer's record."""

_OPENS_LINK_OR_TAG = re.compile(r"\](?=[(:])|<(?=[A-Za-z/!?])")
"""Before ( and : a bracket makes a link or its definition; before a letter < begins HTML. A space undoes both."""
_HARMLESS = str.maketrans("[]<>`\\", "(){}'/")
"""Not escaped with backslashes, since front ends take \\[ and \\( for formulas."""
_AGAIN = "\n\nThe complete answer:\n\n"


def without_links(text: str) -> str:
    """Return Markdown without links, images and HTML. The result for a beginning begins the result for the whole."""
    return _OPENS_LINK_OR_TAG.sub(r"\g<0> ", text)


def rest_of(text: str, sent: str) -> str:
    """Return what to send after `sent` so that the final text stands there; all of it again if it became another."""
    return text[len(sent) :] if text.startswith(sent) else f"{_AGAIN}{text}"


def closing(record: Mapping[str, Any], address: Callable[[CitationRecord], str]) -> str:
    """Return what follows the text of an answer: its note, and the list of its sources, each linked to its address."""
    listed = [_listed(citation, address(citation)) for citation in _shown(record["citations"])]
    parts = [
        f"Note: {without_links(one_line(record['note']))}" if record["note"] else "",
        "Sources:\n\n" + "\n".join(listed) if listed else "",
    ]
    return "".join(f"\n\n{part}" for part in parts if part)


def url_citations(
    content: str, citations: Sequence[CitationRecord], address: Callable[[CitationRecord], str]
) -> list[Annotation]:
    """Return an annotation for each [n] of the content that is a source."""
    cited = {citation["number"]: citation for citation in citations}
    return [
        Annotation(
            url_citation=UrlCitation(
                start_index=found.start(),
                end_index=found.end(),
                title=_title(cited[number]),
                url=address(cited[number]),
            )
        )
        for found in MARK.finditer(content)
        if (number := int(found[1])) in cited
    ]


def source_address(site: str, chunk_id: str, answer_id: str) -> str:
    """Return the address of a source's page, where it can be struck out."""
    return f"{site}/source?{urlencode({'chunk': chunk_id, 'a': answer_id})}"


def _shown(citations: Sequence[CitationRecord]) -> Sequence[CitationRecord]:
    """Return the sources that the text uses; all of them, the nearest passages, if it uses none."""
    return [citation for citation in citations if citation["used"]] or citations


def _listed(citation: CitationRecord, address: str) -> str:
    newest = one_line(citation["superseded_by"]).translate(_HARMLESS)
    superseded = f" (superseded by {newest})" if newest else ""
    return f"- [{citation['number']}] [{_title(citation).translate(_HARMLESS)}]({address}){superseded}"


def _title(citation: CitationRecord) -> str:
    """Return title and page in one line."""
    page = f", page {citation['page']}" if citation["page"] else ""
    return f"{one_line(citation['title'])}{page}"
