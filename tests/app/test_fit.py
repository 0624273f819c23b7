"""The trainer: how often an example is seen, who is told, who may stop it, and that it learns and repeats itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.numpy import load_file

from app.rerankers.cross_encoder import CrossEncoderReranker
from app.rerankers.late_interaction import LateInteractionReranker
from app.training import cross_encoder, embedder, late_interaction
from app.training.examples import TrainingExample
from app.training.fit import Loss, Recipe, Watch, drawn
from ingest.embed import default_embedder_path

CODE_NAMES = ("Osprey", "Lapwing", "Bittern", "Dunlin", "Plover", "Curlew", "Godwit", "Avocet")
THINGS = (
    "the crane",
    "the canteen",
    "the harbour gate",
    "the payroll",
    "the lighthouse",
    "the ferry",
    "the tug",
    "the dock",
)


def code_name_examples(times: int = 3) -> list[TrainingExample]:
    """Code names that no model can know, and what they stand for."""
    forms = ("What is {}?", "Who looks after {}?", "When was {} painted?")
    return [
        TrainingExample(
            forms[form].format(name),
            (f"All about {thing} and who looks after it.",),
            tuple(f"All about {other} and who looks after it." for other in THINGS if other != thing)[:2],
            origin="feedback",
        )
        for form in range(times)
        for name, thing in zip(CODE_NAMES, THINGS, strict=True)
    ]


def test_an_example_of_half_the_weight_is_seen_half_as_often() -> None:
    sure, unsure = (TrainingExample(str(weight), ("p",), ("n",), weight=weight) for weight in (1.0, 0.5))
    seen = drawn([sure] * 10 + [unsure] * 200, num_epochs=4, seed=0)
    assert seen.count(sure) == 40
    assert seen.count(unsure) == 400
    little = drawn([TrainingExample("q", ("p",), ("n",), weight=0.1)] * 1000, num_epochs=1, seed=0)
    assert 70 < len(little) < 130
    assert drawn([unsure] * 9, 1, seed=3) == drawn([unsure] * 9, 1, seed=3)


RECIPE = Recipe(num_epochs=6, batch_size=8, num_negatives=2, learning_rate=2e-4, max_tokens=32)


@pytest.mark.slow
def test_late_interaction_learns_code_names_and_says_how_it_goes(tmp_path: Path) -> None:
    told: list[Loss] = []
    examples = code_name_examples()
    base = str(default_embedder_path())
    late_interaction.train(examples, base, tmp_path / "a", RECIPE, examples[:8], Watch(told.append))
    training = [loss.training for loss in told if loss.training is not None]
    validation = [loss.validation for loss in told if loss.validation is not None]
    assert training[-1] < training[0]
    assert min(validation[1:]) < validation[0]
    assert told[-1].step <= told[-1].num_steps
    query, passages = "Where is the Lapwing?", [f"All about {thing} and who looks after it." for thing in THINGS]
    before = LateInteractionReranker().score(query, passages)
    after = LateInteractionReranker(str(tmp_path / "a")).score(query, passages)
    assert after.index(max(after)) == 1
    assert after[1] - max(after[:1] + after[2:]) > before[1] - max(before[:1] + before[2:])
    late_interaction.train(examples, base, tmp_path / "b", RECIPE, examples[:8])
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("a", "b"))
    assert all((first[name] == second[name]).all() for name in first), "the same seed gives the same model"


@pytest.mark.slow
def test_a_model_that_is_trained_further_stays_near_to_what_it_replays(tmp_path: Path) -> None:
    base = str(default_embedder_path())
    others = [
        TrainingExample(f"Is {name} a bird?", (f"{name} is a bird.",), ("A stone.", "A tree."), origin="replay")
        for name in CODE_NAMES
    ]
    teacher = LateInteractionReranker(base)

    def scores(reranker: LateInteractionReranker, each: TrainingExample) -> list[float]:
        return reranker.score(each.query, [*each.positives, *each.negatives])

    replayed = [
        TrainingExample(o.query, o.positives, o.negatives, 1.0, o.origin, "", tuple(scores(teacher, o))) for o in others
    ]
    late_interaction.train(code_name_examples(), base, tmp_path / "plain", RECIPE)
    late_interaction.train([*code_name_examples(), *replayed], base, tmp_path / "near", RECIPE)

    def moved(folder: Path) -> float:
        reranker = LateInteractionReranker(str(folder))
        margins = [
            (after[0] - after[1]) - (before[0] - before[1])
            for o in others
            for before, after in [(scores(teacher, o), scores(reranker, o))]
        ]
        return sum(map(abs, margins))

    assert moved(tmp_path / "near") < moved(tmp_path / "plain")


@pytest.mark.slow
def test_a_training_can_be_stopped(tmp_path: Path) -> None:
    told: list[Loss] = []
    watch = Watch(told.append, lambda: len(told) >= 2)
    late_interaction.train(code_name_examples(), str(default_embedder_path()), tmp_path, RECIPE, watch=watch)
    assert told[-1].step < told[-1].num_steps


@pytest.mark.slow
def test_a_cross_encoder_learns_from_a_plain_encoder(tmp_path: Path) -> None:
    cross_encoder.train(
        code_name_examples(),
        str(default_embedder_path()),
        tmp_path,
        Recipe(num_epochs=10, batch_size=8, num_negatives=2, learning_rate=5e-4, max_tokens=32),
    )
    scores = CrossEncoderReranker(str(tmp_path)).score(
        "What is Lapwing?", [f"All about {thing} and who looks after it." for thing in THINGS]
    )
    assert scores.index(max(scores)) == 1


@pytest.mark.slow
def test_an_embedder_learns(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    embedder.train(code_name_examples(), str(default_embedder_path()), tmp_path, RECIPE)
    model = SentenceTransformer(str(tmp_path))
    assert model.max_seq_length == 256, "the cut of the training is not the model's"
    passages = [f"All about {thing} and who looks after it." for thing in THINGS]
    found = model.similarity(model.encode(["What is Lapwing?"]), model.encode(passages))[0]
    assert int(found.argmax()) == 1
