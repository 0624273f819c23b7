"""passages that nobody has asked about -> Proposal: a language model's question, checked, for a curator to decide on.

A proposal lies in a file of its own, which no training reads. Accepting it makes a Judgement of it, as of anything
else that a curator says; until then it counts for nothing.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields, replace
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Literal, get_args

import numpy as np

from app.answer import Citation, LanguageModel, LanguageModelError, echoes, extract
from app.feedback import FeedbackStore, Judgement, new_id, question_key
from app.pipeline import Pipeline
from app.prompts import read_prompts
from app.training.split import SAME_QUESTION
from ingest import CiteloopError
from ingest.chunk import Chunk
from ingest.database import now, transaction
from ingest.embed import Embedder
from ingest.job_store import BaseJob, BaseJobStore, JobError, StoppedError, at_work, new_job_id
from ingest.table import ChunkTable

State = Literal["open", "accepted", "rejected"]
STATES: tuple[State, ...] = get_args(State)
Refusal = Literal[
    "no single question of 10 to 200 characters",
    "repeats its instructions",
    "copies the passage",
    "known already",
    "search does not find the passage",
    "not answered by the passage",
]
"""Why what a language model wrote is not kept."""

MIN_CHARACTERS, MAX_CHARACTERS = 10, 200
"""Of a question."""
_ENOUGH_CHARACTERS = 3 * MAX_CHARACTERS
"""Who has written so much has not written one question, and need not go on."""
NO_LANGUAGE_MODEL = (
    "no language model is set that could write questions: name one on the Settings page, or by OPENAI_BASE_URL and "
    "OPENAI_MODEL"
)
_FILE = "proposals.sqlite3"
_MIN_PASSAGE_CHARACTERS = 60
"""A shorter one, as a heading or the rest of a page, hardly says enough to be asked about."""
_MAX_COPIED = 0.75
"""The share of a question that may stand in the passage as one piece: beyond it, it is the sentence with a mark."""
_FOUND_RANK = 10
"""The ranking must have the passage up to this place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A question that a language model wrote for a passage, whose place and text are as they were then.

    question: once it is accepted, as the curator accepted it. model: who wrote it. decided_by: a user, '' while it is
    open. at: UTC, ISO 8601.
    """

    id: str
    at: str
    question: str
    chunk_id: str
    document: str
    title: str
    heading: str
    page: int | None
    text: str
    model: str
    state: State = "open"
    decided_by: str = ""


_COLUMNS = tuple(field.name for field in fields(Proposal))
_SCHEMA = f"CREATE TABLE IF NOT EXISTS proposals ({', '.join(_COLUMNS)}, PRIMARY KEY (id))"


class ProposalError(CiteloopError):
    """Questions cannot be proposed, or proposals not be read or written; the message says what to do."""


# what is kept ---------------------------------------------------------------------------------------------


class ProposalStore:
    """The proposals of one home folder; every method is one transaction that survives a crash.

    Every method raises ProposalError when the file is damaged or the disk is full.
    """

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._path = home / _FILE
        with self._connection() as connection:
            connection.execute(_SCHEMA)

    def add(self, proposal: Proposal) -> None:
        """Keep a proposal that has passed the check."""
        marks = ", ".join("?" * len(_COLUMNS))
        with self._connection() as connection:
            connection.execute(f"INSERT INTO proposals VALUES ({marks})", astuple(proposal))

    def proposals(self, state: State | None = None) -> list[Proposal]:
        """Those in this state, by default all, oldest first."""
        condition, parameters = ("", ()) if state is None else ("WHERE state = ?", (state,))
        with self._connection() as connection:
            return _select(connection, condition, *parameters)

    def accept(self, proposal_id: str, question: str, user: str, feedback: FeedbackStore) -> bool:
        """Note in the feedback that the passage answers the question, as it was proposed or edited.

        False when somebody decided before. Raises ProposalError when the question is too short or too long.
        """
        question = " ".join(question.split())
        if not MIN_CHARACTERS <= len(question) <= MAX_CHARACTERS:
            raise ProposalError(
                f"the question must have {MIN_CHARACTERS} to {MAX_CHARACTERS} characters, and has {len(question)}"
            )
        with self._deciding(proposal_id) as (connection, proposal):
            if proposal:
                # First into the feedback: after a crash in between it is still open, and accepting it adds nothing.
                accepted = replace(proposal, question=question)
                feedback.judge([Judgement.of(accepted, "relevant", user, f"proposed by {proposal.model}")])
                _decide(connection, replace(accepted, state="accepted", decided_by=user))
            return proposal is not None

    def reject(self, proposal_id: str, user: str) -> bool:
        """Put a proposal aside, for good: the like of its question is not proposed again. False as of `accept`."""
        with self._deciding(proposal_id) as (connection, proposal):
            if proposal:
                _decide(connection, replace(proposal, state="rejected", decided_by=user))
            return proposal is not None

    @contextmanager
    def _deciding(self, proposal_id: str) -> Iterator[tuple[sqlite3.Connection, Proposal | None]]:
        """The proposal if it is still open, while nobody else can decide."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            found = _select(connection, "WHERE id = ? AND state = 'open'", proposal_id)
            yield connection, found[0] if found else None

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with transaction(self._path) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            raise ProposalError(
                f"the proposals in {self._path} cannot be used: {error}; look at the free space and the permissions, "
                "or put the file aside to begin a new one"
            ) from error


