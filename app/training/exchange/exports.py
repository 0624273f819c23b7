"""LabeledPassage -> the files of one format, readable by the library that it is named after.

A passage is written as a reranker reads it. Undecided passages are left out.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from app.feedback import FeedbackEvent
from app.feedback.rules import LabeledPassage, decided
from ingest import CiteloopError
from ingest.home.whole_folders import new_folder
from ingest.parse import document_id

ExportFormat = Literal["triplets", "pairs", "beir"]
MAX_TRIPLETS = 64
"""Maximum per question, unless a passage would otherwise be in none."""


class ExchangeError(CiteloopError):
    """A file of labels cannot be written or read; the message says what was expected and found."""


@dataclass(frozen=True, slots=True)
class JudgedQuestion:
    """A question with its relevant and irrelevant passages."""

    question: str
    positives: tuple[LabeledPassage, ...]
    negatives: tuple[LabeledPassage, ...]

    @property
    def has_both(self) -> bool:
        """Return whether it has both relevant and irrelevant passages."""
        return bool(self.positives and self.negatives)


def export_files(export_format: ExportFormat, labeled: Sequence[LabeledPassage]) -> dict[str, bytes]:
    """Return file name -> content; a name with a slash is in a folder. Only `beir` has several files.

    Raises ExchangeError when there is nothing to write.
    """
    questions = [judged for judged in judged_questions(labeled) if judged.has_both or not needs_both(export_format)]
    if not questions:
        needed = "both a relevant and an irrelevant passage" if needs_both(export_format) else "a labeled passage"
        raise ExchangeError(f"there is nothing to export as {export_format}: no question has {needed}")
    return {name: text.encode() for name, text in _WRITERS[export_format](questions).items()}


def export_bytes(export_format: ExportFormat, labeled: Sequence[LabeledPassage]) -> tuple[str, bytes]:
    """Return name and content of one file to download, for `beir` a zip. Raises ExchangeError."""
    files = export_files(export_format, labeled)
    if len(files) == 1:
        return next(iter(files.items()))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"citeloop-{export_format}/{name}")  # no date: same labels, same bytes
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, content)
    return f"citeloop-{export_format}.zip", packed.getvalue()


def write_export(export_format: ExportFormat, labeled: Sequence[LabeledPassage], output: Path) -> None:
    """Write a file, or for `beir` a new folder. Raises ExchangeError, FolderError."""
    files = export_files(export_format, labeled)
    if export_format == "beir":
        with new_folder(output) as folder:
            for name, content in files.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    [content] = files.values()
    output.write_bytes(content)


def event_lines(events: Iterable[FeedbackEvent]) -> str:
    """Return the log as JSON lines, in order."""
    return _lines(asdict(event) for event in events)


def needs_both(export_format: ExportFormat) -> bool:
    """Return whether a format leaves out questions without both relevant and irrelevant passages."""
    return export_format == "triplets"


def judged_questions(labeled: Iterable[LabeledPassage]) -> list[JudgedQuestion]:
    """Return the labeled passages by question; a question has its first spelling."""
    return [
        JudgedQuestion(
            question,
            tuple(passage for passage in same if passage.relevant),
            tuple(passage for passage in same if not passage.relevant),
        )
        for question, same in decided(labeled).items()
    ]


def _triplets(questions: Sequence[JudgedQuestion]) -> dict[str, str]:
    """Write triplets for sentence-transformers' losses, which take the first column as the anchor."""
    rows = (
        {"anchor": judged.question, "positive": positive, "negative": negative}
        for judged in questions
        for positive, negative in _combined(judged)
    )
    return {"citeloop-triplets.jsonl": _lines(rows)}


def _combined(question: JudgedQuestion) -> Iterator[tuple[str, str]]:
    """Yield (positive, negative) combinations, up to a limit, ordered so that every passage occurs early."""
    num_positives, num_negatives = len(question.positives), len(question.negatives)
    num_longer, num_shorter = max(num_positives, num_negatives), min(num_positives, num_negatives)
    for number in range(min(num_longer * num_shorter, max(MAX_TRIPLETS, num_longer))):
        longer, shorter = number % num_longer, (number % num_longer + number // num_longer) % num_shorter
        first, second = (longer, shorter) if num_longer == num_positives else (shorter, longer)
        yield question.positives[first].passage, question.negatives[second].passage


def _pairs(questions: Sequence[JudgedQuestion]) -> dict[str, str]:
    """Write pairs for sentence-transformers' CrossEncoder.

    It takes every column except the label as text, so drop weight and origin before training:
    `dataset.select_columns(["query", "passage", "label"])`.
    """
    rows = (
        {
            "query": question.question,
            "passage": passage.passage,
            "label": float(bool(passage.relevant)),
            "weight": passage.weight,
            "origin": passage.origin,
        }
        for question, passage in _flat(questions)
    )
    return {"citeloop-pairs.jsonl": _lines(rows)}


def _beir(questions: Sequence[JudgedQuestion]) -> dict[str, str]:
    """Write a BEIR folder; each passage is a document, with its first line as title and no headings."""
    corpus = {
        document_id(passage.passage): {
            "_id": document_id(passage.passage),
            "title": passage.passage.removesuffix(f"\n{passage.text}"),
            "text": passage.text,
            "metadata": {"headings": [], "document": passage.document, "page": passage.page},
        }
        for _, passage in _flat(questions)
    }
    numbers = {question.question: f"q{number}" for number, question in enumerate(questions, 1)}
    qrels = (
        f"{numbers[question.question]}\t{document_id(passage.passage)}\t{int(bool(passage.relevant))}\n"
        for question, passage in _flat(questions)
    )
    return {
        "corpus.jsonl": _lines(corpus.values()),
        "queries.jsonl": _lines({"_id": number, "text": text} for text, number in numbers.items()),
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\n" + "".join(qrels),
    }


_WRITERS: Mapping[ExportFormat, Callable[[Sequence[JudgedQuestion]], dict[str, str]]] = {
    "triplets": _triplets,
    "pairs": _pairs,
    "beir": _beir,
}


def _flat(questions: Iterable[JudgedQuestion]) -> Iterator[tuple[JudgedQuestion, LabeledPassage]]:
    for question in questions:
        for passage in (*question.positives, *question.negatives):
            yield question, passage


def _lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
