from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from app.search.fusion import WORDS_WEIGHT
from app.search.query import MAX_QUERY_CHARACTERS
from app.search.search import Candidate, Retriever, search
from ingest.chunk import Chunk
from ingest.embed.embedder import Vectors
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.app.builders import make_chunk
from tests.conftest import FakeEmbedder

A, B, C, D = (make_chunk(text) for text in "ABCD")


class ScriptedTable:
    """Two ranked lists that are the same for every query, cut to the depth that is asked for."""

    def __init__(self, by_vector: list[tuple[Chunk, float]], by_text: list[tuple[Chunk, float]]) -> None:
        self._by_vector, self._by_text = by_vector, by_text
        self.vector_depths: list[int] = []
        self.text_queries: list[tuple[str, int]] = []
        self.within: list[Collection[str] | None] = []

    def search_vector(
        self, query_vector: Vectors, num_results: int, within: Collection[str] | None = None
    ) -> list[tuple[Chunk, float]]:
        self.vector_depths.append(num_results)
        self.within.append(within)
        return self._by_vector[:num_results]

    def search_text(
        self, query: str, num_results: int, within: Collection[str] | None = None
    ) -> list[tuple[Chunk, float]]:
        self.text_queries.append((query, num_results))
        self.within.append(within)
        return self._by_text[:num_results]

    def similarities(self, query_vector: Vectors, chunk_ids: Sequence[str]) -> dict[str, float]:
        return dict.fromkeys(chunk_ids, 0.5)

    def text_scores(self, query: str, chunk_ids: Sequence[str]) -> dict[str, float]:
        return dict.fromkeys(chunk_ids, 0.25)


class RecordingEmbedder(FakeEmbedder):
    def __init__(self) -> None:
        self.queries: list[str] = []

    def embed_query(self, text: str) -> Vectors:
        self.queries.append(text)
        return super().embed_query(text)


@pytest.fixture
def scripted() -> ScriptedTable:
    return ScriptedTable([(A, 0.9), (B, 0.8), (C, 0.7)], [(C, 12.5), (D, 3.25)])


def find(
    table: ScriptedTable, query: str = "question", retriever: Retriever = "hybrid", num_candidates: int = 50
) -> list[Candidate]:
    embedder = RecordingEmbedder()
    return search(query, cast(ChunkTable, table), embedder, retriever=retriever, num_candidates=num_candidates)


def test_fused_order_is_by_score_and_a_tie_keeps_the_vector_list_first(scripted: ScriptedTable) -> None:
    assert [candidate.chunk for candidate in find(scripted)] == [A, B, C, D]
    tied = ScriptedTable([(A, 0.5), (B, 0.5)], [(C, 1.0), (D, 1.0)])
    assert [candidate.chunk for candidate in find(tied)] == [A, B, C, D]


def test_words_that_a_passage_shares_with_the_query_raise_it() -> None:
    leave, hotel = make_chunk("Thirty days of leave."), make_chunk("Hotels are booked early.")
    table = ScriptedTable([(hotel, 0.5), (leave, 0.4)], [(leave, 4.0)])
    first, second = find(table, "days of leave")
    assert (first.chunk, second.chunk) == (leave, hotel)
    assert first.fused_score == pytest.approx(0.4 + WORDS_WEIGHT * 4.0 / 3)
    assert second.fused_score == pytest.approx(0.5)


def test_reciprocal_ranks_are_fused_as_published(scripted: ScriptedTable) -> None:
    found = {each.chunk.text: each.fused_score for each in find(scripted, retriever="rrf")}
    assert found == pytest.approx({"A": 1 / 61, "B": 1 / 62, "C": 1 / 63 + 1 / 61, "D": 1 / 62})


def test_fused_ranks_count_from_one_without_gaps(scripted: ScriptedTable) -> None:
    assert [candidate.fused_rank for candidate in find(scripted)] == [1, 2, 3, 4]


def test_both_scores_are_known_and_no_rank_where_a_list_does_not_hold_the_chunk(scripted: ScriptedTable) -> None:
    found = {candidate.chunk.text: candidate for candidate in find(scripted)}
    ranks_and_scores = {
        name: (each.vector_rank, each.vector_score, each.text_rank, each.text_score) for name, each in found.items()
    }
    assert ranks_and_scores == {
        "A": (1, 0.9, None, 0.25),  # both scores are known, though it is in one list only
        "B": (2, 0.8, None, 0.25),
        "C": (3, 0.7, 1, 12.5),
        "D": (None, 0.5, 2, 3.25),
    }


