"""the files of a BEIR folder -> checked rows; errors name file and line."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from ingest import CiteloopError

CORPUS = ("corpus.jsonl", "corpus.jsonl.gz")
QUERIES = ("queries.jsonl", "queries.jsonl.gz")
QRELS = ("qrels.tsv", "qrels/test.tsv", "qrels_test.tsv")
"""Files of a folder: documents, queries and judgements; the first that exists is read."""
_COLUMNS = ("query-id", "corpus-id", "score")
_MAX_RELEVANCE = 10_000
"""The measures allocate memory for every grade up to the largest."""
_SHOWN_CHARACTERS = 100
_MISSING = {"_id": (None, ""), "text": (None,)}
"""Field -> values that count as missing; a text may be empty."""

T = TypeVar("T")


class BenchmarkError(CiteloopError):
    """The folder is not in BEIR layout; the message says which file or line is wrong."""


class Row(NamedTuple):
    """A line of corpus.jsonl or queries.jsonl. place: file and line. fields: the whole object."""

    place: str
    id: str
    text: str
    title: str
    fields: Mapping[str, Any]

    def metadata(self, name: str, shape: TypeAdapter[T]) -> T | None:
        """Return a checked metadata value, or None if it is missing. Raises BenchmarkError."""
        metadata = self.fields.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise BenchmarkError(f"{self.place}: expected an object as the metadata, got {_short(metadata)}")
        if name not in metadata:
            return None
        try:
            return shape.validate_python(metadata[name])
        except ValidationError as error:
            raise BenchmarkError(f"{self.place}: the {name} of {self.id} is invalid: {error}") from error


class JudgedPair(NamedTuple):
    """A line of the judgements. place: file and line. Relevant if relevance is above 0."""

    place: str
    query_id: str
    document: str
    relevance: int


def find_file(folder: Path, *names: str) -> Path:
    """Return the first of these files that exists. Raises BenchmarkError that names them all."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise BenchmarkError(f"{folder} is not in BEIR layout: expected {' or '.join(names)}")


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a corpus or of queries, plain or gzipped. Raises BenchmarkError, also for a repeated id."""
    places: dict[str, str] = {}
    for place, fields in read_objects(path):
        row = _row(place, fields)
        if row.id in places:
            raise BenchmarkError(f"{row.place}: the _id {row.id!r} is also in {places[row.id]}; expected each once")
        places[row.id] = place.removeprefix(f"{path} ")
        yield row


def read_objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, fields) of JSON lines, plain or gzipped, without empty lines. Raises BenchmarkError."""
    for number, line in _lines(path):
        if line.strip():
            place = f"{path} line {number}"
            yield place, _object(place, line)


def read_pairs(path: Path) -> Iterator[JudgedPair]:
    """Yield the judgements below the header, in order. Raises BenchmarkError."""
    # BEIR files quote nothing, so a quotation mark is part of an id.
    reader = csv.reader((line for _, line in _lines(path)), delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        head = [name.strip() for name in next(reader, [])]
        if missing := set(_COLUMNS) - set(head):
            raise BenchmarkError(
                f"{path} lacks {', '.join(sorted(missing))}: its first line must be {'<TAB>'.join(_COLUMNS)}, "
                f"got {_short(' '.join(head))}"
            )
        for cells in filter(None, reader):
            yield _pair(f"{path} line {reader.line_num}", dict(zip(head, cells, strict=False)))
    except csv.Error as error:
        raise BenchmarkError(f"{path} line {reader.line_num} cannot be read: {error}") from error


def rows_by_id(path: Path, ids: Collection[str]) -> dict[str, Row]:
    """Return the existing rows with these ids. Raises BenchmarkError."""
    return {row.id: row for row in read_rows(path) if row.id in ids}


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line, without a byte order mark."""
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise BenchmarkError(f"{path} line {number} is not UTF-8 ({error.reason}); expected text in UTF-8") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BenchmarkError(f"{path} is cut short or damaged after line {number}: {error}; get it again") from error


def _object(place: str, line: str) -> dict[str, Any]:
    try:
        fields = json.loads(line)
        json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:  # a lone surrogate: valid in JSON, not in UTF-8
        raise BenchmarkError(f"{place} is not valid text: {error.reason}") from error
    except (ValueError, RecursionError) as error:
        raise BenchmarkError(f"{place} is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise BenchmarkError(f"{place} is not a JSON object: {_short(fields)}")
    return fields


def _row(place: str, fields: Mapping[str, Any]) -> Row:
    if missing := [name for name, empty in _MISSING.items() if fields.get(name) in empty]:
        raise BenchmarkError(f"{place} lacks {', '.join(missing)}")
    if not isinstance(fields["_id"], str | int):
        raise BenchmarkError(f"{place}: expected text or a number as the _id, got {_short(fields['_id'])}")
    text, title = fields["text"], fields.get("title") or ""
    for name, value in (("text", text), ("title", title)):
        if not isinstance(value, str):
            raise BenchmarkError(f"{place}: expected text in quotation marks as the {name}, got {_short(value)}")
    return Row(place, str(fields["_id"]), text, title, fields)


def _pair(place: str, cells: Mapping[str, str]) -> JudgedPair:
    query_id, document, score = (cells.get(name, "") for name in _COLUMNS)
    try:
        relevance = float(score)  # some write 1.0
        if query_id and document and relevance.is_integer() and abs(relevance) <= _MAX_RELEVANCE:
            return JudgedPair(place, query_id, document, int(relevance))
    except ValueError:
        pass
    raise BenchmarkError(
        f"{place}: expected query-id, corpus-id, score: a whole number of at most {_MAX_RELEVANCE}, "
        f"got {_short(' '.join(cells.values()))}"
    )


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}...")
