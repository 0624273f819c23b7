from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pypdf
import pytest
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from ingest import CiteloopError
from ingest.files import SourceFile
from ingest.home.job_store import StoppedError
from ingest.isolation import Limits, ParserPool, read_limits
from ingest.parse import PARSERS, Document, ParseError, parse
from ingest.pipeline import FileResult, ingest
from ingest.table import ChunkTable
from tests.conftest import PATIENCE, SHARED_DATA, FakeEmbedder
from tests.ingest.samples import Bookmark, make_docx, make_pdf, zipped

pytestmark = pytest.mark.slow

SMALL = Limits(cpu_seconds=2, cpu_seconds_per_page=0.001, memory_mb=400, pages=500, characters=200_000)


def file_at(path: Path, name: str) -> SourceFile:
    return SourceFile(path, name, str(path))


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(SMALL, num_processes=1) as pool:
        yield pool


def write(folder: Path, name: str, content: bytes) -> SourceFile:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return file_at(folder / name, name)


def error_of(pool: ParserPool, file: SourceFile) -> str:
    with pytest.raises(ParseError) as caught:
        pool.parse(file)
    return str(caught.value)


def children() -> dict[int, str]:
    """Processes below this one: id -> command."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=3) for line in listed.stdout.splitlines()]
    below, found = {os.getpid()}, dict[int, str]()
    for _ in range(4):
        for pid, parent, state, command in rows:
            if int(parent) in below and not state.startswith("Z"):
                below.add(int(pid))
                if "ingest.parse" in command:
                    found[int(pid)] = command
    return found


def is_running(process: int) -> bool:
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return listed.stdout.strip()[:1] not in ("", "Z")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


# as without isolation --------------------------------------------------------------------------------


def test_document_is_the_same_as_in_this_process(pool: ParserPool, tmp_path: Path) -> None:
    file = write(tmp_path, "a.pdf", make_pdf([["one"], ["two größer"]], [Bookmark("one", 0)], title="Guide"))
    assert pool.parse(file_at(file.path, "below/a.pdf")) == parse(file.path, "below/a.pdf")


def test_error_is_the_same_as_in_this_process(pool: ParserPool, tmp_path: Path) -> None:
    file = write(tmp_path, "locked.pdf", make_pdf([["text"]], password="secret"))
    with pytest.raises(ParseError) as caught:
        parse(file.path)
    assert error_of(pool, file) == str(caught.value)
    assert "password" in error_of(pool, file)


def test_path_may_be_relative(pool: ParserPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.md", b"text")
    monkeypatch.chdir(tmp_path)
    assert pool.parse(file_at(Path("a.md"), "a.md")).source == str(tmp_path.resolve() / "a.md")


def test_what_a_converter_prints_does_not_disturb_the_answers(pool: ParserPool, tmp_path: Path) -> None:
    good = write(tmp_path, "good.md", b"text")
    for content in (b"%PDF-1.7\n1 0 obj\n<<", b"\x00" * 3000, b"<rst>"):
        error_of(pool, write(tmp_path, "a.pdf", content))
        assert pool.parse(good).text == "text"


# limits ----------------------------------------------------------------------------------------------


def heavy_page_pdf(num_pages: int, num_words: int) -> bytes:
    """Pages that share one long content stream."""
    writer = pypdf.PdfWriter()
    names = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font = writer._add_object(DictionaryObject({NameObject(key): NameObject(value) for key, value in names.items()}))
    stream = DecodedStreamObject()
    stream.set_data(b"BT /F1 9 Tf 50 800 Td " + b"(word) Tj 0 -0.01 Td " * num_words + b"ET")
    content = writer._add_object(stream)
    fonts = DictionaryObject({NameObject("/F1"): font})
    for _ in range(num_pages):
        page = writer.add_blank_page(595, 842)
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        page[NameObject("/Contents")] = content
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def test_file_that_takes_too_long_is_stopped(pool: ParserPool, tmp_path: Path) -> None:
    file = write(tmp_path, "heavy.pdf", heavy_page_pdf(100, 20_000))
    said = error_of(pool, file)
    assert re.fullmatch(r"reading it took too long: stopped after [234] seconds of processor time", said)


def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITELOOP_FILE_CPU_SECONDS", "1")
    monkeypatch.setenv("CITELOOP_FILE_PAGES", "7")
    assert (Limits().cpu_seconds, Limits().pages) == (1, 7)
    monkeypatch.setenv("CITELOOP_FILE_PAGES", "0")
    with pytest.raises(CiteloopError, match=r"CITELOOP_FILE_PAGES: .*, got '0'"):
        read_limits()
    monkeypatch.setenv("CITELOOP_FILE_PAGES", "")
    assert read_limits().pages == 5000


IMPATIENT = """
from ingest.parse import __main__ as server
server._WALL_SECONDS_PER_CPU_SECOND = 1
server.main()
"""


def test_file_that_waits_for_ever_is_stopped_by_the_clock(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    request = {"path": str(tmp_path / "pipe.md"), "name": "pipe.md"} | Limits(cpu_seconds=1).model_dump()
    command = [sys.executable, "-c", IMPATIENT]
    done = subprocess.run(
        command, input=json.dumps(request), capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert json.loads(done.stdout) == {"error": "reading it took too long: no result for minutes"}


def test_file_that_needs_too_much_memory_is_said(pool: ParserPool, tmp_path: Path) -> None:
    with (tmp_path / "large.txt").open("wb") as file:
        file.write(b"text ")
        file.truncate(500 << 20)
    assert error_of(pool, file_at(tmp_path / "large.txt", "large.txt")) == "reading it needs more than 400 MB of memory"


def test_too_many_pages_are_said_before_they_are_read(pool: ParserPool, tmp_path: Path) -> None:
    file = write(tmp_path, "long.pdf", make_pdf([[f"Page {number}"] for number in range(501)]))
    assert error_of(pool, file) == "it has 501 pages, the limit is 500; split it"


def test_too_many_characters_are_said(pool: ParserPool, tmp_path: Path) -> None:
    file = write(tmp_path, "long.txt", b"word " * 50_000)
    assert error_of(pool, file).endswith("characters of text, the limit is 200,000; split it")


def test_long_document_gets_more_time(tmp_path: Path) -> None:
    lines = [f"This is line {number} of the page, which says this and that." for number in range(55)]
    file = write(tmp_path, "long.pdf", make_pdf([lines] * 200))
    with ParserPool(Limits(cpu_seconds=1, cpu_seconds_per_page=0.001), num_processes=1) as pool:
        said = error_of(pool, file)
    assert "took too long" in said
    with ParserPool(Limits(cpu_seconds=1, cpu_seconds_per_page=2), num_processes=1) as pool:
        assert len(pool.parse(file).pages) == 200


# processes -------------------------------------------------------------------------------------------


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_leaving_the_pool_ends_its_processes_whatever_they_are_at(tmp_path: Path) -> None:
    before = set(children())
    files = [file_at(tmp_path / f"{number}.md", "pipe.md") for number in range(6)]
    for file in files:
        os.mkfifo(file.path)  # a file that is being read for ever
    with ParserPool(num_processes=2) as pool:
        results = pool.parse_all(files)
        assert next(results) is None
        wait_until(lambda: len(set(children()) - before) == 4)  # two that answer requests, and two reading
    wait_until(lambda: set(children()) <= before)  # while `results` still holds the files that wait
    results.close()  # type: ignore[attr-defined]
    assert set(children()) <= before


def test_stopped_ingest_leaves_no_process(home: Path, tmp_path: Path) -> None:
    before = set(children())
    folder = tmp_path / "slow"
    for number in range(6):
        write(folder, f"{number}.pdf", heavy_page_pdf(200, 20_000))  # minutes of reading
    asked = time.monotonic() + 1.5
    embedder = FakeEmbedder()
    results = ingest(
        [folder],
        ChunkTable(home, embedder),
        embedder,
        limits=Limits(cpu_seconds=300),
        should_stop=lambda: time.monotonic() > asked,
    )
    with pytest.raises(StoppedError) as caught, within(90):
        list(results)
    assert caught.tb is not None  # the frames are still alive
    wait_until(lambda: set(children()) <= before)


def test_killed_process_is_started_again(tmp_path: Path) -> None:
    good = write(tmp_path, "good.md", b"text")
    before = set(children())
    with ParserPool(num_processes=1) as pool:
        assert pool.parse(good).text == "text"
        (server,) = set(children()) - before
        os.kill(server, signal.SIGKILL)
        wait_until(lambda: not is_running(server))
        assert pool.parse(good).text == "text"


def test_process_that_is_killed_while_it_reads_fails_that_file_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    before = set(children())
    files = [file_at(tmp_path / "pipe.md", "pipe.md"), *(write(tmp_path, f"{n}.md", b"text") for n in range(3))]
    outcomes: list[Document | ParseError] = []
    reading: list[int] = []
    with ParserPool(num_processes=1) as pool:
        for each in pool.parse_all(files):
            if each:
                outcomes.append(each[1])
            elif not reading:
                wait_until(lambda: len(set(children()) - before) == 2)
                server, child = sorted(set(children()) - before)
                os.kill(server, signal.SIGKILL)
                reading.append(child)
        wait_until(lambda: not is_running(reading[0]))  # nobody is left behind
    assert str(outcomes[0]) == "the process reading the file was stopped; ingest this file again"
    assert [isinstance(outcome, Document) for outcome in outcomes[1:]] == [True] * 3


def test_crash_of_a_parser_fails_its_file_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    before = set(children())
    outcomes: list[Document | ParseError] = []
    with ParserPool(num_processes=1) as pool:
        for each in pool.parse_all([file_at(tmp_path / "pipe.md", "pipe.md"), write(tmp_path, "a.md", b"text")]):
            if each is None:
                wait_until(lambda: len(set(children()) - before) == 2)
                os.kill(max(set(children()) - before), signal.SIGSEGV)
            else:
                outcomes.append(each[1])
    assert "crashed" in str(outcomes[0])
    assert isinstance(outcomes[1], Document)


def test_results_come_in_order_and_none_while_one_waits(tmp_path: Path) -> None:
    files = [
        write(tmp_path, "0.pdf", heavy_page_pdf(10, 3_000)),
        *(write(tmp_path, f"{number}.md", b"text") for number in range(1, 12)),
        write(tmp_path, "12.pdf", b"no pdf"),
        file_at(tmp_path / "gone.md", "gone.md"),
    ]
    with ParserPool(num_processes=2) as pool:
        results = list(pool.parse_all(files))
    assert [each[0] for each in results if each] == files
    assert results[0] is None
    assert isinstance(results[-1][1], ParseError) if results[-1] else False


def test_files_are_asked_for_only_as_they_are_read(tmp_path: Path) -> None:
    file = write(tmp_path, "a.md", b"text")
    asked: list[int] = []

    def files() -> Iterator[SourceFile]:
        for number in range(100):
            asked.append(number)
            yield file

    with ParserPool(num_processes=1) as pool:
        results = pool.parse_all(files())
        while next(results) is None:
            pass
        assert len(asked) < 25
        results.close()  # type: ignore[attr-defined]


# bombs -----------------------------------------------------------------------------------------------


def nested_pdf() -> bytes:
    """Arrays in arrays, where the page's contents should be."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents " + b"[" * 100_000 + b"]" * 100_000 + b">>",
    ]
    return _pdf(objects)


