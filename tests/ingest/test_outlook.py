from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ingest.parse import ParseError
from tests.ingest.pictures import picture
from tests.ingest.test_parse import read

Tree = Mapping[str, Any]
"""Name -> bytes of a stream, or the tree of a storage."""

_END, _NONE = 0xFFFFFFFE, 0xFFFFFFFF


def make_ole(tree: Tree) -> bytes:
    """An OLE file whose streams, of less than 4,096 bytes each, are all in its short sectors of 64 bytes."""
    short, links, entries = bytearray(), list[int](), list[bytes]()

    def add(name: str, node: bytes | Tree, right: int) -> int:
        start, size, child = _END, 0, _NONE
        if isinstance(node, bytes):
            size, start = len(node), len(short) // 64 if node else _END
            short.extend(node + bytes(-size % 64))
            links.extend([*range(len(links) + 1, len(short) // 64), _END] if node else [])
        else:
            for inner, part in node.items():
                child = add(inner, part, child)
        entries.append(_entry(name, 2 if isinstance(node, bytes) else 1, right, child, start, size))
        return len(entries)

    child = _NONE
    for name, node in tree.items():
        child = add(name, node, child)
    parts = [b"".join([bytes(128), *entries]), struct.pack(f"<{len(links)}I", *links), bytes(short)]
    sizes = [-(-len(part) // 512) for part in parts]
    num_fat = 1 + sum(sizes) // 120
    starts = [num_fat, num_fat + sizes[0], num_fat + sizes[0] + sizes[1]]
    fat = [0xFFFFFFFD] * num_fat
    for start, size in zip(starts, sizes, strict=True):
        fat += [*range(start + 1, start + size), _END]
    root = _entry("Root Entry", 5, _NONE, child, starts[2], len(short))
    parts[0] = root + parts[0][128:]
    head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<5H6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<9I", 0, num_fat, starts[0], 0, 4096, starts[1], sizes[1], _END, 0)
    head += struct.pack("<109I", *range(num_fat), *[_NONE] * (109 - num_fat))
    fat += [_NONE] * (128 * num_fat - len(fat))
    return head + struct.pack(f"<{len(fat)}I", *fat) + b"".join(part + bytes(-len(part) % 512) for part in parts)


def _entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
    written = name.encode("utf-16-le")
    sizes = struct.pack("<HBB", len(written) + 2, kind, 1)
    return written + bytes(64 - len(written)) + sizes + struct.pack("<3I36xIQ", _NONE, right, child, start, size)


def storage(head: int, values: Mapping[int, str | bytes | int], **inner: Tree) -> dict[str, Any]:
    """A message, recipient or attachment; head: bytes before its properties."""
    streams: dict[str, Any] = dict(inner)
    table = bytes(head)
    for key, value in values.items():
        if isinstance(value, int):
            kind = 0x40 if value > 2**32 else 0x03
            table += struct.pack("<HHIQ", kind, key, 6, value)
            continue
        kind, data = (0x1F, value.encode("utf-16-le")) if isinstance(value, str) else (0x102, value)
        table += struct.pack("<HHIQ", kind, key, 6, len(data))
        streams[f"__substg1.0_{key:04X}{kind:04X}"] = data
    return {**streams, "__properties_version1.0": table}


def mail(values: Mapping[int, str | bytes | int], attached: Sequence[Tree] = (), head: int = 32) -> dict[str, Any]:
    people = [("Ben Kühn", "ben@x.example", 1), ("cy@x.example", "cy@x.example", 2), ("Di", "di@x.example", 3)]
    parts: dict[str, Any] = {
        f"__recip_version1.0_#{number:08X}": storage(8, {0x3001: name, 0x39FE: address, 0x0C15: kind})
        for number, (name, address, kind) in enumerate(people)
    }
    parts |= {f"__attach_version1.0_#{number:08X}": one for number, one in enumerate(attached)}
    sender: dict[int, str | bytes | int] = {0x0C1A: "Ann Groß", 0x5D01: "ann@x.example", 0x3FDE: 1252}
    return storage(head, sender | dict(values), **parts)


PLAIN: dict[int, str | bytes | int] = {0x0037: "Leave: Größe", 0x1000: "30 days\r\na year"}
SENT = 133_500_000_000_000_000  # 100 ns since 1601
TOP = "# Leave: Größe\n\nFrom: Ann Groß <ann@x.example>\n\nTo: Ben Kühn <ben@x.example>\n\nCc: cy@x.example"


def test_mail_has_its_sender_recipients_date_and_text(tmp_path: Path) -> None:
    document = read(tmp_path, "a.msg", make_ole(mail({**PLAIN, 0x0039: SENT})))
    assert document.text == f"{TOP}\n\nDate: 2024-01-17 21:20 +0000\n\n30 days\na year"
    assert document.title == "Leave: Größe"


def test_headers_are_those_that_were_sent(tmp_path: Path) -> None:
    headers = (
        "To: =?utf-8?q?J=C3=B6?= <jo@x.example>,\r\n\tKim <kim@x.example>\r\nDate: Mon, 6 May 2024 09:00:00 +0200\r\n"
    )
    text = read(tmp_path, "a.msg", make_ole(mail({**PLAIN, 0x007D: headers}))).text
    assert "To: Jö <jo@x.example>, Kim <kim@x.example>\n" in text
    assert "Date: 2024-05-06 09:00 +0200" in text


@pytest.mark.parametrize("html", ["<p>30 <b>days</b>, Größe</p>", "<p>30 <b>days</b>, Größe</p>".encode("cp1252")])
def test_html_is_preferred(tmp_path: Path, html: str | bytes) -> None:
    text = read(tmp_path, "a.msg", make_ole(mail({**PLAIN, 0x1013: html}))).text
    assert text == f"{TOP}\n\n30 days, Größe"


def test_attachments_are_read_as_those_of_other_mails(tmp_path: Path) -> None:
    note = storage(8, {0x3707: "note.md", 0x3701: b"# Note\n\nSeen", 0x3705: 1})
    image = storage(8, {0x3704: "A.PNG", 0x3701: picture()[:4000], 0x370E: "image/png", 0x3712: "a@b", 0x3705: 1})
    inner = mail({0x0037: "Inner", 0x1000: "Within"}, head=24)
    attached = storage(8, {0x3001: "Inner", 0x3705: 5}, **{"__substg1.0_3701000D": inner})
    other = storage(8, {0x3001: "data.bin", 0x3701: b"x", 0x370E: "odd", 0x3705: 1})
    document = read(tmp_path, "a.msg", make_ole(mail(PLAIN, [note, image, attached, other])))
    assert "## note.md\n\n# Note\n\nSeen" in document.text
    assert "## Inner\n\n# Inner\n\nFrom: Ann Groß <ann@x.example>" in document.text
    assert "Within" in document.text
    assert document.note == "attachments not read: data.bin"


def test_text_in_rich_text_format_only_is_named(tmp_path: Path) -> None:
    document = read(tmp_path, "a.msg", make_ole(mail({0x0037: "Leave", 0x1009: b"compressed"})))
    assert document.text.startswith("# Leave")
    assert "rich text format and was not read" in document.note


def test_mail_of_outlook_in_a_mail_is_read(tmp_path: Path) -> None:
    inner = storage(8, {0x3707: "old.msg", 0x3701: make_ole({"__properties_version1.0": bytes(32)}), 0x3705: 1})
    document = read(tmp_path, "a.msg", make_ole(mail(PLAIN, [inner])))
    assert document.note.startswith("attachments not read: old.msg (this is not a mail")


@pytest.mark.parametrize(
    "data", [b"", b"Just text", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), make_ole({"a": b"x"})]
)
def test_file_that_is_no_mail_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ParseError, match="not a mail"):
        read(tmp_path, "a.msg", data)


@pytest.mark.filterwarnings("ignore")
def test_cut_off_mail_is_read_or_refused(tmp_path: Path) -> None:
    whole = make_ole(mail(PLAIN))
    for end in range(0, len(whole), 200):
        try:
            read(tmp_path, "a.msg", whole[:end])
        except ParseError as error:
            assert str(error)  # noqa: PT017
