"""passage -> Blocks: its paragraphs, lists and tables, which can be quoted separately."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, zip_longest
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token
from sentencex import segment

from app.search.fusion import SPACELESS
from app.search.query import QUESTION_ENDS
from app.search.words.sentences import ABBREVIATION, BULLET, FULL_STOP, ORDINAL_MARKS, SPLITTER_LANGUAGES
from ingest.parse import PAGE_BREAK

_MIN_FULL_LINE = 40
"""A line break after fewer characters is intended, as in an address."""
_MAX_CELL_WORDS = 60
"""A longer cell is a paragraph of a page that was laid out as a table."""

_LIST_MARK = re.compile(r"\s*(?:[-*+•▪](?:\s+\d+[.)])?|\d+[.)])\s+")
_QUOTATION_MARKS = re.compile(r"^(?: {0,3}> ?)+(?:\[!\w+\])?", re.M)
"""Of quoted lines, and of notes such as [!WARNING]."""
_CLAUSE = re.compile(r"(?=^\s*\d+(?:\.\d+)+\.?\s+[A-ZÀ-Þ]\S*\s\S+\s\S)", re.M)
"""Before a line such as "2.1 Forklifts drive slowly", and not before "2.4 GB"."""
_TABLE_RULE = re.compile(r"[|:\s-]*-{3}[|:\s-]*")
_INTRODUCES = re.compile(r"[:：][*_\s]*$")  # noqa: RUF001
_LABEL = re.compile(r"(\*\*|__)(?!\s)(?:(?!\1).)+\1")
_SAYS_SOMETHING = re.compile(r"\w\W+\w")
_ENDS_IN_WORD = re.compile(r"[^\W_]\.$")
_BEGINS_NO_SENTENCE = re.compile(r"[\da-zà-ÿ.]")


@dataclass(frozen=True, slots=True)
class Unit:
    """The smallest part that an answer chooses: a sentence, a list item or a table row.

    text: as it stands in the passage. plain: the same as a sentence; a row names the column of each cell. depth: how
    deep a list item is nested, from 0.
    """

    text: str
    plain: str
    depth: int = 0

    @property
    def is_question(self) -> bool:
        return self.plain.endswith(QUESTION_ENDS)


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list or table. intro: the line that introduces a list, or the header of a table with its rule."""

    kind: Literal["paragraph", "list", "table"]
    units: tuple[Unit, ...]
    intro: str = ""

    @property
    def lead_in(self) -> str:
        """The line that introduces a list, '' for other blocks."""
        return self.intro if self.kind == "list" else ""

    @property
    def sentences(self) -> list[str]:
        """The lead-in, if there is one, and the units as sentences."""
        units = [unit.plain for unit in self.units]
        return [self.lead_in, *units] if self.lead_in else units

    def quote(self, chosen: Collection[int]) -> str:
        """Return Markdown with the chosen units, in order, and what they need to be understood.

        An item brings the items that it is nested in and those nested in it; left-out units leave an ellipsis.
        """
        if self.kind == "paragraph":
            between = "" if SPACELESS.search(self.units[0].text) else " "
            return _with_ellipses([self.units[number].text for number in sorted(chosen)], sorted(chosen), between)
        kept = sorted(self._with_family(chosen)) if self.kind == "list" else sorted(chosen)
        texts = [self.units[number].text for number in kept]
        if self.kind == "table":
            return "\n".join([self.intro, *texts])
        lines = _with_ellipses(texts, kept, "\n")
        return f"{self.intro}\n\n{lines}" if self.intro else lines

    def _with_family(self, chosen: Collection[int]) -> set[int]:
        kept = set(chosen)
        for number in chosen:
            depth = self.units[number].depth
            for above in range(number - 1, -1, -1):
                if self.units[above].depth < depth:
                    kept.add(above)
                    depth = self.units[above].depth
            for below in range(number + 1, len(self.units)):
                if self.units[below].depth <= self.units[number].depth:
                    break
                kept.add(below)
        return kept


