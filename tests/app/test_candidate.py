"""From stored clicks to a candidate in the registry, with a tiny embedder and reranker on a small table."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.feedback import FeedbackStore
from app.pipeline import Pipeline
from app.registry import Registry, fingerprint
from app.reranking.late_interaction import LateInteractionReranker
from app.reranking.names import MODELS_FOLDER
from app.reranking.rerank import Blend, RerankerError
from app.settings import Settings
from app.training import candidate as module
from app.training import plan as plans
from app.training.candidate import make_candidate
from app.training.fit import late_interaction
from app.training.fit.trainer import Loss, Recipe, Watch, save
from app.training.gate.decision import GateReport
from app.training.labels.split import COMPARED, parts_of
from app.training.plan import Plan
from ingest.embed.embedder import load_embedder
from ingest.home.job_store import StoppedError
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.app.builders import write_benchmark
from tests.app.test_from_pairs import write_pairs
from tests.tiny_model import write_tiny_embedder

THINGS = ("crane", "canteen", "gate", "ferry", "tug", "dock", "buoy", "pilot", "barge", "winch")
PLACES = ("north", "south", "east", "west", "upper", "lower", "old", "new")
QUICK = Recipe(num_epochs=1, batch_size=8, num_negatives=2, max_tokens=48)


def question_of(place: str, thing: str) -> str:
    return f"Who looks after the {place} {thing}?"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_embedder(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def filled(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with eighty documents and a click of two users on each of eighty answers; a tiny model is live."""
    folder, home = tmp_path_factory.mktemp("port"), tmp_path_factory.mktemp("home")
    for number, (place, thing) in enumerate((place, thing) for place in PLACES for thing in THINGS):
        text = (
            f"# The {place} {thing}\n\nTeam {number} looks after the {place} {thing} of the port, but not on Sundays.\n"
        )
        (folder / f"{place}-{thing}.md").write_text(text)
    embedder = load_embedder(str(tiny))
    assert {each.status for each in ingest([folder], ChunkTable(home, embedder), embedder)} == {"added"}
    pipeline, store = Pipeline(Settings(home=home)), FeedbackStore(home)
    for number, (place, thing) in enumerate((place, thing) for place in PLACES for thing in THINGS):
        ranked = pipeline.rank(question_of(place, thing), "none")
        shown = replace(ranked, text="[1] [2] [3] [4] [5]", found=True, complete=True)
        user = ("ann", "bob")[number % 2]
        answer = store.answer(store.save_answer(shown, "conversation", user), user)
        assert answer
        for citation in shown.citations:
            if citation.chunk.document != f"{place}-{thing}.md":
                store.record(answer, citation.chunk.id, "deleted", user)
        store.record_kept(answer, user)
    registry = Registry(home)
    with registry.unfinished() as unfinished:
        save(late_interaction.load(str(tiny)), unfinished)
        shutil.copy(MODELS_FOLDER / "shipped" / "blend.json", unfinished)
        name = registry.add(unfinished, kind="late-interaction", base=str(tiny)).name
    registry.promote(name, "ann", "a live model that trains in a moment", override=True)
    return home


@pytest.fixture
def home(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, with quick recipes and a probe of two questions."""
    corpus = [{"_id": name, "title": name, "text": f"The {name} is painted red."} for name in ("mast", "keel")]
    queries = [{"_id": name, "text": f"What colour has the {name}?"} for name in ("mast", "keel")]
    probe = write_benchmark(tmp_path / "probe", corpus, queries, [("mast", "mast", 1), ("keel", "keel", 1)])
    monkeypatch.setattr(module, "PROBE", probe)
    monkeypatch.setattr(plans, "RECIPES", dict.fromkeys(plans.RECIPES, QUICK))
    return filled


def made(home: Path, plan: Plan, watch: Watch = Watch()) -> tuple[str, GateReport]:  # noqa: B008  # frozen
    found = make_candidate(plan, Pipeline(Settings(home=home)), "ann", "a job", watch)
    return found.name, found.report


@pytest.mark.slow
def test_a_candidate_is_registered_with_all_that_explains_it(home: Path, tiny: Path) -> None:
    told: list[Loss] = []
    registry = Registry(home)
    live = registry.live()
    name, report = made(home, Plan(), Watch(told.append))
    folder = registry.folder(name)
    assert registry.model(name).kind == "late-interaction"
    assert registry.live() == live, "it is only a candidate"
    assert GateReport.load(folder) == report
    assert told
    record = json.loads((folder / "training.json").read_text())
    assert record["feedback"]["num_users"] == 2
    assert record["num_examples"] > 30
    assert all("mined" in evidence and "random" in evidence for evidence in record["evidence"])
    assert name in (folder / "README.md").read_text()
    questions = {question_of(place, thing) for place in PLACES for thing in THINGS}
    parts = parts_of(sorted(questions), home, load_embedder(str(tiny)))
    assert report.num_questions == sum(part in COMPARED for part in parts.values())
    blend = Blend.load(folder)
    assert blend
    assert blend.calibration
    trained = Pipeline(Settings(home=home)).rank(question_of("north", "crane"), f"trained:{name}")
    assert trained.citations[0].chunk.document == "north-crane.md"


@pytest.mark.slow
def test_a_new_cross_encoder_is_trained_and_compared_as_well(home: Path, tiny: Path) -> None:
    name, report = made(home, Plan("cross-encoder", base=str(tiny)))
    registry = Registry(home)
    assert registry.model(name).kind == "cross-encoder"
    assert report.num_questions >= 20
    assert set(report.metrics) == {"none", "live", "candidate"}
    assert report.probe
    blend = Blend.load(registry.folder(name))
    assert blend
    assert blend.calibration is None, "what a probability is was fitted on other scores"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_train_together_and_one_writes(filled: Path, tiny: Path, tmp_path: Path) -> None:
    home, output = tmp_path / "home", tmp_path / "model"
    shutil.copytree(filled, home)
    before = [model.name for model in Registry(home).models()]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    from_feedback = ["train", "--home", str(home), "--json"]
    from_pairs = [*from_feedback, "--from-pairs", str(write_pairs(tmp_path / "port.jsonl")), "--base", str(tiny)]
    commands = (from_feedback, [*from_pairs, "--output", str(output)])
    done = subprocess.run(
        [*torchrun, "-m", "tests.app.two_trainings", *map(json.dumps, commands)],
        capture_output=True,
        text=True,
        timeout=850,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    candidate, summary = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    assert [model.name for model in Registry(home).models()] == [candidate["model"], *before]
    assert summary["fingerprint"] == fingerprint(output)
    scores = LateInteractionReranker(str(output)).score("Who looks after the crane?", ["The crane.", "Soup."])
    assert scores[0] > scores[1]


@pytest.mark.slow
def test_a_training_that_is_cancelled_leaves_nothing(home: Path) -> None:
    before = [model.name for model in Registry(home).models()]
    with pytest.raises(StoppedError):
        made(home, Plan(), Watch(should_stop=lambda: True))
    assert [model.name for model in Registry(home).models()] == before
    assert not list(Registry(home).models_folder.glob(".unfinished-*"))


def test_a_base_that_is_not_there_is_said_before_the_feedback_is_read(tmp_path: Path) -> None:
    told: list[str] = []
    plan = Plan("late-interaction", base="no/such-model")
    with pytest.raises(RerankerError, match="--base no/such-model"):
        make_candidate(plan, Pipeline(Settings(home=tmp_path)), "ann", "a job", Watch(), told.append)
    assert told == []
