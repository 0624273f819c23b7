from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.evaluation.beir_files import BenchmarkError
from app.evaluation.benchmark import Evidence, read_benchmark, resolve_evidence, write_corpus
from ingest.chunk import Chunk
from ingest.parse import Heading, parse, parse_text
from tests.app.builders import make_chunk, write_benchmark

CORPUS: list[dict[str, Any]] = [
    {"_id": "leave.md", "title": "Leave", "text": "# Leave\n\nThirty days."},
    {"_id": "travel.md", "title": None, "text": "By train.\fPage two."},
]
QUERIES: list[dict[str, Any]] = [
    {"_id": "q2", "text": "how by train?"},
    {"_id": "unjudged", "text": "why?"},
    {"_id": "q1", "text": "how many days?"},
    {"_id": "q3", "text": "whose?"},
]
QRELS = [("q1", "leave.md", 2), ("q1", "travel.md", 0), ("q2", "travel.md", 1), ("q2", "leave.md", 0)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_benchmark(tmp_path / "tiny", CORPUS, QUERIES, QRELS)


# Reading ---------------------------------------------------------------------------------------------


def test_documents_judged_queries_and_judgements_are_read(folder: Path) -> None:
    benchmark = read_benchmark(folder)
    assert benchmark.name == "tiny"
    assert [(document.name, document.title) for document in benchmark.documents] == [
        ("leave.md", "Leave"),
        ("travel.md", ""),
    ]
    assert [heading.title for heading in benchmark.documents[0].headings] == ["Leave"]
    assert [page.number for page in benchmark.documents[1].pages] == [1, 2]
    assert list(benchmark.queries.items()) == [("q2", "how by train?"), ("q1", "how many days?")]
    assert benchmark.qrels == {"q1": {"leave.md": 2}, "q2": {"travel.md": 1}}  # relevance 0 is not relevant
    assert benchmark.judges_passages is False


def test_the_fingerprint_is_that_of_the_corpus(folder: Path) -> None:
    before = read_benchmark(folder).fingerprint
    assert before == hashlib.sha256((folder / "corpus.jsonl").read_bytes()).hexdigest()
    write_benchmark(folder, [*CORPUS, {"_id": "new.md", "text": "New."}], QUERIES[:1], QRELS)
    assert read_benchmark(folder).fingerprint != before


@pytest.mark.parametrize("gzipped", [("corpus.jsonl",), ("queries.jsonl",), ("corpus.jsonl", "queries.jsonl")])
def test_corpus_and_queries_may_be_gzipped(gzipped: tuple[str, ...], folder: Path) -> None:
    plain = read_benchmark(folder)
    for name in gzipped:
        path = folder / name
        (folder / f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    zipped = read_benchmark(folder)
    assert (zipped.documents, zipped.queries, zipped.qrels) == (plain.documents, plain.queries, plain.qrels)


@pytest.mark.parametrize("name", ["qrels.tsv", "qrels/test.tsv", "qrels_test.tsv"])
def test_judgements_are_found_where_they_usually_lie(name: str, folder: Path) -> None:
    (folder / "qrels").mkdir()
    (folder / "qrels.tsv").rename(folder / name)
    assert read_benchmark(folder).qrels == {"q1": {"leave.md": 2}, "q2": {"travel.md": 1}}


def test_the_first_so_many_judged_queries_can_be_had(folder: Path) -> None:
    benchmark = read_benchmark(folder, max_queries=1)
    assert (list(benchmark.queries), list(benchmark.qrels)) == (["q2"], ["q2"])
    assert len(benchmark.documents) == 2
    assert len(read_benchmark(folder, max_queries=99).queries) == 2


def test_ids_may_be_numbers_and_lines_may_be_empty(folder: Path) -> None:
    write_benchmark(folder, [{"_id": 7, "text": "Seven."}], [{"_id": 1, "text": "which?"}], [("1", "7", 1)])
    with (folder / "queries.jsonl").open("a") as lines:
        lines.write("\n  \n")
    benchmark = read_benchmark(folder)
    assert (benchmark.documents[0].name, list(benchmark.queries), benchmark.qrels) == ("7", ["1"], {"1": {"7": 1}})


def test_evidence_is_read_and_passages_are_judged_if_every_query_has_some(folder: Path) -> None:
    quoted = {"evidence": [{"document": "leave.md", "quote": "Thirty days"}]}
    queries: list[dict[str, Any]] = [
        {"_id": "q1", "text": "?", "metadata": quoted},
        {"_id": "q2", "text": "?", "metadata": None},
    ]
    some = read_benchmark(write_benchmark(folder, CORPUS, queries, QRELS))
    assert some.evidence == {"q1": (Evidence("leave.md", "Thirty days"),), "q2": ()}
    assert some.judges_passages is False
    assert read_benchmark(write_benchmark(folder, CORPUS, queries[:1], QRELS)).judges_passages is True


def test_documents_written_as_a_corpus_come_back_with_their_headings(folder: Path) -> None:
    notes = parse_text("# Not a heading\nOne\u2028two\x85 ü\fPage two.", "a/ü.md", "Über", [Heading(2, "One", 16, 19)])
    plain = parse_text("# Leave\n\nThirty days.", "leave.md", "")
    write_corpus([notes, plain], folder / "corpus.jsonl")
    assert read_benchmark(folder).documents == (notes, plain)


def test_a_file_written_as_a_corpus_keeps_name_title_text_and_headings(folder: Path, documents: Path) -> None:
    file = parse(documents / "handbook/leave.md", "handbook/leave.md")
    write_benchmark(folder, [], QUERIES, [("q1", file.name, 1)])
    write_corpus([file], folder / "corpus.jsonl")
    (read,) = read_benchmark(folder).documents
    assert (read.name, read.title, read.text, read.headings) == (file.name, file.title, file.text, file.headings)
    assert file.headings


# What is wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("corpus.jsonl", "expected corpus.jsonl or corpus.jsonl.gz"),
        ("queries.jsonl", "expected queries.jsonl or queries.jsonl.gz"),
        ("qrels.tsv", "expected qrels.tsv or qrels/test.tsv or qrels_test.tsv"),
    ],
)
def test_a_missing_file_is_named_with_all_its_places(missing: str, expected: str, folder: Path) -> None:
    (folder / missing).unlink()
    with pytest.raises(BenchmarkError, match=re.escape(f"{folder} is not in BEIR layout: {expected}")):
        read_benchmark(folder)


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        ("corpus.jsonl", "{broken", "line 3 is not JSON: "),
        ("corpus.jsonl", '{"_id": "x"}', "line 3 lacks text"),
        ("corpus.jsonl", '{"title": "x"}', "line 3 lacks _id, text"),
        ("queries.jsonl", '{"text": "x"}', "line 5 lacks _id"),
        ("qrels.tsv", "q1\tleave.md\tmuch", ": expected query-id, corpus-id, score: "),
        ("qrels.tsv", "q1\tleave.md", " line 6: expected query-id, corpus-id, score: "),
        ("qrels.tsv", "q1 0 leave.md 1", " line 6: expected query-id, corpus-id, score: "),
    ],
)
def test_a_wrong_line_is_named_with_its_number(name: str, line: str, expected: str, folder: Path) -> None:
    with (folder / name).open("a") as lines:
        lines.write(line + "\n")
    with pytest.raises(BenchmarkError, match=re.escape(name) + ".*" + re.escape(expected)):
        read_benchmark(folder)


