from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import ir_measures
import pytest

from app.evaluation import report_files as files
from app.evaluation.charts import cost_chart
from app.evaluation.report import EvaluationReport
from app.evaluation.report_files import check_output, read_reports, write_report
from ingest.home.whole_folders import FolderError
from tests.app.report_builder import make_change, make_place, make_report, make_result


@pytest.fixture
def report() -> EvaluationReport:
    nasty = make_place(
        "<script>alert(1)</script>", "![x](http://evil.example/x.png) | **b** <img src=http://evil.example>"
    )
    changes = (
        make_change("How many <b>days</b>?", 0.25, 1.0, nasty, make_place(relevant=True)),
        make_change("Lost?", 1, 0),
    )
    return make_report(
        *(
            make_result(
                name, retriever=retriever, depth=depth, quality=quality, changes=changes if name != "none" else ()
            )
            for retriever in ("text", "hybrid")
            for depth in (20, 50)
            for name, quality in (("none", 0.5), ("cross-encoder:/models/ours", 0.6))
        )
    )


def test_the_folder_has_time_and_name_and_everything_in_it(report: EvaluationReport, home: Path) -> None:
    folder = write_report(report, home)
    assert folder == home / "reports" / "20261121T143000Z-our-questions"
    assert sorted(path.name for path in folder.iterdir()) == [
        "chart-1.svg",
        "chart-2.svg",
        "chart-3.svg",
        "report.html",
        "report.json",
        "report.md",
        "runs",
    ]
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]


def test_a_second_report_of_the_same_second_does_not_replace_the_first(report: EvaluationReport, home: Path) -> None:
    names = [write_report(report, home).name for _ in range(3)]
    assert names == [f"20261121T143000Z-our-questions{end}" for end in ("", "-2", "-3")]