def nested_dictionaries_pdf() -> bytes:
    deep = b"<</A" * 50_000 + b" 1 " + b">>" * 50_000
    return _pdf([b"<</Type/Catalog/Pages 2 0 R/Names " + deep + b">>", b"<</Type/Pages/Kids[]/Count 0>>"])


def endless_outline_pdf() -> bytes:
    """Bookmarks that follow one another in a circle, each inside itself."""
    entry = b"<</Title(x)/Parent 4 0 R/First 5 0 R/Last 5 0 R/Next 5 0 R/Dest[3 0 R/Fit]>>"
    return _pdf(
        [
            b"<</Type/Catalog/Pages 2 0 R/Outlines 4 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>",
            b"<</Type/Outlines/First 5 0 R/Last 5 0 R/Count 1>>",
            entry,
        ]
    )


def _pdf(objects: list[bytes]) -> bytes:
    body, places = b"%PDF-1.7\n", []
    for number, item in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    trailer = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (count, len(body))
    return body + b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table) + trailer


def deep_outline_pdf() -> bytes:
    """A PDF whose bookmarks are nested ten thousand deep."""
    entries = [
        b"<</Title(Part)/Parent %d 0 R/First %d 0 R/Last %d 0 R/Dest[3 0 R/Fit]>>"
        % (number - 1, number + 1, number + 1)
        for number in range(5, 10_005)
    ]
    return _pdf(
        [
            b"<</Type/Catalog/Pages 2 0 R/Outlines 4 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>",
            b"<</Type/Outlines/First 5 0 R/Last 5 0 R/Count 1>>",
            *entries,
            b"<</Title(Last)/Parent 10004 0 R>>",
        ]
    )


