"""Asking for proposals as a job: it goes on when its page is left, says how far it is, and can be stopped."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.pipeline import Pipeline
from app.training.proposals.propose import Refusal, propose, refusal_words
from app.training.proposals.store import FILE, Proposal
from ingest.home.database import now
from ingest.home.job_store import BaseJob, BaseJobStore, JobError, StoppedError, at_work, new_job_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalJob(BaseJob):
    """Asking a language model about some passages.

    count: how many passages at most; seed: of the draw. num_done: asked so far. refused: why some came to nothing.
    """

    count: int
    seed: int
    num_done: int = 0
    num_proposed: int = 0
    refused: str = ""


class ProposalJobStore(BaseJobStore[ProposalJob]):
    """The jobs that ask for questions, beside the proposals of a home folder."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, ProposalJob, FILE)

    def begin(self, count: int, seed: int | None = None) -> ProposalJob:
        """Note that somebody asks now. Raises JobError when somebody else is at it: both would ask about the same.

        seed: None for one that is drawn, so that other passages come than the last time.
        """
        seed = secrets.randbelow(2**31) if seed is None else seed
        self.fail_dead()
        job = self.put(ProposalJob(id=new_job_id(), created_at=now(), count=count, seed=seed), begin=True)
        if [each.id for each in self.jobs() if each.is_open][-1] != job.id:  # of two, the older one stays
            with self._connection() as connection:
                connection.execute("DELETE FROM jobs WHERE id = ?", (job.id,))
            raise JobError("questions are being proposed already; wait until that is done, or stop it")
        return job


def run(
    jobs: ProposalJobStore,
    job: ProposalJob,
    pipeline: Pipeline,
    on_outcome: Callable[[Proposal | Refusal], None] = lambda _: None,
) -> None:
    """Do a job that was begun: each proposal is kept as it comes, how far it is and its end are noted with the job.

    Raises CiteloopError when the language model fails or there is none; what is kept by then stays.
    """
    outcomes: list[Proposal | Refusal] = []
    with at_work(jobs, job) as heart:
        heart.tell(current="asking")
        for outcome in propose(pipeline, job.count, job.seed, heart.stop_requested):
            outcomes.append(outcome)
            refused = refusal_words(outcomes)
            num_proposed = sum(isinstance(each, Proposal) for each in outcomes)
            heart.tell(num_done=len(outcomes), num_proposed=num_proposed, refused=refused)
            on_outcome(outcome)
        if heart.stop_requested.is_set():
            raise StoppedError("stopped")
