"""passages without questions -> Proposals: a language model's questions that their passages answer."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from difflib import SequenceMatcher
from itertools import islice
from threading import Event
from typing import Literal

import numpy as np

from app.answer import Citation, echoes, extract
from app.answer.prompts import read_prompts
from app.feedback import FeedbackStore, new_id, question_key
from app.language_model.protocol import LanguageModel, LanguageModelError
from app.pipeline import Pipeline
from app.search.query import QUESTION_ENDS
from app.training.labels.split import SAME_QUESTION
from app.training.proposals.store import MAX_CHARACTERS, MIN_CHARACTERS, Proposal, ProposalError, ProposalStore
from app.translation import N_
from ingest.chunk import Chunk
from ingest.embed.embedder import Embedder, likeness
from ingest.home.database import now
from ingest.table import ChunkTable

Refusal = Literal[
    "no single question of 10 to 200 characters",
    "repeats its instructions",
    "copies the passage",
    "known already",
    "search does not find the passage",
    "not answered by the passage",
]
"""Why a language model's text is not a proposal."""

_MAX_READ_CHARACTERS = 3 * MAX_CHARACTERS
"""A longer text is not a single question, so reading stops."""
NO_LANGUAGE_MODEL = N_(
    "no language model is set to write questions: set one on the Settings page, or by OPENAI_BASE_URL and OPENAI_MODEL"
)
_MIN_PASSAGE_CHARACTERS = 60
"""A shorter one, such as a heading or the end of a page, has too little to ask about."""
_MAX_COPIED = 0.75
"""Maximum share of a question copied from the passage in one piece."""
_MAX_FAILED = 2
"""This many consecutive failures are not due to the passages."""
_MAX_RANK = 10
"""The passage must be found up to this rank."""


def refusal_counts(outcomes: Iterable[Proposal | Refusal]) -> dict[Refusal, int]:
    """Return reason -> number of refusals, most frequent first."""
    return dict(Counter(outcome for outcome in outcomes if not isinstance(outcome, Proposal)).most_common())


def refusal_words(outcomes: Iterable[Proposal | Refusal]) -> str:
    """Return the refusals in words, '' if there are none."""
    counts = refusal_counts(outcomes)
    return f"refused: {', '.join(f'{number} {reason}' for reason, number in counts.items())}" if counts else ""


def propose(pipeline: Pipeline, count: int, seed: int, stop: Event | None = None) -> Iterator[Proposal | Refusal]:
    """Ask the language model about up to `count` passages; yields a stored proposal or a refusal for each.

    Raises ProposalError without a language model, and CiteloopError when it fails.
    """
    language_model = pipeline.models.language_model
    if language_model is None:
        raise ProposalError(NO_LANGUAGE_MODEL)
    home, stop = pipeline.settings.home, stop or Event()
    store, feedback = ProposalStore(home), FeedbackStore(home)
    instructions, judgements = read_prompts(home).proposal, feedback.judgements()
    known = _Known(pipeline.models.embedder)
    known.add(*(event.question for event in feedback.events()), *(judgement.question for judgement in judgements))
    known.add(*(proposal.question for proposal in store.proposals()))
    taken = {judgement.text for judgement in judgements if judgement.label == "relevant"}
    taken |= {proposal.text for proposal in store.proposals("open")}
    num_failed = _MAX_FAILED - 1  # if the very first fails, the others would too
    for chunk in islice(pick(pipeline.table, seed, taken), count):
        messages = proposal_prompt(chunk, instructions)
        try:
            text, num_failed = _read(language_model, messages, stop), 0
        except LanguageModelError:  # it may decline only this passage
            text, num_failed = "", num_failed + 1
            if num_failed == _MAX_FAILED:
                raise
        question = _question(text)
        if stop.is_set():
            return
        refused = _check_words(question, chunk, messages)
        if refusal := refused or known.check(question) or _check_ranking(pipeline, question, chunk):
            yield refusal
        else:
            proposal = _proposal(question, chunk, language_model.name)
            store.add(proposal)
            known.add(question)
            yield proposal