def split_blocks(text: str) -> list[Block]:
    """Return the blocks of a passage in reading order, without headings and rules."""
    text = BULLET.sub("- ", _QUOTATION_MARKS.sub("", text.replace(PAGE_BREAK, "\n\n")))
    tokens = _parser().parse(text)
    lines = text.split("\n")
    blocks: list[Block] = []
    for index, token in enumerate(tokens):
        if token.level or not token.map:
            continue
        if token.type in ("fence", "code_block"):
            code = [line for line in token.content.split("\n") if line.strip()]
            _add(blocks, Block("list", tuple(Unit(f"`{line}`  ", line) for line in code), _take_intro(blocks)))
        elif token.type in ("paragraph_open", "html_block"):
            content = tokens[index + 1].content if token.type == "paragraph_open" else token.content
            units = tuple(_sentence_units(content))
            is_answer = units and not units[-1].is_question
            question = _take_line(blocks, lambda unit: unit.is_question) if is_answer else ()
            _add(blocks, Block("paragraph", question + units))
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            items = _below_intros(list(_items(tokens[index:], lines)))
            _add(blocks, Block("list", tuple(items), _take_intro(blocks)))
        elif token.type == "table_open":
            _add_table(blocks, lines[slice(*token.map)])
    return blocks


def split_sentences(text: str) -> list[str]:
    """Return the sentences, list items and table rows of a passage, without list marks and headings.

    Each cell of a row is preceded by the name of its column, if the table has a header.
    """
    return [sentence for block in split_blocks(text) for sentence in block.sentences]


def sentences(line: str) -> list[str]:
    """Return the sentences of a paragraph in one line, in any language that this program knows."""
    pieces = [piece for part in FULL_STOP.split(line) for piece in _segments(part)]
    whole: list[str] = []
    for piece in (piece.strip() for piece in pieces):
        if whole and (whole[-1].endswith(" .") or piece.startswith(ORDINAL_MARKS)):  # the dot of .NET, of art. 5.º
            whole[-1] += piece
        elif whole and _goes_on(whole[-1], piece):
            whole[-1] += f" {piece}"
        elif piece:
            whole.append(piece)
    return whole


def _segments(line: str) -> list[str]:
    """Return the sentences of a line; the other languages take an abbreviation of its language for an end."""
    return min((list(segment(language, line)) for language in SPLITTER_LANGUAGES), key=len) if " " in line else [line]


def num_words(text: str) -> int:
    """Return the number of words; in scripts without spaces, two letters count as one."""
    return len(SPACELESS.sub(" ", text).split()) + sum(len(run) for run in SPACELESS.findall(text)) // 2


def is_table_rule(line: str) -> bool:
    """Return whether a line is the rule below a table's header, or another rule."""
    return bool(_TABLE_RULE.fullmatch(line))


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")


def _add(blocks: list[Block], block: Block) -> None:
    if block.units:
        blocks.append(block)


def _add_table(blocks: list[Block], lines: Sequence[str]) -> None:
    """Add a table; a row with a very long cell is layout, so its cells become paragraphs."""
    header, rows = "\n".join(lines[:2]), [line for line in lines[2:] if line.strip()]
    names = cells_of(lines[0])
    units: list[Unit] = []
    for row in rows:
        cells = cells_of(row)
        if max(map(num_words, cells)) <= _MAX_CELL_WORDS:
            units.append(Unit(row, _row_as_sentence(cells, names)))
        else:
            for cell in cells:
                _add(blocks, Block("paragraph", tuple(_sentence_units(cell))))
    _add(blocks, Block("table", tuple(units), header))


def _take_line(blocks: list[Block], is_wanted: Callable[[Unit], object]) -> tuple[Unit, ...]:
    """Take a paragraph of one sentence, if it is wanted."""
    if blocks and blocks[-1].kind == "paragraph" and len(blocks[-1].units) == 1 and is_wanted(blocks[-1].units[0]):
        return blocks.pop().units
    return ()


def _take_intro(blocks: list[Block]) -> str:
    """Take what introduces a list: a question, a sentence with a colon and a paragraph below it, or a label in bold."""
    if question := _take_line(blocks, lambda unit: unit.is_question):
        return question[0].text
    above = blocks[-2:]
    while above and (above[0].kind != "paragraph" or not _INTRODUCES.search(above[0].units[-1].text)):
        above.pop(0)
    if not above or above[-1].kind != "paragraph":
        return "".join(label.text for label in _take_line(blocks, lambda unit: _LABEL.fullmatch(unit.text)))
    del blocks[-len(above) :]
    *rest, intro = above[0].units
    _add(blocks, Block("paragraph", tuple(rest)))
    return " ".join([intro.text, *(unit.text for block in above[1:] for unit in block.units)])


