"""Search and storing by the number of chunks: python -m tests.benchmarks.index_size --sizes 10000 100000

Chunks are drawn like those of the sample documents: vectors from clusters fitted to the real ones, words from real
passages, with ever new words among them, as real text has. The questions are the sample's, with their real vectors.
Nothing is embedded, so storing and indexing are timed alone. One home grows from size to size; each line is a record.
"""

from __future__ import annotations

import argparse
import json
import os
import string
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans  # type: ignore[import-untyped]

from app.search.families import FamilyFinder
from app.search.search import search
from ingest.chunk import Chunk
from ingest.embed.embedder import Vectors, load_embedder
from ingest.embedded import Embedded
from ingest.parse import Document, Page
from ingest.table import ChunkTable
from tests.benchmarks.ingest_speed import read_passages
from tests.benchmarks.load import questions

_CHUNKS_PER_DOCUMENT = 20
_DOCUMENTS_PER_WRITE = 10
"""About as many chunks in a transaction as the ingest of small documents writes."""
_NUM_TOPICS = 32
_OWN_WORDS, _RARE_WORDS = 0.6, 0.12
"""Shares of words from one real passage, and of rare words; the rest has the sample's frequencies."""
_RARE_OFFSET, _RARE_SHAPE = 5_000, 0.54
"""Of n rare words about n ** .65 are distinct, as in Heaps' law for English."""
_COLLECTIONS = tuple(f"department-{number}" for number in range(10))


