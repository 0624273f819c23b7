"""The live model and what stands behind it: with fakes, and a clock that nobody waits for."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from app.pipeline import Pipeline
from app.registry import Registry, fingerprint
from app.reranking.live import LiveReranker
from app.reranking.names import MODELS_FOLDER, describe, load_reranker
from app.reranking.rerank import Reranker, RerankerError
from app.settings import Settings
from ingest.table import ChunkTable
from tests.app.builders import add_model, make_candidates
from tests.conftest import FakeEmbedder, FakeReranker, refuse

CANDIDATES = make_candidates("silver", "gold", "tin")


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Model(FakeReranker):
    """Likes one word, takes its time by the clock, and fails if it is told to."""

    def __init__(self, word: str, clock: Clock) -> None:
        super().__init__({word: 1.0})
        self._clock = clock
        self.seconds = 0.0
        self.error: Exception | None = None

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        self._clock.seconds += self.seconds
        if self.error:
            raise self.error
        return super().score(query, passages)


class World:
    """A registry with two trained models, the second of them live, the first before it."""

    def __init__(self, home: Path) -> None:
        self.registry = Registry(home)
        self.clock = Clock()
        for weights in ("one", "two"):
            self.registry.promote(add_model(home, weights), "ann", "", override=True)
        self.shipped, self.first, self.second = (Model(word, self.clock) for word in ("silver", "gold", "tin"))
        self.known: dict[str, Model | Exception] = {
            "shipped": self.shipped,
            "trained:reranker-1": self.first,
            "trained:reranker-2": self.second,
        }
        self.loads: list[str] = []
        self.live = LiveReranker(self.registry, self.load, 5, self.clock)

    def load(self, name: str) -> Reranker:
        self.loads.append(name)
        found = self.known[name]
        if isinstance(found, Exception):
            raise found
        return found

    def fallbacks(self) -> list[tuple[str, str, str]]:
        """The history's lines about failures: who failed, what was used, why; oldest first."""
        lines = [line for line in self.registry.history() if line.action == "fallback"]
        return [(line.previous, line.model, line.why) for line in lines[::-1]]

    def use(self) -> str:
        """Rerank once; gives the name of the model that did."""
        return self.live.rerank("q", CANDIDATES).reranker


@pytest.fixture
def world(home: Path) -> World:
    return World(home)


# healthy ---------------------------------------------------------------------------------------------


def test_the_live_model_ranks_and_there_is_nothing_to_say(world: World, caplog: pytest.LogCaptureFixture) -> None:
    done = world.live.rerank("q", CANDIDATES)
    assert (done.reranker, done.note, done.ranking[0].chunk.text) == ("reranker-2", "", "tin")
    assert (world.loads, world.fallbacks(), caplog.messages) == (["trained:reranker-2"], [], [])


def test_promotion_and_rollback_elsewhere_count_from_the_next_question_on(world: World, home: Path) -> None:
    elsewhere = Registry(home)
    used = [world.use()]
    for change in (elsewhere.rollback, elsewhere.rollback):
        change("bob", "")
        used.append(world.use())
    elsewhere.promote("reranker-2", "bob", "", override=True)
    assert [*used, world.use()] == ["reranker-2", "reranker-1", "shipped", "reranker-2"]


# each step back --------------------------------------------------------------------------------------


def test_each_model_that_fails_is_followed_by_the_one_before_it(world: World) -> None:
    world.known["trained:reranker-2"] = RerankerError("its hash is wrong")
    done = world.live.rerank("q", CANDIDATES)
    assert (done.reranker, done.ranking[0].chunk.text) == ("reranker-1", "gold")
    assert done.note == "Reranker reranker-2 could not be used, so reranker-1 was used: its hash is wrong"
    world.first.error = RuntimeError("out of memory")
    done = world.live.rerank("q", CANDIDATES)
    assert (done.reranker, done.ranking[0].chunk.text) == ("shipped", "silver")
    assert done.note == (
        "Reranker reranker-2 could not be used, so shipped was used: its hash is wrong; "
        "reranker-1 failed too: RuntimeError: out of memory"
    )
    world.known["shipped"] = RerankerError("install from a whole checkout")
    world.clock.seconds += 61
    done = world.live.rerank("q", CANDIDATES)
    assert (done.reranker, [each.chunk.text for each in done.ranking]) == ("none", ["silver", "gold", "tin"])
    assert "so this is the order of search: its hash is wrong; reranker-1 failed too" in done.note
    assert done.note.endswith("shipped failed too: install from a whole checkout")


