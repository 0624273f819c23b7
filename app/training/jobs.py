"""Trainings as jobs: a row with progress and curves for pages, while a separate process does the work."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import delete, insert, select

from app.training.fit.trainer import Loss
from app.training.plan import Kind, Plan
from ingest.home.database import now
from ingest.home.job_store import BaseJob, BaseJobStore, new_job_id
from ingest.home.tables import training_jobs, training_losses


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob(BaseJob):
    """One training: the request, its progress, and the resulting model.

    kind, base, seed: as in Plan. step: of num_steps. learning_since: when the first step began. model: its name, once
    it exists. current: the step in progress.
    """

    kind: Kind
    base: str
    seed: int
    user: str
    step: int = 0
    num_steps: int = 0
    learning_since: str | None = None
    model: str = ""
    verdict: str = ""

    @property
    def plan(self) -> Plan:
        """Return the plan."""
        return Plan(self.kind, self.base, self.seed)

    @property
    def seconds_left(self) -> float | None:
        """Return the estimated time left for the training steps; None before the first and after the last."""
        if not (self.is_open and self.learning_since and 0 < self.step < self.num_steps):
            return None
        elapsed = datetime.now(UTC) - datetime.fromisoformat(self.learning_since)
        return elapsed.total_seconds() / self.step * (self.num_steps - self.step)


class TrainingJobStore(BaseJobStore[TrainingJob]):
    """The training jobs of one home folder with their curves."""

    worker, log = "app.training.worker", "training.log"

    def __init__(self, home: Path) -> None:
        super().__init__(home, TrainingJob, training_jobs)

    def add(self, plan: Plan, user: str, *, begin: bool = False) -> TrainingJob:
        """Queue a training; with begin, mark it as started by the caller."""
        job = TrainingJob(id=new_job_id(), created_at=now(), kind=plan.kind, base=plan.base, seed=plan.seed, user=user)
        return self.put(job, begin=begin)

    def record(self, job_id: str, loss: Loss) -> None:
        """Record a point of the curves."""
        with self._records.writing() as connection:
            connection.execute(insert(training_losses), {"job_id": job_id, **asdict(loss)})

    def losses(self, job_id: str) -> list[Loss]:
        """Return the curves of a training, in order."""
        columns = [training_losses.c[field.name] for field in fields(Loss)]
        query = select(*columns).where(training_losses.c.job_id == job_id).order_by(training_losses.c.sequence)
        with self._records.reading() as connection:
            return [Loss(*row) for row in connection.execute(query)]

    def forget_losses(self, job_id: str) -> None:
        """Delete the curves of a training that starts again."""
        with self._records.writing() as connection:
            connection.execute(delete(training_losses).where(training_losses.c.job_id == job_id))
