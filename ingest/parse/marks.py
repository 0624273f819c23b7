"""Raised and lowered figures, link addresses, invisible characters, forms of letters, list numbers -> plain text."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

FIGURES = "0123456789+-\u2212\u2013"
BULLETS = "•▪▫◦‣\u2043●○■□"
"""Signs before list items."""
RAISED = str.maketrans(FIGURES, "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻")
_INVISIBLE = re.compile(
    "\xad(?:\n[ \t]*)?|[\u0640\u061c\u200b\u200e\u200f\u2060\ufeff\U000e0000-\U000e007f]"
    "|[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069]"
)
"""Soft hyphens, where a word may be divided; zero-width spaces and joiners; Unicode's tags, which hide text.

Also what changes a terminal, or shows letters in another order than they are read, marks of direction, and the stroke
that stretches Arabic words.
"""
_WIDE = r"\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
_OTHER_FORMS = re.compile(
    rf"[\ufb00-\ufb06{_WIDE}\uff65-\uff9f\ufb50-\ufd3d\ufd50-\ufdff\ufe80-\ufefc]+"
    rf"|(?<=[{_WIDE}])[\uff0b-\uff0f\uff1a](?=[{_WIDE}])"
)
"""Ligatures, letters and figures as wide as Chinese characters, katakana half as wide, shapes of Arabic letters.

Also wide marks between wide letters or figures, as in a part number or an amount.
"""
_USUAL = str.maketrans(
    "\u2010\u2011\U0001f5f8\U0001f5f4\U0001f5f6\U0001f5f9\U0001f5f7\U0001f78e\U0001f78f",
    "--\u2713\u2717\u2717\u2611\u2612\u2610\u2610",
)
"""Hyphens as they are typed, and the check marks and boxes of symbol fonts as people write them elsewhere."""
_VOWEL_MARKS = re.compile("[\u064b-\u0652\u0670]+")
_LONGEST_ADDRESS = 200
_DETOUR = re.compile(
    r"https://(?:www\.google\.\w+/url\?(?:\S*&)?q=|\w+\.safelinks\.protection\.outlook\.com/\S*?[?&]url=)(?P<query>[^&\s]+)\S*"
    r"|https://urldefense\.com/v3/__(?P<path>\S+?)__;\S*"
)
"""An address that office programs write in front of the one that a link leads to."""
_OWN_FILE = re.compile(r"(?<=\S) \((?:[^\s()]|\([^\s()]*\))*%20[0-9a-f]{32}\.(?:md|csv|html)\)")
_ID_IN_NAME = re.compile(r" [0-9a-f]{32}(?=_|$)(?:_all)?")


def raised(text: str, before: str) -> str:
    """Return a raised text so that it does not join what is before it: m², but 500^1, which is not 5001.

    Full-text search reads ¹ as 1, so behind a figure only ^ keeps the two apart. Words stay, as in 1st.
    """
    is_figure = re.fullmatch(r"[-+\u2212\u2013]?\d[\d.,]*", text) is not None
    if before[-1:].isdigit():
        return f"^{text}" if is_figure or (len(text) == 1 and text.isalpha()) else text
    return text.translate(RAISED) if is_figure else text


def address_of(link: str, shown: str) -> str:
    """Return the address to write behind a link's text, '' if it is only valid on its site or shown anyway."""
    link = _DETOUR.sub(lambda detour: detour["path"] or unquote(detour["query"]), link.strip(), count=1)
    match = re.fullmatch(r"(?i)(https?://|ftp://|mailto:|tel:)(\S+)", link)
    if match is None or not shown.strip():
        return ""
    is_page = match[1].endswith("/")
    address = link if is_page else unquote(match[2].partition("?")[0])
    if len(address) > _LONGEST_ADDRESS:
        address = re.split("[?#]", address)[0][:_LONGEST_ADDRESS]
    core = match[2].rstrip("/") if is_page else address
    return "" if "".join(core.lower().split()) in "".join(shown.lower().split()) else address


def without_own_files(text: str) -> str:
    """Return the text of an export without the paths that it writes behind the names of its other files.

    Such as "Launch (../Projects%20<id>/Launch%20<id>.md)", where the id has 32 hex digits.
    """
    return _OWN_FILE.sub("", text) if "%20" in text else text


def without_id(name: str) -> str:
    """Return the name of a file without the id of 32 hex digits that an export appends to it."""
    return _ID_IN_NAME.sub("", name)


def lowered(text: str, before: str) -> str:
    """Return a lowered text so that a figure does not join the one before it: H2O, but 100_10, which is not 10010."""
    return f"_{text}" if before[-1:].isdigit() and text[:1].isdigit() else text


def without_invisible(text: str) -> str:
    """Return the text without characters that no reader sees, and with one spelling of letters that look the same.

    Search would take u and two dots, or a ligature, for another letter than ü and fi.
    """
    if text.isascii():
        return _INVISIBLE.sub("", text)
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).translate(_USUAL)
    return _OTHER_FORMS.sub(lambda forms: unicodedata.normalize("NFKC", forms[0]), text)


def without_vowel_marks(text: str) -> str:
    """Return Arabic without the marks of short vowels, which most writers leave out."""
    return _VOWEL_MARKS.sub("", text)


def is_compound(text: str) -> bool:
    """Return whether the word that ends with a hyphen has another one, so that it keeps both: state-of-the-."""
    return re.search(r"\w-\w+-$", text) is not None


def list_figure(number: int, style: str) -> str:
    """Return a list item's number in HTML's style a, A, i or I, else in figures. After z comes aa, then bb."""
    if style not in ("a", "A", "i", "I") or number < 1:
        return str(number)
    figure = _roman(number) if style in "iI" else chr(ord("A") + (number - 1) % 26) * ((number - 1) // 26 + 1)
    return figure if style.isupper() else figure.lower()


def _roman(number: int) -> str:
    text = ""
    for size, letters in zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"),
        strict=True,
    ):
        text += letters * (number // size)
        number %= size
    return text