@pytest.mark.parametrize(
    "text", ["q1\tleave.md\t1\nq2\ttravel.md\t1\n", "q1 0 leave.md 1\n", "q1\t0\tleave.md\t1\n", ""]
)
def test_judgements_without_their_head_line_are_refused(text: str, folder: Path) -> None:
    (folder / "qrels.tsv").write_text(text)
    with pytest.raises(BenchmarkError, match="its first line must be query-id<TAB>corpus-id<TAB>score, got"):
        read_benchmark(folder)


def test_queries_without_any_judgement_are_refused(folder: Path) -> None:
    write_benchmark(folder, CORPUS, QUERIES, [("elsewhere", "leave.md", 1)])
    with pytest.raises(BenchmarkError, match=r"no query of .*queries\.jsonl is judged in .*qrels\.tsv"):
        read_benchmark(folder)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("corpus.jsonl", "5"),
        ("corpus.jsonl", "null"),
        ("corpus.jsonl", '{"_id": "x", "text": null}'),
        ("corpus.jsonl", '{"_id": "x", "text": "X.", "metadata": {"headings": [{"title": "X"}]}}'),
        ("queries.jsonl", '{"_id": "q1", "text": "?", "metadata": {"evidence": null}}'),
        ("queries.jsonl", '{"_id": "q1", "text": "?", "metadata": {"evidence": [{"document": "leave.md"}]}}'),
    ],
)
def test_json_of_another_shape_is_named_with_its_line(name: str, line: str, folder: Path) -> None:
    with (folder / name).open("a") as lines:
        lines.write(line + "\n")
    with pytest.raises(BenchmarkError, match=name):
        read_benchmark(folder)


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        ("corpus.jsonl", '{"_id": "x", "text": 7}', "line 3: expected text in quotation marks as the text, got '7'"),
        (
            "corpus.jsonl",
            '{"_id": "x", "text": "X.", "title": 7}',
            "line 3: expected text in quotation marks as the title",
        ),
        ("corpus.jsonl", '{"_id": ["x"], "text": "X."}', "line 3: expected text or a number as the _id"),
        ("corpus.jsonl", '{"_id": "x", "text": "X.", "metadata": "M"}', "line 3: expected an object as the metadata"),
        ("corpus.jsonl", r'{"_id": "x", "text": "\ud83d"}', "line 3 is not valid text: surrogates not allowed"),
        ("corpus.jsonl", r'{"_id": "x", "text": "X.", "title": "\ud83d"}', "line 3 is not valid text"),
        ("corpus.jsonl", "[" * 100_000, "line 3 is not JSON: maximum recursion"),
        ("corpus.jsonl", '{"_id": ' + "1" * 5000 + ', "text": "X."}', "line 3 is not JSON: Exceeds the limit"),
        ("corpus.jsonl", '{"_id": "leave.md", "text": "X."}', "line 3: the _id 'leave.md' is also in line 1"),
        ("queries.jsonl", '{"_id": "q1", "text": "?"}', "line 5: the _id 'q1' is also in line 3"),
        ("queries.jsonl", '{"_id": "q9", "text": 7}', "line 5: expected text in quotation marks as the text"),
        ("qrels.tsv", "q1\tleave.md\t1e300", "line 6: expected query-id, corpus-id, score: a whole number of at most"),
        ("qrels.tsv", "q1\tleave.md\t10001", "line 6: expected query-id, corpus-id, score"),
        ("qrels.tsv", "q1\tleave.md\t0.5", "line 6: expected query-id, corpus-id, score"),
        ("qrels.tsv", "q1\tleave.md\tnan", "line 6: expected query-id, corpus-id, score"),
        ("qrels.tsv", f"q1\t{'x' * 200_000}\t1", "line 6 cannot be read: field larger than field limit"),
    ],
)
def test_what_cannot_be_meant_is_named_with_its_line(name: str, line: str, expected: str, folder: Path) -> None:
    with (folder / name).open("a") as lines:
        lines.write(line + "\n")
    with pytest.raises(BenchmarkError) as raised:
        read_benchmark(folder)
    assert f"{folder / name} {expected}" in str(raised.value)
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels.tsv"])
def test_a_file_in_another_encoding_is_named_with_the_line(name: str, folder: Path) -> None:
    with (folder / name).open("ab") as lines:
        lines.write('{"_id": "für"}\n'.encode("cp1252"))
    with pytest.raises(BenchmarkError, match=rf"{name} line \d is not UTF-8 .*expected text in UTF-8"):
        read_benchmark(folder)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: b"no gzip", lambda data: data[:40] + b"0" * 40]
)
def test_a_damaged_gzip_is_named(damage: Callable[[bytes], bytes], folder: Path) -> None:
    path = folder / "corpus.jsonl"
    data = gzip.compress("".join(f'{{"_id": "{number}", "text": "X."}}\n' for number in range(999)).encode())
    path.with_name("corpus.jsonl.gz").write_bytes(damage(data))
    path.unlink()
    with pytest.raises(BenchmarkError, match=r"corpus\.jsonl\.gz is cut short or damaged .*get it again"):
        read_benchmark(folder)


