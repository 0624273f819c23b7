"""Proposing questions as a job that outlives its page, reports progress and can be stopped."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete

from app.pipeline import Pipeline
from app.training.proposals.propose import Refusal, propose, refusal_words
from app.training.proposals.store import Proposal
from ingest.home.database import now
from ingest.home.job_process import at_work
from ingest.home.job_store import BaseJob, BaseJobStore, JobError, StoppedError, new_job_id
from ingest.home.tables import proposal_jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalJob(BaseJob):
    """A run of proposing questions.

    count: maximum passages. seed: random seed. num_done: passages so far. refused: why some gave no proposal.
    """

    count: int
    seed: int
    num_done: int = 0
    num_proposed: int = 0
    refused: str = ""


class ProposalJobStore(BaseJobStore[ProposalJob]):
    """The proposal jobs of a home folder."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, ProposalJob, proposal_jobs)

    def begin(self, count: int, seed: int | None = None) -> ProposalJob:
        """Start a job. Raises JobError while another one runs, since both would pick the same passages.

        seed: None draws one, to get other passages than last time.
        """
        seed = secrets.randbelow(2**31) if seed is None else seed
        self.fail_dead()
        job = self.put(ProposalJob(id=new_job_id(), created_at=now(), count=count, seed=seed), begin=True)
        if [other.id for other in self.jobs() if other.is_open][-1] != job.id:  # the older one stays
            with self._records.writing() as connection:
                connection.execute(delete(proposal_jobs).where(proposal_jobs.c.id == job.id))
            raise JobError("questions are being proposed already; wait until that is done, or stop it")
        return job


def run(
    jobs: ProposalJobStore,
    job: ProposalJob,
    pipeline: Pipeline,
    on_outcome: Callable[[Proposal | Refusal], None] = lambda _: None,
) -> None:
    """Run a started job; each proposal is stored at once, progress and end are recorded with the job.

    Raises CiteloopError when the language model fails or is missing; stored proposals stay.
    """
    outcomes: list[Proposal | Refusal] = []
    with at_work(jobs, job) as heart:
        heart.tell(current="asking")
        for outcome in propose(pipeline, job.count, job.seed, heart.stop_requested):
            outcomes.append(outcome)
            refused = refusal_words(outcomes)
            num_proposed = sum(isinstance(one, Proposal) for one in outcomes)
            heart.tell(num_done=len(outcomes), num_proposed=num_proposed, refused=refused)
            on_outcome(outcome)
        if heart.stop_requested.is_set():
            raise StoppedError("stopped")
