"""query -> the best chunks of the table; its words and passages.

Searches return scores, higher is better, never LanceDB's distances.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from lancedb.expr import col, func, lit
from lancedb.query import MatchQuery

from ingest.chunk import Chunk
from ingest.embed.embedder import Vectors, likeness
from ingest.indexes import MAX_SCANNED, NUM_PROBES
from ingest.rows import chunk_columns, to_chunk
from ingest.table.opening import clear_errors
from ingest.table.reading import TableReader

_HELD = 5.0
"""Score of a chunk that holds a query of stop words; one more under a heading of that name."""
_MAX_HOLDERS = 200
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_MANY_IDS = 1_000
_DEPTH_FACTOR = 4
"""Filtering costs about 10 us per id; above _MANY_IDS, search deeper by this factor without a filter first."""


class TableSearcher(TableReader):
    """Searches the chunk table of a home folder by vector and by words; needs no lock."""

    def search_vector(
        self, query_vector: Vectors, num_results: int, within: Collection[str] | None = None
    ) -> list[tuple[Chunk, float]]:
        """Return the nearest chunks with their likeness to the query, best first.

        within: ids of the documents to search; they give num_results chunks if they have that many.
        """
        table = self._table()
        if table is None:
            return []
        query = table.search(query_vector, vector_column_name="vector").distance_type("cosine")
        query = query.nprobes(NUM_PROBES).refine_factor(5)  # only matters with an index, which is approximate
        if within is not None:
            query = query.maximum_nprobes(0)  # no limit: probe until enough of these chunks are found
        rows = self._best(query.select([*chunk_columns(table), "_distance"]), num_results, within)
        return [(to_chunk(row), likeness(1.0 - row["_distance"], self._identity.embedder)) for row in rows]

    def search_text(
        self, query: str, num_results: int, within: Collection[str] | None = None
    ) -> list[tuple[Chunk, float]]:
        """Return the best full-text matches with their BM25 score, best first.

        The index has no stop words: chunks that hold a query of nothing else, such as "IT" or "The Who", as it stands
        get a fixed score, those under a heading of that name first. within: ids of the documents to search; scores are
        still those among all documents.
        """
        table = self._table()
        if table is None:
            return []
        match = self._matches(table, query)
        rows = self._best(match.select([*chunk_columns(table), "_score"]), num_results, within)
        return [(to_chunk(row), row["_score"]) for row in rows] or self._holders(table, query, num_results, within)

    def _matches(self, table: Any, query: str) -> Any:
        """Return a full-text search. Chunks that wait for the index are left out while they would slow it down."""
        match = table.search(MatchQuery(query, "passage"), query_type="fts")
        return match.fast_search() if self.index_state().num_waiting > MAX_SCANNED else match

    def _holders(
        self, table: Any, query: str, num_results: int, within: Collection[str] | None
    ) -> list[tuple[Chunk, float]]:
        """Return chunks that hold the query word for word, in this case or else in any."""
        phrase = query.strip().rstrip("?.! ")
        if not phrase:
            return []
        in_any_case = func("lower", col("passage")).contains(lit(phrase.lower()))
        for condition in (col("passage").contains(lit(phrase)), in_any_case):
            rows = self._whole(
                table.search().where(self._among(within, condition)).select(chunk_columns(table)).limit(_MAX_HOLDERS)
            )
            whole = re.compile(rf"(?<!\w){re.escape(phrase)}(?!\w)", re.IGNORECASE)
            found = [chunk for chunk in rows if whole.search(chunk.passage)]
            if found:
                scored = [(chunk, _HELD + (chunk.heading.lower() == phrase.lower())) for chunk in found]
                return sorted(scored, key=lambda pair: -pair[1])[:num_results]
        return []

    def has_word(self, word: str, within: Collection[str] | None = None) -> bool:
        """Return whether a chunk has this word, in any inflection that the index takes for the same."""
        table = self._table()
        if table is None:
            return False
        with clear_errors(self.home, "read"):
            match = self._matches(table, word).select(["id", "_score"])
            if within is not None:
                match = match.where(self._among(within), prefilter=True)
            return bool(match.limit(1).to_list())

    def word_counts(self, within: Collection[str] | None = None) -> dict[str, int]:
        """Return the words of all passages in lower case, without digits, and how often each occurs.

        Takes about 40 ms per 1,000 chunks.
        """
        parts, words = Counter[str](), Counter[str]()
        for passages in self._passages(within):
            counted = pc.value_counts(pc.utf8_split_whitespace(passages).flatten())
            parts.update({part["values"]: part["counts"] for part in counted.to_pylist()})
        for part, count in parts.items():  # fewer than the words of the passages
            words.update(dict.fromkeys(_WORD.findall(part.lower().replace("’", "'")), count))  # noqa: RUF001
        return words

    def passages(self) -> Iterator[list[str]]:
        """Yield all passages in batches."""
        return (passages.to_pylist() for passages in self._passages())

    def _passages(self, within: Collection[str] | None = None) -> Iterator[pa.Array]:
        table = self._table()
        if table is not None:
            with clear_errors(self.home, "read"):
                query = table.search() if within is None else table.search().where(self._among(within))
                for batch in query.select(["passage"]).to_batches(1024):
                    yield batch["passage"]

    def similarities(self, query_vector: Vectors, chunk_ids: Sequence[str]) -> dict[str, float]:
        """Return chunk id -> likeness to the query for these chunks; removed ones are left out."""
        table = self._table()
        if table is None or not chunk_ids:
            return {}
        query = table.search().where(col("id").isin(list(chunk_ids))).select(["id", "vector"])
        with clear_errors(self.home, "read"):
            rows = query.to_arrow()
        vectors = rows["vector"].combine_chunks().flatten().to_numpy().reshape(len(rows), len(query_vector))
        found = likeness(vectors @ query_vector, self._identity.embedder)
        return dict(zip(rows["id"].to_pylist(), found.tolist(), strict=True))

    def text_scores(self, query: str, chunk_ids: Sequence[str]) -> dict[str, float]:
        """Return chunk id -> BM25 score for these chunks; those without a word of the query are left out."""
        table = self._table()
        if table is None or not chunk_ids:
            return {}
        among = col("id").isin(list(chunk_ids))
        match = table.search(MatchQuery(query, "passage"), query_type="fts").where(among, prefilter=True)
        with clear_errors(self.home, "read"):
            rows = match.select(["id", "_score"]).limit(len(chunk_ids)).to_arrow()
        return dict(zip(rows["id"].to_pylist(), rows["_score"].to_pylist(), strict=True))

    def _best(self, query: Any, num_results: int, within: Collection[str] | None) -> list[dict[str, Any]]:
        """Return the best undamaged rows of a search within these documents."""
        if within is None:
            return self._whole_rows(query.limit(num_results))
        wanted = frozenset(within)
        groups = self._listing().groups
        among, num_ids = groups.condition(wanted)
        if num_ids > _MANY_IDS:  # then enough of the best around them are often among them
            around = groups.around(wanted)
            deeper = query if around is None else query.where(around, prefilter=True)
            rows = self._whole_rows(deeper.limit(num_results * _DEPTH_FACTOR))
            inside = [row for row in rows if row["document_id"] in wanted][:num_results]
            if len(inside) == num_results:
                return inside
        return self._whole_rows(query.where(among, prefilter=True).limit(num_results)) if wanted else []
