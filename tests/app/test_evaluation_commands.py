from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.table import ChunkTable
from tests.app.conftest import Citeloop
from tests.conftest import DOCUMENTS

QUESTIONS = """question,document,quote
what may a hotel cost,handbook/travel.md,A hotel may cost 150 euros a night
who is called when the tunnel fails,it/vpn.md,Call extension 4400
"""


def said(stderr: str) -> str:
    """The text of an error in a frame, in one line."""
    return " ".join(stderr.replace("│", " ").split())


def test_evaluate_prints_the_report_with_these_names(citeloop: Citeloop, benchmark: Path, home: Path) -> None:
    outcome = citeloop("evaluate", benchmark, "--rerankers", "none,trains", "--retrievers", "text,vector", "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
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
            "share_new",
            "per_query",
            "changes",
            "abstention",
        ]
        assert list(result["metrics"]) == ["nDCG@10", "MRR@10", "hit rate@5", "hit rate@10", "recall@50"]
        assert list(result["metrics"]["MRR@10"]) == ["mean", "low", "high"]
        assert list(result["latency_ms"]["rerank"]) == ["p50", "p95"]
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
    assert lines[-3].startswith("Too few questions to tell (1): ")
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
    assert rows[1].count(" times; ") == 3


@pytest.mark.parametrize("depths", ["few", "20,", "0", "20,1001", "20,20", "-1"])
def test_a_wrong_number_of_candidates_is_wrong_usage(depths: str, citeloop: Citeloop, benchmark: Path) -> None:
    outcome = citeloop("evaluate", benchmark, "--num-candidates", depths)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "expected different numbers from 1 to 1000" in said(outcome.stderr)


def test_an_unknown_retriever_is_wrong_usage(citeloop: Citeloop, benchmark: Path) -> None:
    outcome = citeloop("evaluate", benchmark, "--retrievers", "vector,magic")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "vector, text, hybrid" in said(outcome.stderr)


def test_an_unknown_reranker_is_said_before_anything_is_measured(citeloop: Citeloop, benchmark: Path) -> None:
    outcome = citeloop("evaluate", benchmark, "--rerankers", "none,nonsense")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "unknown reranker 'nonsense'" in outcome.stderr


def test_the_report_can_be_put_elsewhere_but_not_over_something(
    citeloop: Citeloop, benchmark: Path, tmp_path: Path, home: Path
) -> None:
    output = tmp_path / "mine" / "first"
    assert citeloop("evaluate", benchmark, "--output", output, "--json").json["folder"] == str(output)
    assert (output / "report.html").exists()
    assert not (home / "reports").exists()
    again = citeloop("evaluate", tmp_path, "--output", output)  # said before the folder is found to be no benchmark
    assert (again.status, again.stdout) == (1, "")
    assert "is there already; name a new folder" in again.stderr


def test_each_policy_of_chunking_has_a_report_of_its_own(citeloop: Citeloop, benchmark: Path, tmp_path: Path) -> None:
    arguments = ["--chunkings", "window/2,heading-sentence/2", "--output", tmp_path / "out", "--json"]
    reports = citeloop("evaluate", benchmark, *arguments).json
    assert [report["chunking"] for report in reports] == ["window/2", "heading-sentence/2"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["heading-sentence-2", "window-2"]


def test_ones_own_questions_are_about_the_documents_that_are_in(
    citeloop: Citeloop, table: ChunkTable, tmp_path: Path
) -> None:
    (tmp_path / "ours.csv").write_text(QUESTIONS + "lost,handbook/travle.md,A hotel\n")
    outcome = citeloop("evaluate", tmp_path / "ours.csv", "--rerankers", "none,trains", "--json")
    assert outcome.status == 0
    report = outcome.json
    assert (report["benchmark"], report["judged"], report["num_queries"]) == ("ours", "passages", 2)
    assert report["num_chunks"] == table.num_chunks()
    assert outcome.stderr == (
        "left out: row 4: there is no document 'handbook/travle.md'; close to it: handbook/travel.md\n"
    )
    assert len(report["left_out"]) == 1


def test_documents_that_are_in_cannot_be_cut_otherwise(citeloop: Citeloop, table: ChunkTable, tmp_path: Path) -> None:
    (tmp_path / "ours.csv").write_text(QUESTIONS)
    outcome = citeloop("evaluate", tmp_path / "ours.csv", "--chunkings", "all")
    assert (outcome.status, outcome.stdout) == (2, "")


def test_a_folder_of_documents_becomes_a_corpus(tmp_path: Path, documents: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    arguments = [sys.executable, "-m", "app.evaluation", str(documents), str(corpus)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in corpus.read_text().splitlines()]
    assert {row["_id"] for row in rows} == set(DOCUMENTS)
    assert all(row["text"] and row["title"] and row["metadata"]["headings"] for row in rows)
