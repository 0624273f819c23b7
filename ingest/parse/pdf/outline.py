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

_LEVELS = 6
_MOST_LINES = 3  # of a heading
_MOST_CHARACTERS = 160
_MOST_PAGES = 3  # with the same heading; on more it is a header
_LEAST_LETTERS = 0.6  # of its characters, without its number
_NUMBER = re.compile(r"[^\w\n]*(\d+|[IVX]+|[A-Z])([.)]\d+)*[.)]?[ \t]+")

_LARGER = 1.15  # times the size of the text
_MOST_WORDS = 20  # of a heading that only its type shows
_MOST_BOLD_WORDS = 14  # of one in the size of the text
_MOST_BOLD = 0.4  # of the text; with more, bold type says nothing
_LEAST_GAP = 0.3  # of a line's height, above a bold heading
_FULL = 0.95  # of the width of the lines below
_FEWEST_BELOW = 80  # characters below a heading that only its type shows
_MOST_IN_HEADINGS = 0.3  # of a document's characters; with more, type says nothing
_NO_HEADING = re.compile(r"[$€£%]|[.,;:!]\W*$|^[a-z]")
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
        line = re.compile(rf"^[ \t]*({_NUMBER.pattern})?{words}[ \t]*$", re.MULTILINE)
        if match := line.search(pages[entry.page].text, max(0, position - page_start)):
            position = page_start + match.end()
            title = without_addresses(one_line(match[0]))
            yield Heading(min(entry.level, _LEVELS), title, page_start + match.start(), position)


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
    def rank(self) -> tuple[float, bool, int]:
        """The higher, the higher its level: size, weight, and parts of its number, such as -2 for "1.2 Scope"."""
        number = _NUMBER.match(self.text)
        depth = len(re.findall(r"\w+", number[0])) if number else 1
        return self.first.style.size, self.first.style.is_bold, -depth

    def entry(self, level: int) -> Bookmark:
        return Bookmark(level, "\n".join(line.text for line in self.lines), self.page)

    def may_be_title(self) -> bool:
        text = self.text
        bare = "".join(_NUMBER.sub("", text, count=1).split())
        is_short = len(self.lines) <= _MOST_LINES and 0 < len(without_addresses(text)) <= _MOST_CHARACTERS
        is_line = not (self.first.row or SPREAD in text or LEADER.search(text))
        return is_short and is_line and sum(map(str.isalpha, bare)) > _LEAST_LETTERS * len(bare)


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
    return _with_text_below(runs, [tag.level if tag else 0 for tag in tags], 1)


def _by_type(runs: Sequence[_Run]) -> list[Bookmark]:
    """Return the headings in larger or bold type; the larger, the higher its level."""
    body, is_bold = _usual(runs)
    times = Counter(run.text for run in runs)
    around = zip([None, *runs], runs, [*runs[1:], None], strict=False)
    titles = [
        _stands_out(before, run, after, body, is_bold) and run.may_be_title() and times[run.text] <= _MOST_PAGES
        for before, run, after in around
    ]
    ranks = sorted({run.rank for run, is_title in zip(runs, titles, strict=True) if is_title}, reverse=True)
    levels = [
        min(_LEVELS, 1 + ranks.index(run.rank)) if is_title else 0 for run, is_title in zip(runs, titles, strict=True)
    ]
    found = _with_text_below(runs, levels, _FEWEST_BELOW)
    in_headings = sum(len(entry.title) for entry in found)
    return found if in_headings < _MOST_IN_HEADINGS * sum(len(run.text) for run in runs) else []


def _usual(runs: Iterable[_Run]) -> tuple[float, bool]:
    """Return the size of most of the text, and whether much of it is bold."""
    sizes, num_bold = Counter[float](), 0
    for run in runs:
        style, length = run.first.style, len(run.text)
        sizes[style.size] += length * (style.size > 0)  # a scan and rows of tables have no style
        num_bold += length * style.is_bold
    return max(sizes, key=sizes.__getitem__, default=0.0), num_bold > _MOST_BOLD * sizes.total()


def _stands_out(before: _Run | None, run: _Run, after: _Run | None, body: float, is_bold: bool) -> bool:
    """Return whether a run is larger than the text, or bold lines apart from it. is_bold: whether the text is."""
    size, text, num_words = run.first.style.size, run.text, len(run.text.split())
    is_item = is_mark(text.split(" ", 1)[0]) and not _NUMBER.match(text)
    if is_item or _NO_HEADING.search(text) or num_words > _MOST_WORDS:
        return False
    is_bolder = run.first.style.is_bold and not is_bold and size >= body and num_words <= _MOST_BOLD_WORDS
    is_line = _is_apart(before, run) and not (after and _goes_into(run, after))
    return size >= _LARGER * body > 0 or (is_bolder and is_line)


def _goes_into(run: _Run, after: _Run) -> bool:
    """Return whether a run is the beginning of a paragraph: a sentence goes on, or its last line is a full one."""
    if after.text[:1].islower():
        return True
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


def _with_text_below(runs: Sequence[_Run], levels: Sequence[int], fewest: int) -> list[Bookmark]:
    """Return the runs with a level that have as many characters below, up to the next one of this or an outer level.

    The others stay text, so that nothing of a cover or a slide is lost.
    """
    entries: list[Bookmark] = []
    below = [0] * (_LEVELS + 1)
    for run, level in zip(reversed(runs), reversed(levels), strict=True):
        if level and below[level] >= fewest:
            entries.append(run.entry(level))
            below[level:] = [0] * (_LEVELS + 1 - level)
        else:
            below = [count + len(run.text) for count in below]
    return entries[::-1]
