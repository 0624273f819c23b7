from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar, cast

import pytest

from app.registry import fingerprint
from app.rerank import Blend
from app.rerankers import load_reranker
from app.rerankers.cross_encoder import CrossEncoderReranker
from app.rerankers.late_interaction import LateInteractionReranker
from app.settings import Settings
from app.training.commands import parse_pairs_file
from app.training.examples import TrainingExample
from app.training.fit import Loss, Recipe, Watch
from app.training.from_pairs import PairsFile, train_from_pairs
from app.training.pairs import read_pairs, split_by_source
from app.training.trainers import TRAINERS
from ingest import CiteloopError
from ingest.embed import Embedder, load_embedder
from tests.app.conftest import Citeloop

T = TypeVar("T")

THINGS = ["crane", "gate", "lock", "pilot"]


def write_pairs(path: Path, num_sources: int = 30) -> Path:
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


def plain(items: Iterable[T], label: str) -> Iterable[T]:
    return items


RECIPE = Recipe(batch_size=8, num_negatives=2)


@pytest.mark.slow
def test_a_reranker_comes_out_with_its_blend_and_what_its_card_says(tmp_path: Path) -> None:
    pairs = PairsFile(write_pairs(tmp_path / "port.jsonl"), 48)
    losses: list[Loss] = []
    output = tmp_path / "model"
    summary = train_from_pairs(
        [pairs],
        output,
        tmp_path / "home",
        RECIPE,
        exclude=frozenset({"pier 0"}),
        track=plain,
        watch=Watch(losses.append),
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


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    pairs = PairsFile(write_pairs(tmp_path / "port.jsonl"), 24)
    for name in ("one", "two"):
        train_from_pairs([pairs], tmp_path / name, tmp_path / "home", RECIPE, track=plain)
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")


@pytest.mark.slow
def test_a_cross_encoder_comes_out_that_reads_whole_passages(tmp_path: Path) -> None:
    pairs = PairsFile(write_pairs(tmp_path / "port.jsonl"), 48)
    output = tmp_path / "model"
    summary = train_from_pairs([pairs], output, tmp_path / "home", RECIPE, kind="cross-encoder", track=plain)
    assert summary["kind"] == "cross-encoder"
    reranker = load_reranker(str(output), Settings(home=tmp_path))
    assert isinstance(reranker, CrossEncoderReranker)
    assert reranker.blend == Blend.load(output)
    assert reranker.blend
    passage = "Nothing that was asked for stands here. " * 25
    first, second = reranker.score("Who looks after the crane?", [passage, f"{passage}The crane: team 5."])
    assert first != second  # it was trained on pairs that are cut before that


@pytest.mark.slow
def test_an_embedder_comes_out_of_pairs_without_a_blend(tmp_path: Path) -> None:
    pairs = PairsFile(write_pairs(tmp_path / "port.jsonl"), 48)
    output = tmp_path / "model"
    summary = train_from_pairs([pairs], output, tmp_path / "home", RECIPE, kind="embedder", track=plain)
    assert (summary["kind"], summary["fingerprint"]) == ("embedder", fingerprint(output))
    assert Blend.load(output) is None
    trained, base = load_embedder(str(output)), load_embedder()
    assert trained.max_tokens == base.max_tokens
    questions, passages = zip(*[(row["question"], row["passage"]) for row in read_rows(pairs.path)], strict=True)
    assert told_apart(trained, questions, passages) > told_apart(base, questions, passages)


def read_rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def told_apart(embedder: Embedder, questions: Sequence[str], passages: Sequence[str]) -> float:
    """How much nearer a question is to its own passage than to all passages."""
    similarities = embedder.embed(list(questions)) @ embedder.embed(list(passages)).T
    return float(similarities.diagonal().mean() - similarities.mean())


def test_passages_of_sources_kept_aside_are_no_negatives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[TrainingExample] = []

    def noted(examples: Sequence[TrainingExample], *_: object, **__: object) -> None:
        given.extend(examples)
        raise CiteloopError("that will do")

    monkeypatch.setitem(cast(dict[str, object], TRAINERS), "late-interaction", noted)
    file = PairsFile(write_pairs(tmp_path / "port.jsonl"), 60)
    with pytest.raises(CiteloopError, match="that will do"):
        train_from_pairs([file], tmp_path / "model", tmp_path / "home", RECIPE, track=plain)
    _, aside = split_by_source(read_pairs(file.path), 0.15)
    passages = "\n".join(passage for each in given for passage in (*each.positives, *each.negatives))
    assert given
    assert aside
    assert not [pair.source for pair in aside if pair.passage in passages]


def test_a_base_that_is_not_there_is_said_before_anything_is_mined(citeloop: Citeloop, tmp_path: Path) -> None:
    options = ["--from-pairs", write_pairs(tmp_path / "port.jsonl"), "--output", tmp_path / "model"]
    outcome = citeloop("train", *options, "--base", "no/such-model", "--home", tmp_path / "new")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "cannot load no/such-model" in outcome.stderr
    assert not (tmp_path / "new" / "evaluation").exists()


def test_both_cannot_be_trained_from_pairs(citeloop: Citeloop, tmp_path: Path) -> None:
    options = ["--from-pairs", write_pairs(tmp_path / "port.jsonl"), "--output", tmp_path / "model", "--kind", "both"]
    outcome = citeloop("train", *options)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert not (tmp_path / "model").exists()


@pytest.mark.slow
def test_pairs_of_one_source_cannot_fit_a_blend(tmp_path: Path) -> None:
    pairs = PairsFile(write_pairs(tmp_path / "port.jsonl", num_sources=1), 10)
    with pytest.raises(CiteloopError, match="expected"):
        train_from_pairs([pairs], tmp_path / "model", tmp_path / "home", RECIPE, track=plain)


def test_a_file_of_pairs_may_say_how_many_questions(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "port.jsonl")
    assert parse_pairs_file(f"{path}:200", 9) == (path, 200)
    assert parse_pairs_file(str(path), 9) == (path, 9)


@pytest.mark.slow
def test_two_processes_train_together_and_one_writes(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "port.jsonl", num_sources=60)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    options = ["--from-pairs", str(pairs), "--output", str(tmp_path / "model"), "--home", str(tmp_path), "--json"]
    done = subprocess.run(
        [*torchrun, "-m", "app.cli", "train", *options],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert json.loads(line)["fingerprint"] == fingerprint(tmp_path / "model")
    scores = LateInteractionReranker(str(tmp_path / "model")).score(
        "Who looks after the crane?", ["The crane.", "Soup."]
    )
    assert scores[0] > scores[1]
