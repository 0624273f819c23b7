"""How fast documents go in here, next to plain sentence-transformers: python -m tests.benchmarks.ingest_speed

The two sides take turns on the same passages, so that a machine's bad minute falls on both; what counts is the
ratio of neighbours, and its median. Nothing is asserted: a time is a fact about a machine.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
from sentence_transformers import SentenceTransformer

from ingest.chunk import chunk
from ingest.embed.embedder import Embedder, Vectors, default_embedder_path, load_embedder
from ingest.files import find_files
from ingest.parse import ParseError, parse
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.benchmarks.timing import machine, timed

Plain = Callable[[list[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was timed: chunks per second of both sides, and how many times as fast ours was, by round."""

    name: str
    num_chunks: int
    plain_per_second: float
    ours_per_second: float
    ratios: list[float]
    cpu_ratio: float
    """The ratio of the processor time of both sides: other programs disturb it least."""

    def __str__(self) -> str:
        ratio = f"{median(self.ratios):.2f} ({min(self.ratios):.2f}..{max(self.ratios):.2f})"
        speeds = f"{self.plain_per_second:>10.1f}{self.ours_per_second:>10.1f}"
        return f"{self.name:<10}{self.num_chunks:>8}{speeds}  {ratio:<20}{self.cpu_ratio:>6.2f}"


def main() -> None:
    options = _options()
    embedder = load_embedder()
    passages = list(read_passages(options.folder, embedder))
    if not passages:
        raise SystemExit(f"no passages in {options.folder}")
    plain = plain_encode()
    agreement = float(np.sum(plain(passages) * embedder.embed(passages), axis=1).mean())
    rows = [
        measure_embedding(passages, plain, embedder, options.rounds),
        measure_ingest(options.folder, passages, plain, embedder, options.rounds),
    ]
    if options.json:
        record = {"machine": machine(), "rounds": options.rounds, "agreement": agreement}
        print(json.dumps(record | {"rows": [asdict(row) for row in rows]}))
        return
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    print(f"mean cosine of our vectors with the plain ones: {agreement:.5f}")
    print(f"{'':<10}{'chunks':>8}{'plain/s':>10}{'ours/s':>10}  {'times as fast':<20}{'CPU':>6}")
    print(*rows, sep="\n")


def read_passages(folder: Path, embedder: Embedder) -> Iterator[str]:
    """The passages of the documents in the folder; a file that cannot be read is left out."""
    for file in find_files([folder]):
        try:
            document = parse(file.path, file.name)
        except ParseError:
            continue
        yield from (piece.passage for piece in chunk(document, embedder.count_tokens, embedder.max_tokens))


def measure_embedding(passages: list[str], plain: Plain, embedder: Embedder, rounds: int) -> Row:
    """Our embedder alone."""
    return _compare("embed", len(passages), lambda: plain(passages), lambda: embedder.embed(passages), rounds)


def measure_ingest(folder: Path, passages: list[str], plain: Plain, embedder: Embedder, rounds: int) -> Row:
    """The whole ingest of the folder into an empty home: parse, chunk, embed, keep the files, store, index."""

    def ingest_all() -> None:
        with tempfile.TemporaryDirectory() as home:
            for _ in ingest([folder], ChunkTable(Path(home), embedder), embedder):
                pass

    return _compare("ingest", len(passages), lambda: plain(passages), ingest_all, rounds)


def _compare(name: str, num_chunks: int, plain: Callable[[], object], ours: Callable[[], object], rounds: int) -> Row:
    plain(), ours()  # both are warm
    timings = [(timed(plain), timed(ours)) for _ in range(rounds)]
    return Row(
        name=name,
        num_chunks=num_chunks,
        plain_per_second=num_chunks / median(theirs.wall for theirs, _ in timings),
        ours_per_second=num_chunks / median(ours.wall for _, ours in timings),
        ratios=[theirs.wall / ours.wall for theirs, ours in timings],
        cpu_ratio=median(theirs.cpu / ours.cpu for theirs, ours in timings),
    )


def plain_encode() -> Plain:
    """SentenceTransformer.encode as it comes: float32, batches of 32."""
    model = SentenceTransformer(str(default_embedder_path()), device="cpu", local_files_only=True)
    return lambda texts: np.asarray(model.encode(texts, show_progress_bar=False), np.float32)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ingest_speed", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("data/sample"), help="documents to embed")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side")
    parser.add_argument("--json", action="store_true", help="print a record instead of a table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
