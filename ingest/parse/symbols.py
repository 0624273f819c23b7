"""Letters of symbol fonts -> the signs that they show: in Wingdings an ü is a check mark, and a J is a smile."""

from __future__ import annotations

from mammoth.docx.dingbats import dingbats

from ingest.parse.marks import without_invisible

_FONTS = {font.lower(): font for font, _ in dingbats}
CHECKS = "✓✔✗✘☐☑☒"
"""Signs that tell something as the bullet of a list: what is done, chosen or allowed."""


def as_shown(text: str, font: str) -> str:
    """Return the text as the font shows it, unchanged for a font of letters."""
    name = _FONTS.get(font.strip().lower())
    if name is None:
        return text
    return without_invisible("".join(chr(dingbats.get((name, ord(sign) % 0xF000), ord(sign))) for sign in text))


def check_of(bullet: str, font: str) -> str:
    """Return a list's bullet and a space if it is a check mark, a cross or a box, else ''."""
    sign = as_shown(bullet, font).strip()
    return f"{sign} " if sign and sign in CHECKS else ""