def test_a_mark_before_the_first_line_is_no_part_of_it(folder: Path) -> None:
    plain = read_benchmark(folder)
    for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv"):
        (folder / name).write_bytes(b"\xef\xbb\xbf" + (folder / name).read_bytes().replace(b"\n", b"\r\n"))
    marked = read_benchmark(folder)
    assert (marked.documents, marked.queries, marked.qrels) == (plain.documents, plain.queries, plain.qrels)


def test_quotation_marks_belong_to_an_id_and_a_score_may_have_a_point(folder: Path) -> None:
    corpus = [{"_id": '"a"', "text": "A."}, {"_id": '"b', "text": "B."}]
    write_benchmark(folder, corpus, [{"_id": 'q"', "text": "?"}], [])
    (folder / "qrels.tsv").write_text('score\tquery-id\tcorpus-id\n1.0\tq"\t"a"\n2\tq"\t"b\n')
    assert read_benchmark(folder).qrels == {'q"': {'"a"': 1, '"b': 2}}


# Judgements that match nothing -----------------------------------------------------------------------


def test_of_a_pair_that_is_judged_twice_the_last_line_counts(folder: Path) -> None:
    (query_id, document, _), *others = QRELS
    write_benchmark(folder, CORPUS, QUERIES, [(query_id, document, 1), (query_id, document, 2), *others])
    assert read_benchmark(folder).qrels[query_id][document] == 2
    write_benchmark(folder, CORPUS, QUERIES, [(query_id, document, 1), *others, (query_id, document, 0)])
    assert document not in read_benchmark(folder).qrels.get(query_id, {})


