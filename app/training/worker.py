"""`python -m app.training.worker`: run the queued trainings of a home folder in order until none is left.

Queuing a training starts this process in its own session, so that it outlives the page.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from app.access.audit import AuditLog
from app.pipeline import Pipeline
from app.registry import Registry, RegistryError
from app.settings import read_settings
from app.training.candidate import Candidate, make_candidate
from app.training.fit.trainer import Loss, Watch
from app.training.jobs import TrainingJob, TrainingJobStore
from app.training.plan import Step
from ingest.home.database import now
from ingest.home.folder import home_lock
from ingest.home.job_process import at_work, run_queued
from ingest.home.log import write_log

_OTHER_TRAINING = "waiting for another training"
"""Two at a time would be slower and might compare with different live models."""

_log = logging.getLogger(__name__)


def run(
    store: TrainingJobStore,
    job: TrainingJob,
    pipeline: Pipeline,
    on_loss: Callable[[Loss], None] = lambda _: None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Candidate | None:
    """Run a claimed training and record curves, model, verdict and end in the store; returns None if cancelled.

    Waits for other trainings of the same home. The candidate is promoted only if the gate agrees and the curator has
    switched on automatic promotion. Raises what make_candidate raises, except StoppedError.
    """
    candidate = None
    with at_work(store, job) as heart, home_lock(store.home, "training", partial(heart.wait, _OTHER_TRAINING)):
        store.forget_losses(job.id)

        def report(step: Step) -> None:
            heart.tell(current=step)
            if step == "training":
                heart.tell(learning_since=now())
            on_step(step)

        def record(loss: Loss) -> None:
            heart.tell(step=loss.step, num_steps=loss.num_steps)
            store.record(job.id, loss)
            on_loss(loss)

        watch = Watch(record, heart.stop_requested.is_set)
        candidate = make_candidate(job.plan, pipeline, job.user, job.id, watch, report)
        heart.tell(model=candidate.name, verdict=candidate.report.verdict)
        registry, log = Registry(store.home), AuditLog(store.home)
        log.add(job.user, "model trained", candidate.name)
        if registry.promotes_by_itself:
            _promote(registry, candidate.name, job.user, log)
    return candidate


def _promote(registry: Registry, name: str, user: str, log: AuditLog) -> None:
    """Promote automatically, unless the comparison speaks against it or another model has gone live meanwhile."""
    try:
        registry.promote(name, user, "automatically, as switched on")
    except RegistryError as error:
        _log.warning("not promoted automatically: %s", error)
    else:
        log.add(user, "model promoted automatically", name)


def main(home: Annotated[Path, typer.Option(help="The home folder.")]) -> None:
    """Run the queued trainings of a home folder until none is left."""
    write_log()
    store = TrainingJobStore(home)
    run_queued(store, lambda job: run(store, job, Pipeline(read_settings(home))))


if __name__ == "__main__":
    typer.run(main)
