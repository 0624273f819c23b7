"""What a model remembers word for word: recalled for like questions, weighed by the blend, kept beside the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.memory import Memory, Remembered, digest
from app.reranking.rerank import Blend, RerankerError, rerank
from tests.app.builders import WordScorer, make_candidates
from tests.conftest import FakeReranker

KEPT = Remembered("how long is the leave", digest("Thirty days."), relevant=True, weight=1.0)
STRUCK = Remembered("how long is the leave", digest("Forty winks."), relevant=False, weight=0.7)


def same_words(query: str, questions: Sequence[str]) -> list[float]:
    return WordScorer().score(query, questions)


def test_what_was_kept_and_struck_out_is_recalled_for_like_questions() -> None:
    memory = Memory([KEPT, STRUCK])
    passages = ["Forty winks.", "Thirty days.", "Trains first."]
    same = memory.recall("How long is the leave?", passages, same_words)
    assert same == pytest.approx(np.array([[0.0, 0.7], [1.0, 0.0], [0.0, 0.0]]), abs=0.01)
    like = memory.recall("how long is parental leave", passages, same_words)
    other = memory.recall("what colour has the train", passages, same_words)
    assert 0.5 < like[1, 0] < 1.0
    assert other[1, 0] < like[1, 0]


def test_the_nearest_question_counts() -> None:
    memory = Memory([replace(KEPT, question="what is for lunch"), KEPT])
    assert memory.recall("how long is the leave", ["Thirty days."], same_words)[0, 0] == pytest.approx(1.0, abs=0.01)


def test_similarity_below_nothing_is_nothing() -> None:
    assert Memory([KEPT]).recall("q", ["Thirty days."], lambda _, questions: [-1.0] * len(questions)).tolist() == [
        [0, 0]
    ]


def test_a_question_can_be_left_out() -> None:
    assert not Memory([KEPT]).recall(KEPT.question, ["Thirty days."], same_words, without=KEPT.question).any()


def test_nothing_is_asked_where_nothing_is_remembered() -> None:
    def never(query: str, questions: Sequence[str]) -> list[float]:
        raise AssertionError(questions)

    assert not Memory([KEPT]).recall("q", ["Trains first."], never).any()


def test_a_memory_moves_the_ranking() -> None:
    candidates = make_candidates("Forty winks.", "Trains first.", "Thirty days.")
    memory = Memory(
        [replace(each, passage=digest(candidates[place].chunk.passage)) for each, place in ((KEPT, 2), (STRUCK, 0))]
    )

    def order(blend: Blend) -> list[str]:
        scorer = FakeReranker({"winks": 2.0, "Trains": 1.0, "leave": 1.0}, blend)
        return [ranked.chunk.text for ranked in rerank("How long is the leave?", candidates, scorer)]

    plain = Blend(reranker=1, vector=0, text=0)
    assert order(plain) == ["Forty winks.", "Trains first.", "Thirty days."]
    assert order(replace(plain, kept=5, memory=memory)) == ["Thirty days.", "Forty winks.", "Trains first."]
    assert order(replace(plain, struck=5, memory=memory)) == ["Trains first.", "Thirty days.", "Forty winks."]


def test_a_memory_is_kept_beside_the_blend(tmp_path: Path) -> None:
    blend = Blend(1.0, 0.5, 0.25, kept=2.0, struck=0.125, memory=Memory([KEPT, STRUCK]))
    blend.save(tmp_path)
    loaded = Blend.load(tmp_path)
    assert loaded
    assert loaded.memory
    assert loaded.memory.remembered == (KEPT, STRUCK)
    assert replace(loaded, memory=None) == replace(blend, memory=None)


@pytest.mark.parametrize("content", ["", "[1]", '[{"question": "q"}]', '{"a": 1}'])
def test_a_damaged_memory_is_an_error(tmp_path: Path, content: str) -> None:
    Blend(1.0, 0.5, 0.25).save(tmp_path)
    assert Blend.load(tmp_path)
    (tmp_path / "memory.json").write_text(content)
    with pytest.raises(RerankerError, match=r"memory\.json"):
        Blend.load(tmp_path)
