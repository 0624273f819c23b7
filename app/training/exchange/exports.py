"""LabeledPassage -> the files of one format, as the library reads them that the format is named after.

What a passage is in all of them is what a reranker reads. Passages of which people do not say whether they are
relevant are in none of them.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from app.feedback import FeedbackEvent, question_key
from app.feedback.rules import LabeledPassage, decided
from ingest import CiteloopError
from ingest.home.whole_folders import new_folder

ExportFormat = Literal["triplets", "pairs", "beir", "flagembedding", "argilla"]
MAX_TRIPLETS = 64
"""Of one question; more only where a passage would else be in none."""


class ExchangeError(CiteloopError):
    """A file of labels cannot be written or read; the message says what was expected and what came."""


@dataclass(frozen=True, slots=True)
class JudgedQuestion:
    """A question, the passages that are relevant to it and those that are not."""

    question: str
    positives: tuple[LabeledPassage, ...]
    negatives: tuple[LabeledPassage, ...]

    @property
    def has_both(self) -> bool:
        """Whether one passage can be preferred to another."""
        return bool(self.positives and self.negatives)


def export_files(export_format: ExportFormat, labeled: Sequence[LabeledPassage]) -> dict[str, bytes]:
    """Name -> content of the files; a name with a slash lies in a folder. Only `beir` has more than one.

    Raises ExchangeError when there is nothing to write.
    """
    questions = [each for each in judged_questions(labeled) if each.has_both or not needs_both(export_format)]
    if not questions:
        needed = "both a relevant passage and one that is not" if needs_both(export_format) else "a labelled passage"
        raise ExchangeError(f"there is nothing to export as {export_format}: no question has {needed}")
    return {name: text.encode() for name, text in _WRITERS[export_format](questions).items()}


def export_bytes(export_format: ExportFormat, labeled: Sequence[LabeledPassage]) -> tuple[str, bytes]:
    """The name and the content of one file to download: of `beir` a zip. Raises ExchangeError."""
    files = export_files(export_format, labeled)
    if len(files) == 1:
        return next(iter(files.items()))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"citeloop-{export_format}/{name}")  # of no date: same labels, same bytes
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, content)
    return f"citeloop-{export_format}.zip", packed.getvalue()


def write_export(export_format: ExportFormat, labeled: Sequence[LabeledPassage], output: Path) -> None:
    """Write a file, or the new folder that `beir` is. Raises ExchangeError, FolderError."""
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
    """The log as JSON lines, in its order."""
    return _lines(asdict(event) for event in events)


def needs_both(export_format: ExportFormat) -> bool:
    """Whether a question is left out that has no relevant passage, or none that is not.

    A triplet is made of both; FlagEmbedding 1.4 draws a positive and negatives for every line, and fails without.
    """
    return export_format in ("triplets", "flagembedding")


def judged_questions(labeled: Iterable[LabeledPassage]) -> list[JudgedQuestion]:
    """The labelled passages question by question; of its spellings a question has the first."""
    return [
        JudgedQuestion(
            question,
            tuple(each for each in same if each.relevant),
            tuple(each for each in same if not each.relevant),
        )
        for question, same in decided(labeled).items()
    ]


def _triplets(questions: Sequence[JudgedQuestion]) -> dict[str, str]:
    """For sentence-transformers' losses, which take the first column as the anchor, whatever its name."""
    rows = (
        {"anchor": each.question, "positive": positive, "negative": negative}
        for each in questions
        for positive, negative in _combined(each)
    )
    return {"citeloop-triplets.jsonl": _lines(rows)}


