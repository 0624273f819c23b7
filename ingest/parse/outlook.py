"""MSG -> EmailMessage, so that mails saved by Outlook are read as others are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from ingest.parse.document import Parsed, ParseError, joined_notes, one_line
from ingest.parse.mail import Parsers, parse_mail

_HTML, _RTF, _RECIPIENT_TYPE, _CONTENT_ID = 0x1013, 0x1009, 0x0C15, 0x3712
_FILE_NAMES = (0x3707, 0x3704, 0x3001)
"""Long, short and displayed."""
_EMBEDDED = "__substg1.0_3701000D"
_EMBEDDED_OFFSET = 24
"""Bytes before the properties of an attached mail; those of the outer one have 32."""
_FIRST_YEAR = 1970
"""Drafts have a date of 1601."""


def parse_msg(data: bytes, parsers: Parsers) -> Parsed:
    """Parse a mail with its attachments. Raises ParseError if it is none."""
    from oxmsg import Message

    try:
        message = Message.load(data)
        mail = _mail(message)
    except (ValueError, LookupError, OSError) as error:
        raise ParseError(f"this is not a mail of Outlook, or it is damaged: {one_line(str(error))}") from error
    parsed = parse_mail(mail.as_bytes(), parsers)
    body = mail.get_body()
    is_rich = not (body and body.get_payload()) and message.properties.binary_prop_value(_RTF)
    note = "the text of this mail is in Outlook's rich text format and was not read; save it as HTML" if is_rich else ""
    return replace(parsed, note=joined_notes(parsed.note, note))


def _mail(message: Any) -> EmailMessage:
    mail = EmailMessage()
    for name, value in _headers(message):
        if value:
            mail[name] = one_line(value)
    encoding = message.properties.body_encoding
    html = message.properties.binary_prop_value(_HTML) or (message.html_body or "").encode(
        encoding, "xmlcharrefreplace"
    )
    if message.body and message.body.strip():
        mail.set_content(message.body)
    if html:
        mail.make_alternative()
        mail.add_alternative(html, "text", "html", params={"charset": encoding})
    for attachment in message.attachments:
        _attach(mail, attachment)
    return mail


def _headers(message: Any) -> Iterator[tuple[str, str]]:
    """Yield headers as the mail was sent, or else as Outlook knows them."""
    sent = {name.lower(): value for name, value in message.message_headers.items()}
    yield "Subject", message.subject
    yield "From", message.sender or ""
    yield "Reply-To", sent.get("reply-to", "")
    for number, name in enumerate(("To", "Cc"), 1):
        people = (one for one in message.recipients if one.properties.int_prop_value(_RECIPIENT_TYPE) == number)
        yield name, sent.get(name.lower()) or ", ".join(map(_person, people))
    date = message.sent_date
    yield "Date", sent.get("date") or (format_datetime(date) if date and date.year >= _FIRST_YEAR else "")


def _person(recipient: Any) -> str:
    name, address = recipient.name.replace('"', ""), recipient.email_address
    return f'"{name}" <{address}>' if name and address and name != address else address or name


def _attach(mail: EmailMessage, attachment: Any) -> None:
    """Add a file or an attached mail."""
    inner = next((storage for storage in attachment._storage.storages if storage.name == _EMBEDDED), None)
    names = (one_line(attachment.properties.str_prop_value(name) or "") for name in _FILE_NAMES)
    name = next(filter(None, names), None)
    if inner is not None and any(stream.name.startswith("__properties") for stream in inner.streams):
        mail.add_attachment(_mail(_embedded(inner)), filename=name)
        return
    kind = re.fullmatch(r"(?!message|multipart)([\w-]+)/([\w.+-]+)", attachment.mime_type or "")
    main, sub = (kind[1], kind[2]) if kind else ("application", "octet-stream")
    identity = attachment.properties.str_prop_value(_CONTENT_ID)
    place = f"<{one_line(identity)}>" if identity else None
    mail.add_attachment(attachment.file_bytes or b"", main, sub, filename=name, cid=place)


def _embedded(storage: Any) -> Any:
    from oxmsg import Message
    from oxmsg.properties import Properties

    class Embedded(Message):
        @property
        def properties(self) -> Properties:
            return Properties(storage, _EMBEDDED_OFFSET)

    return Embedded(storage)