def unpacks_to_a_gigabyte(sample: bytes, part: str, before: bytes, after: bytes) -> bytes:
    """An Office file in which one part is a gigabyte of spaces, some of them in a file of one megabyte."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sample)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bomb:
        for entry in source.infolist():
            if entry.filename != part:
                bomb.writestr(entry, source.read(entry))
        with bomb.open(part, "w", force_zip64=True) as inside:
            inside.write(before)
            for _ in range(1100):
                inside.write(b" " * 1_000_000)
            inside.write(after)
    return buffer.getvalue()


def docx_bomb() -> bytes:
    return unpacks_to_a_gigabyte(make_docx([("", "text")]), "word/document.xml", b"<w:document>", b"</w:document>")


def xlsx_bomb() -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    book.active["A1"] = "text"
    buffer = io.BytesIO()
    book.save(buffer)
    return unpacks_to_a_gigabyte(buffer.getvalue(), "xl/worksheets/sheet1.xml", b"<worksheet>", b"</worksheet>")


def lying_docx() -> bytes:
    """A zip bomb that says in its directory that its part is small."""
    data = bytearray(docx_bomb())
    large = (1100 * 1_000_000 + len("<w:document></w:document>")).to_bytes(4, "little")
    place = data.rfind(large)
    data[place : place + 4] = (1000).to_bytes(4, "little")
    return bytes(data)


def entity_bomb_xhtml() -> bytes:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE html [<!ENTITY e0 "word">{entities}]><html><body><p>&e11;</p></body></html>'.encode()


def entity_bomb_docx() -> bytes:
    """A billion laughs as the text of a Word document."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    with zipfile.ZipFile(io.BytesIO(make_docx([("", "text")]))) as package:
        parts: dict[str, str | bytes] = {entry.filename: package.read(entry) for entry in package.infolist()}
    document = parts["word/document.xml"]
    assert isinstance(document, bytes)
    laughs = document.replace(b"text", b"&e11;")
    parts["word/document.xml"] = f'<!DOCTYPE d [<!ENTITY e0 "word">{entities}]>'.encode() + laughs
    return zipped(parts)


