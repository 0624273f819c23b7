"""question -> answer in the store, made outside the page, so users can leave, reload or use another device.

A running answer is an AnswerJob: a row with the progress and the cancel request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import delete, select, update

from app.access.admission import expect_waiting
from app.access.rights import Rights
from app.answer import Answer
from app.feedback import FeedbackStore, StoredAnswer, new_id
from app.pipeline import Pipeline, Step, unanswered
from app.search.filters import EVERYTHING, Filter
from app.telemetry.stages import stage
from ingest import CiteloopError
from ingest.home.database import now
from ingest.home.job_process import Heart, at_work
from ingest.home.job_store import BaseJob, BaseJobStore, JobError, StoppedError
from ingest.home.log import fault, in_request
from ingest.home.tables import answer_jobs

_MAX_AT_ONCE = 32
"""Maximum of concurrent answers; most wait for a search slot or a language model."""
_BEAT_SECONDS = 0.2
"""How often a growing text is written for pages to read."""
_WATCH_SECONDS = 0.05
_SAVE_SECONDS = 1.0
"""How often it is saved: a killed server loses no more."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerJob(BaseJob):
    """An answer that is being made.

    without: ids of the chunks that it is written without. current: the current Step. text: written so far.
    """

    answer_id: str
    without: tuple[str, ...]
    text: str = ""


class AnswerJobStore(BaseJobStore[AnswerJob]):
    """The answers of one home folder that are being made."""

    def __init__(self, home: Path, *, in_memory: bool = False) -> None:
        super().__init__(home, AnswerJob, answer_jobs, in_memory=in_memory)

    def begin(self, answer_id: str, without: Iterable[str] = ()) -> AnswerJob:
        """Record that an answer is being made; cancel an earlier job of it."""
        self.fail_dead()
        job = AnswerJob(id=new_id(), created_at=now(), answer_id=answer_id, without=tuple(without))
        job = self.put(job, begin=True)
        table = answer_jobs.c
        open_answers = select(table.answer_id).where(self._is_open)
        earlier = table.sequence < select(table.sequence).where(table.id == job.id).scalar_subquery()
        with self._records.writing() as connection:
            cancel = update(answer_jobs).values(cancel_requested=True)
            connection.execute(cancel.where(self._is_open, table.answer_id == answer_id, earlier))
            # what has ended is needed as long as an earlier one of its answer has not
            connection.execute(delete(answer_jobs).where(~self._is_open, table.answer_id.not_in(open_answers)))
        return job

    def at_work(self, answer_id: str) -> AnswerJob | None:
        """Return the running job of an answer, the last one begun, or None."""
        return next((job for job in self._last(answer_id) if job.is_open and not job.is_dead), None)

    def is_last(self, job: AnswerJob) -> bool:
        """Return whether no later job makes or has made the same answer."""
        return all(last.id == job.id for last in self._last(job.answer_id))

    def stop(self, answer_id: str) -> None:
        """Request cancellation of an answer; its text so far stays."""
        if job := self.at_work(answer_id):
            self.update(job.id, cancel_requested=True)

    def _last(self, answer_id: str) -> list[AnswerJob]:
        query = select(*self._columns).where(answer_jobs.c.answer_id == answer_id)
        return self._jobs(query.order_by(answer_jobs.c.sequence.desc()).limit(1))


