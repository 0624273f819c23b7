from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from app.evaluation.benchmark import read_benchmark
from app.evaluation.kept_results import KeptResults
from app.evaluation.report import EvaluationReport, RunOptions, evaluate_table
from app.evaluation.tables import JudgedTable, judged_table
from app.reranking.rerank import Reranker, RerankerError
from tests.app.conftest import Citeloop
from tests.conftest import FakeEmbedder, FakeReranker


class Stopped(FakeReranker):
    """The user presses Ctrl+C while it scores its second question."""

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        if self.calls:
            raise KeyboardInterrupt
        return super().score(query, passages)


class Lost(FakeReranker):
    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        raise RerankerError("the service is gone")


class CountingEmbedder(FakeEmbedder):
    num_queries = 0

    def embed_query(self, text: str) -> object:  # type: ignore[override]
        self.num_queries += 1
        return super().embed_query(text)


@pytest.fixture
def judged(benchmark: Path, home: Path, embedder: FakeEmbedder) -> JudgedTable:
    return judged_table(read_benchmark(benchmark), home, embedder)


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path | None]:
    """The folders of the rerankers "first" and "second"."""
    folders: dict[str, Path | None] = {"none": None}
    for name in ("first", "second"):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_text(name)
        folders[name] = folder
    return folders


Run = Callable[..., tuple[EvaluationReport, KeptResults]]


@pytest.fixture
def run(judged: JudgedTable, home: Path, models: dict[str, Path | None]) -> Run:
    """Evaluate these rerankers; what is finished is kept."""

    def run(
        embedder: FakeEmbedder, judged: JudgedTable = judged, **rerankers: Reranker | None
    ) -> tuple[EvaluationReport, KeptResults]:
        kept = KeptResults(home, judged, embedder, {name: models[name] for name in rerankers})
        return evaluate_table(judged, embedder, rerankers, ["vector"], [3], RunOptions(kept=kept)), kept

    return run


@pytest.fixture
def stop(run: Run, embedder: FakeEmbedder) -> None:
    """A run that is stopped after no reranker and the first one."""
    with pytest.raises(KeyboardInterrupt):
        run(embedder, none=None, first=FakeReranker({"Trains": 5.0}), second=Stopped())


def without_times(report: EvaluationReport) -> EvaluationReport:
    results = tuple(replace(each, latency_ms={}, slow_down=None) for each in report.results)
    return replace(report, evaluated_at="", results=results)


def test_what_a_stopped_run_had_finished_is_not_measured_again(
    run: Run, stop: None, judged: JudgedTable, embedder: FakeEmbedder
) -> None:
    first, second = FakeReranker({"Trains": 5.0}), FakeReranker()
    report, kept = run(embedder, none=None, first=first, second=second)
    assert (len(first.calls), len(second.calls), kept.num_reused) == (0, 2, 2)
    rerankers = {"none": None, "first": first, "second": second}
    assert without_times(report) == without_times(evaluate_table(judged, embedder, rerankers, ["vector"], [3]))


def test_a_reused_result_has_the_times_of_when_it_was_measured(run: Run, embedder: FakeEmbedder) -> None:
    report, _ = run(embedder, none=None, first=FakeReranker())
    again, _ = run(embedder, none=None, first=FakeReranker())
    assert again.results == report.results


def test_where_all_results_are_kept_nothing_is_searched(run: Run, stop: None) -> None:
    embedder = CountingEmbedder()
    run(embedder, none=None, first=FakeReranker())
    assert embedder.num_queries == 0


def test_a_run_that_clears_leaves_nothing_of_its_own(run: Run, stop: None, embedder: FakeEmbedder, home: Path) -> None:
    _, kept = run(embedder, none=None, second=FakeReranker())
    kept.clear()
    (left,) = home.glob("evaluation/results-*/*")  # "first" is of another command
    _, kept = run(embedder, none=None, first=FakeReranker())
    assert kept.num_reused == 1
    left.unlink()
    kept.clear()
    assert list(home.glob("evaluation/results-*")) == []


