"""Real questions about real handbooks: python -m tests.benchmarks.handbooks FOLDER [--sources OWNER/NAME,...] [--pdf]

FOLDER holds a checkout of each source as FOLDER/OWNER/NAME; sources whose folder is missing are left out. The documents
and commits are in data/eval/handbooks/sources.json. The questions are asked without a language model. Counted is where
a passage that answers stands, before and after reranking, and whether the quote holds a sentence, item or row that
answers. With --pdf, Chromium prints the documents first, without bookmarks and tags, so that only their type shows what
is a heading. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from app.answer import Answer
from app.answer.blocks import split_blocks
from app.reranking.rerank import RankedChunk
from ingest.chunk import Chunk
from tests.benchmarks.quoted_answers import answers_from, bare, num_words
from tests.ui.browser import browsing

STYLE = """<style>body { font-family: DejaVu Serif, serif; font-size: 11pt } h1 { font-size: 20pt }
h2 { font-size: 15pt } h3 { font-size: 12.5pt } td, th { border: 1px solid #888; padding: 3px }</style>"""
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
    parser.add_argument("--pdf", action="store_true", help="print the documents as PDFs first")
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
            with tempfile.TemporaryDirectory() as scratch:
                read = printed(paths, Path(scratch)) if arguments.pdf else paths
                answers = answers_from(read, [question.text for question in questions])
            found[name] = list(zip(questions, answers, strict=True))
    if not found:
        parser.error(f"no document of these sources is in {arguments.folder}; expected {next(iter(names))}/ there")
    for name, answered in {**found, "all": list(chain.from_iterable(found.values()))}.items():
        print(json.dumps({"source": name, **figures(answered)}))


def printed(paths: Iterable[Path], folder: Path) -> list[Path]:
    """Print Markdown files as PDFs into a folder, with the title of their front matter."""
    markdown, pdfs = MarkdownIt("commonmark").enable("table"), list[Path]()
    with browsing() as page:
        for number, path in enumerate(paths):
            text = path.read_text(encoding="utf-8")
            title = re.search(r"^title:\s*(.*)$", text, re.MULTILINE)
            text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
            name = escape(title[1].strip("\"' ") if title else path.stem)
            page.set_content(f"<head><title>{name}</title>{STYLE}</head><body>{markdown.render(text)}</body>")
            pdfs.append(folder / f"{number}" / f"{path.stem}.pdf")
            page.pdf(path=pdfs[-1], format="A4")
    return pdfs


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
