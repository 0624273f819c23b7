"""Lines of a PDF's pages -> its headings: bookmarks, tagged lines, or lines in larger or bold type.

Most PDFs have no bookmarks. Word and browsers tag headings; in other files only the type shows them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ingest.parse.document import PAGE_BREAK, Heading, Page, one_line
from ingest.parse.pdf.layout import LEADER, SPREAD, Printed, without_addresses
from ingest.parse.pdf.list_marks import is_mark
from ingest.parse.type_headings import NUM_LEVELS, NUMBER, TypedLine, UsualType, levels_by_type, with_text_below

_MOST_LINES = 3  # of a heading
_MOST_CHARACTERS = 160
_MOST_PAGES = 3  # with the same heading; on more it is a header
_LARGER = 1.15  # times the size of the text
_LEAST_GAP = 0.3  # of a line's height, above a bold heading
_FULL = 0.95  # of the width of the lines below
_FEWEST_BELOW = 80  # characters below a heading that only its type shows
_MORE = 2  # times as many headings by type as marked: then the marks are only a few


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of a document's outline: level from 1, title in its printed lines, page from 0."""

    level: int
    title: str
    page: int


def headings(entries: Iterable[Bookmark], pages: Sequence[Page]) -> Iterator[Heading]:
    """Yield a heading for each entry whose title is a line on its page, perhaps behind a number."""
    page_starts = [0]
    for page in pages:
        page_starts.append(page_starts[-1] + len(page.text) + len(PAGE_BREAK))
    position = 0
    for entry in entries:
        if not (entry.title.strip() and 0 <= entry.page < len(pages)):
            continue
        page_start = page_starts[entry.page]
        words = r"\s+".join(re.escape(word) for word in entry.title.split())
        line = re.compile(rf"^[ \t]*({NUMBER.pattern})?{words}[ \t]*$", re.MULTILINE)
        if match := line.search(pages[entry.page].text, max(0, position - page_start)):
            position = page_start + match.end()
            title = without_addresses(one_line(match[0]))
            yield Heading(min(entry.level, NUM_LEVELS), title, page_start + match.start(), position)


def outline(bookmarks: Sequence[Bookmark], pages: Sequence[Sequence[Printed]]) -> list[Bookmark]:
    """Return the entries that the author marked, or those by type if they are many more."""
    runs = list(_runs(pages))
    marked = max(_on_pages(bookmarks, pages), _tagged(runs), key=len)
    by_type = _by_type(runs)
    return by_type if len(by_type) > _MORE * len(marked) else marked


def _on_pages(bookmarks: Iterable[Bookmark], pages: Sequence[Sequence[Printed]]) -> list[Bookmark]:
    texts = [one_line(" ".join(line.text for line in lines)) for lines in pages]
    return [entry for entry in bookmarks if 0 <= entry.page < len(texts) and entry.title in texts[entry.page]]


# runs of lines -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighboring lines of a page, from 0, that have one tag or are set alike."""

    page: int
    lines: tuple[Printed, ...]
    text: str

    @classmethod
    def of(cls, page: int, lines: Sequence[Printed]) -> _Run:
        return cls(page, tuple(lines), one_line(" ".join(line.text for line in lines)))

    @property
    def first(self) -> Printed:
        return self.lines[0]

    @property
    def typed(self) -> TypedLine:
        return TypedLine(without_addresses(self.text), self.first.style.size, self.first.style.is_bold)

    def entry(self, level: int) -> Bookmark:
        return Bookmark(level, "\n".join(line.text for line in self.lines), self.page)

    def may_be_title(self) -> bool:
        is_short = len(self.lines) <= _MOST_LINES and 0 < len(without_addresses(self.text)) <= _MOST_CHARACTERS
        is_item = is_mark(self.text.split(" ", 1)[0]) and not NUMBER.match(self.text)
        return is_short and not (is_item or self.first.row or SPREAD in self.text or LEADER.search(self.text))


def _runs(pages: Sequence[Sequence[Printed]]) -> Iterator[_Run]:
    for number, lines in enumerate(pages):
        run: list[Printed] = []
        for line in lines:
            if run and not _goes_on(run[-1], line):
                yield _Run.of(number, run)
                run = []
            run.append(line)
        if run:
            yield _Run.of(number, run)


def _goes_on(line: Printed, following: Printed) -> bool:
    """Return whether two lines are of one run."""
    if line.row or following.row:
        return False
    if line.style.tag:
        return line.style.tag == following.style.tag
    if line.style != following.style or not (line.box and following.box):
        return False
    height = line.box.bottom - line.box.top
    return -height < following.box.top - line.box.bottom < height


# headings ----------------------------------------------------------------------------------------------


def _tagged(runs: Sequence[_Run]) -> list[Bookmark]:
    tags = [run.first.style.tag if run.may_be_title() else None for run in runs]
    levels = [tag.level if tag else 0 for tag in tags]
    return _entries(runs, with_text_below([run.typed for run in runs], levels, 1))


def _by_type(runs: Sequence[_Run]) -> list[Bookmark]:
    """Return the headings in larger or bold type."""
    lines, times = [run.typed for run in runs], Counter(run.text for run in runs)
    usual = UsualType.of(lines, _LARGER)
    around = zip([None, *runs], runs, [*runs[1:], None], lines, strict=False)
    titles = [
        times[run.text] <= _MOST_PAGES
        and run.may_be_title()
        and (usual.is_larger(line) or (usual.is_bolder(line) and _is_apart(before, run) and not _goes_into(run, after)))
        for before, run, after, line in around
    ]
    return _entries(runs, levels_by_type(lines, titles, fewest_below=_FEWEST_BELOW))


def _entries(runs: Iterable[_Run], levels: Iterable[int]) -> list[Bookmark]:
    return [run.entry(level) for run, level in zip(runs, levels, strict=True) if level]


def _goes_into(run: _Run, after: _Run | None) -> bool:
    """Return whether a run is the beginning of a paragraph: a sentence goes on, or its last line is a full one."""
    if after is None or after.text[:1].islower():
        return after is not None
    last, boxes = run.lines[-1].box, [line.box for line in after.lines if line.box]
    if last is None or len(boxes) < 2:
        return False
    gap = boxes[0].top - last.bottom
    is_near = abs(gap) < last.bottom - last.top
    return is_near and last.right > _FULL * max(box.right for box in boxes)


def _is_apart(before: _Run | None, run: _Run) -> bool:
    """Return whether there is space above a run, or another column or page begins."""
    above, first = (before.lines[-1].box if before and before.page == run.page else None), run.first.box
    if above is None or first is None:
        return True
    gap = first.top - above.bottom
    return gap > _LEAST_GAP * (first.bottom - first.top) or first.top < above.top
