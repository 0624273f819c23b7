"""Files of labeled passages -> Judgement: exported files, BEIR folders, and a CSV of answers.

The format is detected from the content. A file is imported completely or not at all. Passages that are in the
documents are linked to them, so that they can compare models.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from app.evaluation.benchmark import read_scores
from app.evaluation.csv_rows import csv_rows
from app.feedback import IMPORTED, FeedbackStore, Judgement, Label, is_imported
from app.training.exchange.exports import ExchangeError
from app.training.exchange.places import located
from ingest.parse.encoding import read_text

MAX_CHARACTERS = 100_000
"""Maximum for a question or passage; a longer one is a mistake, since no reranker reads as much."""
_MAX_PAGES = 10**6
_YES, _NO = ("1", "1.0", "yes", "true", "relevant"), ("0", "0.0", "no", "false", "not relevant")


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Numbers of labels in a file: all, new, overruled by a curator, and of passages in the documents."""

    num_read: int
    num_new: int
    num_overruled: int
    num_located: int


def import_labels(path: Path, store: FeedbackStore, user: str, home: Path) -> ImportResult:
    """Import the labels of a file as this user's judgements, all or none; known ones add nothing.

    A curator's decision in the app overrules an imported label; else importing a file again would undo corrections.
    Raises CiteloopError as read_labels does.
    """
    judgements = located(read_labels(path, user), home)
    curated = {known.key: known.label for known in store.judgements() if not is_imported(known.origin)}
    taken = [new for new in judgements if curated.get(new.key, new.label) == new.label]
    num_located = sum(bool(judgement.chunk_id) for judgement in judgements)
    return ImportResult(len(judgements), store.judge(taken), len(judgements) - len(taken), num_located)


def read_labels(path: Path, user: str) -> list[Judgement]:
    """Return all labels of a file or a BEIR folder, without duplicates, as this user's judgements.

    The first line of a passage is its title, as in a chunk's passage, if more lines follow and the file has no titles.
    Raises CiteloopError that names an invalid or contradicting line.
    """
    origin = f"{IMPORTED} {path.name}"
    labels: dict[str, tuple[str, Judgement]] = {}
    for row in _folder(path) if path.is_dir() else _file(path):
        judgement = _judgement(row, user, origin)
        place, first = labels.setdefault(judgement.key, (row.place, judgement))
        if first.label != judgement.label:
            raise ExchangeError(f"{row.place}: the passage is {judgement.label} here, but {first.label} in {place}")
    if not labels:
        raise ExchangeError(f"{path} has no labels")
    return [judgement for _, judgement in labels.values()]


class _Row(NamedTuple):
    """A label from a file, unchecked. place: file and line, for messages."""

    place: str
    question: object
    passage: object
    label: Label
    document: object = None
    page: object = None


def _judgement(row: _Row, user: str, origin: str) -> Judgement:
    question, passage = _text(row.place, "question", row.question), _text(row.place, "passage", row.passage)
    title, newline, text = passage.partition("\n")
    if not (newline and text.strip()):
        title, text = "", passage.strip("\n")
    return Judgement(
        user=user,
        question=question.strip(),
        label=row.label,
        origin=origin,
        document=_text(row.place, "document", row.document) if row.document else "",
        title=title,
        page=row.page if isinstance(row.page, int) and 0 < row.page < _MAX_PAGES else None,
        text=text,
    )


def _text(place: str, name: str, value: object) -> str:
    """Return the value if it is valid text. Raises ExchangeError."""
    if not isinstance(value, str) or not value.strip():
        raise ExchangeError(f"{place}: expected text as the {name}, got {_shortened(value)}")
    if len(value) > MAX_CHARACTERS:
        raise ExchangeError(f"{place}: expected a {name} of at most {MAX_CHARACTERS} characters, got {len(value)}")
    try:
        value.encode()
    except UnicodeEncodeError as error:  # a lone surrogate: valid in JSON, not in UTF-8
        raise ExchangeError(f"{place}: the {name} is not valid text ({error.reason})") from error
    return value