def _select(connection: sqlite3.Connection, condition: str, *parameters: str) -> list[Proposal]:
    rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM proposals {condition} ORDER BY rowid", parameters)
    return [Proposal(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]


def _decide(connection: sqlite3.Connection, proposal: Proposal) -> None:
    connection.execute(
        "UPDATE proposals SET question = ?, state = ?, decided_by = ? WHERE id = ?",
        (proposal.question, proposal.state, proposal.decided_by, proposal.id),
    )


# asking, as a job -----------------------------------------------------------------------------------------


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
        super().__init__(home, ProposalJob, _FILE)

    def begin(self, count: int, seed: int | None = None) -> ProposalJob:
        """Note that somebody asks now. Raises JobError when somebody else is at it: both would ask about the same.

        seed: None for one that is drawn, so that other passages come than the last time.
        """
        seed = secrets.randbelow(2**31) if seed is None else seed
        for dead in [job for job in self.jobs() if job.is_dead]:
            self.end(dead.id, "failed", "its process was stopped")
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


def refusal_counts(outcomes: Iterable[Proposal | Refusal]) -> dict[Refusal, int]:
    """Why some came to nothing -> how many, the most frequent reason first."""
    return dict(Counter(outcome for outcome in outcomes if not isinstance(outcome, Proposal)).most_common())


def refusal_words(outcomes: Iterable[Proposal | Refusal]) -> str:
    """The same in words, '' where all were proposed."""
    counts = refusal_counts(outcomes)
    return f"refused: {', '.join(f'{number} {reason}' for reason, number in counts.items())}" if counts else ""


def propose(pipeline: Pipeline, count: int, seed: int, stop: Event | None = None) -> Iterator[Proposal | Refusal]:
    """Ask the language model about up to `count` passages; of each, the proposal, kept by now, or why there is none.

    Raises ProposalError without a language model, and CiteloopError when it fails.
    """
    language_model = pipeline.language_model
    if language_model is None:
        raise ProposalError(NO_LANGUAGE_MODEL)
    home, stop = pipeline.settings.home, stop or Event()
    store, feedback = ProposalStore(home), FeedbackStore(home)
    instructions, judgements = read_prompts(home).proposal, feedback.judgements()
    known = _Known(pipeline.embedder)
    known.add(*(each.question for each in feedback.events()), *(each.question for each in judgements))
    known.add(*(each.question for each in store.proposals()))
    taken = {each.text for each in judgements if each.label == "relevant"}
    taken |= {each.text for each in store.proposals("open")}
    for chunk in islice(pick(pipeline.table, seed, taken), count):
        messages = proposal_prompt(chunk, instructions)
        question = _question(_read(language_model, messages, stop))
        if stop.is_set():
            return
        words = _check_words(question, chunk, messages)
        if refusal := words or known.check(question) or _check_ranking(pipeline, question, chunk):
            yield refusal
        else:
            proposal = _proposal(question, chunk, language_model.name)
            store.add(proposal)
            known.add(question)
            yield proposal


def pick(table: ChunkTable, seed: int, taken: Collection[str]) -> Iterator[Chunk]:
    """Passages to ask about, one of each document in turn, each text once; the same seed gives the same order.

    taken: texts that need no question. Short ones are left out.
    """
    chance, seen = np.random.default_rng(seed), set(taken)
    documents = table.documents()

    def passages(document_id: str) -> Iterator[Chunk]:  # a document is read when its first turn comes
        chunks = table.chunks_of(document_id)
        return (chunks[place] for place in chance.permutation(len(chunks)))

    waiting = deque(passages(documents[place].id) for place in chance.permutation(len(documents)))
    while waiting:
        piled = waiting.popleft()
        chunk = next((each for each in piled if _is_worth_asking(each) and each.text not in seen), None)
        if chunk:
            seen.add(chunk.text)
            waiting.append(piled)
            yield chunk


def _is_worth_asking(chunk: Chunk) -> bool:
    return len(chunk.text) >= _MIN_PASSAGE_CHARACTERS


def proposal_prompt(chunk: Chunk, instructions: str) -> list[dict[str, str]]:
    """The messages from which a language model writes a question."""
    return [
        {"role": "system", "content": instructions},
        {"role": "user", "content": f"Passage:\n\n{chunk.passage}\n\nThe question:"},
    ]


def _read(language_model: LanguageModel, messages: Sequence[dict[str, str]], stop: Event) -> str:
    """What the language model writes, or so much of it that it can be no question; '' if it broke off.

    Raises LanguageModelError where not even a beginning came: the next passage would fare no better.
    """
    text = ""
    try:
        for piece in language_model.stream(messages, stop):
            text += piece
            if len(text) > _ENOUGH_CHARACTERS:
                break
    except LanguageModelError:
        if not text:
            raise
        return ""
    return text


def _question(text: str) -> str:
    """The text without a label before it or quotes round it."""
    text = re.sub(r"^(?:the )?question(?: is)?:\s*", "", text.strip(), flags=re.IGNORECASE)
    return text.strip("\"'“”„«» ")


def _proposal(question: str, chunk: Chunk, model: str) -> Proposal:
    return Proposal(
        id=new_id(),
        at=now(),
        question=question,
        chunk_id=chunk.id,
        document=chunk.document,
        title=chunk.title,
        heading=chunk.heading,
        page=chunk.page,
        text=chunk.text,
        model=model,
    )


# the check against the passage ----------------------------------------------------------------------------


def _check_words(question: str, chunk: Chunk, messages: Sequence[dict[str, str]]) -> Refusal | None:
    """What is wrong with its words alone."""
    if echoes(question, messages):
        return "repeats its instructions"
    is_question = question.endswith(("?", "？", "؟", ";", "か。"))  # noqa: RUF001  # ; is the Greek question mark
    if not is_question or len(question.splitlines()) > 1 or not MIN_CHARACTERS <= len(question) <= MAX_CHARACTERS:
        return "no single question of 10 to 200 characters"
    if _plain(question) in _plain(messages[0]["content"]):  # an example that stands there, say
        return "repeats its instructions"
    if _share_copied(question, chunk.text) > _MAX_COPIED:
        return "copies the passage"
    return None


def _share_copied(question: str, text: str) -> float:
    """How much of the question stands in the text as one piece, whatever the marks and capitals."""
    asked, said = _plain(question), _plain(text)
    return SequenceMatcher(None, said, asked, autojunk=False).find_longest_match().size / len(asked) if asked else 0.0


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().casefold()


class _Known:
    """The questions that people asked or that were proposed, by which a new one is told to be the same."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._keys: set[str] = set()
        self._vectors = np.zeros((0, embedder.dimension), np.float32)

    def add(self, *questions: str) -> None:
        """Know these too."""
        new = {question_key(question): question for question in questions if question_key(question) not in self._keys}
        self._keys |= new.keys()
        if new:
            self._vectors = np.vstack([self._vectors, self._embedder.embed(list(new.values()))])

    def check(self, question: str) -> Refusal | None:
        """Whether one of them asks nearly the same, as where questions are split."""
        if question_key(question) in self._keys:
            return "known already"
        similarities = self._vectors @ self._embedder.embed([question])[0]
        return "known already" if similarities.max(initial=-1.0) >= SAME_QUESTION[0] else None


def _check_ranking(pipeline: Pipeline, question: str, chunk: Chunk) -> Refusal | None:
    """Whether what answers questions now would find the passage, and a sentence in it to quote."""
    found = pipeline.rank(question).ranking[:_FOUND_RANK]
    if all(each.chunk.text != chunk.text for each in found):
        return "search does not find the passage"
    sentences = extract(question, [Citation(1, chunk)], pipeline.sentence_scorer)
    return None if sentences else "not answered by the passage"
