"""passages that nobody has asked about -> Proposals: a language model's questions that stand up to their passages."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
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
from app.training.labels.split import SAME_QUESTION
from app.training.proposals.store import MAX_CHARACTERS, MIN_CHARACTERS, Proposal, ProposalError, ProposalStore
from ingest.chunk import Chunk
from ingest.embed.embedder import Embedder
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
"""Why what a language model wrote is not kept."""

_ENOUGH_CHARACTERS = 3 * MAX_CHARACTERS
"""Who has written so much has not written one question, and need not go on."""
NO_LANGUAGE_MODEL = (
    "no language model is set that could write questions: name one on the Settings page, or by OPENAI_BASE_URL and "
    "OPENAI_MODEL"
)
_MIN_PASSAGE_CHARACTERS = 60
"""A shorter one, as a heading or the rest of a page, hardly says enough to be asked about."""
_MAX_COPIED = 0.75
"""The share of a question that may stand in the passage as one piece: beyond it, it is the sentence with a mark."""
_MAX_FAILED = 2
"""So many failures in a row are not the passages' fault."""
_FOUND_RANK = 10
"""The ranking must have the passage up to this place."""


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
    num_failed = _MAX_FAILED - 1  # where the very first fails, the others would, too
    for chunk in islice(pick(pipeline.table, seed, taken), count):
        messages = proposal_prompt(chunk, instructions)
        try:
            text, num_failed = _read(language_model, messages, stop), 0
        except LanguageModelError:  # it may decline this passage, and not the next
            text, num_failed = "", num_failed + 1
            if num_failed == _MAX_FAILED:
                raise
        question = _question(text)
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

    Raises LanguageModelError where not even a beginning came.
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
    _, is_clear = extract(question, [Citation(1, chunk)], pipeline.quote_scorer)
    return None if is_clear else "not answered by the passage"
