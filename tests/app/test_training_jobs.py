"""Trainings as jobs: rows and curves, one at a time, cancelled, failed, killed, and who may promote."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from filelock import FileLock

from app.access.audit import AuditLog
from app.pipeline import Pipeline
from app.registry import Decision, Registry
from app.settings import Settings
from app.training import worker
from app.training.candidate import Candidate, make_candidate
from app.training.fit.trainer import Loss, Watch
from app.training.gate.decision import GateReport
from app.training.jobs import TrainingJob, TrainingJobStore
from app.training.labels.material import TooLittleFeedbackError
from app.training.plan import Kind, Plan
from ingest import CiteloopError
from ingest.home.job_store import StoppedError
from tests.app.builders import add_model
from tests.app.gate_builder import make_gate_report
from tests.conftest import FakeEmbedder

LOSSES = [Loss(1, 4, 2.0), Loss(2, 4, None, 1.5), Loss(2, 4, 1.0)]


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_seed_of_a_plan_is_that_of_its_training(kind: Kind) -> None:
    assert Plan(kind, seed=7).recipe.seed == 7


def test_a_kind_of_an_older_version_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CiteloopError, match="cannot train a model of kind both; the kinds are: reranker, late-inter"):
        _ = Plan("both").recipe  # type: ignore[arg-type]  # from an old row


@pytest.fixture
def store(home: Path) -> TrainingJobStore:
    return TrainingJobStore(home)


def report_of(verdict: Decision) -> GateReport:
    return replace(make_gate_report("new"), verdict=verdict, sentence=f"{verdict}: words.")


def maker(verdict: Decision = "promote", during: Callable[[Watch], None] = lambda _: None) -> Any:
    """Stands for make_candidate: tells a few losses and adds a model to the registry."""

    def make(plan: Plan, pipeline: Pipeline, user: str, job_id: str, watch: Watch, tell: Callable[[str], None]) -> Any:
        tell("training")
        for loss in LOSSES:
            watch.on_loss(loss)
        during(watch)
        name, report = add_model(pipeline.settings.home), report_of(verdict)
        report.save(Registry(pipeline.settings.home).folder(name))
        return Candidate(name, report)

    return make


def run(
    store: TrainingJobStore,
    pipeline: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    make: Any,
    plan: Plan = Plan(seed=3),  # noqa: B008  # frozen
) -> TrainingJob:
    """Do one training; returns its row afterwards."""
    job = store.add(plan, "ann", begin=True)
    monkeypatch.setattr(worker, "make_candidate", make)
    worker.run(store, job, pipeline)
    return store.job(job.id)


def test_a_training_notes_its_curves_and_its_end(
    store: TrainingJobStore, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = run(store, pipeline, monkeypatch, maker())
    assert (job.state, job.step, job.num_steps, job.model, job.verdict) == ("done", 2, 4, "reranker-1", "promote")
    assert (job.plan, job.user) == (Plan("reranker", "", 3), "ann")
    (entry,) = AuditLog(store.home).entries()
    assert (entry.user, entry.act, entry.subject) == ("ann", "model trained", "reranker-1")
    assert store.losses(job.id) == LOSSES
    assert job.learning_since


@pytest.mark.parametrize("verdict", ["promote", "keep", "too little data"])
@pytest.mark.parametrize("is_on", [True, False])
def test_only_what_the_gate_lets_through_is_promoted_and_only_where_that_is_switched_on(
    store: TrainingJobStore, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, verdict: Decision, is_on: bool
) -> None:
    registry = Registry(store.home)
    registry.set_promotes_by_itself(is_on)
    run(store, pipeline, monkeypatch, maker(verdict))
    assert registry.live() == ("reranker-1" if is_on and verdict == "promote" else "shipped")
    if registry.history():
        assert (registry.history()[0].who, registry.history()[0].verdict) == ("ann", "promote")


def test_what_somebody_has_promoted_during_the_training_stays(
    store: TrainingJobStore, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(store.home)
    registry.set_promotes_by_itself(True)
    own = add_model(store.home)

    def promote(_: Watch) -> None:
        registry.promote(own, "ben", "mine", override=True)

    job = run(store, pipeline, monkeypatch, maker(during=promote))
    assert registry.live() == own
    assert (job.state, job.verdict) == ("done", "promote")


def test_a_cancelled_training_ends_as_such_and_promotes_nothing(
    store: TrainingJobStore, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel(watch: Watch) -> None:
        store.cancel(store.jobs()[0].id)
        for _ in range(600):
            if watch.should_stop():
                raise StoppedError("cancelled; no model was made")
            threading.Event().wait(0.1)

    job = run(store, pipeline, monkeypatch, maker(during=cancel))
    assert (job.state, job.model) == ("cancelled", "")
    assert Registry(store.home).models() == []


def test_a_training_that_fails_says_why(
    store: TrainingJobStore, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Watch) -> None:
        raise TooLittleFeedbackError("missing: everything")

    with pytest.raises(TooLittleFeedbackError):
        run(store, pipeline, monkeypatch, maker(during=fail))
    assert (store.jobs()[0].state, store.jobs()[0].message) == ("failed", "missing: everything")


def test_a_training_waits_for_its_turn(
    store: TrainingJobStore, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = FileLock(store.home / "training.lock", thread_local=False)
    other.acquire()
    threading.Timer(1.5, other.release).start()
    job = run(store, pipeline, monkeypatch, maker(during=lambda _: None))
    assert job.state == "done"


def test_a_training_begun_again_begins_its_curves_anew(
    store: TrainingJobStore, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "make_candidate", maker())
    job = store.add(Plan(), "ann", begin=True)
    store.record(job.id, Loss(9, 9, 9.0))
    worker.run(store, job, pipeline)
    assert store.losses(job.id) == LOSSES


def test_what_is_left_is_told_by_the_pace(store: TrainingJobStore) -> None:
    job = store.add(Plan(), "ann", begin=True)
    assert job.seconds_left is None
    begun = datetime.now(UTC) - timedelta(seconds=300)
    learning = begun + timedelta(seconds=200)  # reading the feedback takes no step
    running = replace(job, state="running", started_at=begun.isoformat(), step=1, num_steps=3)
    assert running.seconds_left is None
    running = replace(running, learning_since=learning.isoformat())
    assert running.seconds_left == pytest.approx(200, abs=60)
    assert replace(running, step=3).seconds_left is None


def test_feedback_that_is_too_little_is_refused_before_anything_is_loaded(home: Path, settings: Settings) -> None:
    with pytest.raises(TooLittleFeedbackError, match="67 more questions with an answering passage"):
        make_candidate(Plan(), Pipeline(settings, FakeEmbedder()), "ann", "job", Watch())
    assert not list(home.glob("models/*"))
