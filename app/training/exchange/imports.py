"""Files of labelled passages -> Judgement: what the exports write, BEIR folders, and a CSV of answers.

What a file is, its content says, not its name. A file is taken as a whole or not at all. A passage that stands in the
documents becomes the one there, so that models can be compared by it.
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
"""Of a question or a passage; no reranker reads as much, so a longer one is a mistake."""
_MAX_PAGES = 10**6
_YES, _NO = ("1", "1.0", "yes", "true", "relevant"), ("0", "0.0", "no", "false", "not relevant")


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How many labels a file has, and of these: new ones, those that a curator has overruled, and those of passages
    that stand in the documents.
    """

    num_read: int
    num_new: int
    num_overruled: int
    num_located: int


def import_labels(path: Path, store: FeedbackStore, user: str, home: Path) -> ImportResult:
    """Keep the labels of a file as this user's judgements, all or none; those that stand already add nothing.

    Where a curator has said otherwise in the app, that stands: else importing a file again would undo what has been
    put right since. Raises CiteloopError as read_labels does.
    """
    judgements = located(read_labels(path, user), home)
    curated = {each.key: each.label for each in store.judgements() if not is_imported(each.origin)}
    taken = [each for each in judgements if curated.get(each.key, each.label) == each.label]
    num_located = sum(bool(each.chunk_id) for each in judgements)
    return ImportResult(len(judgements), store.judge(taken), len(judgements) - len(taken), num_located)


def read_labels(path: Path, user: str) -> list[Judgement]:
    """All labels of a file, or of a folder in BEIR layout, each once, as this user's judgements.

    The first line of a passage is its title, as it is of a chunk's passage, where a second one follows and the file
    has no titles of its own. "left out" is what as many annotators call relevant as not. Raises CiteloopError
    naming the line that is not as expected, or that contradicts another.
    """
    origin = f"{IMPORTED} {path.name}"
    labels: dict[str, tuple[str, Judgement]] = {}
    for said in _folder(path) if path.is_dir() else _file(path):
        judgement = _judgement(said, user, origin)
        place, first = labels.setdefault(judgement.key, (said.place, judgement))
        if first.label != judgement.label:
            raise ExchangeError(f"{said.place}: the passage is {judgement.label} here, but {first.label} in {place}")
    if not labels:
        raise ExchangeError(f"{path} holds no labels")
    return [judgement for _, judgement in labels.values()]


class _Said(NamedTuple):
    """As a file says it, not yet checked."""

    place: str
    question: object
    passage: object
    label: Label
    document: object = None
    page: object = None


def _judgement(said: _Said, user: str, origin: str) -> Judgement:
    question, passage = _text(said.place, "question", said.question), _text(said.place, "passage", said.passage)
    title, newline, text = passage.partition("\n")
    if not (newline and text.strip()):
        title, text = "", passage.strip("\n")
    return Judgement(
        user=user,
        question=question.strip(),
        label=said.label,
        origin=origin,
        document=_text(said.place, "document", said.document) if said.document else "",
        title=title,
        page=said.page if isinstance(said.page, int) and 0 < said.page < _MAX_PAGES else None,
        text=text,
    )