def pick(table: ChunkTable, seed: int, taken: Collection[str]) -> Iterator[Chunk]:
    """Yield passages to ask about, alternating between documents, each text once; the seed fixes the order.

    taken: texts that need no question. Short ones are left out.
    """
    rng, seen = np.random.default_rng(seed), set(taken)
    documents = table.documents()

    def passages(document_id: str) -> Iterator[Chunk]:  # a document is read only when needed
        chunks = [chunk for chunk in table.chunks_of(document_id) if not chunk.described_by]
        return (chunks[index] for index in rng.permutation(len(chunks)))

    waiting = deque(passages(documents[index].id) for index in rng.permutation(len(documents)))
    while waiting:
        remaining = waiting.popleft()
        chunk = next((one for one in remaining if _is_worth_asking(one) and one.text not in seen), None)
        if chunk:
            seen.add(chunk.text)
            waiting.append(remaining)
            yield chunk


def _is_worth_asking(chunk: Chunk) -> bool:
    return len(chunk.text) >= _MIN_PASSAGE_CHARACTERS


def proposal_prompt(chunk: Chunk, instructions: str) -> list[dict[str, str]]:
    """Return the messages that ask a language model for a question."""
    return [
        {"role": "system", "content": instructions},
        {"role": "user", "content": f"Passage:\n\n{chunk.passage}\n\nThe question:"},
    ]


def _read(language_model: LanguageModel, messages: Sequence[dict[str, str]], stop: Event) -> str:
    """Return the language model's text, cut when it is too long for a question; '' if it stopped early.

    Raises LanguageModelError if nothing arrived.
    """
    text = ""
    try:
        for piece in language_model.stream(messages, stop):
            text += piece
            if len(text) > _MAX_READ_CHARACTERS:
                break
    except LanguageModelError:
        if not text:
            raise
        return ""
    return text


def _question(text: str) -> str:
    """Return the text without a label or quotes."""
    text = re.sub(r"^(?:the )?question(?: is)?:\s*", "", text.strip(), flags=re.IGNORECASE)
    return text.strip("\"'“”„«» ")


def _proposal(question: str, chunk: Chunk, model: str) -> Proposal:
    return Proposal(
        id=new_id(),
        at=now(),
        question=question,
        model=model,
        **asdict(chunk.ref),
    )


def _check_words(question: str, chunk: Chunk, messages: Sequence[dict[str, str]]) -> Refusal | None:
    """Return what is wrong with the question's wording, or None."""
    if echoes(question, messages):
        return "repeats its instructions"
    is_question = question.endswith((*QUESTION_ENDS, ";", "か。"))  # ; is the Greek question mark
    if not is_question or len(question.splitlines()) > 1 or not MIN_CHARACTERS <= len(question) <= MAX_CHARACTERS:
        return "no single question of 10 to 200 characters"
    if _plain(question) in _plain(messages[0]["content"]):  # such as their example
        return "repeats its instructions"
    if _share_copied(question, chunk.text) > _MAX_COPIED:
        return "copies the passage"
    return None


def _share_copied(question: str, text: str) -> float:
    """Return the share of the question copied from the text in one piece, ignoring punctuation and case."""
    asked, source = _plain(question), _plain(text)
    return SequenceMatcher(None, source, asked, autojunk=False).find_longest_match().size / len(asked) if asked else 0.0


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().casefold()


class _Known:
    """Questions asked or proposed before, to recognize repeated ones."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._keys: set[str] = set()
        self._vectors = np.zeros((0, embedder.dimension), np.float32)

    def add(self, *questions: str) -> None:
        """Add questions."""
        new = {question_key(question): question for question in questions if question_key(question) not in self._keys}
        self._keys |= new.keys()
        if new:
            self._vectors = np.vstack([self._vectors, self._embedder.embed(list(new.values()))])

    def check(self, question: str) -> Refusal | None:
        """Return a refusal if a known question is similar, by the same threshold as in the split."""
        if question_key(question) in self._keys:
            return "known already"
        similarities = likeness(self._vectors @ self._embedder.embed([question])[0], self._embedder.name)
        return "known already" if similarities.max(initial=-1.0) >= SAME_QUESTION[0] else None


def _check_ranking(pipeline: Pipeline, question: str, chunk: Chunk) -> Refusal | None:
    """Return a refusal unless the live ranking finds the passage and a sentence in it to quote."""
    first = pipeline.rank(question).ranking[:_MAX_RANK]
    found = next((ranked.candidate for ranked in first if ranked.chunk.text == chunk.text), None)
    if found is None:
        return "search does not find the passage"
    quoted = extract(question, [Citation(1, chunk)], pipeline.models.quote_scorer, found.vector_score or 0.0)
    return None if quoted.is_clear else "not answered by the passage"