BOMBS: dict[str, Callable[[], bytes]] = {
    "heavy pages.pdf": lambda: heavy_page_pdf(4_000, 20_000),
    "nested arrays.pdf": nested_pdf,
    "nested dictionaries.pdf": nested_dictionaries_pdf,
    "endless outline.pdf": endless_outline_pdf,
    "deep outline.pdf": deep_outline_pdf,
    "nested.html": lambda: b"<div>" * 200_000 + b"deep" + b"</div>" * 200_000,
    "nested tables.html": lambda: b"<table><tr><td>" * 3_000 + b"deep",
    "nested lists.html": lambda: b"<ul><li>" * 20_000 + b"deep",
    "unclosed.html": lambda: b"<b><i>" * 50_000 + b"text",
    "nested quotes.md": lambda: b">" * 50_000 + b" deep",
    "nested lists.md": lambda: b"".join(b"  " * depth + b"- item\n" for depth in range(2_000)),
    "brackets.md": lambda: b"[" * 100_000,
    "stars.md": lambda: b"*a **b " * 50_000,
    "backticks.md": lambda: b"".join(b"`" * count + b" " for count in range(1, 1500)),
    "html in markdown.md": lambda: b"<!--" * 100_000,
    "pipes.md": lambda: b"|" * 200_000 + b"\n" + b"|-" * 100_000 + b"|\n" + b"|x" * 100_000,
    "wide.csv": lambda: b"a," * 500_000,
    "quotes.csv": lambda: b'"' * 1_000_001,
    "nested.rst": lambda: b"".join(b" " * depth + b"- item\n\n" for depth in range(1_500)),
    "bomb.docx": docx_bomb,
    "lying.docx": lying_docx,
    "laughs.docx": entity_bomb_docx,
    "bomb.xlsx": xlsx_bomb,
    "laughs.xhtml": entity_bomb_xhtml,
    "yaml.md": lambda: (
        b"---\na: &a [x,x,x,x]\n"
        + b"".join(b"%c: &%c [*%c,*%c,*%c,*%c]\n" % ((98 + n,) * 2 + (97 + n,) * 4) for n in range(14))
        + b"title: *o\n---\ntext"
    ),
    "deep yaml.md": lambda: b"---\n" + b"[" * 50_000 + b"\n---\ntext",
    "deep mail.eml": lambda: (
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3_000)) + b"\ntext"
    ),
    "one line.txt": lambda: b"x" * 15_000_000,
    "spaces.txt": lambda: b" " * 15_000_000 + b"x",
    "line ends.txt": lambda: b"\n" * 5_000_000 + b"x",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_ends_within_its_limits_and_spoils_nothing_else(pool: ParserPool, tmp_path: Path, name: str) -> None:
    bomb, good = write(tmp_path, name, BOMBS[name]()), write(tmp_path, "good.md", b"# Good\n\nA good text.\n")
    with within(150):  # its two seconds of a processor that others use too, and what has to start
        (first, outcome, _), (second, document, _) = (each for each in pool.parse_all([bomb, good]) if each)
    assert (first, second) == (bomb, good)
    assert isinstance(document, Document)
    if isinstance(outcome, ParseError):
        assert_clear(str(outcome))