def _text(place: str, name: str, value: object) -> str:
    """The value, if it is text that can be kept. Raises ExchangeError."""
    if not isinstance(value, str) or not value.strip():
        raise ExchangeError(f"{place}: expected text as the {name}, got {_shortened(value)}")
    if len(value) > MAX_CHARACTERS:
        raise ExchangeError(
            f"{place}: expected a {name} of at most {MAX_CHARACTERS} characters, got one of {len(value)}"
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair: JSON can write it, UTF-8 cannot
        raise ExchangeError(f"{place}: the {name} is no valid text ({error.reason})") from error
    return value


def _folder(path: Path) -> Iterator[_Said]:
    for score in read_scores(path):
        row = score.document
        metadata = row.get("metadata")
        origin = metadata if isinstance(metadata, dict) else {}
        passage = f"{row.get('title') or ''}\n{_text(score.place, 'passage', row['text'])}"
        yield _Said(
            score.place,
            score.query,
            passage,
            "relevant" if score.relevance > 0 else "not relevant",
            origin.get("document"),
            origin.get("page"),
        )


def _file(path: Path) -> Iterator[_Said]:
    data = path.read_bytes()
    if data.startswith(b"PK\x03\x04"):
        raise ExchangeError(f"{path} is a zip; unpack it and name the folder or the file in it")
    text = read_text(data)
    if not text.strip():
        raise ExchangeError(f"{path} is empty: expected {_EXPECTED}")
    if text.lstrip().startswith("["):
        return _array(path, text)
    if text.lstrip().startswith("{"):
        return _json_lines(path, text)
    if path.suffix in (".json", ".jsonl"):
        raise ExchangeError(f"{path} line 1 is no JSON: {_shortened(text.strip())}; expected {_EXPECTED}")
    return _csv(path, text)


def _csv(path: Path, text: str) -> Iterator[_Said]:
    for number, row in csv_rows(path, text, ("question", "answer"), ("label",)):
        place = f"{path} row {number}"
        answer = f"\n{row['answer']}"  # it has no title
        yield _Said(place, row["question"], answer, _relevance(place, row.get("label", "1")))


def _array(path: Path, text: str) -> Iterator[_Said]:
    """Argilla's own JSON: one array of records."""
    try:
        records = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ExchangeError(f"{path} is no JSON: {error}") from error
    for number, record in enumerate(records, 1):
        place = f"{path} record {number}"
        if not isinstance(record, dict) or "fields" not in record:
            raise ExchangeError(f"{place}: expected an Argilla record with fields, got {_shortened(record)}")
        yield from _from_argilla(place, record)


def _json_lines(path: Path, text: str) -> Iterator[_Said]:
    """The keys of the first line say which format all are in."""
    found: _LineFormat | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{path} line {number}"
        row = _object(place, line)
        found = found or _line_format(place, row)
        if missing := [key for key in found.keys if key not in row]:
            raise ExchangeError(
                f"{place} lacks {', '.join(missing)}: expected the keys {', '.join(found.keys)}, "
                f"got {_shortened(', '.join(row))}"
            )
        yield from found.read(place, row)


def _object(place: str, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ExchangeError(f"{place} is no JSON ({error}): {_shortened(line.strip())}") from error
    if not isinstance(row, dict):
        raise ExchangeError(f"{place}: expected a JSON object, got {_shortened(row)}")
    return row


def _line_format(place: str, row: Mapping[str, Any]) -> _LineFormat:
    for line_format in _LINE_FORMATS:
        if all(key in row for key in line_format.keys):
            return line_format
    if "answer_id" in row and "action" in row:
        raise ExchangeError(
            f"{place}: this is a log of events, which cannot be imported; where it was made, write the labels with: "
            "citeloop feedback export --format pairs"
        )
    raise ExchangeError(f"{place} has the keys {_shortened(', '.join(row))}; expected {_EXPECTED}")


def _from_triplet(place: str, row: Mapping[str, Any]) -> Iterator[_Said]:
    yield _Said(place, row["anchor"], row["positive"], "relevant")
    yield _Said(place, row["anchor"], row["negative"], "not relevant")


def _from_pair(place: str, row: Mapping[str, Any]) -> Iterator[_Said]:
    yield _Said(place, row["query"], row["passage"], _relevance(place, row["label"]))


def _from_flagembedding(place: str, row: Mapping[str, Any]) -> Iterator[_Said]:
    labels: tuple[tuple[str, Label], ...] = (("pos", "relevant"), ("neg", "not relevant"))
    for key, label in labels:
        if not isinstance(row[key], list):
            raise ExchangeError(f"{place}: expected a list of passages as {key}, got {_shortened(row[key])}")
        for passage in row[key]:
            yield _Said(place, row["query"], passage, label)


def _from_argilla(place: str, row: Mapping[str, Any]) -> Iterator[_Said]:
    """Responses count, a suggestion where there is none; a record with neither is yet to be labelled.

    Annotators who are equally many on both sides leave the passage out.
    """
    fields, metadata = row["fields"], row.get("metadata") or {}
    try:
        responses = (row.get("responses") or {}).get("relevance") or []
        suggestion = (row.get("suggestions") or {}).get("relevance")
        values = [each["value"] for each in responses if each.get("status") in (None, "submitted")]
        values = values or ([suggestion["value"]] if suggestion else [])
        question, passage, document, page = fields["question"], fields["passage"], *map(metadata.get, _PLACE)
    except (AttributeError, KeyError, TypeError) as error:
        raise ExchangeError(
            f"{place}: expected an Argilla record with the fields question and passage and the label question "
            f"relevance, got {_shortened(row)}"
        ) from error
    votes = sum(1 if _relevance(place, value) == "relevant" else -1 for value in values)
    label: Label = "relevant" if votes > 0 else "not relevant" if votes else "left out"
    if values:
        yield _Said(place, question, passage, label, document, page)


class _LineFormat(NamedTuple):
    keys: tuple[str, ...]
    read: Callable[[str, Mapping[str, Any]], Iterable[_Said]]


_PLACE = ("document", "page")
_LINE_FORMATS = (
    _LineFormat(("anchor", "positive", "negative"), _from_triplet),
    _LineFormat(("query", "passage", "label"), _from_pair),
    _LineFormat(("query", "pos", "neg"), _from_flagembedding),
    _LineFormat(("fields",), _from_argilla),
)
_EXPECTED = (
    "JSON lines with anchor, positive, negative, or query, passage, label, or query, pos, neg; records of Argilla; "
    "or a CSV with the columns question, answer and perhaps label"
)


def _relevance(place: str, value: object) -> Label:
    said = str(value).strip().lower()
    if said in _YES or said in _NO:
        return "relevant" if said in _YES else "not relevant"
    raise ExchangeError(f"{place}: expected the label 1 or 0, yes or no, true or false, got {_shortened(value)}")


def _shortened(value: object) -> str:
    """The value in quotation marks on one line."""
    shown = repr(value)
    return shown if len(shown) <= 100 else f"{shown[:100]}..."