def test_vector_mode_reads_the_vector_list_only(scripted: ScriptedTable) -> None:
    found = find(scripted, retriever="vector")
    assert [candidate.chunk for candidate in found] == [A, B, C]
    assert {(candidate.text_rank, candidate.text_score) for candidate in found} == {(None, None)}
    assert scripted.text_queries == []


def test_text_mode_reads_the_text_list_only_and_embeds_nothing(scripted: ScriptedTable) -> None:
    embedder = RecordingEmbedder()
    found = search("question", cast(ChunkTable, scripted), embedder, retriever="text")
    assert [candidate.chunk for candidate in found] == [C, D]
    assert {(candidate.vector_rank, candidate.vector_score) for candidate in found} == {(None, None)}
    assert embedder.queries == []
    assert scripted.vector_depths == []


def test_both_lists_are_read_to_the_same_depth_and_give_candidates_in_turn(scripted: ScriptedTable) -> None:
    found = find(scripted, num_candidates=2)
    assert [candidate.chunk for candidate in found] == [A, C]
    assert scripted.vector_depths == [2]
    assert scripted.text_queries == [("question", 2)]


def test_no_list_pushes_out_the_best_of_the_other() -> None:
    near = [(make_chunk(f"near {number}"), 0.9 - number / 100) for number in range(20)]
    worded = [(make_chunk(f"question {number}"), 90.0 - number) for number in range(20)]
    found = {each.chunk.id for each in find(ScriptedTable(near, worded), num_candidates=20)}
    assert len(found) == 20
    assert found == {chunk.id for chunk, _ in (*near[:10], *worded[:10])}


def test_both_lists_are_restricted_to_the_same_documents(scripted: ScriptedTable) -> None:
    search("question", cast(ChunkTable, scripted), FakeEmbedder(), within={"a", "b"})
    assert scripted.within == [{"a", "b"}] * 2


def test_few_documents_are_searched_once_although_each_list_has_chunks_of_its_own() -> None:
    table = ScriptedTable([(A, 0.9), (B, 0.8)], [(replace(A), 2.0)])
    assert len(search("question", cast(ChunkTable, table), FakeEmbedder())) == 2
    assert table.vector_depths == [50]


def test_within_no_documents_there_is_nothing_and_nobody_is_asked(scripted: ScriptedTable) -> None:
    embedder = RecordingEmbedder()
    assert search("question", cast(ChunkTable, scripted), embedder, within=frozenset()) == []
    assert embedder.queries == []
    assert scripted.within == []


@pytest.mark.parametrize("retriever", ["vector", "text", "hybrid"])
def test_within_documents_their_best_chunks_are_found_however_far_down(
    retriever: Retriever, table: ChunkTable, embedder: FakeEmbedder
) -> None:
    question = "how many days of annual leave a year without the key"
    ids = {each.name: each.id for each in table.documents()}
    everywhere = search(question, table, embedder, retriever=retriever)
    expected = [each.chunk for each in everywhere if each.chunk.document_id == ids["it/vpn.md"]]
    found = search(question, table, embedder, retriever=retriever, num_candidates=1, within={ids["it/vpn.md"]})
    assert [each.chunk for each in found] == expected[:1] != [everywhere[0].chunk]


@pytest.mark.parametrize("query", ["", " ", "\n\t  "])
def test_a_blank_query_finds_nothing_and_asks_nobody(query: str, scripted: ScriptedTable) -> None:
    embedder = RecordingEmbedder()
    assert search(query, cast(ChunkTable, scripted), embedder) == []
    assert embedder.queries == []
    assert scripted.text_queries == []


def test_a_long_query_is_cut_for_both_lists(scripted: ScriptedTable) -> None:
    embedder = RecordingEmbedder()
    search("x" * (MAX_QUERY_CHARACTERS + 1), cast(ChunkTable, scripted), embedder)
    assert embedder.queries == ["x" * MAX_QUERY_CHARACTERS]
    assert scripted.text_queries == [("x" * MAX_QUERY_CHARACTERS, 50)]


def test_blanks_before_a_question_do_not_count_towards_its_length(scripted: ScriptedTable) -> None:
    find(scripted, "\n" * MAX_QUERY_CHARACTERS + "leave")
    assert scripted.text_queries == [("leave", 50)]


