from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from app.reranking.names import load_reranker
from app.reranking.rerank import RerankerError
from ingest.table import ChunkTable
from tests.app.conftest import Citeloop
from tests.conftest import DOCUMENTS, FakeEmbedder, FakeReranker

pytestmark = pytest.mark.slow

QUESTIONS = """question,document,quote
what may a hotel cost,handbook/travel.md,A hotel may cost 150 euros a night
who is called when the tunnel fails,it/vpn.md,Call extension 4400
"""


def said(stderr: str) -> str:
    """The text of an error in a frame, in one line."""
    return " ".join(stderr.replace("│", " ").split())


def test_evaluate_prints_the_report_with_these_names(citeloop: Citeloop, benchmark: Path, home: Path) -> None:
    outcome = citeloop("evaluate", benchmark, "--rerankers", "none,trains", "--retrievers", "text,vector", "--json")
    assert outcome.status == 0
    assert outcome.stderr.splitlines()[-1].startswith("rerank (text, 50, trains): 2 of 2 in ")
    report = outcome.json
    assert list(report) == [
        "benchmark",
        "judged",
        "num_queries",
        "num_documents",
        "num_chunks",
        "num_candidates",
        "embedder",
        "chunking",
        "fingerprint",
        "evaluated_at",
        "left_out",
        "results",
        "verdict",
        "folder",
    ]
    assert report["num_candidates"] == [50]
    assert {(result["retriever"], result["reranker"]) for result in report["results"]} == {
        (retriever, reranker) for retriever in ("vector", "text") for reranker in ("none", "trains")
    }
    for result in report["results"]:
        assert list(result) == [
            "retriever",
            "reranker",
            "num_candidates",
            "metrics",
            "oracle",
            "latency_ms",
            "gain",
            "slow_down",
            "per_query",
            "changes",
            "abstention",
        ]
        assert list(result["metrics"]) == ["nDCG@10", "MRR@10", "hit rate@5", "hit rate@10", "recall@50"]
        assert list(result["metrics"]["MRR@10"]) == ["mean", "low", "high"]
        assert {stage: list(found) for stage, found in result["latency_ms"].items()} == {
            stage: ["p50", "p95"] for stage in ("search", "rerank")
        }
    assert list(report["verdict"]) == ["outcome", "sentence", "retriever", "reranker", "num_candidates"]
    folder = Path(report["folder"])
    assert folder.parent == home / "reports"
    assert json.loads((folder / "report.json").read_text()) == {
        name: value for name, value in report.items() if name not in ("verdict", "folder")
    }


def test_evaluate_prints_tables_with_the_best_possible_order_and_then_the_verdict(
    citeloop: Citeloop, benchmark: Path
) -> None:
    lines = citeloop("evaluate", benchmark, "--rerankers", "none,trains", "--max-queries", "1").stdout.splitlines()
    assert lines[0].startswith("tiny: 1 questions judged by documents, 3 documents, ")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| hybrid")]
    assert [row[1] for row in rows] == ["none", "trains", "best possible order", "search alone", "trains"]
    assert rows[1][2] == "1.000 (1.000-1.000)"
    assert lines[-3].startswith("Nothing to win here (search alone has the best order for each of the 1 questions): ")
    assert Path(lines[-1].removeprefix("Report: ")).is_file()


