"""The trainer: how often an example is seen, who is told, who may stop it, and that it learns and repeats itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from app.reranking.cross_encoder import CrossEncoderReranker
from app.reranking.late_interaction import LateInteractionReranker
from app.training.fit import late_interaction
from app.training.fit.kinds import EMBEDDER, TRAINERS
from app.training.fit.trainer import Loss, Recipe, Training, Watch, drawn, save
from app.training.labels.examples import TrainingExample
from ingest.embed.embedder import Embedder, open_embedder
from tests.tiny_model import write_tiny_embedder

CODE_NAMES = ("Falcon", "Eagle", "Swan", "Robin", "Hawk", "Crow", "Dove", "Owl")  # a word piece each
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


FORMS = ("What is {}?", "Who looks after {}?", "When was {} painted?", "How old is {}?")


def passage_of(thing: str, notice: int) -> str:
    return f"Notice {notice}: all about {thing} of the port and whom to call."


def code_name_examples() -> list[TrainingExample]:
    """Code names that no model can know, and what they stand for. No text stands in two examples."""
    pairs = [(form, name, number) for form in FORMS for number, name in enumerate(CODE_NAMES)]
    return [
        TrainingExample(
            form.format(name),
            passage_of(THINGS[number], 3 * place),
            tuple(passage_of(THINGS[(number + step) % len(THINGS)], 3 * place + step) for step in (1, 2)),
            origin="feedback",
        )
        for place, (form, name, number) in enumerate(pairs)
    ]


NEW_QUESTION, NEW_PASSAGES = "Where can I find the Eagle?", [passage_of(thing, 999) for thing in THINGS]
ASKED_FOR = CODE_NAMES.index("Eagle")


def lead(scores: Sequence[float]) -> float:
    """By how much what is asked for is before the best of the others; negative: behind it."""
    others = [score for place, score in enumerate(scores) if place != ASKED_FOR]
    return scores[ASKED_FOR] - max(others)


def test_an_example_of_half_the_weight_is_seen_half_as_often() -> None:
    sure, unsure = (TrainingExample(str(weight), "p", ("n",), weight=weight) for weight in (1.0, 0.5))
    seen = drawn([sure] * 10 + [unsure] * 200, num_epochs=4, seed=0)
    assert seen.count(sure) == 40
    assert seen.count(unsure) == 400
    little = drawn([TrainingExample("q", "p", ("n",), weight=0.1)] * 1000, num_epochs=1, seed=0)
    assert 70 < len(little) < 130
    assert drawn([unsure] * 9, 1, seed=3) == drawn([unsure] * 9, 1, seed=3)


RECIPE = Recipe(num_epochs=8, batch_size=8, num_negatives=2, learning_rate=1e-2, max_tokens=32)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_embedder(tmp_path_factory.mktemp("tiny") / "base"))


@pytest.fixture(scope="module")
def untrained(base: str, tmp_path_factory: pytest.TempPathFactory) -> LateInteractionReranker:
    folder = tmp_path_factory.mktemp("untrained")
    save(late_interaction.load(base), folder)
    return LateInteractionReranker(str(folder))


@pytest.fixture(scope="module")
def trained(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A late-interaction model that knows the code names."""
    folder = tmp_path_factory.mktemp("trained")
    late_interaction.train(Training(code_name_examples(), RECIPE), base, folder)
    return folder


@pytest.mark.slow
def test_late_interaction_learns_code_names_and_says_how_it_goes(
    base: str, untrained: LateInteractionReranker, tmp_path: Path
) -> None:
    told: list[Loss] = []
    examples = code_name_examples()
    late_interaction.train(Training(examples, RECIPE, examples[:8], Watch(told.append)), base, tmp_path / "a")
    training = [loss.training for loss in told if loss.training is not None]
    validation = [loss.validation for loss in told if loss.validation is not None]
    assert training[-1] < training[0]
    assert min(validation[1:]) < validation[0]
    assert told[-1].step <= told[-1].num_steps
    before = untrained.score(NEW_QUESTION, NEW_PASSAGES)
    after = LateInteractionReranker(str(tmp_path / "a")).score(NEW_QUESTION, NEW_PASSAGES)
    assert lead(before) < 0 < lead(after)
    late_interaction.train(Training(examples, RECIPE, examples[:8]), base, tmp_path / "b")
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("a", "b"))
    assert all((first[name] == second[name]).all() for name in first), "the same seed gives the same model"