def test_the_passage_that_shares_the_words_comes_first(table: ChunkTable, embedder: FakeEmbedder) -> None:
    best, *others = search("weeks before birth parental leave", table, embedder)
    assert best.chunk.headings == ("Parental leave",)
    assert (best.fused_rank, best.vector_rank, best.text_rank) == (1, 1, 1)
    assert others


@pytest.mark.parametrize("retriever", ["vector", "text", "hybrid"])
def test_scores_of_each_list_fall_with_its_rank(
    retriever: Retriever, table: ChunkTable, embedder: FakeEmbedder
) -> None:
    found = search("how many days of leave a night in a hotel", table, embedder, retriever=retriever)
    for kind in ("vector", "text"):
        listed = sorted(
            (getattr(each, f"{kind}_rank"), getattr(each, f"{kind}_score"))
            for each in found
            if getattr(each, f"{kind}_rank")
        )
        assert bool(listed) == (retriever in (kind, "hybrid"))
        scores = [score for _, score in listed]
        assert scores == sorted(scores, reverse=True)
        assert all(score > 0 for score in scores)


def test_vector_scores_are_cosine_similarities(table: ChunkTable, embedder: FakeEmbedder) -> None:
    for candidate in search("hardware key for the tunnel", table, embedder, retriever="vector"):
        expected = float(
            embedder.embed([candidate.chunk.passage])[0] @ embedder.embed_query("hardware key for the tunnel")
        )
        assert candidate.vector_score == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "query", ['"annual leave"', "leave AND (NOT", "title:leave~2^3 *", "l'été 休暇 🏖", "a'; DROP--", "\0 leave"]
)
def test_marks_of_query_languages_are_only_text(query: str, table: ChunkTable, embedder: FakeEmbedder) -> None:
    assert search(query, table, embedder)


def test_stop_words_alone_find_nothing_by_text(table: ChunkTable, embedder: FakeEmbedder) -> None:
    assert search("of the and", table, embedder, retriever="text") == []


def test_a_home_without_documents_has_no_candidates(tmp_path: Path, embedder: FakeEmbedder) -> None:
    assert search("leave", ChunkTable(tmp_path, embedder), embedder) == []


@pytest.mark.integration
def test_copies_of_a_passage_count_once_and_leave_room_for_others(home: Path, embedder: FakeEmbedder) -> None:
    folder = home.parent / "many"
    folder.mkdir()
    for number in range(30):
        (folder / f"copy{number:02}.md").write_text("# Policy\n\n## Hotel\n\nA hotel costs 120 euros a night.\n")
    (folder / "addendum.md").write_text("# Addendum\n\n## Hotel\n\nIn fair weeks a hotel costs 190 euros.\n")
    table = ChunkTable(home, embedder)
    list(ingest([folder], table, embedder))
    found = search("hotel euros night", table, embedder, num_candidates=10)
    assert len([each for each in found if "120 euros" in each.chunk.text]) == 1
    assert len(found[0].also_in) == 29
    assert any("190 euros" in each.chunk.text for each in found)


@pytest.mark.integration
@pytest.mark.parametrize(("query", "heading"), [("IT", "IT"), ("to be or not to be", "To be or not to be")])
def test_a_query_of_stop_words_finds_what_has_that_name(
    query: str, heading: str, home: Path, embedder: FakeEmbedder
) -> None:
    document = home.parent / "stop.md"
    document.write_text(
        "# Teams\n\n## The Who\n\nIt is with IT.\n\n## IT\n\nOpen.\n\n## To be or not to be\n\nA code.\n"
    )
    table = ChunkTable(home, embedder)
    list(ingest([document], table, embedder))
    best, *_ = table.search_text(query, 5)
    assert best[0].headings == (heading,)
    assert search(query, table, embedder)[0].chunk.headings == (heading,)


@pytest.mark.parametrize("query", ["在宅勤務", "病假", "医院证明"])
def test_words_of_scripts_without_spaces_are_found(query: str, home: Path, embedder: FakeEmbedder) -> None:
    document = home.parent / "handbook.md"
    document.write_text("# 就業規則\n\n在宅勤務は週三日まで認められます。\n\n病假超过三天必须提交医院证明。\n")
    table = ChunkTable(home, embedder)
    list(ingest([document], table, embedder))
    assert table.search_text(query, 5)
