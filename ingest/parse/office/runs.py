"""Runs of a Word document as they look: hidden ones removed, raised and struck out ones marked, symbols written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from lxml import etree

from ingest.parse.office.numbering import W, is_on, properties_of, styles_of, value, with_bases
from ingest.parse.symbols import as_shown

_SMALLEST = 4
"""Half points; smaller text is not for readers."""
_USUAL_SIZE = "20"
"""Half points, where neither a text nor a style says another."""
_RAISED = 4
"""Half points above the line; less is for looks."""


class Looks:
    """Properties of runs: their own, or those of the styles of the run or its paragraph."""

    def __init__(self, styles: etree._Element) -> None:
        self._styles = styles_of(styles)
        usual = [style for style in self._styles.values() if style.get(f"{W}default") == "1"]
        named = [style for style in usual if style.get(f"{W}type", "paragraph") == "paragraph"]
        looks = [*(style.find(f"{W}rPr") for style in named), styles.find(f"{W}docDefaults/{W}rPrDefault/{W}rPr")]
        self._size = next((size for size in (value(look, "sz") for look in looks) if size.isdigit()), _USUAL_SIZE)

    def write_into(self, part: etree._Element) -> int:
        """Remove hidden runs, mark raised and struck out ones for mammoth, and write the signs of symbol fonts.

        Returns how many hidden ones had text.
        """
        num_hidden = 0
        for run in list(part.iter(f"{W}r")):
            if self._is_hidden(run):
                num_hidden += bool("".join(run.itertext()).strip())
                run.getparent().remove(run)
            else:
                self._mark(run)
                _write_symbols(run)
        return num_hidden

    def is_bold(self, paragraph: etree._Element) -> bool:
        """Return whether all words of a paragraph are bold."""
        runs = [run for run in paragraph.iter(f"{W}r") if "".join(run.itertext()).strip()]
        return bool(runs) and all(is_on(self._find(run, "b")) for run in runs)

    def size(self, paragraph: etree._Element) -> float:
        """Return the size of most of a paragraph's characters in half points."""
        sizes = Counter[str]()
        for run in paragraph.iter(f"{W}r"):
            sizes[self._value(run, "sz") or self._size] += len("".join(run.itertext(f"{W}t")).strip())
        usual = max(sizes, key=sizes.__getitem__, default=self._size)
        return float(usual) if usual.isdigit() else float(self._size)

    def _is_hidden(self, run: etree._Element) -> bool:
        size = self._value(run, "sz")
        if is_on(self._find(run, "vanish")) or (size.isdigit() and int(size) < _SMALLEST):
            return True
        return self._value(run, "color").upper() == "FFFFFF" and not any(True for _ in self._shaded(run))

    def _mark(self, run: etree._Element) -> None:
        height = self._value(run, "position").lstrip("+")
        is_raised = self._value(run, "vertAlign") == "superscript" or (height.isdigit() and int(height) >= _RAISED)
        marks = [("vertAlign", "superscript")] if is_raised else []
        marks += [("strike", "1")] if is_on(self._find(run, "dstrike")) or is_on(self._find(run, "strike")) else []
        if not marks:
            return
        look = properties_of(run, "rPr")
        for name, text in marks:
            for old in look.findall(f"{W}{name}"):
                look.remove(old)
            etree.SubElement(look, f"{W}{name}").set(f"{W}val", text)

    def _value(self, run: etree._Element, name: str) -> str:
        found = self._find(run, name)
        return "" if found is None else found.get(f"{W}val", "")

    def _find(self, run: etree._Element, name: str) -> etree._Element | None:
        looks = (found for look in self._looks(run) if (found := look.find(f"{W}{name}")) is not None)
        return next(looks, None)

    def _looks(self, run: etree._Element) -> Iterator[etree._Element]:
        own = run.find(f"{W}rPr")
        if own is not None:
            yield own
            yield from self._of_style(value(own, "rStyle"))
        paragraph = next(run.iterancestors(f"{W}p"), None)
        if paragraph is not None:
            yield from self._of_style(value(paragraph.find(f"{W}pPr"), "pStyle"))

    def _of_style(self, name: str) -> Iterator[etree._Element]:
        for style in with_bases(self._styles, name).values():
            look = style.find(f"{W}rPr")
            if look is not None:
                yield look

    def _shaded(self, run: etree._Element) -> Iterator[etree._Element]:
        """Yield what may make the ground of a run dark: shades, highlights, tables and drawings around it."""
        for look in self._looks(run):
            yield from (*look.findall(f"{W}shd"), *look.findall(f"{W}highlight"))
        for outer in run.iterancestors():
            if outer.tag in (f"{W}tbl", f"{W}txbxContent"):
                yield outer
            yield from outer.findall(f"{W}pPr/{W}shd")
            style = self._styles.get(value(outer.find(f"{W}pPr"), "pStyle"))
            yield from [] if style is None else style.findall(f"{W}pPr/{W}shd")


def _write_symbols(run: etree._Element) -> None:
    fonts = run.find(f"{W}rPr/{W}rFonts")
    if fonts is not None:
        for words in run.iter(f"{W}t"):
            words.text = as_shown(words.text or "", fonts.get(f"{W}hAnsi") or fonts.get(f"{W}ascii", ""))
