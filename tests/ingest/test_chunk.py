from __future__ import annotations

import random
import re
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from ingest.chunk import Chunk, breadcrumb, chunk
from ingest.parse import PAGE_BREAK, Box, Document, Page, parse, parse_text
from ingest.parse.document import Line
from tests.conftest import SHARED_DATA

WORDS = ["annual", "leave", "travel", "hotel", "tunnel", "key", "parent", "birth", "night", "café", "straße", "4400"]
MAX_TOKENS = 90
SEEDS = range(150)


def count_words(text: str) -> int:
    return len(text.split())


def cut(document: Document, max_tokens: int = MAX_TOKENS) -> list[Chunk]:
    return chunk(document, count_words, max_tokens)


def own_text(piece: Chunk) -> str:
    """The text without the header of a table that it repeats."""
    return piece.text[len(piece.text) - (piece.end - piece.start) :]


def sentence(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randrange(1, 25))).capitalize() + chance.choice(".?!")


def block(chance: random.Random) -> str:
    sentences = [sentence(chance) for _ in range(chance.randrange(1, 8))]
    return chance.choice(
        [
            " ".join(sentences),
            "\n".join(f"- {each}" for each in sentences),
            "\n".join(f"{number}. {each}" for number, each in enumerate(sentences, 1)),
            "| Day | Rate |\n| --- | --- |\n" + "\n".join(f"| {each} | 150 |" for each in sentences),
            "```sh\n" + "\n".join(f"# {each}" for each in sentences) + "\n```",
            "\n".join(f"    {each}" for each in sentences),
            "> " + "\n> ".join(sentences),
        ]
    )


@cache
def random_document(seed: int) -> Document:
    """Headings of four levels, blocks of every kind, some of them twice; every third document has pages."""
    chance = random.Random(seed)
    parts: list[str] = []
    for _ in range(chance.randrange(1, 25)):
        if chance.random() < 0.3:
            title = " ".join(chance.choices(WORDS, k=chance.randrange(1, 4))).title()
            parts.append("#" * chance.randrange(1, 5) + " " + title)
        elif parts and chance.random() < 0.1:
            parts.append(chance.choice(parts))
        else:
            parts.append(block(chance))
            if seed % 3 == 0:  # a page ends in mid-sentence or after one, as in a PDF
                parts[-1] = re.sub(r"(?<=\w[\w.]) (?=\w)", lambda _: chance.choice(PAGE_BREAK + " " * 29), parts[-1])
    text = "".join(part + "\n" * chance.randrange(2, 4) for part in parts)
    return parse_text(text, f"{seed}.md", chance.choice(["Handbook", "Annual Leave"]))


def body_of(document: Document) -> str:
    text = document.text
    for heading in document.headings:
        text = text[: heading.start] + " " * (heading.end - heading.start) + text[heading.end :]
    return text


# any document ----------------------------------------------------------------------------------------


def test_random_documents_are_worth_the_name() -> None:
    documents = [random_document(seed) for seed in SEEDS]
    chunks = [piece for document in documents for piece in cut(document)]
    assert len(chunks) > 5 * len(documents)
    assert sum(len(document.pages) > 1 for document in documents) > 30
    assert sum(len(piece.headings) > 1 for piece in chunks) > 100
    assert sum(PAGE_BREAK in piece.text for piece in chunks) > 30


def test_chunk_is_the_text_at_its_place() -> None:
    for seed in SEEDS:
        document = random_document(seed)
        assert all(own_text(piece) == document.text[piece.start : piece.end] != "" for piece in cut(document)), seed


@pytest.mark.parametrize("max_tokens", [MAX_TOKENS, 250])
def test_passages_fit_the_embedder(max_tokens: int) -> None:
    lengths = [count_words(piece.passage) for seed in SEEDS for piece in cut(random_document(seed), max_tokens)]
    assert 0.9 * max_tokens < max(lengths) <= max_tokens