def test_a_report_is_there_whole_or_not_at_all(
    report: EvaluationReport, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_html", full)
    with pytest.raises(OSError, match="No space left"):
        write_report(report, home)
    assert list((home / "reports").iterdir()) == []


def test_a_folder_that_is_there_is_not_written_into(report: EvaluationReport, home: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").touch()
    with pytest.raises(FolderError, match="exists already; choose a new folder"):
        write_report(report, home, tmp_path)


@pytest.mark.parametrize("below", ["file", "file/deeper"])
def test_a_folder_that_cannot_be_made_is_said_before_anything_is_measured(
    below: str, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match=r"cannot create the folder .*; choose another"):
        check_output(home, tmp_path / below / "report")
    with pytest.raises(FolderError, match=r"cannot create the folder .*File name too long; choose another"):
        check_output(home, tmp_path / ("x" * 300))
    with pytest.raises(FolderError, match="cannot create the folder"):
        check_output(tmp_path / below, None)


def test_looking_whether_a_report_can_be_written_leaves_only_the_folder_around_it(home: Path, tmp_path: Path) -> None:
    check_output(home, tmp_path / "new" / "report")
    assert list((tmp_path / "new").iterdir()) == []
    check_output(home, None)
    assert list((home / "reports").iterdir()) == []


def test_what_a_killed_process_left_of_a_report_is_swept(report: EvaluationReport, home: Path) -> None:
    left = home / "reports" / ".unfinished-0123456789ab"
    left.mkdir(parents=True)
    left.with_suffix(".lock").touch()
    folder = write_report(report, home)
    assert list((home / "reports").iterdir()) == [folder]


@pytest.mark.parametrize("name", ["n" * 300, "名" * 300])
def test_long_names_are_cut(name: str, home: Path) -> None:
    folder = write_report(replace(make_report(make_result(), make_result(name)), benchmark=name), home)
    run = max((folder / "runs").glob("*.run"), key=lambda path: len(path.name))
    assert len(run.name.encode()) <= 104
    assert len(folder.name.encode()) <= 120


def test_runs_whose_names_read_alike_are_numbered(home: Path) -> None:
    names = ["cross-encoder:a/b", "cross-encoder:a:b", "cross-encoder:a-b-2", "cross-encoder:a b"]
    runs = write_report(make_report(*map(make_result, ["none", *names])), home) / "runs"
    ends = ["", "-2", "-2-2", "-3"]
    assert {path.name for path in runs.glob("*-a-b*.run")} == {f"hybrid-50-cross-encoder-a-b{end}.run" for end in ends}
    assert (
        (runs / "hybrid-50-cross-encoder-a-b-3.run")
        .read_text()
        .splitlines()[0]
        .endswith(" hybrid-50-cross-encoder-a-b-3")
    )


def test_runs_are_as_trec_has_them(report: EvaluationReport, home: Path) -> None:
    runs = write_report(report, home) / "runs"
    assert sorted(path.name for path in runs.glob("*.run")) == [
        f"{retriever}-{depth}-{name}.run"
        for retriever in ("hybrid", "text")
        for depth in (20, 50)
        for name in ("cross-encoder-models-ours", "none")
    ]
    path = runs / "hybrid-50-none.run"
    assert path.read_text().splitlines()[1] == "q1 Q0 c%25d 2 0.500000 hybrid-50-none"
    read = list(ir_measures.read_trec_run(str(path)))
    assert [(found.query_id, found.doc_id, found.score) for found in read] == [
        ("q1", "a%20b", 1.0),
        ("q1", "c%25d", 0.5),
    ]
    qrels = ir_measures.read_trec_qrels(str(runs / "judgements.qrels"))
    assert ir_measures.calc_aggregate([ir_measures.RR @ 10], qrels, read) == {ir_measures.RR @ 10: 1.0}


def test_what_was_written_is_read_but_for_runs_and_judgements(report: EvaluationReport, home: Path) -> None:
    write_report(report, home)
    (saved,) = read_reports(home)
    record = json.loads((saved.folder / "report.json").read_text())
    assert json.loads(json.dumps(files.as_record(saved.report))) == record
    assert saved.report.results[1].changes == report.results[1].changes
    assert saved.report.results[0].run == saved.report.qrels == {}
    assert "run" not in record["results"][0]


def test_reports_are_read_newest_first_and_damaged_ones_passed_over(home: Path) -> None:
    assert read_reports(home) == []
    times = ["2026-11-02T10:00:00+00:00", "2026-11-10T10:00:00+00:00", "2026-11-01T10:00:00+00:00"]
    folders = [write_report(make_report(make_result(), evaluated_at=time), home) for time in times]
    assert [saved.folder for saved in read_reports(home)] == [folders[1], folders[0], folders[2]]
    (folders[1] / "report.json").write_text((folders[1] / "report.json").read_text()[:-9])
    (folders[0] / "report.json").unlink()
    (home / "reports" / ".unfinished-1").mkdir()
    (home / "reports" / ".unfinished-1" / "report.json").write_text((folders[2] / "report.json").read_text())
    assert [saved.folder for saved in read_reports(home)] == [folders[2]]


def test_the_page_fetches_nothing_and_shows_texts_as_they_stand(report: EvaluationReport, home: Path) -> None:
    page = (write_report(report, home) / "report.html").read_text()
    addresses = set(re.findall(r"https?://[\w./-]+", page))
    assert addresses == {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
        "http://evil.example/x.png",
        "http://evil.example",
    }
    assert not re.search(r"<(img|script|link|iframe|a)\b", page)
    assert "![x](http://evil.example/x.png)" in page  # as words
    assert "How many &lt;b&gt;days&lt;/b&gt;?" in page
    assert "default-src 'none'" in page


def test_charts_are_for_light_and_dark_pages_and_name_every_combination(report: EvaluationReport, home: Path) -> None:
    folder = write_report(report, home)
    for path in folder.glob("*.svg"):
        chart = path.read_text()
        assert "currentColor" in chart
        assert "prefers-color-scheme: dark" in chart
        assert not re.search("#01020[34]", chart)
        assert chart in (folder / "report.html").read_text()
    bars = (folder / "chart-1.svg").read_text()
    names = {"text, search alone", "hybrid, search alone"}
    assert {name for name in names if f">{name}<" in bars} == names
    assert "nDCG@10, 95% interval" in bars
    assert "milliseconds per question" in (folder / "chart-3.svg").read_text()


def test_the_markdown_has_verdict_tables_and_changes(report: EvaluationReport, home: Path) -> None:
    text = (write_report(report, home) / "report.md").read_text()
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "# Does reranking pay? our questions",
        "## Quality",
        "## Quality by depth",
        "## Latency",
        "## Questions that changed most",
        "### Gained",
        "### Lost",
        "## How it was measured",
    ]
    assert "**Reranking does not pay here: " in text
    assert "| hybrid | none | 0.500 (0.400-0.600) |" in text
    assert "| hybrid | search alone | 20 / 30 | 20 / 30 |" in text
    assert "| hybrid | cross-encoder:/models/ours | 41 / 52 (3.0 times) |" in text
    assert "✓ **Leave \\> Annual leave** (leave.md, page 3): Thirty days." in text
    assert "Left out, 1:\n\n- row 7: the question is empty" in text


def test_the_chart_of_costs_counts_search_and_reranking() -> None:
    (rows,) = cost_chart(make_report(make_result(), make_result("ours"))).to_dict()["datasets"].values()
    assert [row["milliseconds"] for row in rows] == [61, 61]
    assert [row["name"] for row in rows] == ["search alone", "ours"]  # beside its point
