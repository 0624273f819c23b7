"""Questions and their parts: like ones together, for good, and about as many in each part as there should be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from app.training.labels.split import SAME_QUESTION, SHARES, Part, assign, groups_of, parts_of
from ingest.embed.embedder import Vectors
from tests.conftest import FakeEmbedder


def apart(number: int) -> Vectors:
    """Unit vectors of which no two are alike."""
    return np.eye(number, dtype=np.float32)


def test_parts_have_about_their_shares() -> None:
    parts = assign([f"question {number}" for number in range(200)], apart(200), {})
    counts = Counter(parts.values())
    for part, share in SHARES.items():
        assert counts[part] == pytest.approx(200 * share, abs=2)


def test_a_few_unlike_questions_are_apart() -> None:
    assert len(set(groups_of(apart(5)))) == 5


def test_like_questions_go_together() -> None:
    vectors = apart(20)
    vectors[7] = vectors[3]
    vectors[11] = (vectors[3] + 0.6 * vectors[11]) / np.linalg.norm(vectors[3] + 0.6 * vectors[11])
    parts = assign([f"question {number}" for number in range(20)], np.asarray(vectors, np.float32), {})
    like = {parts[f"question {number}"] for number in (3, 7, 11)}
    assert len(like - {"asked again"}) == 1
    assert "asked again" not in like or "train" in like


def test_questions_of_one_form_are_taken_apart() -> None:
    rng = np.random.default_rng(0)
    form = rng.normal(size=64)
    vectors = form + 0.35 * rng.normal(size=(60, 64))
    vectors = np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
    assert (vectors @ vectors.T).min() > SAME_QUESTION[0], "all are like all"
    vectors[41] = vectors[40]
    parts = assign([f"question {number}" for number in range(60)], np.asarray(vectors, np.float32), {})
    assert min(Counter(parts.values())[part] for part in SHARES) >= 5
    same = {parts["question 40"], parts["question 41"]}
    assert len(same) == 1 or same == {"train", "asked again"}, "what is the same stays together"


def test_a_question_keeps_its_part_for_good() -> None:
    first = assign([f"question {number}" for number in range(30)], apart(50)[:30], {})
    later = assign([f"question {number}" for number in range(50)], apart(50), first)
    assert {key: later[key] for key in first} == first


@pytest.mark.parametrize("part", ["validation", "gate"])
def test_a_new_question_takes_the_part_of_the_one_that_it_is_like(part: Part) -> None:
    vectors = np.ones((2, 1), np.float32)
    assert assign(["known", "new"], vectors, {"known": part})["new"] == part


def test_of_like_questions_that_train_three_in_ten_compare_models() -> None:
    vectors = np.ones((10, 1), np.float32)
    keys = [f"wording {number}" for number in range(10)]
    parts = assign(keys[:2], vectors[:2], {keys[0]: "train"})
    assert parts[keys[1]] == "asked again"
    later = assign(keys, vectors, parts)
    assert Counter(later.values()) == {"train": 7, "asked again": 3}
    assert {key: later[key] for key in parts} == parts
    assert set(assign([*keys, "unlike"], np.eye(11, dtype=np.float32), later).values()) >= {"gate"}


def test_a_new_question_between_two_parts_is_left_out() -> None:
    near_both = np.array([[1, 0], [np.cos(1.3), np.sin(1.3)], [np.cos(0.65), np.sin(0.65)]], np.float32)
    parts = assign(["taught", "compared", "between"], near_both, {"taught": "train", "compared": "gate"})
    assert parts == {"taught": "train", "compared": "gate", "between": "left out"}


def test_parts_are_kept_in_the_home_folder(tmp_path: Path) -> None:
    questions = [f"word{number} thing{number} place{number}" for number in range(40)]
    first = parts_of(questions[:25], tmp_path, FakeEmbedder())
    again = parts_of([*questions, questions[0].upper() + " ?"], tmp_path, FakeEmbedder())
    assert {question: again[question] for question in first} == first
    assert again[questions[0].upper() + " ?"] == first[questions[0]], "the same question, written otherwise"
    assert set(again.values()) >= {"train", "gate"}


def test_while_questions_are_embedded_others_can_be_given_their_parts(tmp_path: Path) -> None:
    class Slow(FakeEmbedder):
        """Embeds its first questions only after somebody else has been quicker."""

        def embed(self, texts: list[str]) -> Vectors:
            if not quicker:
                quicker.update(parts_of(["What is new?", "Who was quicker?"], tmp_path, FakeEmbedder()))
            return super().embed(texts)

    quicker: dict[str, Part] = {}
    parts = parts_of(["What is new?", "What is old?"], tmp_path, Slow())
    assert parts["What is new?"] == quicker["What is new?"]
    assert parts_of(["What is old?"], tmp_path, FakeEmbedder()) == {"What is old?": parts["What is old?"]}


def test_many_questions_are_grouped_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, 8))
    vectors: Vectors = np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
    whole = groups_of(vectors)
    monkeypatch.setattr("app.training.labels.split._BLOCK", 7)
    assert groups_of(vectors) == whole
    assert len(set(whole)) < 50
