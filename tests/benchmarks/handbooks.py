"""Real questions about real handbooks: python -m tests.benchmarks.handbooks FOLDER [--sources OWNER/NAME,...]

FOLDER holds a checkout of each source as FOLDER/OWNER/NAME; sources whose folder is missing are left out. The documents
and commits are in data/eval/handbooks/sources.json. The questions are asked without a language model. Counted is where
a passage that answers stands, before and after reranking, and whether the quote holds a sentence, item or row that
answers. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from app.answer import Answer
from app.answer.blocks import split_blocks
from app.reranking.rerank import RankedChunk
from ingest.chunk import Chunk
from tests.benchmarks.quoted_answers import answers_from, bare, num_words

DATA = Path(__file__).resolve().parents[2] / "data" / "eval" / "handbooks"


@dataclass(frozen=True, slots=True)
class Question:
    """answers: digests of the texts that answer alone, empty if no document answers."""

    text: str
    answers: frozenset[str]


def main() -> None:
    """Print the figures of each source and of all questions as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sources", help="owner/name, separated by commas (default: all that are in the folder)")
    arguments = parser.parse_args()
    sources = json.loads((DATA / "sources.json").read_text(encoding="utf-8"))
    names = arguments.sources.split(",") if arguments.sources else sources
    if unknown := [name for name in names if name not in sources]:
        parser.error(f"no questions about {', '.join(unknown)}; expected some of {', '.join(sources)}")
    found: dict[str, list[tuple[Question, Answer]]] = {}
    for name in names:
        paths = [path for each in sources[name]["documents"] if (path := arguments.folder / name / each).is_file()]
        if paths:
            questions = questions_about(name)
            answers = answers_from(paths, [question.text for question in questions])
            found[name] = list(zip(questions, answers, strict=True))
    if not found:
        parser.error(f"no document of these sources is in {arguments.folder}; expected {next(iter(names))}/ there")
    for name, answered in {**found, "all": list(chain.from_iterable(found.values()))}.items():
        print(json.dumps({"source": name, **figures(answered)}))


def questions_about(source: str) -> list[Question]:
    """Return the questions about a source, without those that need several texts together."""
    with gzip.open(DATA / "questions.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["source"] == source]
    return [
        Question(row["question"], frozenset(answer[1] for answer in row["answers"]))
        for row in rows
        if row["answers"] or not row["partial"]
    ]


def figures(answered: Sequence[tuple[Question, Answer]]) -> dict[str, Any]:
    """Return numbers of questions, and shares of those that have an answer."""
    with_answer = [(question, answer) for question, answer in answered if question.answers]
    without = [answer for question, answer in answered if not question.answers]
    searched = [rank_of_answer(question, sorted(answer.ranking, key=_fused_rank)) for question, answer in with_answer]
    reranked = [rank_of_answer(question, answer.ranking) for question, answer in with_answer]
    return {
        "questions": len(with_answer),
        "searched first, among five": [_share(rank <= depth for rank in searched) for depth in (1, 5)],
        "reranked first, among five": [_share(rank <= depth for rank in reranked) for depth in (1, 5)],
        "quote holds an answer": _share(
            answer.found and holds_answer(question, answer) for question, answer in with_answer
        ),
        "hedged": sum(not answer.found for _, answer in with_answer),
        "words, median and ninth decile": num_words(answer for _, answer in with_answer),
        "without an answer": len(without),
        "of these hedged": sum(not answer.found for answer in without),
    }


def rank_of_answer(question: Question, ranking: Sequence[RankedChunk]) -> float:
    """Return the rank of the first passage that answers, infinite without one."""
    ranks = (rank for rank, ranked in enumerate(ranking, start=1) if _answering(question, ranked.chunk))
    return next(ranks, float("inf"))


def holds_answer(question: Question, answer: Answer) -> bool:
    """Return whether the text holds all words of a sentence, item or row that answers, in order."""
    answering = (text for citation in answer.citations for text in _answering(question, citation.chunk))
    return any(bare(text) in bare(answer.text) for text in answering)


def digest(text: str) -> str:
    """Return what stands for a text in the data: the words are those of others."""
    return hashlib.sha256(bare(text).encode()).hexdigest()[:16]


def _answering(question: Question, chunk: Chunk) -> list[str]:
    texts = [text for block in split_blocks(chunk.text) for text in block.sentences]
    return [text for text in texts if digest(text) in question.answers]


def _fused_rank(ranked: RankedChunk) -> int:
    return ranked.candidate.fused_rank


def _share(values: Iterable[bool]) -> float:
    kept = list(values)
    return round(sum(kept) / max(1, len(kept)), 3)


if __name__ == "__main__":
    main()