NO_RELEVANT = "1 judged query has no document with a score above 0: q1"
CONTRADICTED = "1 pair has two different scores, so the last line counts: q1 leave.md"


@pytest.mark.parametrize(
    ("judged", "left_out"),
    [
        ([("q1", "leave.md", 0)], (NO_RELEVANT,)),
        ([("q1", "leave.md", -1), ("q1", "travel.md", 0)], (NO_RELEVANT,)),
        ([("q1", "leave.md", 1), ("q1", "leave.md", 0)], (NO_RELEVANT, CONTRADICTED)),
        ([("q1", "leave.md", 0), ("q1", "leave.md", 1)], (CONTRADICTED,)),
        ([("q1", "leave.md", 1), ("q1", "leave.md", 2), ("q1", "leave.md", 1)], (CONTRADICTED,)),
        ([("q1", "leave.md", 1), ("q1", "leave.md", 1)], ()),
        ([("q1", "leave.md", 1), ("q1", "travel.md", 0)], ()),
    ],
)
def test_a_query_without_a_relevant_document_and_a_contradiction_are_told(
    judged: list[tuple[str, str, int]], left_out: tuple[str, ...], folder: Path
) -> None:
    write_benchmark(folder, CORPUS, QUERIES, [*judged, ("q2", "travel.md", 1)])
    assert read_benchmark(folder).left_out == left_out


def test_a_query_that_the_documents_do_not_answer_needs_no_relevant_document(folder: Path) -> None:
    queries: list[dict[str, Any]] = [*QUERIES, {"_id": "q9", "text": "parking?", "metadata": {"evidence": []}}]
    write_benchmark(folder, CORPUS, queries, [*QRELS, ("q9", "leave.md", 0)])
    found = read_benchmark(folder)
    assert (found.left_out, list(found.unanswerable)) == ((), ["q9"])


def test_texts_that_are_empty_are_told(folder: Path) -> None:
    corpus = [*CORPUS, {"_id": "blank.md", "text": " "}]
    queries = [*QUERIES, {"_id": "blank", "text": ""}]
    write_benchmark(folder, corpus, queries, [*QRELS, ("blank", QRELS[0][1], 1)])
    found = read_benchmark(folder)
    assert found.left_out == ("1 judged query has no text: blank", "1 document has no text: blank.md")
    assert "blank" not in found.queries


def test_judgements_of_other_queries_are_told_with_ids_of_both(folder: Path) -> None:
    write_benchmark(folder, CORPUS, QUERIES, [("elsewhere", QRELS[0][1], 1)])
    with pytest.raises(BenchmarkError, match=rf"for one of {QUERIES[0]['_id']}.*; found only for elsewhere"):
        read_benchmark(folder)
    write_benchmark(folder, CORPUS, QUERIES, [(query_id, document, 0) for query_id, document, _ in QRELS])
    with pytest.raises(BenchmarkError, match=r"expected a score above 0 .* found only for none"):
        read_benchmark(folder)


def test_judged_documents_and_queries_that_are_not_there_are_told(folder: Path) -> None:
    gone = [(query_id, "leave.md", 1) for query_id in "abcdef"]
    write_benchmark(folder, CORPUS, QUERIES, [*QRELS, ("q1", "gone.md", 1), *gone, ("z", "leave.md", 0)])
    assert read_benchmark(folder).left_out == (
        "6 judged queries are not in queries.jsonl: a, b, c, d, e ...",
        "1 judged document is not in the corpus, counted as not found: gone.md",
    )


def test_a_benchmark_that_fits_together_leaves_nothing_out(folder: Path) -> None:
    assert read_benchmark(folder).left_out == ()