def _folder(path: Path) -> Iterator[_Row]:
    for score in read_scores(path):
        row = score.document
        metadata = row.get("metadata")
        origin = metadata if isinstance(metadata, dict) else {}
        passage = f"{row.get('title') or ''}\n{_text(score.place, 'passage', row['text'])}"
        yield _Row(
            score.place,
            score.query,
            passage,
            "relevant" if score.relevance > 0 else "not relevant",
            origin.get("document"),
            origin.get("page"),
        )


def _file(path: Path) -> Iterator[_Row]:
    data = path.read_bytes()
    if data.startswith(b"PK\x03\x04"):
        raise ExchangeError(f"{path} is a zip file; unpack it and import the folder or file in it")
    text = read_text(data)
    if not text.strip():
        raise ExchangeError(f"{path} is empty: expected {_EXPECTED}")
    if text.lstrip().startswith("{"):
        return _json_lines(path, text)
    if path.suffix in (".json", ".jsonl"):
        raise ExchangeError(f"{path} line 1 is not JSON: {_shortened(text.strip())}; expected {_EXPECTED}")
    return _csv(path, text)


def _csv(path: Path, text: str) -> Iterator[_Row]:
    for number, row in csv_rows(path, text, ("question", "answer"), ("label",)):
        place = f"{path} row {number}"
        answer = f"\n{row['answer']}"  # it has no title
        yield _Row(place, row["question"], answer, _relevance(place, row.get("label", "1")))


def _json_lines(path: Path, text: str) -> Iterator[_Row]:
    """Read JSON lines; the keys of the first line tell the format."""
    keys: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{path} line {number}"
        row = _object(place, line)
        keys = keys or _keys_of(place, row)
        if missing := [key for key in keys if key not in row]:
            raise ExchangeError(
                f"{place} lacks {', '.join(missing)}: expected the keys {', '.join(keys)}, "
                f"got {_shortened(', '.join(row))}"
            )
        yield from _LINE_FORMATS[keys](place, row)


def _object(place: str, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ExchangeError(f"{place} is not JSON ({error}): {_shortened(line.strip())}") from error
    if not isinstance(row, dict):
        raise ExchangeError(f"{place}: expected a JSON object, got {_shortened(row)}")
    return row


def _keys_of(place: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of the format that a line has."""
    for keys in _LINE_FORMATS:
        if all(key in row for key in keys):
            return keys
    if "answer_id" in row and "action" in row:
        raise ExchangeError(
            f"{place}: a log of events cannot be imported; export labels where it was written, with: "
            "citeloop feedback export --format pairs"
        )
    raise ExchangeError(f"{place} has the keys {_shortened(', '.join(row))}; expected {_EXPECTED}")


def _from_triplet(place: str, row: Mapping[str, Any]) -> Iterator[_Row]:
    yield _Row(place, row["anchor"], row["positive"], "relevant")
    yield _Row(place, row["anchor"], row["negative"], "not relevant")


def _from_pair(place: str, row: Mapping[str, Any]) -> Iterator[_Row]:
    yield _Row(place, row["query"], row["passage"], _relevance(place, row["label"]))


_LINE_FORMATS: Mapping[tuple[str, ...], Callable[[str, Mapping[str, Any]], Iterable[_Row]]] = {
    ("anchor", "positive", "negative"): _from_triplet,
    ("query", "passage", "label"): _from_pair,
}
_EXPECTED = (
    "JSON lines with anchor, positive, negative, or query, passage, label; or a CSV with the columns question, answer "
    "and optionally label"
)


def _relevance(place: str, value: object) -> Label:
    text = str(value).strip().lower()
    if text in _YES or text in _NO:
        return "relevant" if text in _YES else "not relevant"
    raise ExchangeError(f"{place}: expected the label 1 or 0, yes or no, true or false, got {_shortened(value)}")


def _shortened(value: object) -> str:
    """Return the value quoted and cut to about 100 characters."""
    shown = repr(value)
    return shown if len(shown) <= 100 else f"{shown[:100]}..."