def test_no_chunk_crosses_a_heading() -> None:
    for seed in SEEDS:
        document = random_document(seed)
        for piece in cut(document):
            assert all(each.end <= piece.start or piece.end <= each.start for each in document.headings), seed


def test_heading_path_is_that_of_the_headings_above() -> None:
    for seed in SEEDS:
        document = random_document(seed)
        for piece in cut(document):
            path: dict[int, str] = {}
            for heading in document.headings:
                if heading.end <= piece.start:
                    path = {level: title for level, title in path.items() if level < heading.level}
                    path[heading.level] = heading.title
            assert piece.headings == tuple(title for title in path.values() if title != document.title), seed


def test_ids_are_unique_even_where_text_repeats() -> None:
    chunks = [piece for seed in SEEDS for piece in cut(random_document(seed))]
    assert len({piece.id for piece in chunks}) == len(chunks)
    assert len({(piece.document, piece.headings, piece.text) for piece in chunks}) < len(chunks)


def test_page_is_the_one_where_the_chunk_starts() -> None:
    for seed in SEEDS:
        document = random_document(seed)
        for piece in cut(document):
            page = document.text.count(PAGE_BREAK, 0, piece.start) + 1 if len(document.pages) > 1 else None
            assert piece.page == page, seed


def test_every_word_is_in_one_chunk_and_in_order() -> None:
    for seed in SEEDS:
        document = random_document(seed)
        chunks = cut(document)
        assert [word for piece in chunks for word in own_text(piece).split()] == body_of(document).split(), seed
        assert all(before.end <= after.start for before, after in pairwise(chunks)), seed


def test_chunk_knows_its_document() -> None:
    document = parse_text("text", "handbook/leave.md", "Leave")
    (piece,) = cut(document)
    assert (piece.document_id, piece.document, piece.title) == (document.id, "handbook/leave.md", "Leave")


# ids -------------------------------------------------------------------------------------------------

TWO_SECTIONS = "# Handbook\n\n## Leave\n\n30 days.\n\n## Travel\n\nTrains first.\n"


def ids(text: str, name: str = "a.md") -> list[str]:
    return [piece.id for piece in cut(parse_text(text, name, "Handbook"))]


def test_id_is_sixteen_hex_digits() -> None:
    assert all(len(each) == 16 and int(each, 16) >= 0 for each in ids(TWO_SECTIONS))


def test_ids_survive_a_second_run() -> None:
    for seed in SEEDS:
        document = random_document(seed)
        assert cut(document) == cut(replace(document)), seed


def test_ids_survive_a_change_elsewhere_in_the_document() -> None:
    changed = TWO_SECTIONS.replace("## Leave", "Welcome.\n\n## Leave").replace("Trains", "Planes")
    (leave, travel), (_, same, other) = ids(TWO_SECTIONS), ids(changed)
    assert leave == same
    assert travel != other


def test_id_depends_on_document_and_heading() -> None:
    texts = [TWO_SECTIONS, TWO_SECTIONS.replace("## Leave", "## Annual leave")]
    assert len({ids(texts[0])[0], ids(texts[1])[0], ids(texts[0], "b.md")[0]}) == 3


# where it cuts ---------------------------------------------------------------------------------------


def test_sentences_stay_whole() -> None:
    sentences = [f"{word} " + " ".join(["word"] * 28) + " end." for word in ("One", "Two", "Three", "Four", "Five")]
    chunks = cut(parse_text(" ".join(sentences), "a.md", "T"), 64)
    assert [piece.text for piece in chunks] == [" ".join(sentences[i : i + 2]) for i in (0, 2, 4)]


@pytest.mark.parametrize("sentence", ["We think that you're right.", "It costs $4 a *long* night."])
def test_sentences_with_marks_in_them_stay_whole(sentence: str) -> None:
    chunks = cut(parse_text(" ".join([sentence] * 30), "a.md", "T"), 64)
    assert [piece.text[-len(sentence) :] for piece in chunks] == [sentence] * len(chunks)