@pytest.mark.slow
def test_a_training_that_makes_the_validation_worse_stops_and_keeps_the_best_moment(
    base: str, trained: Path, tmp_path: Path
) -> None:
    examples = code_name_examples()
    opposite = [replace(each, positive=each.negatives[0], negatives=(each.positive,) * 2) for each in examples[:8]]
    told: list[Loss] = []
    late_interaction.train(Training(examples, RECIPE, opposite, Watch(told.append)), base, tmp_path)
    assert told[-1].step < told[-1].num_steps
    stopped, whole = (
        lead(LateInteractionReranker(str(folder)).score(NEW_QUESTION, NEW_PASSAGES)) for folder in (tmp_path, trained)
    )
    assert stopped < 0 < whole


@pytest.mark.slow
def test_a_model_that_is_trained_further_stays_near_to_what_it_replays(
    base: str, untrained: LateInteractionReranker, trained: Path, tmp_path: Path
) -> None:

    def scores(reranker: LateInteractionReranker, each: TrainingExample) -> tuple[float, ...]:
        return tuple(reranker.score(each.query, [each.positive, *each.negatives]))

    others = [
        TrainingExample(f"Is the {name} a bird?", f"The {name} is a bird.", (f"{name} Street.", f"{name} Ltd."))
        for name in CODE_NAMES
    ]
    replayed = [replace(each, origin="replay", scores=scores(untrained, each)) for each in others]
    late_interaction.train(Training([*code_name_examples(), *replayed], RECIPE), base, tmp_path)

    def moved(folder: Path) -> float:
        """How far the lead of the first passage has moved, over all."""
        reranker = LateInteractionReranker(str(folder))
        pairs = [(scores(untrained, each), scores(reranker, each)) for each in others]
        return sum(abs((after[0] - after[1]) - (before[0] - before[1])) for before, after in pairs)

    assert moved(tmp_path) < moved(trained)


@pytest.mark.slow
def test_a_training_can_be_stopped(base: str, tmp_path: Path) -> None:
    told: list[Loss] = []
    watch = Watch(told.append, lambda: len(told) >= 2)
    late_interaction.train(Training(code_name_examples(), RECIPE, watch=watch), base, tmp_path)
    assert told[-1].step < told[-1].num_steps


@pytest.mark.slow
def test_a_cross_encoder_learns_from_a_plain_encoder(base: str, tmp_path: Path) -> None:
    examples = code_name_examples()
    TRAINERS["cross-encoder"](Training(examples, replace(RECIPE, num_epochs=20)), base, tmp_path)
    trained = CrossEncoderReranker(str(tmp_path))
    right = [trained.score(each.query, [each.positive, *each.negatives]) for each in examples]
    assert sum(scores[0] == max(scores) for scores in right) > 0.9 * len(right), "of three, by chance one in three"


@pytest.mark.slow
def test_an_embedder_learns(base: str, tmp_path: Path) -> None:
    TRAINERS[EMBEDDER](Training(code_name_examples(), replace(RECIPE, temperature=0.05)), base, tmp_path)
    trained = open_embedder(tmp_path, "trained")
    usual = open_embedder(Path(base), "tiny")
    assert trained.max_tokens == usual.max_tokens, "the cut of the training is not the model's"

    def scores(model: Embedder) -> list[float]:
        return [float(score) for score in model.embed(NEW_PASSAGES) @ model.embed_query(NEW_QUESTION)]

    assert lead(scores(usual)) < 0 < lead(scores(trained))
