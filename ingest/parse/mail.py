"""EML -> a mail's subject, sender and recipients, text and attachments."""

from __future__ import annotations

import email
import mimetypes
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from email import policy
from email.message import EmailMessage, MIMEPart
from email.utils import parsedate_to_datetime
from html import escape
from pathlib import PurePath

from ingest.parse.document import PAGE_BREAK, Page, Parsed, ParseError, joined, one_line
from ingest.parse.encoding import in_declared, read_markup
from ingest.parse.html.boilerplate import visible_part_of
from ingest.parse.html.markup import from_html
from ingest.parse.marks import without_invisible
from ingest.parse.plain import unflowed, unwrapped

Parsers = Mapping[str, Callable[[bytes], Parsed]]
"""File suffix -> parser, for attachments."""


def parse_mail(data: bytes, parsers: Parsers) -> Parsed:
    """Parse a mail; attachments follow, each below its file name as a heading. Raises ParseError if it is no mail."""
    message = email.message_from_bytes(data.lstrip(b"\r\n"), policy=policy.default)
    if not isinstance(message, EmailMessage) or not any(_header(message, name) for name in ("From", "To", "Subject")):
        raise ParseError("this is not a mail: it has no sender, recipient or subject")
    body = _body_part(message)
    attached: list[Parsed] = []
    others: list[str] = []
    for name, part in _other_parts(message, body):
        if parsed := _attachment(name, part, parsers) if name else _text(part):
            attached.append(parsed)
        else:
            others.append(name)
    named = ", ".join(others)
    other = (
        replace(_plain(f"Other attachments: {named}"), note=f"attachments not read: {named}") if others else _plain("")
    )
    return _on_one_page([_top(message), _locked(message), _text(body), *attached, other], _header(message, "Subject"))


def _locked(message: EmailMessage) -> Parsed:
    """Return a note if the mail's text is in a form that only its receiver's program opens."""
    kind = message.get_content_type()
    if kind not in ("application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted"):
        return _plain("")
    words = "encrypted" if kind == "multipart/encrypted" or "enveloped" in str(message["Content-Type"]) else "signed"
    note = f"the text of this mail is {words} and could not be read; save it decrypted and add it again"
    return replace(_plain(f"({note[0].upper()}{note[1:]}.)"), note=note)


def _on_one_page(parts: Iterable[Parsed], title: str) -> Parsed:
    """Join the parts as one page without a number, since a mail has no pages."""
    spaced = [replace(part, pages=tuple(Page(None, page.text + "\n") for page in part.pages)) for part in parts]
    whole = joined((part for part in spaced if any(page.text.strip() for page in part.pages)), title)
    # A mail from outside must not show files that happen to lie beside it.
    figures = tuple(replace(figure, page=None, box=None) for figure in whole.figures if not figure.address)
    return replace(whole, pages=(Page(None, "\n".join(page.text for page in whole.pages).rstrip()),), figures=figures)


def _top(message: EmailMessage) -> Parsed:
    """Return the subject as a heading, then sender, recipients and date."""
    subject = _header(message, "Subject")
    lines = [
        f"{name}: {value}" for name in ("From", "Reply-To", "To", "Cc", "Date") if (value := _header(message, name))
    ]
    heading = f"<h1>{escape(subject)}</h1>" if subject else ""
    return from_html(heading + "".join(f"<p>{escape(line)}</p>" for line in lines))


def _header(message: EmailMessage, name: str) -> str:
    try:
        value = one_line(str(message[name] or ""))
        return f"{parsedate_to_datetime(value):%Y-%m-%d %H:%M %z}".strip() if name == "Date" and value else value
    except (AttributeError, IndexError, LookupError, TypeError, ValueError):  # broken headers raise in the library
        return one_line(next((str(text) for key, text in message.raw_items() if key.lower() == name.lower()), ""))