def test_short_paragraphs_share_a_chunk() -> None:
    (piece,) = cut(parse_text("One.\n\nTwo.\n\nThree.", "a.md", "T"))
    assert piece.text == "One.\n\nTwo.\n\nThree."


def test_sentence_that_goes_on_overleaf_is_one_chunk() -> None:
    (piece,) = cut(parse_text(f"It begins here{PAGE_BREAK}and ends there.", "a.txt", "T"))
    assert (piece.page, piece.text) == (1, f"It begins here{PAGE_BREAK}and ends there.")


def test_word_longer_than_a_chunk_is_cut_and_kept() -> None:
    chunks = chunk(parse_text("x" * 1000, "a.txt", "T"), len, 100)
    assert max(len(piece.passage) for piece in chunks) <= 100
    assert "".join(piece.text for piece in chunks) == "x" * 1000


def test_long_headings_leave_the_text_64_tokens() -> None:
    text = f"# {'long ' * 100}\n\n{'word ' * 200}"
    lengths = [count_words(piece.text) for piece in cut(parse_text(text, "a.md", "T"), 100)]
    assert lengths == [64, 64, 64, 8]


def test_headings_without_text_have_no_chunks() -> None:
    assert [piece.text for piece in cut(parse_text("# A\n\n## B\n\n# C\n\ntext\n\n## D\n", "a.md", "T"))] == ["text"]


def test_document_without_text_has_no_chunks() -> None:
    assert cut(parse_text(" \n\n", "a.md", "T")) == []


def test_page_of_a_chunk_after_a_line_end_and_a_page_break() -> None:
    text = f"{'one ' * 60}\n\n{PAGE_BREAK}{'two ' * 30}\n\n{'three ' * 20}\n"
    first, second = cut(parse_text(text, "a.txt", "T"), 70)
    assert (first.page, second.page) == (1, 2)
    assert second.text.startswith("two")


# what is read of it ----------------------------------------------------------------------------------


def test_passage_is_title_and_headings_then_text() -> None:
    (piece,) = cut(parse_text("# Leave\n\n## Annual\n\n30 days.", "a.md", "Handbook"))
    assert piece.heading == "Leave > Annual"
    assert piece.passage == "Handbook > Leave > Annual\n30 days."


def test_heading_path_does_not_repeat_the_title() -> None:
    (piece,) = cut(parse_text("# Leave\n\n30 days.", "a.md", "Leave"))
    assert (piece.headings, piece.heading, piece.passage) == ((), "", "Leave\n30 days.")


def test_heading_path_forgets_what_a_higher_heading_ended() -> None:
    text = "## A\n\na\n\n### B\n\nb\n\n## C\n\nc\n\n# D\n\nd\n\n### E\n\ne"
    paths = {piece.text: piece.heading for piece in cut(parse_text(text, "a.md", "T"))}
    assert paths == {"a": "A", "b": "A > B", "c": "C", "d": "D", "e": "D > E"}


def test_title_and_headings_in_one_line() -> None:
    assert breadcrumb("Handbook") == "Handbook"
    assert breadcrumb("Handbook", "", "Leave", "Annual") == "Handbook > Leave > Annual"


# tables ----------------------------------------------------------------------------------------------

HEADER = "| Day | Rate of the day |\n| --- | --- |\n"


def table(num_rows: int, header: str = HEADER) -> str:
    return header + "".join(f"| Day {number} | {'x ' * (number % 7)}{number} euros |\n" for number in range(num_rows))


