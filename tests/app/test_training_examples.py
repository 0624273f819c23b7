from __future__ import annotations

from pathlib import Path

import pytest

from app.evaluation.tables import benchmark_table
from app.training.labels.examples import JudgedQuery, TrainingExample, judged_queries, mine
from app.training.labels.pairs import Pair, as_benchmark
from ingest.table import ChunkTable
from tests.conftest import FakeEmbedder

GATE = Pair("When is the harbour gate closed?", "The harbour gate is closed from ten until six.", "Gate", "port")
CRANE = Pair("Who drives the harbour crane?", "The harbour crane is driven by two people from Emden.", "Crane", "port")
DOOR = Pair("Who paints the door?", "The harbour door is painted by students.", "Door", "port")
COPY = Pair("At what time is it shut?", "The harbour gate is closed from ten until six!", "Gate", "port")
TWIN = Pair("When is the harbour gate closed at night?", "Our harbour closes late on some days.", "Night", "port")


def mined(tmp_path: Path, *others: Pair, num_negatives: int = 2) -> list[TrainingExample]:
    table, judged = searched(tmp_path, *others)
    questions_of = {pair.document: pair.question for pair in (GATE, *others)}
    return mine(
        judged, table, FakeEmbedder(), questions_of, num_negatives=num_negatives, seed=0, origin="port questions"
    )


def searched(tmp_path: Path, *others: Pair) -> tuple[ChunkTable, list[JudgedQuery]]:
    benchmark = as_benchmark("port", [GATE], others)
    table = benchmark_table(benchmark, tmp_path, FakeEmbedder())
    return table, judged_queries(benchmark, table, FakeEmbedder())


def test_judged_queries_carry_their_candidates_and_what_is_relevant(tmp_path: Path) -> None:
    _, (judged,) = searched(tmp_path, CRANE, DOOR)
    assert judged.query == GATE.question
    assert {candidate.chunk.title for candidate in judged.candidates} == {"Gate", "Crane", "Door"}
    assert [each.chunk.title for each in judged.candidates if each.chunk.document in judged.relevant] == ["Gate"]


def test_an_example_has_the_answer_and_passages_that_only_look_like_it(tmp_path: Path) -> None:
    (example,) = mined(tmp_path, CRANE, DOOR)
    assert (example.query, example.origin, example.weight) == (GATE.question, "port questions", 1.0)
    assert example.positive.partition("\n")[0] == "Gate"
    assert {text.partition("\n")[0] for text in example.negatives} == {"Crane", "Door"}


def test_a_passage_that_says_the_same_is_no_negative(tmp_path: Path) -> None:
    assert mined(tmp_path, CRANE, COPY) == []
    assert len(mined(tmp_path, CRANE, COPY, num_negatives=1)) == 1


def test_a_passage_that_answers_nearly_the_same_question_is_no_negative(tmp_path: Path) -> None:
    assert mined(tmp_path, CRANE, TWIN) == []


def test_a_query_with_too_few_negatives_gives_no_example(tmp_path: Path) -> None:
    assert mined(tmp_path, CRANE) == []


@pytest.mark.parametrize("seed", [0, 1])
def test_the_draw_depends_on_the_seed_alone(seed: int, tmp_path: Path) -> None:
    others = [Pair(f"Who runs {name}?", f"The harbour {name} has a boss.", name, "port") for name in "abcdefghij"]
    table, judged = searched(tmp_path, *others)
    questions_of = {pair.document: pair.question for pair in (GATE, *others)}

    def draw(seed: int) -> list[TrainingExample]:
        return mine(judged, table, FakeEmbedder(), questions_of, num_negatives=3, seed=seed, origin="port")

    assert draw(seed) == draw(seed)
    assert draw(0) != draw(1)
