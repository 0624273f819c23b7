from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.reranking.rerank import Blend, Calibration, RankedChunk, RerankerError, rerank
from app.search.search import Candidate
from tests.app.builders import make_candidate, make_candidates, make_chunk
from tests.conftest import FakeReranker


class RawReranker:
    """Returns what it was given, right or wrong."""

    name = "raw"

    def __init__(self, *scores: float, blend: Blend | None = None) -> None:
        self._scores = list(scores)
        self.blend = blend

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        return self._scores


def texts(ranking: Sequence[RankedChunk]) -> list[str]:
    return [ranked.chunk.text for ranked in ranking]


def test_higher_scores_come_first_with_ranks_from_one() -> None:
    ranking = rerank("q", make_candidates("a", "b", "c"), RawReranker(-1.0, 0.5, 11.0))
    assert texts(ranking) == ["c", "b", "a"]
    assert [ranked.rank for ranked in ranking] == [1, 2, 3]
    assert [(ranked.score, ranked.reranker_score) for ranked in ranking] == [(11.0, 11.0), (0.5, 0.5), (-1.0, -1.0)]


def test_rank_change_counts_places_won_and_lost() -> None:
    ranking = rerank("q", make_candidates("a", "b", "c", "d"), RawReranker(2, 3, 1, 4))
    assert {ranked.chunk.text: ranked.rank_change for ranked in ranking} == {"d": 3, "b": 0, "a": -2, "c": -1}


def test_ties_keep_the_order_of_the_first_stage_however_the_candidates_are_given() -> None:
    second, first, third = make_candidate("2nd", 2), make_candidate("1st", 1), make_candidate("3rd", 3)
    assert texts(rerank("q", [second, third, first], RawReranker(1, 1, 1))) == ["1st", "2nd", "3rd"]


def test_without_a_reranker_the_order_and_scores_are_those_of_search() -> None:
    candidates = make_candidates("a", "b")
    ranking = rerank("q", candidates, None)
    assert texts(ranking) == ["a", "b"]
    assert [(ranked.rank, ranked.score) for ranked in ranking] == [(1, 1 / 61), (2, 1 / 62)]
    assert {(ranked.reranker_score, ranked.rank_change) for ranked in ranking} == {(None, 0)}


def test_a_reranker_of_many_languages_ranks_with_the_one_for_the_question() -> None:
    class Polyglot(RawReranker):
        def suited(self, query: str, passages: Sequence[str]) -> RawReranker:
            return RawReranker(1, 2, blend=Blend(1, 0, 0)) if (query, len(passages)) == ("Frage", 2) else self

    candidates = make_candidates("a", "b")
    assert texts(rerank("question", candidates, Polyglot(2, 1))) == ["a", "b"]
    ranking = rerank("Frage", candidates, Polyglot(2, 1))
    assert [(each.chunk.text, each.reranker_score) for each in ranking] == [("b", 2), ("a", 1)]


def test_the_reranker_reads_query_and_passages_with_title_and_headings() -> None:
    reranker = FakeReranker()
    chunk = make_chunk("Thirty days.", title="Leave", headings=("Annual", "Length"))
    rerank("how long?", [Candidate(chunk, 1, 0.1)], reranker)
    assert reranker.calls == [("how long?", ["Leave > Annual > Length\nThirty days."])]


def test_no_candidates_are_no_work_for_the_reranker() -> None:
    reranker = FakeReranker()
    assert rerank("q", [], reranker) == []
    assert reranker.calls == []


@pytest.mark.parametrize(
    "scores",
    [(1.0, math.nan), (1.0, math.inf), (-math.inf, 1.0), (1.0,), (1.0, 2.0, 3.0), ()],
    ids=["nan", "inf", "-inf", "too few", "too many", "none at all"],
)
def test_anything_but_one_finite_number_each_is_refused(scores: tuple[float, ...]) -> None:
    with pytest.raises(RerankerError, match="raw must return 2 finite scores, got"):
        rerank("q", make_candidates("a", "b"), RawReranker(*scores))


def test_a_row_has_these_names_and_values() -> None:
    chunk = make_chunk("Text.", document="a/b.pdf", title="Title", headings=("One", "Two"), page=7)
    candidate = Candidate(chunk, 4, 0.03, vector_rank=5, vector_score=0.5)
    assert RankedChunk(candidate, 1, 2.5, -0.25).as_row() == {
        "chunk_id": chunk.id,
        "document": "a/b.pdf",
        "title": "Title",
        "heading": "One > Two",
        "page": 7,
        "rank": 1,
        "score": 2.5,
        "reranker_score": -0.25,
        "fused_rank": 4,
        "fused_score": 0.03,
        "vector_rank": 5,
        "vector_score": 0.5,
        "text_rank": None,
        "text_score": None,
        "rank_change": 3,
        "unvoted_rank": 1,
        "vote": None,
        "superseded_by": "",
        "text": "Text.",
        "described_by": "",
    }


def test_a_blend_adds_standardised_scores_and_a_missing_one_counts_as_the_lists_last() -> None:
    candidates = [
        make_candidate("a", 1, vector_score=0.2),
        make_candidate("b", 2),  # not in the vector list: as if it had 0.2
        make_candidate("c", 3, vector_score=0.8),
    ]
    # reranker 1, 2, 3: -1.2247, 0, 1.2247. vector 0.2, 0.2, 0.8: -0.7071, -0.7071, 1.4142. text: in no list, 0.
    blended = Blend(reranker=1, vector=2, text=5).combine([1.0, 2.0, 3.0], candidates)
    assert blended == pytest.approx([-2.63896, -1.41421, 4.05317], abs=1e-4)