def test_table_that_is_cut_repeats_its_header_within_the_budget() -> None:
    document = parse_text(f"{table(60)}\nAfter the table.", "a.md", "T")
    chunks = cut(document)
    assert len(chunks) > 5
    starts = [piece.text.count(HEADER.strip()) for piece in chunks]
    assert starts[:-1] == [1] * (len(chunks) - 1)
    assert all(count_words(piece.passage) <= MAX_TOKENS for piece in chunks)
    rows = [line for piece in chunks for line in piece.text.splitlines() if "euros" in line]
    assert rows == [line for line in document.text.splitlines() if "euros" in line]


def test_table_that_fits_has_its_header_once() -> None:
    (piece,) = cut(parse_text(f"Rates.\n\n{table(5)}", "a.md", "T"))
    assert piece.text.count("Rate of the day") == 1


def test_text_after_a_table_does_not_get_its_header() -> None:
    chunks = cut(parse_text(f"{table(12)}\n{'After. ' * 200}", "a.md", "T"))
    assert all(HEADER not in piece.text for piece in chunks if not piece.text.lstrip("|").count("euros"))
    assert len(chunks) > 2


def test_header_that_leaves_no_room_for_rows_is_not_repeated() -> None:
    chunks = cut(parse_text(table(40, f"| {'word ' * 70}|\n| --- |\n"), "a.md", "T"))
    assert sum("word word" in piece.text for piece in chunks) == 1
    assert all(count_words(piece.passage) <= MAX_TOKENS for piece in chunks)


@pytest.mark.parametrize("mark", "-•●◦")
def test_line_above_a_table_and_the_intro_of_a_list_go_with_every_part(mark: str) -> None:
    title, intro = "Rates in thousand euros", "The following are not reimbursed:"
    items = "".join(f"{mark} item {number} with some words about it\n" for number in range(60))
    chunks = cut(parse_text(f"{title}\n\n{table(60)}\n# Limits\n\n{intro}\n\n{items}", "a.md", "T"))
    rows, listed = ([piece for piece in chunks if word in piece.text] for word in ("euros |", f"{mark} item"))
    assert len(rows) > 3
    assert len(listed) > 3
    assert all(piece.text.startswith((f"{title}\n\n{HEADER}", HEADER)) for piece in rows[1:])
    assert all(piece.text.startswith(f"{intro}\n") for piece in listed)
    assert all(title in piece.text and HEADER in piece.text for piece in rows)
    assert all(count_words(piece.passage) <= MAX_TOKENS for piece in chunks)


def test_an_intro_that_every_part_of_its_list_begins_with_is_no_chunk_of_its_own() -> None:
    intro, steps = "When you choose a flight, there are four kinds of fares:", "word " * 40
    items = "".join(f"- Fare {number}: {steps}\n" for number in range(6))
    texts = [piece.text for piece in cut(parse_text(f"# Flights\n\n{intro}\n\n{items}\nAsk first.", "a.md", "T"))]
    assert texts[0].startswith(f"{intro}\n\n- Fare 0")
    assert all(any(f"- Fare {number}" in text for text in texts) for number in range(6))


def test_rest_of_a_row_that_is_cut_begins_with_its_first_cell() -> None:
    row = f"| ZX-1 | {' '.join(f'word{number}' for number in range(200))} | R1-7 |\n"
    chunks = cut(parse_text(f"| Part | Remark | Bin |\n| --- | --- | --- |\n{row}", "a.md", "T"))
    assert all(
        piece.text.startswith("ZX-1 … word") for piece in chunks if "word0" not in piece.text and "word" in piece.text
    )
    assert "R1-7" in chunks[-1].text


@pytest.mark.parametrize("word", ["| Day |", "| --- |", "Day | Rate\n--- | ---\n1 | 2"])
def test_bars_alone_are_no_table(word: str) -> None:
    chunks = cut(parse_text(f"{word}\n\n" + "Text goes on. " * 100, "a.md", "T"))
    assert all(own_text(piece) == piece.text for piece in chunks)


# boxes -----------------------------------------------------------------------------------------------


