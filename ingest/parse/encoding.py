"""bytes of a text file -> text, including UTF-16 without a mark and HTML's declared encoding; refuses binary files."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress

from charset_normalizer import from_bytes

from ingest.parse.document import ParseError
from ingest.parse.marks import without_invisible

_SIGN_IN_WORD = re.compile(r"(?<=[^\W\d_])(?:[^\w\s\0-\x7f\u2019\u2018\xb4\u2013\u2014…]|[¹²³¼½¾])(?=[^\W\d_])")
"""In the middle of a word only where the encoding is another one, such as za¿ó³æ."""
_SAMPLE = 100_000  # characters


def read_text(data: bytes) -> str:
    """Return the text with newlines as line breaks. Raises ParseError for binary data."""
    for mark, encoding in ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32")):
        if data.startswith(mark):  # check before UTF-16, whose mark is a prefix
            return decode(data.decode(encoding).encode())
    if b"\0" not in data or data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _text_only(decode(data))
    try:
        return _text_only(decode(data.decode(_unmarked(data)).encode()))
    except UnicodeDecodeError:
        raise _binary() from None


def read_markup(data: bytes) -> str:
    """Return the text of HTML or XML; if it is not UTF-8, in the encoding that it declares."""
    declared = re.search(rb"""<(?:meta|\?xml)[^>]*?(?:charset|encoding)\s*=\s*["']?([\w.:-]+)""", data[:4096], re.I)
    if declared and b"\0" not in data and (b"\x1b" in data or not _is_utf8(data)):
        try:
            return decode(in_declared(data, declared[1].decode()).encode())
        except (LookupError, UnicodeDecodeError):
            pass  # the declared encoding is wrong
    return read_text(data)


def in_declared(data: bytes, encoding: str) -> str:
    """Return the text in the encoding that a file or mail declares. Raises LookupError and UnicodeDecodeError.

    Programs that declare Latin-1 write Windows-1252, which has € and quotation marks besides, or UTF-8.
    """
    if codecs.lookup(encoding).name == "iso8859-1":
        for usual in ("utf-8", "cp1252"):
            with suppress(UnicodeDecodeError):
                return data.decode(usual)
    return data.decode(encoding)


def _spelled_otherwise(name: str) -> codecs.CodecInfo | None:
    """Return the encoding that Python knows by another name, such as windows-950, x-sjis or cp-850."""
    for spelling in (re.sub("[-_ ]", "", name), re.sub("^x[-_]", "", name), re.sub("^windows[-_]?", "cp", name)):
        if spelling != name:
            with suppress(LookupError):
                return codecs.lookup(spelling)
    return None


codecs.register(_spelled_otherwise)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _unmarked(data: bytes) -> str:
    """Return the UTF-16 variant whose high bytes are mostly zeros, as in Western text. Raises ParseError."""
    half = len(data) // 2
    for encoding, zeros in (("utf-16-le", data[1::2].count(0)), ("utf-16-be", data[::2].count(0))):
        if zeros > 0.7 * half and data.count(0) - zeros < 0.05 * half:
            return encoding
    raise _binary()


def _text_only(text: str) -> str:
    """Return the text if it has few control characters. Raises ParseError."""
    if text.count("\0") or len(re.findall(r"[\x01-\x08\x0e-\x1a\x1c-\x1f]", text)) > 0.05 * len(text):
        raise _binary()
    return text


def _binary() -> ParseError:
    return ParseError("this is binary data, not text in a known encoding; check the file name")


def _western(data: bytes) -> str:
    """Return the text in the encoding with the fewest signs amid words; or as UTF-8 if little of it is broken."""
    text = data.decode("utf-8", errors="replace")
    if 10 * text.count("\ufffd") < sum(char > "\x7f" for char in text):
        return text
    texts = [data.decode(encoding, errors="replace") for encoding in ("cp1252", "cp1250", "cp850", "mac_roman")]
    return min(texts, key=lambda text: len(_SIGN_IN_WORD.findall(text[:_SAMPLE])))


def decode(data: bytes) -> str:
    """Return the visible text with newlines as line breaks: by the byte order mark, as UTF-8, or else by a guess."""
    try:
        text = data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError:
        if sum(byte > 127 for byte in data) < 0.2 * len(data):  # few accents and quotes: Western text
            text = _western(data)
        elif best := from_bytes(data).best():
            text = str(best)
        else:
            raise ParseError("not text in any known encoding; save it as UTF-8") from None
    return without_invisible(re.sub(r"\r\n?", "\n", text))