class Corpus:
    """Draws documents like the sample's."""

    def __init__(self, passages: Sequence[str], vectors: Vectors, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        split = [passage.split() for passage in passages]
        self._vocabulary, ids = np.unique([word for words in split for word in words], return_inverse=True)
        self._vocabulary, self._words = self._vocabulary.astype(object), ids
        self._passages = np.split(ids, np.cumsum([len(words) for words in split])[:-1])
        topics = KMeans(_NUM_TOPICS, random_state=seed, n_init=1).fit(vectors)
        self._centers = topics.cluster_centers_
        self._members = [np.flatnonzero(topics.labels_ == topic) for topic in range(_NUM_TOPICS)]
        _, spread, axes = np.linalg.svd(vectors - self._centers[topics.labels_], full_matrices=False)
        self._axes = (spread / np.sqrt(len(vectors)))[:, None] * axes
        self._shares = np.bincount(topics.labels_, minlength=_NUM_TOPICS) / len(vectors)

    def document(self, number: int) -> Embedded:
        """Return a document whose chunks share a topic; half of their spread within it is the document's."""
        topic = int(self._rng.choice(_NUM_TOPICS, p=self._shares))
        draws = self._rng.normal(size=(_CHUNKS_PER_DOCUMENT + 1, len(self._axes)))
        vectors = self._centers[topic] + (draws[:1] + draws[1:]) / np.sqrt(2) @ self._axes
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        name, collection = f"{number:07}.md", _COLLECTIONS[number % len(_COLLECTIONS)]
        texts = [self._text(topic) for _ in range(_CHUNKS_PER_DOCUMENT)]
        id, title = sha256(name.encode()).hexdigest()[:16], " ".join(self._vocabulary[self._rng.choice(self._words, 4)])
        document = Document(id, name, title, f"/documents/{name}", id * 4, (Page(None, ""),), collection=collection)
        chunks = [self._chunk(document, place, text) for place, text in enumerate(texts)]
        return Embedded(document, chunks, vectors)

    def _chunk(self, document: Document, place: int, text: str) -> Chunk:
        start, heading = place * 1_000, f"Section {place // 4}"
        id = sha256(f"{document.id}/{place}".encode()).hexdigest()[:16]
        return Chunk(id, document.id, document.name, document.title, (heading,), text, None, start, start + len(text))

    def _text(self, topic: int) -> str:
        own = self._passages[self._rng.choice(self._members[topic])]
        kind = self._rng.random(size := len(own))
        ids = np.where(kind < _OWN_WORDS, self._rng.choice(own, size), self._rng.choice(self._words, size))
        words = self._vocabulary[ids]
        rare = np.flatnonzero(kind > 1 - _RARE_WORDS)
        words[rare] = [_rare_word(draw) for draw in self._rng.random(len(rare))]
        return " ".join(words)


def _rare_word(draw: float) -> str:
    """Return an invented word, frequent or rare by Zipf's and Mandelbrot's law."""
    rank, letters = int(_RARE_OFFSET * ((1 - draw) ** (-1 / _RARE_SHAPE) - 1)), ""
    while rank:
        rank, letter = divmod(rank, 26)
        letters += string.ascii_lowercase[letter]
    return f"q{letters}x"


@dataclass(frozen=True, slots=True)
class Known:
    """An embedder with the vectors of some questions."""

    name: str
    dimension: int
    max_tokens: int
    vectors: dict[str, Vectors]

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def embed(self, texts: list[str]) -> Vectors:
        raise NotImplementedError

    def embed_query(self, text: str) -> Vectors:
        return self.vectors[text]


def main() -> None:
    """Print a record for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--home", type=Path, help="an empty folder, which is kept")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for record in measure(options.home or Path(folder), options.sizes, options.seed):
            print(json.dumps(record), flush=True)


def measure(home: Path, sizes: Sequence[int], seed: int) -> Iterator[dict[str, float]]:
    """Yield a record for each size, sizes ascending."""
    model = load_embedder()
    corpus = Corpus(passages := list(read_passages(Path("data/sample"), model)), model.embed(passages), seed)
    known = {question: model.embed_query(question) for question in questions()}
    embedder = Known(model.name, model.dimension, model.max_tokens, known)
    table = ChunkTable(home, embedder)
    for size in sizes:
        goal = size // _CHUNKS_PER_DOCUMENT
        stored = grow(table, corpus, table.num_chunks() // _CHUNKS_PER_DOCUMENT, goal)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as another:
            asked = another.submit(ask, home, embedder).result()
        num_bytes = table._table().stats()["total_bytes"]  # without earlier states, which are deleted after an hour
        yield {"chunks": size, **stored, "bytes_per_chunk": num_bytes / size, **asked, **change(table, corpus, goal)}


def grow(table: ChunkTable, corpus: Corpus, first: int, goal: int) -> dict[str, float]:
    """Add documents; returns chunks per second in the first and last quarter, of storing alone and with upkeep."""
    if goal <= first:
        return {}
    seconds: list[float] = []
    with table.writing():
        for start in range(first, goal, _DOCUMENTS_PER_WRITE):
            documents = [corpus.document(number) for number in range(start, min(start + _DOCUMENTS_PER_WRITE, goal))]
            seconds.append(_seconds(lambda: table.append(documents)))  # noqa: B023
        rest = _seconds(table.optimize)
    per_write, quarter = _DOCUMENTS_PER_WRITE * _CHUNKS_PER_DOCUMENT, len(seconds) // 4
    ends = {"first": seconds[:quarter], "last": seconds[-quarter:]}
    return {
        **{f"store_{name}_per_s": per_write / float(np.median(part)) for name, part in ends.items()},
        **{f"all_{name}_per_s": per_write / float(np.mean(part)) for name, part in ends.items()},
        "all_per_s": per_write * len(seconds) / (sum(seconds) + rest),
        "upkeep_max_s": max(*seconds, rest),
    }


def ask(home: Path, embedder: Known) -> dict[str, float]:
    """Search in a process of its own; returns milliseconds, recall of the exact ten nearest, and peak memory."""
    table = ChunkTable(home, embedder)
    before = _memory_mb()
    everywhere = _milliseconds(embedder, "", lambda query: search(query, table, embedder))
    searching = _memory_mb()
    opened = _seconds(table.documents), _seconds(lambda: FamilyFinder(home).families(table))
    some = {document.id for document in table.documents() if document.collection in _COLLECTIONS[:5]}
    return {
        **everywhere,
        **_milliseconds(embedder, "half_", lambda query: search(query, table, embedder, within=some)),
        **_milliseconds(embedder, "vector_", lambda query: table.search_vector(embedder.vectors[query], 50)),
        **_milliseconds(embedder, "text_", lambda query: table.search_text(query, 50)),
        "recall_at_10": _recall(table, embedder),
        "documents_s": opened[0],
        "families_s": opened[1],
        "imported_mb": before,
        "searching_mb": searching,
        "listing_mb": _memory_mb(),
    }


def _recall(table: ChunkTable, embedder: Known) -> float:
    """Return the share of the ten nearest that search finds, too; the exact ones come from all vectors."""
    raw, vectors = table._table(), list(embedder.vectors.values())
    found = [{chunk.id for chunk, _ in table.search_vector(vector, 10)} for vector in vectors]
    best = [(np.empty(0), np.empty(0, dtype="U16")) for _ in vectors]
    for rows in raw.search().select(["id", "vector"]).to_batches(8192):
        block = rows["vector"].flatten().to_numpy().reshape(len(rows), -1)
        ids = np.array(rows["id"].to_pylist())
        for place, scores in enumerate(np.stack(vectors) @ block.T):
            top = np.argsort(-scores)[:10]
            scores, names = np.append(best[place][0], scores[top]), np.append(best[place][1], ids[top])
            order = np.argsort(-scores)[:10]
            best[place] = scores[order], names[order]
    return float(np.mean([len(ids & set(exact)) / 10 for ids, (_, exact) in zip(found, best, strict=True)]))


def change(table: ChunkTable, corpus: Corpus, number: int) -> dict[str, float]:
    """Return seconds to add a document, to list all then, to replace and to remove it, each in a write of its own."""
    table.documents()
    document = corpus.document(number + 10**6)

    def write(act: Callable[[], None]) -> float:
        def whole() -> None:
            with table.writing():
                act()

        return _seconds(whole)

    return {
        "add_one_s": write(lambda: table.append([document])),
        "documents_after_s": _seconds(table.documents),
        "replace_one_s": write(lambda: table.replace([document])),
        "remove_one_s": write(lambda: table.remove([document.document.id])),
    }


def _milliseconds(embedder: Known, name: str, ask: Callable[[str], object]) -> dict[str, float]:
    """Return the time of a question on the clock, and of all processor cores, which other programs disturb least."""
    ask(next(iter(embedder.vectors)))  # opens the indexes
    wall, cpu = 1000 * np.array([_timed(partial(ask, query)) for query in embedder.vectors]).T
    return {
        f"{name}p50_ms": np.percentile(wall, 50),
        f"{name}p95_ms": np.percentile(wall, 95),
        f"{name}cpu_p50_ms": np.percentile(cpu, 50),
        f"{name}cpu_p95_ms": np.percentile(cpu, 95),
    }


def _seconds(call: Callable[[], object]) -> float:
    return _timed(call)[0]


def _memory_mb() -> float:
    """Return the memory that the process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of a call on the clock, and of all processor cores."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main()