def printed(*pages: list[str]) -> Document:
    """A document whose every line stands on its page: ten to a page, over its whole width."""
    parts = []
    for number, lines in enumerate(pages, 1):
        starts = [sum(len(line) + 1 for line in lines[:index]) for index in range(len(lines))]
        boxes = [Box(number, 0.0, index / 10, 1.0, (index + 1) / 10) for index in range(len(lines))]
        placed = [Line(start, start + len(line), box) for start, line, box in zip(starts, lines, boxes, strict=True)]
        parts.append(Page(number, "\n".join(lines), tuple(placed)))
    return replace(parse_text("", "a.pdf", "T"), pages=tuple(parts))


def test_boxes_are_those_of_the_printed_lines() -> None:
    (piece,) = cut(printed(["one", "two"]))
    assert piece.boxes == (Box(1, 0, 0, 1, 0.1), Box(1, 0, 0.1, 1, 0.2))


def test_boxes_of_a_chunk_over_two_pages_name_both() -> None:
    (piece,) = cut(printed(["It begins here"], ["and ends there."]))
    assert piece.boxes == (Box(1, 0, 0, 1, 0.1), Box(2, 0, 0, 1, 0.1))


def test_line_that_is_cut_lends_each_chunk_its_share() -> None:
    line = "One two three four five. " * 30
    first, second = cut(printed([line.strip()]), 76)
    (left,), (right,) = first.boxes, second.boxes
    assert left.left == 0
    assert right.right == 1
    assert left.right == pytest.approx(first.end / len(line.strip()), abs=1e-3)
    assert right.left == pytest.approx(second.start / len(line.strip()), abs=1e-3)
    assert left.right < right.left


def test_boxes_of_all_chunks_cover_every_line_once() -> None:
    pages = [[f"{word} line {number} of the page." for number, word in enumerate(WORDS)] for _ in range(6)]
    boxes = [box for piece in cut(printed(*pages), 70) for box in piece.boxes]
    for page in range(1, 7):
        for index in range(len(WORDS)):
            widths = [box.right - box.left for box in boxes if (box.page, round(box.top * 10)) == (page, index)]
            assert sum(widths) == pytest.approx(1, abs=0.1), (page, index)


def test_text_between_two_lines_has_no_box() -> None:
    page = Page(1, "first  added  last", (Line(0, 5, Box(1, 0, 0, 1, 0.1)), Line(14, 18, Box(1, 0, 0.1, 1, 0.2))))
    (piece,) = cut(replace(parse_text("", "a.pdf", "T"), pages=(page,)))
    assert len(piece.boxes) == 2


def test_formats_without_pages_have_no_boxes() -> None:
    assert all(piece.boxes == () for seed in SEEDS[:10] for piece in cut(random_document(seed)))


# every document --------------------------------------------------------------------------------------


def test_every_word_is_kept_within_the_budget_at_its_place() -> None:
    for seed in SEEDS[:60]:
        document = random_document(seed)
        chunks = cut(document)
        assert "".join("".join(own_text(piece) for piece in chunks).split()) == "".join(body_of(document).split()), seed
        assert all(count_words(piece.passage) <= MAX_TOKENS for piece in chunks), seed
        assert all(own_text(piece) == document.text[piece.start : piece.end] != "" for piece in chunks), seed
        assert len({piece.id for piece in chunks}) == len(chunks), seed
        assert cut(document) == chunks, seed


# real documents --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not SHARED_DATA.exists(), reason="the real documents are not here")
def test_real_documents_keep_every_letter() -> None:
    paths = [path for path in (SHARED_DATA / "documents").rglob("*.*") if path.suffix in {".md", ".html", ".docx"}]
    assert len(paths) > 50
    for path in paths:
        document = parse(path)
        chunks = cut(document)
        assert all(own_text(piece) == document.text[piece.start : piece.end] for piece in chunks), path.name
        together = "".join("".join(own_text(piece) for piece in chunks).split())
        assert together == "".join(body_of(document).split()), path.name