def test_another_model_in_the_folder_is_measured(
    run: Run, stop: None, embedder: FakeEmbedder, models: dict[str, Path | None]
) -> None:
    folder = models["first"]
    assert folder
    (folder / "model.safetensors").write_text("trained further")
    first = FakeReranker()
    _, kept = run(embedder, none=None, first=first)
    assert (len(first.calls), kept.num_reused) == (2, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda judged: replace(judged, queries={**judged.queries, "q1": "a night in a hotel"}),
        lambda judged: replace(judged, qrels={**judged.qrels, "q1": {"it/vpn.md": 1}}),
        lambda judged: replace(judged, unanswerable={"q3": "who founded the company"}),
        lambda judged: replace(judged, fingerprint="of other documents"),
        lambda judged: replace(judged, chunking="other/1"),
    ],
)
def test_on_other_questions_or_documents_everything_is_measured(
    change: Callable[[JudgedTable], JudgedTable], run: Run, stop: None, embedder: FakeEmbedder, judged: JudgedTable
) -> None:
    assert run(embedder, change(judged), none=None)[1].num_reused == 0


def test_with_another_embedder_everything_is_measured(run: Run, stop: None, tmp_path: Path) -> None:
    other = FakeEmbedder()
    folder = tmp_path / "embedder"
    folder.mkdir()
    other.name = str(folder)
    assert run(other, none=None)[1].num_reused == 0
    assert run(other, none=None)[1].num_reused == 1
    (folder / "weights").touch()
    assert run(other, none=None)[1].num_reused == 0


def test_with_another_version_of_the_program_everything_is_measured(
    run: Run, stop: None, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.evaluation.kept_results._code_digest", lambda: "other code")
    assert run(embedder, none=None)[1].num_reused == 0


def test_a_result_that_was_not_compared_with_no_reranker_is_not_taken_for_one_that_was(
    run: Run, stop: None, embedder: FakeEmbedder
) -> None:
    assert run(embedder, first=FakeReranker())[1].num_reused == 0


def test_a_reranker_that_may_change_unseen_is_measured_again(
    run: Run, stop: None, embedder: FakeEmbedder, models: dict[str, Path | None]
) -> None:
    models["service"] = None
    run(embedder, none=None, service=FakeReranker())
    service = FakeReranker()
    _, kept = run(embedder, none=None, service=service)
    assert (len(service.calls), kept.num_reused) == (2, 1)


def test_a_damaged_file_is_measured_again(run: Run, stop: None, embedder: FakeEmbedder, home: Path) -> None:
    for path in home.glob("evaluation/results-*/*"):
        path.write_bytes(path.read_bytes()[:100])
    assert run(embedder, none=None, first=FakeReranker())[1].num_reused == 0
    assert run(embedder, none=None, first=FakeReranker())[1].num_reused == 2


def test_results_that_nobody_goes_on_with_are_deleted_after_a_month(
    stop: None, embedder: FakeEmbedder, home: Path, benchmark: Path
) -> None:
    (folder,) = home.glob("evaluation/results-*")
    old = time.time() - 31 * 24 * 3600
    os.utime(folder, (old, old))
    other = replace(read_benchmark(benchmark), fingerprint="0123")  # whose table is built
    judged_table(other, home, embedder)
    assert not folder.exists()


# The command --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_evaluate_goes_on_where_it_was_stopped_and_then_begins_again(
    citeloop: Citeloop, benchmark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["evaluate", benchmark, "--rerankers", "none,shipped,trains", "--json"]
    with monkeypatch.context() as patch:
        patch.setattr("app.reranking.names.load_reranker", lambda name, _: Stopped() if name == "trains" else None)
        stopped = citeloop(*arguments)
    assert (stopped.status, stopped.stdout) == (130, "")
    again = citeloop(*arguments)
    assert again.status == 0
    assert "reused 2 of 3 results of a stopped run\n" in again.stderr
    assert "rerank (hybrid, 50, shipped)" not in again.stderr
    assert [result["reranker"] for result in again.json["results"]] == ["none", "shipped", "trains"]
    anew = citeloop(*arguments)
    assert "reused" not in anew.stderr
    assert "rerank (hybrid, 50, shipped)" in anew.stderr


@pytest.mark.slow
def test_after_a_reranker_that_failed_evaluate_measures_only_what_is_missing(
    citeloop: Citeloop, benchmark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["evaluate", benchmark, "--rerankers", "none,trains", "--json"]
    with monkeypatch.context() as patch:
        patch.setattr("app.reranking.names.load_reranker", lambda name, _: Lost() if name == "trains" else None)
        assert citeloop(*arguments).status == 1
    assert "reused 1 of 2 results of a stopped run\n" in citeloop(*arguments).stderr
    assert "reused" not in citeloop(*arguments).stderr
