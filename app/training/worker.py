"""`python -m app.training.worker`: run the queued trainings of a home folder, one after the other, until none is left.

Whoever queues a training starts one such process and leaves it; it has its own session and outlives the page.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock, Timeout

from app.pipeline import Pipeline
from app.registry import EMBEDDER, Registry, RegistryError
from app.settings import read_settings
from app.training.candidate import Candidate, make_candidate
from app.training.fit.trainer import Loss, Watch
from app.training.jobs import TrainingJob, TrainingJobStore
from app.training.plan import Step
from ingest.home.job_store import Heart, at_work, run_queued

_log = logging.getLogger(__name__)


def run(
    store: TrainingJobStore,
    job: TrainingJob,
    pipeline: Pipeline,
    on_loss: Callable[[Loss], None] = lambda _: None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Candidate | None:
    """Do a claimed training: curves, model, verdict and end are noted in the store; None when it was cancelled.

    Another training of the same home has its turn first. The candidate goes live only if the gate says so and the
    curator has switched that on; an embedder never, since all documents have to be embedded anew. Raises what
    make_candidate raises, but for StoppedError.
    """
    made = None
    with at_work(store, job) as heart, _turn(store.home, heart):
        store.forget_losses(job.id)

        def tell(what: Step) -> None:
            heart.tell(current=what)
            if what == "training":
                store.note_learning(job.id)
            on_step(what)

        def record(loss: Loss) -> None:
            heart.tell(step=loss.step, num_steps=loss.num_steps)
            store.record(job.id, loss)
            on_loss(loss)

        watch = Watch(record, heart.stop_requested.is_set)
        made = make_candidate(job.plan, pipeline, job.user, job.id, watch, tell)
        heart.tell(model=made.name, verdict=made.report.verdict)
        registry, has_embedder = Registry(store.home), any(part.kind == EMBEDDER for part in job.plan.parts)
        if made.report.verdict == "promote" and registry.promotes_by_itself and not has_embedder:
            _promote(registry, made, job.user)
    return made


def _promote(registry: Registry, made: Candidate, user: str) -> None:
    """By itself, unless somebody has made another model live while this one was compared: then that stands."""
    try:
        why = "by itself, as switched on"
        registry.promote(made.name, user, why, made.report.verdict, instead_of=made.report.live)
    except RegistryError as error:
        _log.warning("not promoted by itself: %s", error)


@contextmanager
def _turn(home: Path, heart: Heart) -> Iterator[None]:
    """One training at a time: two would take twice as long, and compare with different live models."""
    lock = FileLock(home / "training.lock")
    while not lock.is_locked:
        try:
            lock.acquire(timeout=1)
        except Timeout:
            heart.wait("waiting for another training")
    try:
        yield
    finally:
        lock.release()


def main(home: Annotated[Path, typer.Option(help="The home folder.")]) -> None:
    """Run the queued trainings of a home folder until none is left."""
    store = TrainingJobStore(home)
    run_queued(store, lambda job: run(store, job, Pipeline(read_settings(home))))


if __name__ == "__main__":
    typer.run(main)