def assert_clear(reason: str) -> None:
    """One line that a curator can act on, and no name of a Python class alone."""
    assert 10 < len(reason) < 400, reason
    assert "Traceback" not in reason
    assert "\n" not in reason.strip(), reason


def test_folder_of_bombs_goes_in_as_far_as_it_can(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, embedder = tmp_path / "folder", FakeEmbedder()
    names = ["bomb.docx", "nested arrays.pdf", "heavy pages.pdf", "laughs.docx", "spaces.txt"]
    for name in names:
        write(folder, name, BOMBS[name]())
    for name in ("a good.md", "z good.md"):
        write(folder, name, b"# Good\n\nA good text.\n")
    os.mkfifo(folder / "pipe.pdf")
    with (folder / "large.txt").open("wb") as file:
        file.truncate(2 << 30)
    results = {result.name: result for result in ingest([folder], ChunkTable(home, embedder), embedder, limits=SMALL)}
    assert set(results) == {*names, "a good.md", "z good.md", "large.txt"}
    assert [results[name].status for name in ("a good.md", "z good.md")] == ["added", "added"]
    assert results["large.txt"].reason == "it has 2,048 MB, the limit is 400 MB; split it"
    failed = {name: result.reason for name, result in results.items() if result.status == "failed"}
    assert {"bomb.docx", "heavy pages.pdf", "laughs.docx"} <= set(failed)
    assert "1,100 MB" in failed["bomb.docx"]
    for reason in failed.values():
        assert_clear(reason)


def test_gigabyte_of_one_line_fails_within_its_limits(home: Path, tmp_path: Path) -> None:
    with (tmp_path / "large.txt").open("wb") as file:
        file.write(b"text")
        file.truncate(1 << 30)
    with ParserPool(num_processes=1) as pool, within(150):
        assert "memory" in error_of(pool, file_at(tmp_path / "large.txt", "large.txt"))


# real nasty files ------------------------------------------------------------------------------------

NASTY = SHARED_DATA / "nasty"

WORDS = {
    "un_fake-text-utf-16-le.txt": "Hamburgers are delicious",
    "un_fake-html-cp1252.html": "Die schöne Frau",
    "un_example-steelJIS-datasheet-utf-16.html": "日本語",
    "mk_test_mskanji.csv": "名前",
    "pj_rotation.pdf": "landscape layout",
    "sf_multicolumn.pdf": "Lorem",
    "pj_helloworld-bad.pdf": "Hello",
    "pj_encrypted-attachment.pdf": "Example",
    "sf_habibi.pdf": "habibi",
    "do_Strict.docx": "Some text",
    "do_docx_rich_cells.docx": "B First",
    "p2_PDF_2.0_with_offset_start.pdf": "PDF 2.0",
    "pj_ArabicCIDTrueType.pdf": "الخطوط العربية",
    "pj_Pages-tree-refs.pdf": "Testcase",
    "pm_zen_of_python_corrupted.pdf": "Beautiful is better than ugly",
    "mk_SPARSE-2024-INV-1234_borderless_table.pdf": "SPARSE",
}
"""A word of each that can be read."""


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, FileResult], dict[str, str]]:
    """What happened to each nasty file, and the text of those that went in."""
    home, embedder = tmp_path_factory.mktemp("nasty") / "home", FakeEmbedder()
    table = ChunkTable(home, embedder)
    limits = Limits(cpu_seconds=4, cpu_seconds_per_page=0.001)  # the real ones take a minute
    results = {result.name: result for result in ingest([NASTY], table, embedder, limits=limits)}
    texts = {each.name: "\n".join(piece.text for piece in table.chunks_of(each.id)) for each in table.documents()}
    return results, texts


@pytest.mark.skipif(not NASTY.exists(), reason="the nasty files are not here")
def test_every_nasty_file_ends_with_its_text_or_a_reason(
    nasty: tuple[dict[str, FileResult], dict[str, str]],
) -> None:
    results, texts = nasty
    assert set(results) == {path.name for path in NASTY.iterdir()}
    for name, result in results.items():
        if result.status == "added":
            assert texts[name].strip(), name
        else:
            assert result.status == ("failed" if Path(name).suffix in PARSERS else "skipped"), name
            assert_clear(result.reason)


@pytest.mark.skipif(not NASTY.exists(), reason="the nasty files are not here")
@pytest.mark.parametrize("name", WORDS)
def test_nasty_file_that_can_be_read_yields_its_words(
    nasty: tuple[dict[str, FileResult], dict[str, str]], name: str
) -> None:
    results, texts = nasty
    assert results[name].status == "added", results[name].reason
    assert WORDS[name] in texts[name]


def test_source_file_is_what_the_pool_reads(pool: ParserPool, tmp_path: Path) -> None:
    file = write(tmp_path, "a.md", b"text")
    assert pool.parse(SourceFile(file.path, "shown.md", "somewhere")).name == "shown.md"