@pytest.mark.parametrize("error", [RerankerError("no"), ValueError("no"), MemoryError("no"), OSError("no")])
@pytest.mark.parametrize("when", ["loading", "scoring"])
def test_whatever_is_raised_the_question_is_answered(world: World, when: str, error: Exception) -> None:
    if when == "loading":
        world.known["trained:reranker-2"] = error
    else:
        world.second.error = error
    assert world.use() == "reranker-1"


def test_scores_that_are_none_are_a_failure(world: World) -> None:
    world.second._scores = {"tin": float("nan")}
    assert world.use() == "reranker-1"
    assert "must return 3 finite scores" in world.fallbacks()[0][2]


def test_failure_is_told_to_the_log_and_the_history_once_and_to_everybody_who_asks(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.known["trained:reranker-2"] = RerankerError("its hash is wrong")
    notes = {world.live.rerank("q", CANDIDATES).note for _ in range(5)}
    assert len(notes) == 1
    assert world.fallbacks() == [("reranker-2", "reranker-1", "its hash is wrong")]
    assert caplog.messages == [
        "reranker reranker-2 could not be used, reranker-1 is used instead: its hash is wrong",
    ]


def test_model_that_failed_is_left_alone_for_a_minute_and_then_tried_again(world: World) -> None:
    world.known["trained:reranker-2"] = RerankerError("gone")
    assert [world.use() for _ in range(3)] == ["reranker-1"] * 3
    assert world.loads.count("trained:reranker-2") == 1
    world.known["trained:reranker-2"] = world.second
    world.clock.seconds += 59
    assert world.use() == "reranker-1"
    world.clock.seconds += 2
    assert world.use() == "reranker-2"


def test_what_fails_again_after_a_promotion_is_noted_again(world: World) -> None:
    world.second.error = ValueError("no")
    world.use()
    world.registry.promote("reranker-1", "ann", "", override=True)
    world.registry.promote("reranker-2", "ann", "", override=True)
    for _ in range(2):
        world.clock.seconds += 61
        world.use()
    assert len(world.fallbacks()) == 2


def test_history_that_cannot_be_written_does_not_stop_the_answer(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert world.use() == "reranker-2"
    monkeypatch.setattr("ingest.home.records.open_file", refuse)
    assert world.use() == "reranker-2"  # as it was known last
    world.second.error = ValueError("no")
    assert world.use() == "reranker-1"
    assert sum("cannot be used" in message for message in caplog.messages) >= 3


def test_registry_that_was_never_read_leaves_the_shipped_one(home: Path) -> None:
    home.mkdir()
    (home / "citeloop.sqlite3").write_text("this is no database " * 100)
    shipped = FakeReranker({"gold": 1.0})
    done = LiveReranker(Registry(home), {"shipped": shipped}.__getitem__, 5).rerank("q", CANDIDATES)
    assert (done.reranker, done.ranking[0].chunk.text) == ("shipped", "gold")


# busy machine ----------------------------------------------------------------------------------------


def test_however_slow_the_live_model_is_it_goes_on_ranking(world: World) -> None:
    world.second.seconds = 3600
    assert {world.use() for _ in range(60)} == {"reranker-2"}
    assert world.fallbacks() == []


# in the pipeline -------------------------------------------------------------------------------------


@pytest.fixture
def rerankers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Reranker | None]:
    """What can be loaded by name in these tests, but for what is damaged on the disk."""
    known: dict[str, Reranker | None] = {
        "none": None,
        "shipped": FakeReranker({"VPN": 5.0}),
        "trained:reranker-1": FakeReranker({"hotel": 5.0}),
        "trained:reranker-2": FakeReranker({"leave": 5.0}),
    }

    def load(name: str, settings: Settings) -> Reranker | None:
        if name.startswith("trained:"):
            Registry(settings.home).check(name.removeprefix("trained:"))
        if name not in known:
            raise RerankerError(f"unknown reranker {name!r}")
        return known[name]

    monkeypatch.setattr("app.models.load_reranker", load)
    return known


@pytest.fixture
def make_pipeline(settings: Settings, table: ChunkTable, embedder: FakeEmbedder) -> Callable[..., Pipeline]:
    return lambda **changes: Pipeline(settings.model_copy(update={"reranker": "live", **changes}), embedder)


QUESTION = "How many days of leave?"


def test_answer_says_which_model_it_is_of(
    home: Path, make_pipeline: Callable[..., Pipeline], rerankers: dict[str, Reranker | None]
) -> None:
    pipeline = make_pipeline()
    shipped = pipeline.rank(QUESTION)
    digest = fingerprint(MODELS_FOLDER / "shipped")[:12]
    assert (shipped.reranker, shipped.reranker_version, shipped.embedder) == ("shipped", digest, "fake")
    Registry(home).promote(add_model(home), "ann", "", override=True)  # as another process would
    trained = pipeline.rank(QUESTION)
    assert (trained.reranker, trained.note) == ("reranker-1", "")
    assert trained.reranker_version == Registry(home).model("reranker-1").fingerprint[:12]
    assert trained.ranking[0].chunk.document == "handbook/travel.md"
    named = pipeline.rank(QUESTION, "trained:reranker-1")
    assert (named.reranker, named.reranker_version) == (trained.reranker, trained.reranker_version)
    assert pipeline.rank(QUESTION, "none").reranker_version == ""
    Registry(home).rollback("ann", "")
    assert pipeline.rank(QUESTION).reranker == "shipped"


def test_live_model_whose_files_changed_is_not_used_and_the_answer_says_so(
    home: Path, make_pipeline: Callable[..., Pipeline], rerankers: dict[str, Reranker | None]
) -> None:
    registry = Registry(home)
    for weights in ("one", "two"):
        registry.promote(add_model(home, weights), "ann", "", override=True)
    (registry.folder("reranker-2") / "model.safetensors").write_text("something else")
    answer = make_pipeline().rank(QUESTION)
    assert answer.reranker == "reranker-1"
    assert "reranker-2 could not be used, so reranker-1 was used: weights and blend in" in answer.note
    shutil.rmtree(registry.folder("reranker-1"))
    answer = make_pipeline().rank(QUESTION)
    assert (answer.reranker, answer.reranker_version) == ("shipped", fingerprint(MODELS_FOLDER / "shipped")[:12])
    assert "reranker-1 failed too" in answer.note
    del rerankers["shipped"]
    answer = make_pipeline().rank(QUESTION)
    assert (answer.reranker, answer.reranker_version) == ("none", "")
    assert answer.citations


def test_reranker_that_is_named_fails_instead_of_falling_back(
    home: Path, make_pipeline: Callable[..., Pipeline], rerankers: dict[str, Reranker | None]
) -> None:
    Registry(home).promote(add_model(home), "ann", "", override=True)
    del rerankers["trained:reranker-1"], rerankers["shipped"]
    pipeline = make_pipeline()
    for name in ("trained:reranker-1", "shipped"):
        with pytest.raises(RerankerError):
            pipeline.rank(QUESTION, name)
    with pytest.raises(RerankerError):
        pipeline.models.reranker("live")
    assert pipeline.rank(QUESTION).reranker == "none"


def test_only_a_few_rerankers_stay_in_memory(
    make_pipeline: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []

    def load(name: str, _settings: Settings) -> Reranker:
        loads.append(name)
        return FakeReranker()

    monkeypatch.setattr("app.models.load_reranker", load)
    pipeline = make_pipeline()
    for name in ("a", "b", "c", "d", "a", "e", "a", "b"):
        pipeline.models.reranker(name)
    assert loads == ["a", "b", "c", "d", "e", "b"]


# loading ---------------------------------------------------------------------------------------------


def test_damaged_or_unknown_model_of_the_home_is_not_loaded(settings: Settings, home: Path) -> None:
    add_model(home)
    (Registry(home).folder("reranker-1") / "blend.json").write_text("{}")
    with pytest.raises(RerankerError, match="have changed since registration"):
        load_reranker("trained:reranker-1", settings)
    for name in ("trained:x", "trained"):
        with pytest.raises(RerankerError, match=r"no model .*; known: reranker-1"):
            load_reranker(name, settings)


def test_an_embedder_of_the_home_is_no_reranker(settings: Settings, home: Path) -> None:
    registry = Registry(home)
    with registry.unfinished() as folder:
        (folder / "model.safetensors").write_bytes(b"weights")
        registry.add(folder, "embedder-1", kind="embedder", base="all-MiniLM-L6-v2")
    with pytest.raises(RerankerError, match="embedder-1 is of kind embedder; expected late-interaction or cross-enc"):
        load_reranker("trained:embedder-1", settings)
    assert describe(settings)["trained"].endswith("[none yet]")


@pytest.mark.slow
def test_model_of_the_home_is_loaded_under_its_name(settings: Settings, home: Path) -> None:
    registry = Registry(home)
    with registry.unfinished() as folder:
        shutil.copytree(MODELS_FOLDER / "shipped", folder, dirs_exist_ok=True)
        registry.add(folder, kind="late-interaction", base="shipped")
    registry.promote("reranker-1", "ann", "", override=True)
    for name in ("live", "trained:reranker-1"):
        reranker = load_reranker(name, settings)
        assert reranker
        assert reranker.name == "reranker-1"
        assert reranker.blend
        assert len(reranker.score("a question", ["a passage"])) == 1


@pytest.fixture(autouse=True)
def _warnings_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
