"""JSON lines of questions and answering passages -> list[Pair], and a split by source."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from app.evaluation.beir_files import read_objects
from app.evaluation.benchmark import Benchmark
from ingest import CiteloopError
from ingest.parse import parse_text

_MIN_QUESTION_WORDS = 3
_FIELDS = ("question", "passage", "title", "source", "doc")


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and an answering passage; source: the repository or page of both."""

    question: str
    passage: str
    title: str
    source: str

    @property
    def document(self) -> str:
        """Return the passage's name as a document, a digest of its text."""
        return hashlib.sha256(f"{self.title}\n{self.passage}".encode()).hexdigest()[:16]


def read_pairs(path: Path) -> list[Pair]:
    """Read JSON lines with question, passage and optionally title and source (or doc); also from `.gz`.

    Duplicates, questions of one or two words, and questions with several answering passages are left out. Raises
    CiteloopError that names an invalid line or an empty file.
    """
    pairs: dict[tuple[str, str], Pair] = {}
    for place, fields in read_objects(path):
        question, passage, title, source, doc = (_text(place, fields, name) for name in _FIELDS)
        if not (question and passage):
            raise CiteloopError(f"{place}: expected an object with question and passage, got {', '.join(fields)}")
        pair = Pair(question, passage, title, source or doc.partition("#")[0] or path.name)
        pairs.setdefault((question.lower(), passage), pair)
    if not pairs:
        raise CiteloopError(f"{path} has no pairs: expected JSON lines with question and passage")
    asked = Counter(question for question, _ in pairs)
    return [
        pair
        for pair in pairs.values()
        if asked[pair.question.lower()] == 1 and len(pair.question.split()) >= _MIN_QUESTION_WORDS
    ]


def _text(place: str, fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name) or ""
    if not isinstance(value, str):
        raise CiteloopError(f"{place}: expected text as the {name}, got {value!r}")
    return value.strip()


def spread(pairs: Iterable[Pair], num_pairs: int, seed: int) -> list[Pair]:
    """Return at most num_pairs, taken alternately from all sources, so that a large one does not dominate."""
    by_source: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_source.setdefault(pair.source, []).append(pair)
    rng = random.Random(seed)  # noqa: S311  # not for secrets
    for same in by_source.values():
        rng.shuffle(same)
    return [pair for pair in chain.from_iterable(zip_longest(*by_source.values())) if pair][:num_pairs]


def split_by_source(pairs: Iterable[Pair], share: float) -> tuple[list[Pair], list[Pair]]:
    """Split off the pairs of about this share of the sources, at least one; always the same ones.

    If there is only one source, each passage counts as a source.
    """
    pairs = list(pairs)
    if not pairs:
        return [], []
    has_one_source = len({pair.source for pair in pairs}) == 1
    names = [pair.document if has_one_source else pair.source for pair in pairs]
    hashes = {name: int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32 for name in names}
    aside = {name for name, value in hashes.items() if value < share} or {min(hashes, key=hashes.__getitem__)}
    parts: tuple[list[Pair], list[Pair]] = [], []
    for name, pair in zip(names, pairs, strict=True):
        parts[name in aside].append(pair)
    return parts


def as_benchmark(name: str, questions: Iterable[Pair], passages: Iterable[Pair]) -> Benchmark:
    """Return the questions as judged queries over all passages, including their own."""
    questions = list(questions)
    documents = {pair.document: pair for pair in chain(questions, passages)}
    corpus = "\n".join(sorted(documents))
    return Benchmark(
        name=name,
        documents=tuple(parse_text(pair.passage, name=key, title=pair.title) for key, pair in documents.items()),
        queries={str(number): pair.question for number, pair in enumerate(questions)},
        qrels={str(number): {pair.document: 1} for number, pair in enumerate(questions)},
        evidence={},
        fingerprint=hashlib.sha256(corpus.encode()).hexdigest(),
    )
