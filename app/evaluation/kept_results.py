"""Result <-> a file: finished results of a stopped run, for the next run of the same command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.evaluation.results import NO_RERANKER, Result
from app.evaluation.tables import JudgedTable, files_of
from app.search.search import Retriever
from ingest.embed.embedder import Embedder
from ingest.home.folder import write_whole

_RESULT = TypeAdapter(Result)


class KeptResults:
    """Finished results on one judged table, in a folder beside the benchmark tables.

    A result is reused only if all it depends on is unchanged: questions, judgements, documents, embedder, chunking, the
    reranker's files, and the program. num_reused: results found so far.
    """

    def __init__(
        self, home: Path, judged: JudgedTable, embedder: Embedder, rerankers: Mapping[str, Path | None]
    ) -> None:
        """rerankers: name -> model folder; without one, changes cannot be detected and it is measured again."""
        known = {name: files_of(folder.resolve()) for name, folder in rerankers.items() if folder}
        self._versions = {NO_RERANKER: list[str]()} | known
        depends_on = _digest(
            _code_digest(),
            [judged.fingerprint, judged.chunking, embedder.name, files_of(Path(embedder.name))],
            [dict(judged.queries), judged.qrels, dict(judged.unanswerable)],
            NO_RERANKER in rerankers,  # whether there are gains
        )
        self._folder = home / "evaluation" / f"results-{depends_on}"
        self._files: set[Path] = set()
        self.num_reused = 0

    def find(self, retriever: Retriever, num_candidates: int, reranker: str) -> Result | None:
        """Return the result of an earlier run, or None if it is missing or unreadable."""
        if reranker not in self._versions:
            return None
        path = self._path(retriever, num_candidates, reranker)
        try:
            result = _RESULT.validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None
        self._files.add(path)
        self.num_reused += 1
        return result

    def add(self, result: Result) -> None:
        """Store a result, unless changes of its reranker cannot be detected."""
        if result.reranker in self._versions:
            path = self._path(result.retriever, result.num_candidates, result.reranker)
            write_whole(path, _RESULT.dump_json(result))
            self._files.add(path)

    def clear(self) -> None:
        """Delete the results that this run stored or reused, so that the next one measures everything."""
        for path in self._files:
            path.unlink(missing_ok=True)
        with suppress(OSError):  # it may contain results of another command
            self._folder.rmdir()

    def _path(self, retriever: Retriever, num_candidates: int, reranker: str) -> Path:
        return self._folder / f"{_digest(retriever, num_candidates, reranker, self._versions[reranker])}.json"


def _code_digest() -> str:
    """Return a digest of the program's code, since any change may affect a result."""
    root = Path(__file__).parents[2]
    files = sorted(path for package in ("app", "ingest") for path in (root / package).rglob("*.py"))
    return _digest(*(path.read_text(encoding="utf-8") for path in files))


def _digest(*parts: object) -> str:
    """Return 16 hex digits for JSON values."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