def test_the_experiment_is_one_table_of_quality_and_one_of_latency(citeloop: Citeloop, benchmark: Path) -> None:
    arguments = ["--rerankers", "none,trains,shipped", "--retrievers", "vector,text,hybrid"]
    shown = citeloop("evaluate", benchmark, *arguments, "--num-candidates", "2,5,10").stdout
    _, quality, latency = shown.split("| retriever |")
    assert quality.splitlines()[0].split(" | ")[:5] == [" reranker", "nDCG@10", "MRR@10", "hit rate@5", "hit rate@10"]
    measured = [line.split(" | ")[:2] for line in quality.splitlines() if line.startswith("| ") and "best" not in line]
    assert measured[1:] == [
        [f"| {retriever}", reranker]
        for retriever in ("vector", "text", "hybrid")
        for reranker in ("none", "trains", "shipped")
    ]
    head, _, *rows = [line for line in latency.splitlines() if "|" in line]
    assert [f"{depth} candidates: p50 / p95 ms" in head for depth in (2, 5, 10)] == [True] * 3
    assert [row.split(" | ")[1] for row in rows] == ["search alone", "trains", "shipped"] * 3
    assert rows[1].count(" times)") == 3


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        *(
            ("--num-candidates", depths, "expected different numbers from 1 to 1000")
            for depths in ("few", "20,", "0", "20,1001", "20,20", "-1")
        ),
        ("--retrievers", "vector,magic", "vector, text, rrf, hybrid"),
        ("--retrievers", " ,", "expected"),
        ("--rerankers", " ,", "expected"),
        ("--embedders", "runs/a/model,runs/b/model", "two embedders would be reported as model"),
    ],
)
def test_a_wrong_value_is_wrong_usage(
    option: str, value: str, message: str, citeloop: Citeloop, benchmark: Path
) -> None:
    outcome = citeloop("evaluate", benchmark, option, value)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert message in said(outcome.stderr)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nonsense", "unknown reranker 'nonsense'"),
        ("none:xyz", "expected none with nothing after it, got 'none:xyz'"),
        ("shipped:foo", "expected shipped with nothing after it"),
        ("live:foo", "expected live with nothing after it"),
    ],
)
def test_an_unknown_reranker_is_wrong_usage(
    name: str, message: str, citeloop: Citeloop, benchmark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.reranking.names.load_reranker", load_reranker)
    outcome = citeloop("evaluate", benchmark, "--rerankers", f"none,{name}")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert message in said(outcome.stderr)


def test_a_reranker_that_does_not_load_is_no_wrong_usage(
    citeloop: Citeloop, benchmark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.reranking.names.load_reranker", load_reranker)
    outcome = citeloop("evaluate", benchmark, "--rerankers", "none,cross-encoder:/no/such/folder")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "there is no such folder" in outcome.stderr


def test_a_name_that_stands_twice_is_measured_once(citeloop: Citeloop, benchmark: Path) -> None:
    names = {"--rerankers": "none,none,", "--retrievers": "text,text", "--num-candidates": "5"}
    report = citeloop("evaluate", benchmark, *chain.from_iterable(names.items()), "--json").json
    assert len(report["results"]) == 1


def test_blanks_between_names_do_not_matter(citeloop: Citeloop, benchmark: Path) -> None:
    arguments = ["--rerankers", "none, trains", "--retrievers", "vector, text", "--num-candidates", "2, 5"]
    report = citeloop("evaluate", benchmark, *arguments, "--json").json
    found = {(result["retriever"], result["reranker"], result["num_candidates"]) for result in report["results"]}
    assert found == {
        (where, name, depth) for where in ("vector", "text") for name in ("none", "trains") for depth in (2, 5)
    }


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels.tsv"])
def test_a_file_of_a_benchmark_says_to_name_its_folder(name: str, citeloop: Citeloop, benchmark: Path) -> None:
    outcome = citeloop("evaluate", benchmark / name)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "is one file of a benchmark; name its folder" in said(outcome.stderr)


def test_what_is_secret_in_an_address_is_in_no_file_of_the_report(
    citeloop: Citeloop, benchmark: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scores(request: Request) -> Response:
        passages = json.loads(request.data)["documents"]
        results = [{"index": index, "relevance_score": 0.5} for index in range(len(passages))]
        return Response(json.dumps({"results": results}), content_type="application/json")

    httpserver.expect_request("/v1/rerank").respond_with_handler(scores)
    monkeypatch.setattr("app.reranking.names.load_reranker", load_reranker)
    address = httpserver.url_for("/v1").replace("//", "//ann:SECRET@") + "?key=SECRET"
    for name in (address, f"http:{address}"):
        outcome = citeloop("evaluate", benchmark, "--rerankers", f"none,{name}", "--json")
        assert outcome.status == 0
        assert "SECRET" not in outcome.stdout + outcome.stderr
        assert outcome.json["results"][1]["reranker"] == name.partition("?")[0].replace("ann:SECRET@", "")
        files = [path for path in Path(outcome.json["folder"]).rglob("*") if path.is_file()]
        assert not [path for path in files if "SECRET" in path.name + path.read_text()]
    twice = citeloop("evaluate", benchmark, "--rerankers", f"{address},{address}2")
    assert twice.status == 2
    assert "SECRET" not in twice.stderr


def test_a_reranker_that_fails_late_leaves_the_report_of_the_rest(
    citeloop: Citeloop, benchmark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late(FakeReranker):
        def score(self, query: str, passages: Sequence[str]) -> list[float]:
            if self.calls:
                raise RerankerError("the service is gone")
            return super().score(query, passages)

    monkeypatch.setattr("app.reranking.names.load_reranker", lambda name, _: {"none": None, "late": Late()}[name])
    outcome = citeloop("evaluate", benchmark, "--rerankers", "none,late", "--json")
    assert outcome.status == 1
    assert "left out: late failed at question 2: the service is gone" in outcome.stderr
    assert [result["reranker"] for result in outcome.json["results"]] == ["none"]
    assert (Path(outcome.json["folder"]) / "report.html").exists()


def test_judgements_that_match_nothing_are_told(citeloop: Citeloop, benchmark: Path) -> None:
    with (benchmark / "qrels.tsv").open("a") as lines:
        lines.write("q1\tgone.md\t1\nq7\tit/vpn.md\t1\n")
    outcome = citeloop("evaluate", benchmark, "--json")
    assert outcome.json["left_out"] == [
        "1 judged query is not in queries.jsonl: q7",
        "1 judged document is not in the corpus, counted as not found: gone.md",
    ]
    assert outcome.stderr.endswith("".join(f"left out: {line}\n" for line in outcome.json["left_out"]))


def test_the_report_can_be_put_elsewhere_but_not_over_something(
    citeloop: Citeloop, benchmark: Path, tmp_path: Path, home: Path
) -> None:
    output = tmp_path / "mine" / "first"
    assert citeloop("evaluate", benchmark, "--output", output, "--json").json["folder"] == str(output)
    assert (output / "report.html").exists()
    assert not (home / "reports").exists()
    unwritable = citeloop("evaluate", tmp_path, "--output", benchmark / "corpus.jsonl" / "report")
    assert (unwritable.status, unwritable.stdout) == (1, "")
    assert "cannot create the folder" in unwritable.stderr
    again = citeloop("evaluate", tmp_path, "--output", output)  # said before the folder is found to be no benchmark
    assert (again.status, again.stdout) == (1, "")
    assert "exists already; choose a new folder" in again.stderr


def test_embedders_are_compared_in_one_table(
    citeloop: Citeloop, benchmark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Named(FakeEmbedder):
        def __init__(self, name: str) -> None:
            self.name = name

    monkeypatch.setattr("ingest.embed.embedder.load_embedder", Named)
    arguments = ["--embedders", "/models/one, /models/two", "--retrievers", "text,vector"]
    reports = citeloop("evaluate", benchmark, *arguments, "--output", tmp_path / "out", "--json").json
    assert [report["embedder"] for report in reports] == ["/models/one", "/models/two"]
    folders = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert folders == ["one", "overview.md", "two"]
    assert "| one |" in (tmp_path / "out" / "overview.md").read_text()
    *_, table = citeloop("evaluate", benchmark, *arguments).stdout.partition("All together, with 50 candidates:")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.strip().splitlines()]
    assert rows[0][:3] == ["embedder", "retriever", "reranker"]
    orders = [(retriever, name) for retriever in ("vector", "text") for name in ("none", "shipped")]
    orders += [(retriever, "best possible order") for retriever in ("vector", "text")]
    assert {tuple(row[:3]) for row in rows[2:]} == {(name, *order) for name in ("one", "two") for order in orders}


def test_ones_own_questions_are_about_the_documents_that_are_in(
    citeloop: Citeloop, table: ChunkTable, tmp_path: Path
) -> None:
    (tmp_path / "ours.csv").write_text(QUESTIONS + "lost,handbook/travle.md,A hotel\n")
    outcome = citeloop("evaluate", tmp_path / "ours.csv", "--rerankers", "none,trains", "--json")
    assert outcome.status == 0
    report = outcome.json
    assert (report["benchmark"], report["judged"], report["num_queries"]) == ("ours", "passages", 2)
    assert report["num_chunks"] == table.num_chunks()
    assert outcome.stderr.endswith(
        "left out: row 4: there is no document 'handbook/travle.md'; close to it: handbook/travel.md\n"
    )
    assert len(report["left_out"]) == 1


def test_documents_that_are_in_cannot_be_embedded_otherwise(
    citeloop: Citeloop, table: ChunkTable, tmp_path: Path
) -> None:
    (tmp_path / "ours.csv").write_text(QUESTIONS)
    outcome = citeloop("evaluate", tmp_path / "ours.csv", "--embedders", "all-MiniLM-L6-v2")
    assert (outcome.status, outcome.stdout) == (2, "")


def test_a_folder_of_documents_becomes_a_corpus(tmp_path: Path, documents: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    arguments = [sys.executable, "-m", "app.evaluation", str(documents), str(corpus)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in corpus.read_text().splitlines()]
    assert {row["_id"] for row in rows} == set(DOCUMENTS)
    assert all(row["text"] and row["title"] and row["metadata"]["headings"] for row in rows)