def test_a_passage_with_a_rare_exact_term_of_the_query_stays_first_whatever_the_reranker_says() -> None:
    candidates = make_candidates("part ZX-17141/5", "part ZX-15321/5", "part ZX-00005/5")
    ranking = rerank("Where is ZX-15321/5?", candidates, RawReranker(9.0, 1.0, 5.0))
    assert texts(ranking) == ["part ZX-15321/5", "part ZX-17141/5", "part ZX-00005/5"]
    assert [each.score for each in ranking] == sorted((each.score for each in ranking), reverse=True)
    assert [each.reranker_score for each in ranking] == [1.0, 9.0, 5.0]  # what the reranker said is kept


def test_each_weight_belongs_to_its_own_score() -> None:
    candidates = [
        make_candidate("a", 1, vector_score=0.0, text_score=9.0),
        make_candidate("b", 2, vector_score=1.0, text_score=9.0),
    ]
    assert Blend(0, 1, 0).combine([5.0, 1.0], candidates) == pytest.approx([-1, 1])
    assert Blend(1, 0, 0).combine([5.0, 1.0], candidates) == pytest.approx([1, -1])
    assert Blend(0, 0, 1).combine([5.0, 1.0], candidates).tolist() == [0, 0]  # the same text score says nothing


def test_constant_scores_add_nothing_instead_of_dividing_by_zero() -> None:
    candidates = [make_candidate("a", 1, vector_score=0.3), make_candidate("b", 2, vector_score=0.3)]
    assert Blend(1, 1, 1).combine([0.1 + 0.2, 0.3], candidates).tolist() == [0, 0]


def test_a_single_candidate_is_blended_to_zero() -> None:
    assert Blend(1, 1, 1).combine([7.0], [make_candidate("a", 1, vector_score=0.3, text_score=4.0)]).tolist() == [0]


def test_a_blend_makes_the_order_and_the_raw_score_stays_to_be_seen() -> None:
    candidates = [make_candidate("a", 1, vector_score=0.9), make_candidate("b", 2, vector_score=0.1)]
    best, last = rerank("q", candidates, RawReranker(1.0, 2.0, blend=Blend(reranker=1, vector=3, text=0)))
    assert (best.chunk.text, best.reranker_score) == ("a", 1.0)
    assert [best.score, last.score] == pytest.approx([2, -2])  # -1 + 3 and 1 - 3


CALIBRATION = Calibration(intercept=-3.0, blended=1.0, best_reranker=2.0, best_vector=1.0, floor=0.1)


def test_a_calibrated_blend_shows_probabilities_in_the_same_order() -> None:
    candidates = [make_candidate("a", 1, vector_score=0.9), make_candidate("b", 2, vector_score=0.1)]
    blend = Blend(reranker=1, vector=3, text=0, calibration=CALIBRATION)
    best, last = rerank("q", candidates, RawReranker(0.2, 0.5, blend=blend))
    assert (best.chunk.text, best.reranker_score) == ("a", 0.2)
    near = -3 + 2 * 0.5 + 0.9  # the best of all candidates, not one's own
    assert best.score == pytest.approx(1 / (1 + math.exp(-(near + 2))))
    assert last.score == pytest.approx(1 / (1 + math.exp(-(near - 2))))


def test_probabilities_fall_when_nothing_is_near() -> None:
    blend = Blend(reranker=1, vector=1, text=0, calibration=CALIBRATION)

    def best(similarity: float, raw: float) -> float:
        candidates = [make_candidate("a", 1, vector_score=similarity), make_candidate("b", 2, vector_score=0.0)]
        return rerank("q", candidates, RawReranker(raw, 0.0, blend=blend))[0].score

    assert best(0.9, 0.9) > best(0.9, 0.1) > best(0.1, 0.1)


def test_a_blend_is_read_as_it_was_saved(tmp_path: Path) -> None:
    for blend in (Blend(1.25, 0.5, 3.0), Blend(1.0, 0.0, 2.5, calibration=CALIBRATION)):
        blend.save(tmp_path)
        assert Blend.load(tmp_path) == blend


def test_a_folder_without_blend_json_has_no_blend(tmp_path: Path) -> None:
    assert Blend.load(tmp_path) is None
    assert Blend.load(tmp_path / "missing") is None


def test_a_blend_is_read_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "blend.json").write_text('{"weights": {"text": 3, "reranker": 1, "vector": 0.5}}')
    assert Blend.load(tmp_path) == Blend(reranker=1.0, vector=0.5, text=3.0)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{not json",
        "[]",
        "{}",
        '{"weights": null}',
        '{"weights": [1, 2, 3]}',
        '{"weights": {"reranker": 1, "vector": 1}}',
        '{"weights": {"reranker": 1, "vector": 1, "text": 1, "fame": 1}}',
        '{"weights": {"reranker": 1, "vector": 1, "text": "much"}}',
        '{"weights": {"reranker": 1, "vector": 1, "text": null}}',
        '{"weights": {"reranker": 1, "vector": 1, "text": 1}, "calibration": {"intercept": 1}}',
    ],
)
def test_a_broken_blend_is_named_with_what_it_must_hold(content: str, tmp_path: Path) -> None:
    (tmp_path / "blend.json").write_text(content)
    with pytest.raises(RerankerError, match=r"blend\.json must contain weights for the reranker and the search scores"):
        Blend.load(tmp_path)


@pytest.mark.parametrize("weight", [math.nan, math.inf])
def test_a_weight_that_is_no_finite_number_is_refused(weight: float, tmp_path: Path) -> None:
    (tmp_path / "blend.json").write_text(json.dumps({"weights": {"reranker": weight, "vector": 1, "text": 1}}))
    with pytest.raises(RerankerError):
        Blend.load(tmp_path)
