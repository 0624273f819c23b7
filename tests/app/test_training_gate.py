"""The gate: models that are better, equal, worse, forgetful or slow, and too little to tell by."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from app.evaluation.benchmark import read_benchmark
from app.evaluation.metrics import Difference
from app.evaluation.slices import Slice, is_asked_before
from app.feedback import FeedbackStore, Judgement
from app.feedback.recall import Memory
from app.feedback.rules import LabeledPassage
from app.pipeline import Pipeline
from app.registry import Decision
from app.reranking.rerank import Reranker
from app.search.search import search
from app.settings import Settings
from app.training.candidate import _remember
from app.training.gate.compare import Contender, Probe, compare, probe
from app.training.gate.decision import Comparison, GateReport, decide
from app.training.gate.questions import fair_share, gate_questions
from app.training.labels.from_feedback import MIN_GATE_QUESTIONS
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.conftest import FakeEmbedder, FakeReranker

NOTHING = Difference(0.0, 0.0, 0.0, 1.0)
SURE_GAIN = Difference(0.05, 0.02, 0.08, 0.001)
SURE_LOSS = Difference(-0.05, -0.08, -0.02, 0.001)
UNSURE_GAIN = Difference(0.03, -0.01, 0.07, 0.2)
SMALL_LOSS = Difference(-0.004, -0.009, 0.001, 0.3)
EQUIVALENT = Difference(0.0, -0.0019, 0.002, 0.9)


def part(gain: Difference, num_questions: int = 60) -> Slice:
    return Slice(num_questions, gain, 10, 5, is_harmless=gain.low >= -0.002)


def found(gain: Difference = SURE_GAIN, **changes: object) -> Comparison:
    """What was found of a model that is in order but for what is changed."""
    gains = {"nDCG@10": gain, "MRR@10": gain, "hit rate@5": gain}
    good = Comparison(
        num_questions=60,
        num_different=60,
        gain=gains,
        new=part(gain),
        gain_over_none=dict.fromkeys(gains, SURE_GAIN),
        shown_gain=NOTHING,
        probe=NOTHING,
        latency_ms={"live": 100.0, "candidate": 110.0},
        budget_ms=3000.0,
    )
    return replace(good, **changes)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        (found(SURE_GAIN), "promote"),
        (found(SURE_GAIN, probe=None, latency_ms={}), "promote"),
        (found(SURE_LOSS), "keep"),
        (found(Difference(0.001, -0.004, 0.006, 0.7)), "keep"),
        (found(Difference(0.004, 0.001, 0.007, 0.01)), "keep"),
        (found(UNSURE_GAIN), "too little data"),
        (found(SURE_GAIN, new=part(SURE_GAIN, MIN_GATE_QUESTIONS - 1)), "too little data"),
        (found(NOTHING, new=part(EQUIVALENT), asked_before=part(SURE_GAIN, 25)), "promote"),
        (found(SURE_GAIN, new=part(SMALL_LOSS), asked_before=part(SURE_GAIN)), "too little data"),
        (found(SURE_GAIN, new=part(UNSURE_GAIN), asked_before=part(SURE_GAIN)), "too little data"),
        (found(NOTHING, new=part(EQUIVALENT), asked_before=part(UNSURE_GAIN)), "keep"),
        (found(NOTHING, new=part(SMALL_LOSS), asked_before=part(SURE_GAIN)), "too little data"),
        (found(SURE_GAIN, new=part(SURE_LOSS, 15), asked_before=part(SURE_GAIN)), "keep"),
        (found(SURE_GAIN, asked_before=part(SURE_LOSS)), "keep"),
        (found(SURE_GAIN, probe=Difference(-0.006, -0.02, 0.01, 0.4)), "keep"),
        (found(SURE_GAIN, shown_gain=SURE_LOSS), "keep"),
        (found(SURE_GAIN, latency_ms={"live": 100.0, "candidate": 151.0}), "keep"),
        (found(SURE_GAIN, latency_ms={"live": 2900.0, "candidate": 3001.0}), "keep"),
        (found(SURE_GAIN, latency_ms={"live": 7300.0, "candidate": 5000.0}), "promote"),
        (found(SURE_GAIN, latency_ms={"live": 7300.0, "candidate": 5000.0}, max_slow_down=None), "keep"),
        (found(SURE_GAIN, gain_over_none={"nDCG@10": SURE_LOSS}), "keep"),
        (found(SURE_GAIN, gain_over_none={"nDCG@10": Difference(-0.001, -0.05, 0.05, 0.9)}), "promote"),
    ],
)
def test_the_rule(case: Comparison, verdict: Decision) -> None:
    decided, sentence, reasons = decide(case, "reranker-2", "reranker-1")
    assert decided == verdict
    assert reasons
    opening = {"promote": "Promote reranker-2: ", "keep": "Keep reranker-1: ", "too little data": "Too little data"}
    assert sentence.startswith(opening[verdict])


def test_what_is_bad_is_said_even_where_there_is_too_little_data() -> None:
    verdict, sentence, _ = decide(found(UNSURE_GAIN, new=part(UNSURE_GAIN, 3), probe=SURE_LOSS), "new", "old")
    assert verdict == "keep"
    assert "worse on other documents" in sentence


def passage(question: str, *, relevant: bool = True, users: Sequence[str] = (), curator: str = "") -> LabeledPassage:
    kept, struck = (tuple(users), ()) if relevant else ((), tuple(users))
    return LabeledPassage(
        question=question,
        chunk_id="id",
        document="a.md",
        title="A",
        text="Text.",
        relevant=relevant,
        weight=1.0,
        struck_by=struck,
        kept_by=kept,
        judged_by=curator,
    )


def test_one_users_own_questions_are_at_most_a_fifth() -> None:
    own = {f"m{number}": [passage("", users=["mallory"])] for number in range(50)}
    others = {f"{user}{n}": [passage("", users=[user])] for user in "abcdefghij" for n in range(4)}
    kept = fair_share({**own, **others})
    assert set(others) <= set(kept)
    assert len(set(own) & set(kept)) <= 0.2 * len(kept)
    assert len(set(own) & set(kept)) >= 8, "not fewer than needed"


def test_what_a_curator_confirms_counts_whoever_asked() -> None:
    own = {f"m{number}": [passage("", users=["mallory"], curator="curator")] for number in range(50)}
    others = {user: [passage("", users=[user])] for user in "abc"}
    assert len(fair_share({**own, **others})) == 53


def test_a_team_of_two_is_not_capped() -> None:
    gate = {
        f"{user}{n}": [passage("", users=[user])] for user, times in (("ann", 30), ("bob", 2)) for n in range(times)
    }
    assert len(fair_share(gate)) == 32


def test_who_adds_his_own_to_what_others_say_is_capped_as_well() -> None:
    own = [passage("", users=["mallory"]), passage("", relevant=False, users=["mallory"])]
    gate = {f"q{n}": [passage("", users=["abcde"[n % 5]]), *map(replace, own)] for n in range(30)}
    fair = fair_share(gate)
    labels = [each for passages in fair.values() for each in passages]
    assert len(fair) == 30
    assert sum(each.voters == {"mallory"} for each in labels) <= 0.2 * len(labels)
    assert sum(each.voters != {"mallory"} for each in labels) == 30


def test_what_two_say_is_nobodys_own() -> None:
    gate = {f"q{n}": [passage("", users=["mallory", "abcde"[n % 5]])] for n in range(30)}
    assert len(fair_share(gate)) == 30


def test_questions_without_a_passage_that_answers_cannot_compare() -> None:
    assert fair_share({"q": [passage("", relevant=False, users=["ann"])]}) == {}


@pytest.fixture
def gate_table(tmp_path: Path) -> ChunkTable:
    """Forty documents: number n is about item n, and every other one is golden."""
    folder = tmp_path / "items"
    folder.mkdir()
    for number in range(40):
        kind = "gold" if number % 2 else "tin"
        (folder / f"item-{number}.md").write_text(f"# Item{number}\n\nThe colour of item{number} is {kind} colour.\n")
    table = ChunkTable(tmp_path / "home", FakeEmbedder())
    list(ingest([folder], table, FakeEmbedder()))
    return table


UNLIKE = "colour is of word{0} and{0} it{0} now{0} why{0}?"
LIKE = "What is the colour of every thing in the list, said {0} times?"


def judged(
    table: ChunkTable, num_questions: int, *, relevant_word: str, form: str = UNLIKE
) -> dict[str, Sequence[LabeledPassage]]:
    """Questions of whose first candidates those with the word answer, and the others do not."""
    gate: dict[str, Sequence[LabeledPassage]] = {}
    for number in range(num_questions):
        question = form.format(number)
        first = [each.chunk for each in search(question, table, FakeEmbedder())][:8]
        gate[question] = [
            LabeledPassage(question=question, relevant=relevant_word in c.text, weight=1.0, **asdict(c.ref))
            for c in first
        ]
    return gate


def compared_with(
    new: Contender,
    old: Contender,
    gate: Mapping[str, Sequence[LabeledPassage]],
    table: ChunkTable,
    taught: Memory | None,
) -> GateReport:
    embedder = FakeEmbedder()
    questions = gate_questions(gate, table, embedder)
    return compare(
        new,
        old,
        questions,
        lambda query: search(query, table, embedder),
        Probe(None, {}),
        3000,
        taught=taught,
    )


def compared(
    new: Contender, old: Contender, gate: Mapping[str, Sequence[LabeledPassage]], table: ChunkTable
) -> GateReport:
    return compared_with(new, old, gate, table, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("candidate", "live", "verdict"),
    [("gold", "tin", "promote"), ("tin", "gold", "keep"), ("gold", "gold", "keep")],
)
def test_models_are_compared_on_what_people_judged(
    gate_table: ChunkTable, candidate: str, live: str, verdict: str, tmp_path: Path
) -> None:
    gate = judged(gate_table, 30, relevant_word="gold")
    liking: dict[str, Reranker] = {word: FakeReranker({word: 1.0}) for word in ("gold", "tin")}
    new, old = Contender("new", liking[candidate]), Contender("old", liking[live])
    report = compared(new, old, gate, gate_table)
    assert report.verdict == verdict
    assert report.num_questions == 30
    assert set(report.metrics) == {"none", "live", "candidate"}
    assert report.metrics["candidate"]["nDCG@10"].mean == pytest.approx(1.0 if candidate == "gold" else 0.6, abs=0.2)
    assert bool(report.changes) == (candidate != live)
    assert [(group.name, group.num_questions) for group in report.groups] == [("(no folder)", 30)]
    report.save(tmp_path)
    assert GateReport.load(tmp_path) == report


@pytest.mark.slow
def test_too_few_questions_tell_nothing(gate_table: ChunkTable) -> None:
    gold, tin = FakeReranker({"gold": 1.0}), FakeReranker({"tin": 1.0})
    for number in (0, MIN_GATE_QUESTIONS - 1):
        gate = judged(gate_table, number, relevant_word="gold")
        new, old = Contender("new", gold), Contender("old", tin)
        report = compared(new, old, gate, gate_table)
        assert report.verdict == "too little data"


@pytest.mark.slow
def test_like_questions_count_as_one(gate_table: ChunkTable) -> None:
    gold, tin = FakeReranker({"gold": 1.0}), FakeReranker({"tin": 1.0})
    new, old = Contender("new", gold), Contender("old", tin)
    like = judged(gate_table, 25, relevant_word="gold", form=LIKE)
    report = compared(new, old, like, gate_table)
    assert report.num_questions == 25
    assert report.num_different < MIN_GATE_QUESTIONS
    assert report.verdict == "too little data"
    assert f"the feedback has {report.num_different} new questions for comparing" in report.sentence
    mixed = {**like, **judged(gate_table, 25, relevant_word="gold")}
    report = compared(new, old, mixed, gate_table)
    assert report.num_different >= MIN_GATE_QUESTIONS
    assert f"on 50 questions ({report.num_different} different ones)" in report.sentence


@pytest.mark.slow
def test_questions_that_the_training_saw_in_other_words_are_measured_apart(gate_table: ChunkTable) -> None:
    class Known(FakeReranker):
        """Right on what it was taught: golden passages; wrong on all else."""

        def score(self, query: str, passages: Sequence[str]) -> list[float]:
            sign = 1.0 if query.startswith("colour") else -1.0
            return [sign * ("gold" in passage) for passage in passages]

    again = judged(gate_table, 24, relevant_word="gold")
    new = judged(gate_table, 24, relevant_word="gold", form="which of thing{0} or place{0} has sort{0} in box{0}?")
    taught = Memory(FakeEmbedder(), min_people=1)
    for question, labels in again.items():
        chunk = next(label for label in labels if label.relevant)
        named = Judgement(
            user="cora", question=f"{question} please", label="relevant", chunk_id="x", document="d", text=chunk.text
        )
        taught.take([named])
    old = Contender("old", FakeReranker({"tin": 0.5, "gold": 0.4}))
    report = compared_with(Contender("new", Known()), old, {**again, **new}, gate_table, taught)
    assert report.asked_before.num_questions + report.new.num_questions == report.num_different
    assert report.asked_before.num_questions >= 20
    assert report.asked_before.gain
    assert report.asked_before.gain.mean > 0.1
    assert report.new.gain
    assert report.new.gain.mean < 0.01
    assert report.verdict != "promote"


@pytest.mark.slow
def test_passages_are_found_by_their_text_after_the_documents_have_changed(gate_table: ChunkTable) -> None:
    gold, tin = FakeReranker({"gold": 1.0}), FakeReranker({"tin": 1.0})
    new, old = Contender("new", gold), Contender("old", tin)
    gate = judged(gate_table, 30, relevant_word="gold")
    elsewhere = {
        question: [replace(each, chunk_id=f"old {each.chunk_id}") for each in passages]
        for question, passages in gate.items()
    }
    now, then = (compared(new, old, each, gate_table) for each in (gate, elsewhere))
    assert (now.verdict, now.gain) == (then.verdict, then.gain) == ("promote", now.gain)
    gone = {
        question: [replace(each, text=f"{each.text} Rewritten.") for each in passages]
        for question, passages in gate.items()
    }
    lost = compared(new, old, gone, gate_table)
    assert (lost.verdict, lost.num_questions) == ("too little data", 0)


def test_rerankers_are_probed_on_other_documents(benchmark: Path, tmp_path: Path) -> None:
    class Slow(FakeReranker):
        def score(self, query: str, passages: Sequence[str]) -> list[float]:
            time.sleep(0.05)
            return super().score(query, passages)

    found = probe(
        Contender("new", Slow()), Contender("old", FakeReranker()), FakeEmbedder(), read_benchmark(benchmark), tmp_path
    )
    assert found.gain is not None
    assert found.gain.mean == 0.0
    assert found.latency_ms["candidate"] >= 50 > found.latency_ms["live"]


def test_a_damaged_report_is_none(tmp_path: Path) -> None:
    assert GateReport.load(tmp_path) is None
    (tmp_path / "gate.json").write_text('{"verdict": "promote"}')
    assert GateReport.load(tmp_path) is None


def test_only_what_was_taught_is_remembered_for_the_comparison(pipeline: Pipeline, settings: Settings) -> None:
    questions = ("How long is leave?", "Who pays for trains?")
    said = [
        Judgement(user="cora", question=question, label="relevant", chunk_id="x", document="d", text="Yes.")
        for question in questions
    ]
    FeedbackStore(settings.home).judge(said)
    memory = _remember(questions[:1], pipeline)
    assert len(memory) == 1
    assert is_asked_before(memory.recall("how long is the leave", "", []))
    assert not is_asked_before(memory.recall(questions[1], "", []))