def _sentence_units(content: str) -> Iterator[Unit]:
    for line in _unwrapped(content):
        if line.startswith("|"):  # a row without a header
            found = [Unit(line, _row_as_sentence(cells_of(line), ()))]
        else:
            found = [Unit(sentence, sentence) for sentence in sentences(line)]
        yield from (unit for unit in found if _SAYS_SOMETHING.search(unit.plain) or SPACELESS.search(unit.plain))


def _unwrapped(content: str) -> Iterator[str]:
    """Yield the lines of a paragraph; lines that were only wrapped are joined."""
    lines = [" ".join(line.split()) for line in content.split("\n")]
    joined = lines[0]
    for above, line in pairwise(lines):
        is_row = _form(above) == _form(line)  # of a log
        was_wrapped = (len(above) >= _MIN_FULL_LINE and not is_row) or line[:1].islower() or line.startswith(":")
        is_label = not _SAYS_SOMETHING.search(above) and len(line) < _MIN_FULL_LINE  # such as Height above 140 mm
        if not line.startswith("|") and not _CLAUSE.match(line) and (was_wrapped or is_label):
            joined += f" {line}"
        else:
            yield joined
            joined = line
    yield joined


def _form(line: str) -> str:
    """Return the form of a line's first word, such as a date; without figures, the whole line."""
    first = line.partition(" ")[0]
    return re.sub(r"\d+", "0", first) if re.search(r"\d", first) else line


def _items(tokens: Sequence[Token], lines: Sequence[str]) -> Iterator[Unit]:
    """Yield the items of the list that the tokens begin with, nested ones after the one that holds them."""
    depth = -1
    for token in tokens:
        depth += {"list_open": 1, "list_close": -1}.get(token.type.partition("_")[2], 0)
        if depth < 0:
            return
        if token.type == "inline" and token.map:
            mark = _LIST_MARK.match(lines[token.map[0]])
            for part in filter(str.strip, _CLAUSE.split(token.content)):
                text = " ".join(part.split())
                shown = f"{mark[0].strip()} {text}" if mark else f"  {text}"
                yield Unit("  " * depth + shown, text, depth if mark else depth + 1)
                mark = None


def _below_intros(items: list[Unit]) -> Iterator[Unit]:
    """Yield the items; one that ends in a colon holds those that follow, though the author did not indent them."""
    intro: Unit | None = None
    for item, following in zip_longest(items, items[1:]):
        if intro and item.depth < intro.depth:
            intro = None
        if _INTRODUCES.search(item.plain):
            intro = item if following and following.depth == item.depth else None
        elif intro:
            item = Unit(f"  {item.text}", item.plain, item.depth + 1)
        yield item


def cells_of(line: str) -> list[str]:
    """Return the cells of a row; a bar inside a cell is escaped with a backslash."""
    inside = re.sub(r"^\s*\||(?<!\\)\|\s*$", "", line)
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", inside)]


def _row_as_sentence(cells: Sequence[str], names: Sequence[str]) -> str:
    if len(cells) == len(names) and any(names):
        return "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=True) if cell)
    return (": " if len(cells) == 2 else " | ").join(cell for cell in cells if cell)


def _goes_on(sentence: str, piece: str) -> bool:
    """Return whether a piece continues the sentence before it, because that ends in an abbreviation."""
    begins_no_sentence = _ENDS_IN_WORD.search(sentence) and _BEGINS_NO_SENTENCE.match(piece)
    return bool(begins_no_sentence or ABBREVIATION.search(sentence))


def _with_ellipses(texts: Sequence[str], numbers: Sequence[int], between: str) -> str:
    parts: list[str] = []
    for position, text in enumerate(texts):
        if position and numbers[position] != numbers[position - 1] + 1:
            parts.append("…")
        parts.append(text)
    return between.join(parts)
