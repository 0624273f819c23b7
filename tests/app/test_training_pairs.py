from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from app.training.labels.pairs import Pair, as_benchmark, read_pairs, split_by_source, spread
from ingest import CiteloopError


def pair(number: int, source: str = "docs") -> Pair:
    return Pair(f"What is number {number}?", f"It is {number}.", f"Number {number}", source)


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_pairs_are_read_with_title_and_source(tmp_path: Path) -> None:
    path = write(
        tmp_path / "faq.jsonl",
        {"question": " How long is leave? ", "passage": "30 days.", "title": "Leave", "source": "handbook"},
        {"question": "What is a quorum here?", "passage": "Five.", "doc": "en/board.html#quorum"},
        {"question": "Who opens the gate?", "passage": "The porter."},
    )
    assert read_pairs(path) == [
        Pair("How long is leave?", "30 days.", "Leave", "handbook"),
        Pair("What is a quorum here?", "Five.", "", "en/board.html"),
        Pair("Who opens the gate?", "The porter.", "", "faq.jsonl"),
    ]


def test_pairs_may_be_gzipped(tmp_path: Path) -> None:
    path = tmp_path / "faq.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"question": "Who opens the gate?", "passage": "The porter."}\n'))
    assert [found.passage for found in read_pairs(path)] == ["The porter."]


def test_questions_that_say_too_little_or_have_several_answers_are_left_out(tmp_path: Path) -> None:
    path = write(
        tmp_path / "faq.jsonl",
        {"question": "Prerequisites", "passage": "A key."},
        {"question": "How does it work?", "passage": "By steam."},
        {"question": "how does it work?", "passage": "By wind."},
        {"question": "Who opens the gate?", "passage": "The porter."},
    )
    assert [found.question for found in read_pairs(path)] == ["Who opens the gate?"]


GOOD_LINE = '{"question": "Who opens the gate?", "passage": "The porter."}\n'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"question": "Who opens the gate?"}', ": expected an object with question and passage, got question"),
        ('{"question": "Who?", "passage": " "}', ": expected an object with question and passage"),
        ('{"question": 1, "passage": "x"}', ": expected text as the question, got 1"),
        ('{"question": "Who?", "passage": "x", "source": 12}', ": expected text as the source, got 12"),
        ('{"question": "Who?", "passage": "x", "title": ["x"]}', ": expected text as the title"),
    ],
)
def test_a_line_that_is_no_pair_is_named(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "faq.jsonl"
    path.write_text(GOOD_LINE + line + "\n")
    with pytest.raises(CiteloopError, match=rf"faq\.jsonl line 2 ?{said}"):
        read_pairs(path)


def test_empty_lines_of_pairs_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "faq.jsonl"
    path.write_text(f"\n{GOOD_LINE}\n\n")
    assert len(read_pairs(path)) == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("faq.jsonl", GOOD_LINE.encode() + "Größe".encode("latin-1"), "line 2 is not UTF-8"),
        ("faq.jsonl.gz", gzip.compress(GOOD_LINE.encode(), mtime=0)[:-9], "is cut short or damaged"),
        ("faq.jsonl.gz", GOOD_LINE.encode(), "is cut short or damaged"),
    ],
)
def test_a_damaged_file_of_pairs_is_named(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CiteloopError, match=rf"{name}.* {said}"):
        read_pairs(tmp_path / name)


def test_a_pair_that_stands_twice_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "faq.jsonl"
    path.write_text(GOOD_LINE * 2)
    assert len(read_pairs(path)) == 1


def test_a_file_without_pairs_is_named(tmp_path: Path) -> None:
    (tmp_path / "faq.jsonl").touch()
    with pytest.raises(CiteloopError, match=r"faq\.jsonl has no pairs"):
        read_pairs(tmp_path / "faq.jsonl")


def test_sources_take_turns_so_that_a_large_one_does_not_drown_the_others() -> None:
    pairs = [pair(number, "large") for number in range(20)] + [pair(number, "small") for number in range(20, 23)]
    chosen = spread(pairs, 8, seed=0)
    assert sorted(found.source for found in chosen) == ["large"] * 5 + ["small"] * 3
    assert chosen == spread(pairs, 8, seed=0) != spread(pairs, 8, seed=1)
    assert len(set(spread(pairs, 100, seed=0))) == 23


def test_a_source_is_kept_aside_whole_or_not_at_all() -> None:
    pairs = [pair(number, f"source {number % 50}") for number in range(500)]
    main, aside = split_by_source(pairs, 0.2)
    assert not {found.source for found in main} & {found.source for found in aside}
    assert len(main) + len(aside) == 500
    assert 0.05 < len(aside) / 500 < 0.4
    assert (main, aside) == split_by_source(pairs, 0.2)


@pytest.mark.parametrize("sources", [1, 2, 3])
def test_of_few_sources_something_is_kept_aside(sources: int) -> None:
    pairs = [pair(number, f"s{number % sources}") for number in range(30)]
    main, aside = split_by_source(pairs, 1e-9)
    assert main
    assert aside
    assert split_by_source([], 0.2) == ([], [])


def test_pairs_become_judged_queries_over_all_passages() -> None:
    benchmark = as_benchmark("faq", [pair(1), pair(2)], [pair(2), pair(3)])
    assert sorted(document.title for document in benchmark.documents) == ["Number 1", "Number 2", "Number 3"]
    assert list(benchmark.queries.values()) == ["What is number 1?", "What is number 2?"]
    titles = {document.name: document.title for document in benchmark.documents}
    relevant = [[titles[name] for name in benchmark.qrels[query_id]] for query_id in benchmark.queries]
    assert relevant == [["Number 1"], ["Number 2"]]
    assert benchmark.fingerprint != as_benchmark("faq", [pair(1)], [pair(2)]).fingerprint


@pytest.mark.parametrize(("name", "number"), [("reports", 496), ("community", 471), ("organizations", 2069)])
def test_the_invented_pairs_of_the_project_are_read_whole(name: str, number: int) -> None:
    folder = Path(__file__).resolve().parents[2] / "data" / "train"
    assert len(read_pairs(folder / f"{name}.jsonl.gz")) == number
    assert f"| `{name}.jsonl.gz` | {number} |" in (folder / "README.md").read_text(encoding="utf-8")