def _combined(question: JudgedQuestion) -> Iterator[tuple[str, str]]:
    """Each positive with each negative, in such an order that all have been there as soon as possible."""
    num_positives, num_negatives = len(question.positives), len(question.negatives)
    num_longer, num_shorter = max(num_positives, num_negatives), min(num_positives, num_negatives)
    for number in range(min(num_longer * num_shorter, max(MAX_TRIPLETS, num_longer))):
        longer, shorter = number % num_longer, (number % num_longer + number // num_longer) % num_shorter
        first, second = (longer, shorter) if num_longer == num_positives else (shorter, longer)
        yield question.positives[first].passage, question.negatives[second].passage


def _pairs(questions: Sequence[JudgedQuestion]) -> dict[str, str]:
    """For sentence-transformers' CrossEncoder.

    It takes every column that is no label for a text, so weight and origin are to be used and then dropped:
    `dataset.select_columns(["query", "passage", "label"])`.
    """
    rows = (
        {
            "query": question.question,
            "passage": each.passage,
            "label": float(bool(each.relevant)),
            "weight": each.weight,
            "origin": each.origin,
        }
        for question, each in _flat(questions)
    )
    return {"citeloop-pairs.jsonl": _lines(rows)}


def _beir(questions: Sequence[JudgedQuestion]) -> dict[str, str]:
    """A document is one passage: its title is the first line of the passage, and its text is not cut at headings."""
    corpus = {
        _digest(each.passage): {
            "_id": _digest(each.passage),
            "title": each.passage.removesuffix(f"\n{each.text}"),
            "text": each.text,
            "metadata": {"headings": [], "document": each.document, "page": each.page},
        }
        for _, each in _flat(questions)
    }
    numbers = {question.question: f"q{number}" for number, question in enumerate(questions, 1)}
    qrels = (
        f"{numbers[question.question]}\t{_digest(each.passage)}\t{int(bool(each.relevant))}\n"
        for question, each in _flat(questions)
    )
    return {
        "corpus.jsonl": _lines(corpus.values()),
        "queries.jsonl": _lines({"_id": number, "text": text} for text, number in numbers.items()),
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\n" + "".join(qrels),
    }


def _flagembedding(questions: Sequence[JudgedQuestion]) -> dict[str, str]:
    """FlagEmbedding 1.4 reads `pos_scores` and `neg_scores` only to distil a teacher, and `prompt` only with an LLM."""
    rows = (
        {
            "query": each.question,
            "pos": [positive.passage for positive in each.positives],
            "neg": [negative.passage for negative in each.negatives],
        }
        for each in questions
    )
    return {"citeloop-flagembedding.jsonl": _lines(rows)}


def _argilla(questions: Sequence[JudgedQuestion]) -> dict[str, str]:
    """One JSON array, as `Dataset.records.from_json` of Argilla 2.8 reads it.

    The dataset has the text fields question and passage, the label question relevance with the labels relevant
    and not relevant, and `allow_extra_metadata=True`. Labels are suggestions: a response names an Argilla user
    by an id that only its server knows. A record has the same id each time, so that a later export updates it.
    """
    records = [
        {
            "id": _digest(f"{question_key(question.question)}\n{each.passage}"),
            "fields": {"question": question.question, "passage": each.passage},
            "metadata": _metadata(each),
            "suggestions": {
                "relevance": {
                    "value": "relevant" if each.relevant else "not relevant",
                    "score": each.weight,
                    "agent": "citeloop",
                }
            },
        }
        for question, each in _flat(questions)
    ]
    return {"citeloop-argilla.json": json.dumps(records, indent=1)}  # ASCII: Argilla reads in the locale's encoding


def _metadata(passage: LabeledPassage) -> dict[str, Any]:
    page = {} if passage.page is None else {"page": passage.page}
    return {"document": passage.document, **page, "weight": passage.weight, "origin": passage.origin}


_WRITERS: Mapping[ExportFormat, Callable[[Sequence[JudgedQuestion]], dict[str, str]]] = {
    "triplets": _triplets,
    "pairs": _pairs,
    "beir": _beir,
    "flagembedding": _flagembedding,
    "argilla": _argilla,
}


def _flat(questions: Iterable[JudgedQuestion]) -> Iterator[tuple[JudgedQuestion, LabeledPassage]]:
    for question in questions:
        for each in (*question.positives, *question.negatives):
            yield question, each


def _lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