def _body_part(message: EmailMessage) -> EmailMessage | None:
    """Return the part with the text: HTML, unless it has no words, such as only a picture."""
    for kind in ("html", "plain"):
        part = message.get_body(preferencelist=(kind,))
        if isinstance(part, EmailMessage) and _text(part).pages[0].text:
            return part
    return None


def _text(part: MIMEPart | None) -> Parsed:
    if part is None:
        return _plain("")
    if part.get_content_subtype() == "html":
        return from_html(words_of(part), visible_part_of)
    words = words_of(part)
    flowed = str(part.get_param("format", "")).lower() == "flowed"
    without_space = str(part.get_param("delsp", "")).lower() == "yes"
    return _plain((unflowed(words, without_space) if flowed else unwrapped(words)).strip())


def _plain(text: str) -> Parsed:
    return Parsed((Page(None, text.replace(PAGE_BREAK, "\n")),), (), "")


def words_of(part: MIMEPart) -> str:
    """Return the text of a part, in the encoding that it names or another one. Raises ParseError for binary data."""
    data = bytes_of(part)
    try:
        return without_invisible(in_declared(data, part.get_content_charset("utf-8")).replace("\r\n", "\n"))
    except (LookupError, UnicodeDecodeError):  # unknown or wrong encoding
        return read_markup(data)


def bytes_of(part: MIMEPart) -> bytes:
    """Return the decoded content of a part that has no parts."""
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _other_parts(message: MIMEPart, body: EmailMessage | None) -> Iterator[tuple[str, MIMEPart]]:
    """Yield (file name, part) of the attachments, without pictures in the text; attached mails are kept whole.

    The name '' marks further text: some programs split a mail's text at an attachment.
    """
    for part in message.iter_parts() if message.is_multipart() else []:
        is_mail = part.get_content_type() == "message/rfc822"
        name = PurePath(one_line(part.get_filename() or _usual_name(part))).name
        in_text = part.get_content_maintype() == "image" and (
            part["Content-ID"] is not None or part.get_content_disposition() == "inline"
        )
        if part.is_multipart() and not is_mail:
            yield from _other_parts(part, body)
        elif part is not body and not in_text and (name or _continues_text(message, part)):
            yield name, part


def _usual_name(part: MIMEPart) -> str:
    """Return a name for an attachment without one, '' for text, pictures and signatures."""
    kind = part.get_content_type()
    if kind in ("text/plain", "text/html") or kind.startswith(("image/", "multipart/")) or kind.endswith("signature"):
        return ""
    known = {"message/rfc822": "mail.eml", "text/calendar": "invite.ics"}
    return known.get(kind) or f"attachment{mimetypes.guess_extension(kind) or '.bin'}"


def _continues_text(container: MIMEPart, part: MIMEPart) -> bool:
    kind = part.get_content_type()
    return container.get_content_subtype() == "mixed" and kind in ("text/plain", "text/html")


def _attachment(name: str, part: MIMEPart, parsers: Parsers) -> Parsed | None:
    """Parse an attachment below its name as a heading; None for an unknown format, a note if it cannot be read.

    Plain text is read whatever its name, such as errors.log or settings.conf.
    """
    is_mail = part.get_content_type() == "message/rfc822"
    parser = parsers.get(".eml" if is_mail else PurePath(name).suffix.lower())
    if parser is None and part.get_content_type() == "text/plain":
        parser = parsers.get(".txt")
    if parser is None:
        return None
    try:
        parsed = parser(part.get_content().as_bytes() if is_mail else bytes_of(part))
        if not any(page.text.strip() for page in parsed.pages):
            raise ParseError("no text found")
    except MemoryError:
        raise
    except Exception as error:  # converters raise anything on damaged files
        reason = one_line(str(error)) or type(error).__name__
        note = f"attachments not read: {name} ({reason})"
        parsed = replace(_plain(f"(This attachment could not be read: {reason})"), note=note)
    inner = replace(parsed, headings=tuple(replace(mark, level=min(mark.level + 2, 6)) for mark in parsed.headings))
    return _on_one_page([from_html(f"<h2>{escape(name)}</h2>"), inner], name)
