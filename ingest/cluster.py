"""files -> documents with their vectors, made on the machines of a Ray cluster, for very many documents.

The machines only read and embed. One process stores what they made, as always, so a killed machine loses nothing: Ray
gives its files to another one; and after a killed ingest the next one goes on with the files that are not stored.
"""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, Self

from ingest import CiteloopError
from ingest.embed.embedder import Vectors, load_embedder
from ingest.embedded import Embedded, embed_documents
from ingest.extras import needs_extra
from ingest.files import SourceFile
from ingest.isolation import Limits, Parsed, ParserPool, read_limits
from ingest.parse import Document, ParseError

_FILES_AT_ONCE = 8
"""Files of a task: their passages are embedded together."""
_TASKS_PER_CORE = 2
"""One runs and one waits, so that no core is idle, and a stopped ingest has little to take back."""
_POLL_SECONDS = 0.2
_CONNECT_SECONDS = 10


class RayParsers:
    """Parsers on a Ray cluster, which also embed. Every machine needs this version and the files at the same paths.

    address: of the cluster, such as `10.0.0.5:6379`; '': all cores of this machine.
    """

    def __init__(self, embedder: str, address: str = "", limits: Limits | None = None) -> None:
        """Raises CiteloopError if Ray is not installed."""
        os.environ.update(RAY_USAGE_STATS_ENABLED="0")  # Ray would report to its makers
        if not address:
            os.environ.update(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0")  # read on import: listen on this machine only
        with needs_extra("ray", "--engine ray"):
            import ray
        self._ray, self._address = ray, address
        self._embedder, self._limits = embedder, limits or read_limits()

    def __enter__(self) -> Self:
        """Connect. Raises CiteloopError if the cluster does not answer, or has other versions."""
        quiet = {"logging_level": "ERROR", "log_to_driver": False}
        place = self._place() if self._address else None
        try:
            if place is None:
                with warnings.catch_warnings():
                    # What Ray forks runs another program at once, so LanceDB's threads are not missed there.
                    warnings.filterwarnings("ignore", "lancedb fork support", RuntimeWarning)
                    self._ray.init("local", include_dashboard=False, **quiet)
            else:
                socket.create_connection(place, _CONNECT_SECONDS).close()  # Ray would try for minutes
                self._ray.init(self._address, **quiet)
        except Exception as error:  # as Ray raises when it starts too slowly
            reason = str(error).strip().splitlines()[0]
            raise CiteloopError(
                f"the Ray cluster {self._address or 'of this machine'} cannot be used: {reason}; it must run, and all "
                "its machines need the same versions of Python and Ray"
            ) from error
        return self

    def _place(self) -> tuple[str, int]:
        host, _, port = self._address.rpartition(":")
        if not (host and port.isdigit()):
            raise CiteloopError(f"--address is that of the head, such as 10.0.0.5:6379, not {self._address!r}")
        return host, int(port)

    def __exit__(self, *_: object) -> None:
        """Disconnect, which ends the tasks."""
        self._ray.shutdown()

    def parse_all(self, files: Iterable[SourceFile]) -> Iterator[Parsed | None]:
        """As Parsers.parse_all; what is done first comes first. Raises CiteloopError when the cluster fails."""
        task = self._ray.remote(_parse_and_embed).options(num_cpus=1, max_retries=-1)
        num_tasks = _TASKS_PER_CORE * max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        parts = _parts(files)
        running: list[Any] = []
        while True:
            while len(running) < num_tasks and (part := next(parts, None)):
                running.append(task.remote(part, self._embedder, self._limits))
            if not running:
                return
            done, running = self._ray.wait(running, timeout=_POLL_SECONDS)
            try:
                yield from (parsed for part in self._ray.get(done) for parsed in part)
            except self._ray.exceptions.RayError as error:
                reason = getattr(error, "cause", error)
                raise CiteloopError(f"the Ray cluster could not read and embed documents: {reason}") from error
            if not done:
                yield None


def _parts(files: Iterable[SourceFile]) -> Iterator[list[SourceFile]]:
    remaining = iter(files)
    while part := list(islice(remaining, _FILES_AT_ONCE)):
        yield part


def _parse_and_embed(files: list[SourceFile], embedder_name: str, limits: Limits) -> list[Parsed]:
    """Run on a machine of the cluster, in a process that it keeps."""
    embedder = load_embedder(embedder_name)
    read = [_parse(file, limits) for file in files]
    embedded = iter(embed_documents((each.outcome for each in read if isinstance(each.outcome, Document)), embedder))
    return [
        each._replace(vectors=_by_passage(next(embedded))) if isinstance(each.outcome, Document) else each
        for each in read
    ]


def _by_passage(embedded: Embedded) -> dict[str, Vectors]:
    passages = [chunk.passage for chunk in embedded.chunks]
    return dict(zip(passages, embedded.vectors, strict=True))


def _parse(file: SourceFile, limits: Limits) -> Parsed:
    try:
        return Parsed(file, _pool(limits).parse(file))
    except ParseError as error:
        return Parsed(file, error)


@lru_cache(maxsize=1)
def _pool(limits: Limits) -> ParserPool:
    """Return the parser of this process; it ends when its standard input does."""
    return ParserPool(limits, num_processes=1)