class Answerer:
    """Makes and stores answers in threads of this process."""

    def __init__(self, pipeline: Pipeline, answers: FeedbackStore, jobs: AnswerJobStore) -> None:
        self._pipeline, self._answers, self.jobs = pipeline, answers, jobs
        self._spare_jobs = AnswerJobStore(jobs.home, in_memory=True)
        """Jobs that cannot be written to disk."""
        self._threads = ThreadPoolExecutor(_MAX_AT_ONCE, thread_name_prefix="answer")
        self._hearts: set[Heart] = set()
        """Of running answers in this process; other servers may share the home folder."""

    def ask(
        self,
        question: str,
        conversation_id: str,
        user: str,
        *,
        reranker: str | None = None,
        within: Filter = EVERYTHING,
        earlier: Sequence[str] = (),
        as_typed: bool = False,
        ignore_votes: bool = False,
    ) -> str:
        """Begin to answer a question; store the answer and return its id.

        within: with what the user may read. earlier: queries of the conversation, to expand a follow-up. as_typed and
        ignore_votes: see `Pipeline.rank`.
        """
        asked = unanswered(question, within=within, ignores_votes=ignore_votes)
        answer_id = self._answers.save_answer(asked, conversation_id, user)
        job = self._new_job(answer_id)

        def steps(heart: Heart) -> Iterator[Answer]:
            heart.tell(current="understand" if earlier else "wait")
            query = self._pipeline.in_full(question, earlier, heart.stop_requested)
            ranked = self._ranked(replace(asked, query=query), user, reranker, heart, as_typed=as_typed)
            yield ranked
            yield from self._pipeline.write(ranked, heart.stop_requested)

        self._begin(job, asked, steps)
        return answer_id

    def write_again(self, turn: StoredAnswer, without: Collection[str]) -> None:
        """Begin to rewrite a stored answer without the sources in `without`; the old text stays until then."""
        job = self._new_job(turn.id, without)

        def steps(heart: Heart) -> Iterator[Answer]:
            return self._pipeline.rewrite(turn.answer, without, heart.stop_requested)

        self._begin(job, turn.answer, steps)

    def rank_again(
        self,
        turn: StoredAnswer,
        reranker: str,
        without: Collection[str],
        rights: Rights,
        *,
        ignore_votes: bool = False,
    ) -> None:
        """Begin to rank and write a stored answer again, without these sources; the old one stays until then.

        rights: of its user now.
        """
        job = self._new_job(turn.id, without)
        asked = replace(turn.answer, within=turn.answer.within.read_by(rights), ignores_votes=ignore_votes)

        def steps(heart: Heart) -> Iterator[Answer]:
            ranked = self._ranked(asked, turn.user, reranker, heart, as_typed=True)  # its typos are corrected already
            ranked = replace(ranked, ranking_note=ranked.note, corrected_from=asked.corrected_from)
            return self._pipeline.rewrite(ranked, without, heart.stop_requested)

        self._begin(job, turn.answer, steps)

    def _ranked(self, asked: Answer, user: str, reranker: str | None, heart: Heart, *, as_typed: bool) -> Answer:
        def tell(step: Step) -> None:
            heart.tell(current=step)
            expect_waiting(heart.stop_requested)

        return self._pipeline.rank(
            asked.question,
            reranker,
            query=asked.query,
            as_typed=as_typed,
            within=asked.within,
            user=user,
            ignore_votes=asked.ignores_votes,
            fall_back=True,
            on_step=tell,
        )

    def at_work(self, answer_id: str) -> AnswerJob | None:
        """Return the running job of an answer, or None."""
        return self._spare_jobs.at_work(answer_id) or self.jobs.at_work(answer_id)

    def stop(self, answer_id: str) -> None:
        """Stop an answer; its text so far stays."""
        self._jobs_of(answer_id).stop(answer_id)

    def watch(self, answer_id: str, timeout_seconds: float) -> Iterator[str]:
        """Yield the current step of an answer as it changes, until its text begins or it ends.

        Lets a page wait without redraws, which would take CPU time from the models.
        """
        deadline, shown = time.monotonic() + timeout_seconds, ""
        while (job := self.at_work(answer_id)) and job.current != "answer" and time.monotonic() < deadline:
            if job.current != shown:
                yield (shown := job.current)
            time.sleep(_WATCH_SECONDS)

    def wait_for(self, answer_id: str, timeout_seconds: float) -> AnswerJob | None:
        """Wait until an answer is made or the time is over; return the job if it still runs."""
        deadline = time.monotonic() + timeout_seconds
        while (job := self.at_work(answer_id)) and time.monotonic() < deadline:
            time.sleep(_WATCH_SECONDS)
        return job

    def wait(self) -> None:
        """Wait for all running answers; accept no new ones."""
        self._threads.shutdown()

    def close(self) -> None:
        """Stop and store all running answers; accept no new ones."""
        self._threads.shutdown(wait=False)
        for heart in list(self._hearts):
            heart.stop_requested.set()
        self._threads.shutdown()  # what still waits for its turn gets it, and ends at once

    def _new_job(self, answer_id: str, without: Collection[str] = ()) -> AnswerJob:
        try:
            return self.jobs.begin(answer_id, without)
        except JobError as error:
            _log.warning("%s", error)
            return self._spare_jobs.begin(answer_id, without)

    def _jobs_of(self, answer_id: str) -> AnswerJobStore:
        return self._spare_jobs if self._spare_jobs.at_work(answer_id) else self.jobs

    def _begin(self, job: AnswerJob, answer: Answer, steps: Callable[[Heart], Iterator[Answer]]) -> None:
        with ExitStack() as life:
            jobs = self._jobs_of(job.answer_id)
            heart = life.enter_context(at_work(jobs, job, _BEAT_SECONDS))  # it beats while the job waits, too
            self._hearts.add(heart)
            life.callback(self._hearts.discard, heart)
            self._threads.submit(self._make, job, answer, steps, heart, life.pop_all())

    def _make(
        self,
        job: AnswerJob,
        answer: Answer,
        steps: Callable[[Heart], Iterator[Answer]],
        heart: Heart,
        life: ExitStack,
    ) -> None:
        """Run the steps and store the answer; on an error, store the part with a note."""
        before, is_new, saved_at = answer, not answer.text, 0.0  # a rewritten answer stays until the new text begins
        stopped = [replace(answer, text="", stopped=True)]  # result if stopped while waiting
        with suppress(CiteloopError), life, in_request(job.answer_id), stage("question"):
            try:
                for answer in stopped if heart.stop_requested.is_set() else steps(heart):
                    heart.tell(current="answer", text=answer.text)
                    if is_new and time.monotonic() > saved_at + _SAVE_SECONDS:
                        self._keep(job, answer)
                        saved_at = time.monotonic()
            except StoppedError:
                answer = replace(answer, stopped=True)
            except Exception as error:
                if not isinstance(error, CiteloopError):
                    _log.exception("answer %s", job.answer_id)
                kept = answer if is_new else before
                again = "" if is_new else "This is the answer as it was; it could not be written again: "
                answer = replace(kept, note=again + failure_note(error), without=job.without)
                raise
            finally:
                if answer.stopped and not answer.text and not is_new:
                    answer = replace(before, without=job.without, stopped=True)
                self._keep(job, answer)

    def _keep(self, job: AnswerJob, answer: Answer) -> None:
        """Store the answer unless a later job makes or has made it."""
        if self._jobs_of(job.answer_id).is_last(job):
            self._answers.update_answer(job.answer_id, answer)


def failure_note(error: Exception) -> str:
    """Return an error's note for users; details of other errors are in the server log."""
    return str(error) if isinstance(error, CiteloopError) else fault()