def test_judgements_of_none_of_the_documents_are_refused(folder: Path) -> None:
    write_benchmark(folder, CORPUS, QUERIES, [("q1", "leave", 1), ("q2", "travel", 1)])
    with pytest.raises(
        BenchmarkError, match=r"no judged document is in .*corpus\.jsonl: expected its _id .*travel, leave"
    ):
        read_benchmark(folder)


def test_a_query_without_evidence_among_others_is_told(folder: Path) -> None:
    quoted = {"evidence": [{"document": "leave.md", "quote": "Thirty days"}]}
    queries: list[dict[str, Any]] = [{"_id": "q1", "text": "?", "metadata": quoted}, {"_id": "q2", "text": "?"}]
    assert read_benchmark(write_benchmark(folder, CORPUS, queries, QRELS)).left_out == (
        "1 question has no evidence, so all are judged by document: q2",
    )


# Evidence --------------------------------------------------------------------------------------------

TEXT = "Staff get **thirty** days of leave,\nplus five in `Berlin`. Trains come first.\fHotels cost 150 euros."


def cut(*ends: int) -> list[Chunk]:
    """TEXT in chunks that end at these characters."""
    return [make_chunk(TEXT[start:end], start=start) for start, end in zip((0, *ends), (*ends, len(TEXT)), strict=True)]


def held(quote: str, *ends: int) -> str:
    return resolve_evidence(Evidence("d.md", quote), cut(*ends), TEXT).text


def test_evidence_is_the_chunk_that_holds_the_words() -> None:
    half = TEXT.index("Trains")
    assert held("thirty days", half) == TEXT[:half]
    assert held("Trains come first", half) == TEXT[half:]


@pytest.mark.parametrize(
    "quote",
    [
        "THIRTY DAYS of leave",
        "get thirty days of leave, plus",
        "**leave**, `plus`\n five in Berlin.",
        "leave; plus five",
        "  five\tin   Berlin  ",
    ],
)
def test_case_marks_and_line_breaks_do_not_matter(quote: str) -> None:
    half = TEXT.index("Trains")
    assert held(quote, half) == TEXT[:half]


def test_evidence_may_go_over_a_page_break() -> None:
    half = TEXT.index("Trains")
    assert held("Trains come first. Hotels cost", half) == TEXT[half:]


def test_a_quote_across_two_chunks_belongs_to_the_one_that_holds_more_of_it() -> None:
    assert held("thirty days of leave", TEXT.index("of leave")) == TEXT[: TEXT.index("of leave")]
    assert held("thirty days of leave", TEXT.index("days")) == TEXT[TEXT.index("days") :]


def test_of_equal_shares_the_first_chunk_is_taken() -> None:
    text = "aa bb"
    halves = [make_chunk("aa ", start=0), make_chunk("bb", start=3)]
    assert resolve_evidence(Evidence("d.md", "aa bb"), halves, text) == halves[0]


def test_words_that_occur_twice_are_taken_where_they_first_stand_in_a_row() -> None:
    text = "one two. one three. one three."
    chunks = [make_chunk(part, start=text.index(part)) for part in ("one two. ", "one three. ")]
    chunks.append(make_chunk("one three.", start=20))
    assert resolve_evidence(Evidence("d.md", "one three"), chunks, text) == chunks[1]


@pytest.mark.parametrize("quote", ["forty days", "days thirty", "thir", "irty days", TEXT + " and more"])
def test_words_that_are_not_there_are_quoted_back(quote: str) -> None:
    with pytest.raises(BenchmarkError, match=re.escape(f"d.md does not contain the quoted evidence: {quote!r}")):
        held(quote)


@pytest.mark.parametrize("quote", ["", "***"])
def test_a_quote_without_words_is_refused(quote: str) -> None:
    with pytest.raises(BenchmarkError):
        held(quote, TEXT.index("Trains"))


def test_emphasis_by_underscores_does_not_matter() -> None:
    text = "Staff get _thirty days_ of leave."
    chunk = make_chunk(text)
    assert resolve_evidence(Evidence("d.md", "get thirty days of leave"), [chunk], text) == chunk


def test_letters_that_grow_in_lower_case_do_not_move_the_place() -> None:
    text = "İ" * 20 + " here. Then there."
    chunks = [make_chunk(text[:27], start=0), make_chunk(text[27:], start=27)]
    assert resolve_evidence(Evidence("d.md", "here"), chunks, text) == chunks[0]
