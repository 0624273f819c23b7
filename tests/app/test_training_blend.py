from __future__ import annotations

import numpy as np
import pytest

from app.training.fit.blend import ScoredQuery, best_probabilities, fit_blend, fit_calibration, scored_queries
from app.training.from_pairs import reliability
from app.training.labels.examples import JudgedQuery
from tests.app.builders import make_candidate
from tests.conftest import FakeReranker

NUM_CANDIDATES = 20


def made_up(
    num_queries: int, *, reranker: float = 0.0, vector: float = 0.0, text: float = 0.0, seed: int = 0
) -> list[ScoredQuery]:
    """Queries whose first candidate is relevant; each score is noise, with so much added for the relevant one."""
    chance = np.random.default_rng(seed)
    queries = []
    for _ in range(num_queries):
        noise = chance.normal(size=(3, NUM_CANDIDATES)) * 0.1
        noise[:, 0] += np.array([reranker, vector, text]) * 0.1
        raw, similarities, matches = noise
        candidates = tuple(
            make_candidate(str(place), place + 1, vector_score=float(similarity), text_score=float(match))
            for place, (similarity, match) in enumerate(zip(similarities, matches, strict=True))
        )
        queries.append(ScoredQuery(candidates, tuple(raw.tolist()), (True, *[False] * (NUM_CANDIDATES - 1))))
    return queries


def test_the_score_that_tells_relevant_ones_gets_the_weight() -> None:
    blend = fit_blend({"made up": made_up(200, text=3)})
    assert blend.text > 2
    assert max(blend.reranker, blend.vector) < 0.3


def test_two_scores_that_tell_share_the_weight() -> None:
    blend = fit_blend({"made up": made_up(300, reranker=2, vector=2)})
    assert blend.reranker == pytest.approx(blend.vector, rel=0.3)
    assert blend.text < 0.3 * blend.reranker


def test_a_score_that_is_high_where_it_should_be_low_gets_no_weight_instead_of_a_negative_one() -> None:
    blend = fit_blend({"made up": made_up(200, reranker=3, text=-3)})
    assert blend.text == 0
    assert blend.reranker > 1


def test_a_small_collection_counts_as_much_as_a_large_one() -> None:
    scored = {"large": made_up(400, vector=3), "small": made_up(40, text=3, seed=1)}
    blend = fit_blend(scored)
    assert blend.text == pytest.approx(blend.vector, rel=0.4)
    assert fit_blend({"all": [*scored["large"], *scored["small"]]}).text < 0.6 * blend.text


def test_probabilities_are_as_often_right_as_they_say() -> None:
    scored = {"made up": made_up(400, reranker=2, vector=1)}
    blend = fit_calibration(scored, fit_blend(scored))
    answered = {"made up": made_up(400, reranker=2, vector=1, seed=1)}
    bins = [each for each in reliability(answered, blend) if each["candidates"] > 100]
    assert len(bins) >= 2
    for each in bins:  # some training rows had no answer, so that what is said of these is rather low
        assert each["said"] <= each["relevant"] <= each["said"] + 0.25


def test_a_query_without_its_answer_gets_lower_probabilities() -> None:
    scored = {"made up": made_up(300, reranker=6, vector=6)}
    blend = fit_calibration(scored, fit_blend(scored))
    assert blend.calibration
    best = {}
    for name, queries in {
        "there": scored["made up"],
        "gone": [each.without_relevant() for each in scored["made up"]],
    }.items():
        best[name] = np.mean(best_probabilities(queries, blend))
    turned_away = np.mean([score < blend.calibration.floor for score in best_probabilities(scored["made up"], blend)])
    assert turned_away == pytest.approx(0.05, abs=0.01)
    assert best["there"] > 0.6 > 0.3 > best["gone"]


def test_without_the_relevant_ones_the_others_stay_as_they_are() -> None:
    (query,) = made_up(1)
    rest = query.without_relevant()
    assert (rest.candidates, rest.raw) == (query.candidates[1:], query.raw[1:])
    assert rest.relevant == (False,) * (NUM_CANDIDATES - 1)
    assert rest.without_relevant() == rest


def test_the_reranker_scores_the_queries_that_have_an_answer_among_their_candidates() -> None:
    candidates = tuple(make_candidate(text, place, vector_score=0.5) for place, text in enumerate(("yes", "no"), 1))
    document = candidates[0].chunk.document
    judged = [
        JudgedQuery("answered", candidates, frozenset({document})),
        JudgedQuery("not found", candidates, frozenset({"elsewhere.md"})),
        JudgedQuery("alone", candidates[:1], frozenset({document})),
    ]
    (scored,) = scored_queries(judged, FakeReranker({"yes": 2.0, "no": 1.0}))
    assert (scored.raw, scored.relevant) == ((2.0, 1.0), (True, True))  # both are of the relevant document


def test_a_fitted_blend_ranks_what_it_was_fitted_on() -> None:
    scored = made_up(50, reranker=5)
    blend = fit_blend({"made up": scored})
    best = [int(np.argmax(blend.combine(each.raw, each.candidates))) for each in scored]
    assert best.count(0) > 45
