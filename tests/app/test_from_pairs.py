from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TypeVar, cast

import pytest
import typer

from app.commands.train import parse_pairs_file
from app.registry import fingerprint
from app.reranking.cross_encoder import CrossEncoderReranker
from app.reranking.late_interaction import LateInteractionReranker
from app.reranking.names import MODELS_FOLDER, load_reranker
from app.reranking.rerank import Blend
from app.settings import Settings
from app.training.fit import late_interaction
from app.training.fit.kinds import TRAINERS, base_model
from app.training.fit.trainer import Loss, Recipe, Training, Watch, save
from app.training.from_pairs import PairsPlan, train_from_pairs
from app.training.labels.examples import TrainingExample
from app.training.labels.pairs import read_pairs, split_by_source, spread
from ingest import CiteloopError
from ingest.embed.embedder import Embedder, load_embedder
from tests.app.conftest import Citeloop
from tests.conftest import FakeEmbedder
from tests.tiny_model import write_tiny_embedder

pytestmark = pytest.mark.slow

T = TypeVar("T")

THINGS = [
    "crane",
    "gate",
    "lock",
    "pilot",
    "canteen",
    "payroll",
    "first aid",
    "radio",
    "parking",
    "customs",
    "diving",
    "ice",
]


def write_pairs(path: Path, num_sources: int = 10) -> Path:
    rows = [
        {
            "question": f"Who looks after the {thing} at pier {source}?",
            "passage": f"The {thing} at pier {source} is looked after by team {len(thing) + source} of the port.",
            "title": f"The {thing}",
            "source": f"pier {source}",
        }
        for source in range(num_sources)
        for thing in THINGS
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def plain(items: Collection[T], label: str) -> Iterable[T]:
    return items


RECIPE = Recipe(batch_size=8, num_negatives=2, learning_rate=1e-2)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_embedder(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def late_tiny(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("late-tiny")
    save(late_interaction.load(str(tiny)), folder)
    return folder


@pytest.fixture(autouse=True)
def small(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mine with a fake embedder and train a tiny model, unless a test names another base."""
    monkeypatch.setattr("app.training.from_pairs.load_embedder", FakeEmbedder)
    monkeypatch.setattr("app.training.fit.kinds.default_embedder_path", lambda: tiny)


def test_a_reranker_comes_out_with_its_blend_and_what_its_card_says(tmp_path: Path) -> None:
    pairs = (write_pairs(tmp_path / "port.jsonl"), 48)
    losses: list[Loss] = []
    output = tmp_path / "model"
    summary = train_from_pairs(
        PairsPlan([pairs], RECIPE, exclude=frozenset({"pier 0"})),
        output,
        tmp_path / "home",
        plain,
        Watch(losses.append),
    )
    assert json.loads((output / "training.json").read_text()) == json.loads(json.dumps(summary))
    assert summary["excluded"] == ["pier 0"]
    assert summary["fingerprint"] == fingerprint(output)
    (file,) = summary["files"]
    assert file["num_questions"] + file["num_aside"] == 48
    assert 0 < file["num_aside"] < 48
    assert summary["num_examples"] <= file["num_questions"]
    blend = Blend.load(output)
    assert blend
    assert blend.calibration
    scores = LateInteractionReranker(str(output)).score("Who looks after the crane?", ["The crane.", "Soup is served."])
    assert scores[0] > scores[1]
    (tmp_path / "copy").mkdir()
    for name in ("model.safetensors", "blend.json"):
        (tmp_path / "copy" / name).write_bytes((output / name).read_bytes())
    assert fingerprint(tmp_path / "copy") == fingerprint(output)
    (tmp_path / "copy" / "blend.json").write_text("{}")
    assert fingerprint(tmp_path / "copy") != fingerprint(output)


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    pairs = (write_pairs(tmp_path / "port.jsonl"), 24)
    for name in ("one", "two"):
        train_from_pairs(PairsPlan([pairs], RECIPE), tmp_path / name, tmp_path / "home", plain)
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")


def test_a_cross_encoder_comes_out_that_reads_whole_passages(tmp_path: Path) -> None:
    pairs = (write_pairs(tmp_path / "port.jsonl"), 48)
    output = tmp_path / "model"
    summary = train_from_pairs(PairsPlan([pairs], RECIPE, kind="cross-encoder"), output, tmp_path / "home", plain)
    assert summary["kind"] == "cross-encoder"
    reranker = load_reranker(str(output), Settings(home=tmp_path))
    assert isinstance(reranker, CrossEncoderReranker)
    assert reranker.blend == Blend.load(output)
    assert reranker.blend
    passage = "Nothing that was asked for stands here. " * 25
    first, second = reranker.score("Who looks after the crane?", [passage, f"{passage}The crane: team 5."])
    assert first != second  # it was trained on pairs that are cut before that


def test_an_embedder_comes_out_of_pairs_without_a_blend(tiny: Path, tmp_path: Path) -> None:
    pairs = (write_pairs(tmp_path / "port.jsonl"), 48)
    output = tmp_path / "model"
    summary = train_from_pairs(PairsPlan([pairs], RECIPE, kind="embedder"), output, tmp_path / "home", plain)
    assert (summary["kind"], summary["fingerprint"]) == ("embedder", fingerprint(output))
    assert Blend.load(output) is None
    trained, base = load_embedder(str(output)), load_embedder(str(tiny))
    assert trained.max_tokens == base.max_tokens
    questions, passages = zip(*[(row["question"], row["passage"]) for row in read_rows(pairs[0])], strict=True)
    assert told_apart(trained, questions, passages) > told_apart(base, questions, passages)


def read_rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def told_apart(embedder: Embedder, questions: Sequence[str], passages: Sequence[str]) -> float:
    """How much nearer a question is to its own passage than to all passages."""
    similarities = embedder.embed(list(questions)) @ embedder.embed(list(passages)).T
    return float(similarities.diagonal().mean() - similarities.mean())


def test_a_base_that_is_not_there_is_said_before_anything_is_mined(citeloop: Citeloop, tmp_path: Path) -> None:
    options = ["--from-pairs", write_pairs(tmp_path / "port.jsonl"), "--output", tmp_path / "model"]
    outcome = citeloop("train", *options, "--base", "no/such-model", "--home", tmp_path / "new")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "cannot load no/such-model" in outcome.stderr
    assert not (tmp_path / "new" / "evaluation").exists()


def test_an_embedder_is_trained_from_pairs_only(citeloop: Citeloop) -> None:
    outcome = citeloop("train", "--kind", "embedder")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "--kind embedder needs --from-pairs" in outcome.stderr


class _StubbedTraining:
    """Stands for what trains: notes what it is given, and breaks off or leaves a folder that can be loaded."""

    def __init__(self, model: Path, error: BaseException | None = None) -> None:
        self.examples: list[TrainingExample] = []
        self._model, self._error = model, error

    def __call__(self, training: Training, _base: str, output: Path) -> None:
        self.examples.extend(training.examples)
        shutil.copytree(self._model, output, dirs_exist_ok=True)
        if self._error:
            raise self._error


@pytest.fixture
def stubbed(late_tiny: Path, monkeypatch: pytest.MonkeyPatch) -> _StubbedTraining:
    training = _StubbedTraining(late_tiny)
    for kind in TRAINERS:
        monkeypatch.setitem(cast(dict[str, object], TRAINERS), kind, training)
    return training


def test_passages_of_sources_kept_aside_are_no_negatives(tmp_path: Path, stubbed: _StubbedTraining) -> None:
    file = (write_pairs(tmp_path / "port.jsonl"), 60)
    train_from_pairs(PairsPlan([file], RECIPE), tmp_path / "model", tmp_path / "home", plain)
    _, aside = split_by_source(spread(read_pairs(file[0]), 60, RECIPE.seed), 0.15)
    passages = "\n".join(passage for each in stubbed.examples for passage in (each.positive, *each.negatives))
    assert stubbed.examples
    assert aside
    assert not [pair.source for pair in aside if pair.passage in passages]


def test_files_of_one_name_keep_their_questions_apart(tmp_path: Path, stubbed: _StubbedTraining) -> None:
    files = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        files.append((write_pairs(tmp_path / folder / "port.v1.jsonl"), 60))
    summary = train_from_pairs(PairsPlan(files, RECIPE), tmp_path / "model", tmp_path / "home", plain)
    assert [file["name"] for file in summary["files"]] == ["port.v1", "port.v1_2"]
    assert {each.origin for each in stubbed.examples} == {"port.v1", "port.v1_2"}
    num_aside = sum(file["num_aside"] for file in summary["files"])
    assert sum(each["candidates"] for each in summary["reliability"]) == 50 * num_aside


@pytest.mark.parametrize("num_sources", [1, 2])
def test_few_sources_are_enough_for_a_blend(num_sources: int, tmp_path: Path, stubbed: _StubbedTraining) -> None:
    path = tmp_path / "port.jsonl"
    rows = read_rows(write_pairs(path))
    path.write_text("".join(json.dumps(row | {"source": str(at % num_sources)}) + "\n" for at, row in enumerate(rows)))
    summary = train_from_pairs(PairsPlan([(path, 60)], RECIPE), tmp_path / "model", tmp_path / "home", plain)
    assert summary["files"][0]["num_aside"] > 0
    assert Blend.load(tmp_path / "model")
    assert stubbed.examples


def test_an_embedder_learns_from_all_sources(tmp_path: Path, stubbed: _StubbedTraining) -> None:
    file = (write_pairs(tmp_path / "port.jsonl"), 60)
    output = tmp_path / "model"
    summary = train_from_pairs(PairsPlan([file], RECIPE, kind="embedder"), output, tmp_path / "home", plain)
    assert (summary["files"][0]["num_questions"], summary["files"][0]["num_aside"]) == (60, 0)
    assert stubbed.examples


def test_a_training_that_breaks_off_leaves_no_folder(
    late_tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = _StubbedTraining(late_tiny, KeyboardInterrupt())
    monkeypatch.setitem(cast(dict[str, object], TRAINERS), "late-interaction", broken)
    file = (write_pairs(tmp_path / "port.jsonl"), 60)
    with pytest.raises(KeyboardInterrupt):
        train_from_pairs(PairsPlan([file], RECIPE), tmp_path / "models" / "mine", tmp_path / "home", plain)
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.parametrize(("output", "said"), [("port.jsonl", "exists already"), ("port.jsonl/mine", "cannot create")])
def test_an_output_that_cannot_be_is_said_first(
    output: str, said: str, tmp_path: Path, stubbed: _StubbedTraining
) -> None:
    file = (write_pairs(tmp_path / "port.jsonl"), 60)
    with pytest.raises(CiteloopError, match=said):
        train_from_pairs(PairsPlan([file], RECIPE), tmp_path / output, tmp_path / "home", plain)
    assert not (tmp_path / "home").exists()
    assert not stubbed.examples


def test_a_source_to_leave_out_that_no_pair_has_is_said(tmp_path: Path) -> None:
    file, exclude = (write_pairs(tmp_path / "port.jsonl"), 60), frozenset({"pier 1", "peer 2"})
    with pytest.raises(CiteloopError, match=r"source 'peer 2': no pair has it; the sources are: pier 0, pier 1, "):
        train_from_pairs(PairsPlan([file], RECIPE, exclude=exclude), tmp_path / "model", tmp_path / "home", plain)


@pytest.mark.parametrize("base", ["shipped", "empty"])
def test_a_base_of_another_kind_is_said_first(base: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    folder = MODELS_FOLDER / "shipped" if base == "shipped" else tmp_path / "empty"
    file, kind = (write_pairs(tmp_path / "port.jsonl"), 60), "embedder"
    with pytest.raises(CiteloopError, match=r"holds a MultiVectorEncoder|neither a folder with config\.json"):
        train_from_pairs(
            PairsPlan([file], RECIPE, kind=kind, base=str(folder)), tmp_path / "m", tmp_path / "home", plain
        )


def test_the_default_embedder_is_a_base_by_its_name(tiny: Path) -> None:
    assert base_model("all-MiniLM-L6-v2", "cross-encoder") == base_model("", "embedder") == str(tiny)


def test_a_file_of_pairs_may_say_how_many_questions(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "port.jsonl")
    assert parse_pairs_file(f"{path}:200", 9) == (path, 200)
    assert parse_pairs_file(str(path), 9) == (path, 9)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("port.jsonl:0", "at least one question"),
        ("port.jsonl:²", "is missing"),
        ("port.jsonl:-3", "is missing"),
        (".", "is a folder"),
    ],
)
def test_a_file_of_pairs_that_cannot_be_is_wrong_usage(name: str, said: str, tmp_path: Path) -> None:
    write_pairs(tmp_path / "port.jsonl")
    with pytest.raises(typer.BadParameter, match=said):
        parse_pairs_file(f"{tmp_path}/{name}", 9)


def test_the_recipe_may_be_told_how_much_to_read(citeloop: Citeloop, tmp_path: Path, stubbed: _StubbedTraining) -> None:
    pairs, output = write_pairs(tmp_path / "port.jsonl"), tmp_path / "model"
    arguments = ["--from-pairs", pairs, "--output", output, "--home", tmp_path / "home", "--json"]
    recipe = citeloop("train", *arguments, "--max-tokens", 192, "--seed", 7).json["recipe"]
    assert (recipe["max_tokens"], recipe["seed"]) == (192, 7)
    assert stubbed.examples


def test_options_for_pairs_alone_are_wrong_usage(citeloop: Citeloop) -> None:
    for option in (["--output", "x"], ["--exclude", "x"], ["--max-tokens", 192]):
        outcome = citeloop("train", *option)
        assert (outcome.status, outcome.stdout) == (2, "")
