"""Comparisons, trained models and trainings made by hand, for the tests of the pages that show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.evaluation.changes import QuestionChange
from app.evaluation.metrics import Difference, Interval
from app.evaluation.slices import Slice
from app.registry import Registry, TrainedModel
from app.training.fit.trainer import Loss
from app.training.gate.decision import Comparison, GateReport, Group
from app.training.jobs import TrainingJob, TrainingJobStore
from app.training.plan import Plan
from ingest.home.database import now

CARD = """---
library_name: sentence-transformers
---

# a model

## Data

74 questions by 6 people: 88 passages that answer and 61 that do not.

| where they come from | examples |
|---|---|
| struck out by 2 ![x](http://evil.example/x.png) | 31 |
"""


def make_gate_report(
    candidate: str = "reranker-2",
    live: str = "shipped",
    *,
    gain: float = 0.05,
    p_value: float = 0.004,
    num_questions: int = 48,
    forgotten: float = 0.0,
    changes: Sequence[QuestionChange] = (),
    asked_before: Slice = Slice(),  # noqa: B008  # frozen
) -> GateReport:
    """What the gate's own rule makes of these figures. gain, forgotten: of nDCG@10, the latter on the probe."""
    gained = Difference(gain, gain - 0.03, gain + 0.03, p_value)
    measures = {"nDCG@10": 0.74, "MRR@10": 0.7, "hit rate@5": 0.85}
    found = Comparison(
        num_questions=num_questions,
        num_different=num_questions,
        gain=dict.fromkeys(measures, gained),
        asked_before=asked_before,
        new=Slice(num_questions, gained, 20, 5),
        gain_over_none=dict.fromkeys(measures, Difference(gain + 0.06, gain, gain + 0.12, 0.001)),
        shown_gain=Difference(0.02, -0.01, 0.05, 0.2),
        probe=Difference(-forgotten, -forgotten - 0.004, -forgotten + 0.004, 0.4),
        latency_ms={"live": 36.0, "candidate": 38.0},
        budget_ms=3000.0,
    )
    means = {"none": -0.06, "live": 0.0, "candidate": gain}
    report = GateReport.of(
        found,
        candidate,
        live,
        metrics={
            name: {
                measure: Interval(mean + more, mean + more - 0.07, min(mean + more + 0.07, 1.0))
                for measure, mean in measures.items()
            }
            for name, more in means.items()
        },
        groups=(Group("people", 30, 0.73, 0.73 + gain), Group("it", 18, 0.76, 0.76 + gain)),
        changes=tuple(changes),
    )
    return replace(report, decided_at="2026-11-21T14:30:00+00:00")


def add_model(
    home: Path,
    report: GateReport | None = None,
    *,
    kind: str = "late-interaction",
    base: str = "shipped",
    card: str = CARD,
) -> TrainedModel:
    """Register a model whose weights are a few bytes; with a report, as compared."""
    registry = Registry(home)
    with registry.unfinished() as folder:
        (folder / "model.safetensors").write_bytes(b"weights")
        (folder / "README.md").write_text(card)
        if report:
            report.save(folder)
        return registry.add(folder, report.candidate if report else None, kind=kind, base=base)


def add_training(home: Path, *losses: Loss, user: str = "ann", **changes: object) -> TrainingJob:
    """A training that is at work, or as the changes say, with its curves."""
    store = TrainingJobStore(home)
    job = store.add(Plan(), user, begin=True)
    for loss in losses:
        store.record(job.id, loss)
    store.update(job.id, **{"state": "running", "started_at": now()} | changes)
    return store.job(job.id)


def make_losses(num_steps: int = 120, done: int = 80) -> list[Loss]:
    """Curves that fall; every tenth step of which every twentieth is validated."""
    return [
        Loss(
            step,
            num_steps,
            2.1 * 0.985**step + 0.08 * (step % 3),
            1.9 * 0.989**step + 0.25 if step % 20 == 0 else None,
        )
        for step in range(10, done + 1, 10)
    ]
