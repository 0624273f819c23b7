"""Trainings as jobs: a row with progress and curves for pages, while a separate process does the work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.training.fit.trainer import Loss
from app.training.plan import Kind, Plan
from ingest.home.database import now
from ingest.home.job_store import BaseJob, BaseJobStore, new_job_id, start_process


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


_LOSSES = """
CREATE TABLE IF NOT EXISTS losses (
    job_id TEXT NOT NULL, step INTEGER NOT NULL, num_steps INTEGER NOT NULL, training REAL, validation REAL
);
"""


class TrainingJobStore(BaseJobStore[TrainingJob]):
    """The training jobs of one home folder with their curves."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, TrainingJob, "training_jobs.sqlite3", more_tables=_LOSSES)

    def add(self, plan: Plan, user: str, *, begin: bool = False) -> TrainingJob:
        """Queue a training; with begin, mark it as started by the caller."""
        job = TrainingJob(id=new_job_id(), created_at=now(), kind=plan.kind, base=plan.base, seed=plan.seed, user=user)
        return self.put(job, begin=begin)

    def record(self, job_id: str, loss: Loss) -> None:
        """Record a point of the curves."""
        row = (job_id, loss.step, loss.num_steps, loss.training, loss.validation)
        with self._connection() as connection:
            connection.execute("INSERT INTO losses VALUES (?, ?, ?, ?, ?)", row)

    def note_learning(self, job_id: str) -> None:
        """Record the start of the first step; kept for further trainings of the same job."""
        with self._connection() as connection:
            connection.execute(
                "UPDATE jobs SET learning_since = ? WHERE id = ? AND learning_since IS NULL", (now(), job_id)
            )

    def losses(self, job_id: str) -> list[Loss]:
        """Return the curves of a training, in order."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT step, num_steps, training, validation FROM losses WHERE job_id = ? ORDER BY rowid", (job_id,)
            )
            return [Loss(*row) for row in rows]

    def forget_losses(self, job_id: str) -> None:
        """Delete the curves of a training that starts again."""
        with self._connection() as connection:
            connection.execute("DELETE FROM losses WHERE job_id = ?", (job_id,))


def start(home: Path) -> None:
    """Run the queued trainings of this home in a separate process, which logs to `training.log`."""
    start_process("app.training.worker", home, log="training.log")


def resume(home: Path) -> None:
    """Restart the trainings that were queued or killed before; call this when a server starts."""
    if TrainingJobStore(home).revive():
        start(home)
