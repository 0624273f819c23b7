from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from app.access.admission import Admission, BusyError
from app.answer import Answer
from app.answer.prompts import Prompts, save_prompts
from app.answering import Answerer, AnswerJob, AnswerJobStore
from app.feedback import FeedbackStore, StoredAnswer
from app.language_model.protocol import LanguageModelError
from app.pipeline import Pipeline
from app.search.filters import EVERYTHING, Filter
from app.settings import Settings
from ingest import CiteloopError
from ingest.table import ChunkTable
from tests.app.builders import make_answer
from tests.conftest import PATIENCE, FakeEmbedder, FakeLanguageModel

QUESTION = "How much may a hotel cost a night?"


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


class Gate(threading.Event):
    """Lets nobody through until it is set; `reached` says that somebody stands before it."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()

    def pass_through(self, stop: threading.Event | None = None) -> bool:
        """Wait for it; with stop, False as soon as that is set."""
        self.reached.set()
        deadline = time.monotonic() + 4 * PATIENCE
        while not self.wait(0.005):
            assert time.monotonic() < deadline
            if stop is not None and stop.is_set():
                return False
        return True


@dataclass
class ScriptedPipeline:
    """Ranks at once, and writes what `script` says: texts, gates and exceptions, by the question or what is left out.

    deaf: it does not hear that it is to stop.
    """

    script: Mapping[str, Sequence[str | Gate | Exception]] = field(default_factory=dict)
    settings: Settings = field(default_factory=lambda: Settings(home=Path("nowhere")))
    deaf: bool = False
    language_model: FakeLanguageModel | None = None
    ranked: list[dict[str, Any]] = field(default_factory=list)

    @property
    def models(self) -> ScriptedPipeline:
        return self

    def in_full(self, question: str, earlier: Sequence[str], stop: threading.Event | None = None) -> str:
        return Pipeline.in_full(cast(Pipeline, self), question, earlier, stop)

    def rank(
        self,
        question: str,
        reranker: str | None = None,
        *,
        query: str = "",
        as_typed: bool = False,
        within: Filter = EVERYTHING,
        user: str = "",
        ignore_votes: bool = False,
        fall_back: bool = False,
        on_step: Callable[[str], None],
    ) -> Answer:
        query = "" if query == question else query  # as the real one has it
        self.ranked.append(
            {
                "question": question,
                "reranker": reranker,
                "query": query,
                "as_typed": as_typed,
                "within": within,
                "user": user,
                "ignore_votes": ignore_votes,
                "fall_back": fall_back,
            }
        )
        on_step("search")
        list(self._play("rank", make_answer(""), None))
        on_step("rerank")
        answer = make_answer("", passages=("Thirty days.", "Trains first.", "Hotels cost."))
        return replace(answer, question=question, query=query, within=within, complete=False, found=False)

    def write(self, ranked: Answer, stop: threading.Event) -> Iterator[Answer]:
        return self._play(ranked.question, ranked, stop)

    def rewrite(self, answer: Answer, without: Collection[str], stop: threading.Event) -> Iterator[Answer]:
        key = f"without {len(without)}"
        return self._play(key, replace(answer, text="", without=tuple(without), complete=False), stop)

    def _play(self, key: str, answer: Answer, stop: threading.Event | None) -> Iterator[Answer]:
        for step in self.script.get(key, ()):
            if isinstance(step, Exception):
                raise step
            if isinstance(step, Gate):
                if not step.pass_through(None if self.deaf else stop):
                    yield replace(answer, stopped=True)
                    return
            else:
                answer = replace(answer, text=f"{answer.text}{step}")
                yield answer
        yield replace(answer, complete=True, found=True)


@pytest.fixture
def store(home: Path) -> FeedbackStore:
    return FeedbackStore(home)


@pytest.fixture
def jobs(home: Path) -> AnswerJobStore:
    return AnswerJobStore(home)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.answering._BEAT_SECONDS", 0.02)
    monkeypatch.setattr("app.answering._SAVE_SECONDS", 0.02)


MakeAnswerer = Callable[..., Answerer]


@pytest.fixture
def answerer_of(store: FeedbackStore, jobs: AnswerJobStore) -> Iterator[MakeAnswerer]:
    """Makes answerers; each has ended when the test has, since it must not leave threads behind."""
    gates: list[Gate] = []
    made: list[Answerer] = []

    def make(pipeline: ScriptedPipeline | None = None, **script: Sequence[str | Gate | Exception]) -> Answerer:
        scripted = pipeline or ScriptedPipeline({key.replace("_", " "): steps for key, steps in script.items()})
        gates.extend(step for steps in scripted.script.values() for step in steps if isinstance(step, Gate))
        made.append(Answerer(cast(Pipeline, scripted), store, jobs))
        return made[-1]

    yield make
    for gate in gates:
        gate.set()
    for answerer in made:
        answerer.wait()


def answer_of(store: FeedbackStore, answer_id: str) -> Answer:
    kept = store.answer(answer_id, "ann")
    assert kept is not None
    return kept.answer


def is_made(jobs: AnswerJobStore, answer_id: str) -> Callable[[], bool]:
    return lambda: jobs.at_work(answer_id) is None


def keep(store: FeedbackStore, text: str = "Thirty days [1].") -> StoredAnswer:
    answer_id = store.save_answer(make_answer(text, ("Thirty days.", "Trains first.", "Hotels cost.")), "c", "ann")
    kept = store.answer(answer_id, "ann")
    assert kept is not None
    return kept


# Asking ----------------------------------------------------------------------------------------------


def test_a_question_is_kept_at_once_and_answered_later(
    answerer_of: MakeAnswerer, store: FeedbackStore, jobs: AnswerJobStore
) -> None:
    gate = Gate()
    answerer = answerer_of(rank=[gate], hotel=["150 ", "euros."])
    answer_id = answerer.ask("hotel", "c", "ann", within=Filter(types=("md",)))
    (turn,) = store.conversation("c", "ann")
    assert (turn.id, turn.user, turn.answer.question, turn.answer.text) == (answer_id, "ann", "hotel", "")
    assert (turn.answer.complete, turn.answer.found, turn.answer.within) == (False, False, Filter(types=("md",)))
    assert jobs.at_work(answer_id) is not None
    gate.reached.wait(PATIENCE)
    gate.set()
    wait_until(is_made(jobs, answer_id))
    answer = answer_of(store, answer_id)
    assert (answer.text, answer.complete, answer.found, answer.note) == ("150 euros.", True, True, "")
    assert len(answer.citations) == 3


def test_sources_and_text_can_be_read_while_it_grows(
    answerer_of: MakeAnswerer, store: FeedbackStore, jobs: AnswerJobStore, home: Path
) -> None:
    ranking, writing = Gate(), Gate()
    answer_id = answerer_of(rank=[ranking], hotel=["150 ", writing, "euros."]).ask("hotel", "c", "ann")
    wait_until(lambda: (job := jobs.at_work(answer_id)) and job.current == "search")
    ranking.set()
    wait_until(lambda: (job := AnswerJobStore(home).at_work(answer_id)) and job.text == "150 ")
    job = jobs.at_work(answer_id)
    assert job is not None
    assert (job.current, job.state, job.without) == ("answer", "running", ())
    kept = answer_of(FeedbackStore(home), answer_id)
    assert (len(kept.citations), kept.complete) == (3, False)
    assert kept.text in ("", "150 ")
    writing.set()
    wait_until(is_made(jobs, answer_id))
    assert answer_of(store, answer_id).text == "150 euros."


def test_of_a_growing_text_hardly_anything_is_lost_with_the_server(
    answerer_of: MakeAnswerer, store: FeedbackStore
) -> None:
    pauses = [Gate() for _ in range(40)]
    steps = [step for pause in pauses for step in ("word ", pause)]
    answer_id = answerer_of(hotel=steps).ask("hotel", "c", "ann")
    for pause in pauses[:-1]:
        assert pause.reached.wait(PATIENCE)
        time.sleep(0.005)
        pause.set()
    assert pauses[-1].reached.wait(PATIENCE)
    assert len(answer_of(store, answer_id).text.split()) > 20  # of 40


def test_two_answers_are_made_at_once(answerer_of: MakeAnswerer, store: FeedbackStore, jobs: AnswerJobStore) -> None:
    first, second = Gate(), Gate()
    answerer = answerer_of(one=["1", first], two=["2", second])
    one, two = answerer.ask("one", "c", "ann"), answerer.ask("two", "c", "ann")
    assert first.reached.wait(PATIENCE)
    assert second.reached.wait(PATIENCE)
    second.set()
    wait_until(is_made(jobs, two))
    assert answer_of(store, two).complete
    assert jobs.at_work(one) is not None
    first.set()
    wait_until(is_made(jobs, one))
    assert [turn.answer.text for turn in store.conversation("c", "ann")] == ["1", "2"]


def test_a_job_ends_with_its_answer_and_goes_when_the_next_begins(
    answerer_of: MakeAnswerer, jobs: AnswerJobStore
) -> None:
    answerer = answerer_of(hotel=["150 euros."], broken=[CiteloopError("no table")])
    for question, state in (("hotel", "done"), ("broken", "failed")):
        answer_id = answerer.ask(question, "c", "ann")
        wait_until(is_made(jobs, answer_id))
        (job,) = jobs.jobs()
        assert (job.answer_id, job.state, job.is_open) == (answer_id, state, False)
        assert job.ended_at is not None


def test_reranker_and_filter_are_handed_on_and_a_broken_reranker_is_no_end(answerer_of: MakeAnswerer) -> None:
    pipeline = ScriptedPipeline()
    answerer = answerer_of(pipeline)
    within = Filter(collections=("it",), since=datetime(2026, 1, 2, tzinfo=UTC).date())
    answerer.ask("hotel", "c", "ann", reranker="shipped", within=within, as_typed=True)
    answerer.wait()
    assert pipeline.ranked == [
        {
            "question": "hotel",
            "reranker": "shipped",
            "query": "",
            "as_typed": True,
            "within": within,
            "user": "ann",
            "ignore_votes": False,
            "fall_back": True,
        }
    ]


@pytest.mark.parametrize(
    ("earlier", "queries"),
    [
        ((), [""]),
        (("How much may a hotel cost in Berlin?",), ["and in Hamburg? (How much may a hotel cost in Berlin?)"]),
        (
            ("What is the VPN?", "How much may a hotel cost in Berlin?"),
            ["and in Hamburg? (How much may a hotel cost in Berlin?)"],
        ),
    ],
)
def test_a_follow_up_is_searched_for_in_full(
    answerer_of: MakeAnswerer, store: FeedbackStore, earlier: Sequence[str], queries: Sequence[str]
) -> None:
    pipeline = ScriptedPipeline()
    answerer = answerer_of(pipeline)
    answer_id = answerer.ask("and in Hamburg?", "c", "ann", earlier=earlier)
    answerer.wait()
    assert [ranked["query"] for ranked in pipeline.ranked] == queries
    answer = answer_of(store, answer_id)
    assert (answer.question, answer.query) == ("and in Hamburg?", queries[0])


def test_the_language_model_says_what_a_follow_up_means(answerer_of: MakeAnswerer) -> None:
    pipeline = ScriptedPipeline(language_model=FakeLanguageModel("What may a Hamburg hotel cost?"))
    answerer = answerer_of(pipeline)
    answerer.ask("and in Hamburg?", "c", "ann", earlier=["How much may a hotel cost in Berlin?"])
    answerer.wait()
    assert [ranked["query"] for ranked in pipeline.ranked] == ["What may a Hamburg hotel cost?"]


def test_the_language_model_is_told_of_follow_ups_what_the_curator_wrote(
    answerer_of: MakeAnswerer, store: FeedbackStore, settings: Settings
) -> None:
    save_prompts(settings.home, replace(Prompts(), follow_up="Say it in full."))
    language_model = FakeLanguageModel("What may a Hamburg hotel cost?")
    answerer = answerer_of(ScriptedPipeline(settings=settings, language_model=language_model))
    answerer.ask("and in Hamburg?", "c", "ann", earlier=["How much may a hotel cost in Berlin?"])
    answerer.wait()
    assert language_model.messages[0]["content"] == "Say it in full."


def test_a_question_that_stands_alone_is_searched_as_it_is(answerer_of: MakeAnswerer) -> None:
    pipeline = ScriptedPipeline()
    answerer = answerer_of(pipeline)
    answerer.ask("What does the VPN need?", "c", "ann", earlier=[QUESTION])
    answerer.wait()
    assert [ranked["query"] for ranked in pipeline.ranked] == [""]


def test_a_conversation_that_is_removed_meanwhile_stays_away(
    answerer_of: MakeAnswerer, store: FeedbackStore, jobs: AnswerJobStore
) -> None:
    gate = Gate()
    answer_id = answerer_of(hotel=["150 ", gate, "euros."]).ask("hotel", "c", "ann")
    assert gate.reached.wait(PATIENCE)
    store.remove_conversation("c", "ann")
    gate.set()
    wait_until(is_made(jobs, answer_id))
    assert store.answer(answer_id, "ann") is None
    assert store.conversation("c", "ann") == []


def test_half_a_character_of_a_language_model_is_no_end(
    settings: Settings, table: ChunkTable, embedder: FakeEmbedder, store: FeedbackStore, jobs: AnswerJobStore
) -> None:
    writer = FakeLanguageModel("150 euros [1] \ud83c", "\udfe8", " \ud83c")
    answerer = Answerer(Pipeline(settings, embedder, writer), store, jobs)
    answer_id = answerer.ask(QUESTION, "c", "ann")
    answerer.wait()
    answer = answer_of(store, answer_id)
    assert answer.text.startswith("150 euros [1] \U0001f3e8")
    assert (answer.complete, answer.note) == (True, "")


# Stopping --------------------------------------------------------------------------------------------


def test_an_answer_is_stopped_from_another_process(
    answerer_of: MakeAnswerer, store: FeedbackStore, jobs: AnswerJobStore, home: Path
) -> None:
    gate, other_gate = Gate(), Gate()
    answerer = answerer_of(hotel=["150 ", gate, "euros."], train=["Trains ", other_gate, "first."])
    answer_id, other_id = answerer.ask("hotel", "c", "ann"), answerer.ask("train", "c", "ann")
    assert gate.reached.wait(PATIENCE)
    assert other_gate.reached.wait(PATIENCE)
    AnswerJobStore(home).stop(answer_id)
    wait_until(is_made(jobs, answer_id))
    answer = answer_of(store, answer_id)
    assert (answer.text, answer.stopped, answer.complete, answer.note) == ("150 ", True, False, "")
    other_gate.set()
    wait_until(is_made(jobs, other_id))
    assert answer_of(store, other_id).text == "Trains first."


def test_there_is_nothing_to_stop_of_an_answer_that_is_made(
    answerer_of: MakeAnswerer, store: FeedbackStore, jobs: AnswerJobStore
) -> None:
    answer_id = answerer_of(hotel=["150 euros."]).ask("hotel", "c", "ann")
    wait_until(is_made(jobs, answer_id))
    jobs.stop(answer_id)
    jobs.stop("no such answer")
    assert not answer_of(store, answer_id).stopped


def test_what_one_server_closes_another_one_goes_on_with(
    answerer_of: MakeAnswerer, store: FeedbackStore, jobs: AnswerJobStore
) -> None:
    gate, other_gate = Gate(), Gate()
    answerer, other = answerer_of(hotel=["150 ", gate, "euros."]), answerer_of(train=["Trains ", other_gate, "first."])
    answer_id, other_id = answerer.ask("hotel", "c", "ann"), other.ask("train", "c", "ann")
    assert gate.reached.wait(PATIENCE)
    assert other_gate.reached.wait(PATIENCE)
    answerer.close()
    assert (answer_of(store, answer_id).text, answer_of(store, answer_id).stopped) == ("150 ", True)
    time.sleep(0.1)  # some beats
    other_gate.set()
    wait_until(is_made(jobs, other_id))
    assert (answer_of(store, other_id).text, answer_of(store, other_id).complete) == ("Trains first.", True)


def test_what_waits_for_its_turn_ends_with_the_server(
    answerer_of: MakeAnswerer, store: FeedbackStore, jobs: AnswerJobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.answering._MAX_AT_ONCE", 1)
    gate, turn = Gate(), keep(store)
    struck = turn.answer.citations[0].chunk.id
    pipeline = ScriptedPipeline({"first": ["1", gate], "second": ["2"], "without 1": ["Trains first."]})
    answerer = answerer_of(pipeline)
    answerer.ask("first", "c", "ann")
    assert gate.reached.wait(PATIENCE)
    second = answerer.ask("second", "c", "ann")
    answerer.write_again(turn, [struck])
    answerer.close()
    assert [ranked["question"] for ranked in pipeline.ranked] == ["first"]
    assert not any(job.is_open for job in jobs.jobs())
    answer = answer_of(store, second)
    assert (answer.text, answer.stopped, answer.complete, answer.note) == ("", True, False, "")
    assert answer_of(store, turn.id) == replace(turn.answer, without=(struck,), stopped=True)
    assert not answerer._hearts


# Writing again ---------------------------------------------------------------------------------------


def test_what_is_written_again_stays_as_it_was_until_it_is_whole(
    answerer_of: MakeAnswerer, store: FeedbackStore, jobs: AnswerJobStore
) -> None:
    gate = Gate()
    turn = keep(store)
    struck = turn.answer.citations[0].chunk.id
    answerer_of(without_1=["Trains ", gate, "first [2]."]).write_again(turn, [struck])
    assert gate.reached.wait(PATIENCE)
    wait_until(lambda: (job := jobs.at_work(turn.id)) and job.text == "Trains ")
    job = jobs.at_work(turn.id)
    assert job is not None
    assert job.without == (struck,)
    time.sleep(0.1)  # some savings
    assert answer_of(store, turn.id) == turn.answer
    gate.set()
    wait_until(is_made(jobs, turn.id))
    answer = answer_of(store, turn.id)
    assert (answer.text, answer.without, answer.complete) == ("Trains first [2].", (struck,), True)


@pytest.mark.parametrize("deaf", [False, True], ids=["hears that it is to stop", "does not hear it"])
@pytest.mark.parametrize("later_ends_first", [False, True])
def test_the_last_writing_wins_whichever_ends_last(
    answerer_of: MakeAnswerer, store: FeedbackStore, jobs: AnswerJobStore, deaf: bool, later_ends_first: bool
) -> None:
    earlier, later = Gate(), Gate()
    turn = keep(store)
    ids = [citation.chunk.id for citation in turn.answer.citations]
    script: dict[str, Sequence[str | Gate | Exception]] = {
        "without 1": ["Earlier", earlier, "."],
        "without 2": ["Later", later, "."],
        "other": ["Other."],
    }
    answerer = answerer_of(ScriptedPipeline(script, deaf=deaf))
    answerer.write_again(turn, ids[:1])
    assert earlier.reached.wait(PATIENCE)
    (first,) = jobs.jobs()
    answerer.write_again(turn, ids[:2])
    assert later.reached.wait(PATIENCE)
    assert (job := jobs.at_work(turn.id)) is not None
    assert job.without == tuple(ids[:2])
    gates = (later, earlier) if later_ends_first else (earlier, later)
    gates[0].set()
    wait_until(lambda: sum(job.is_open for job in jobs.jobs() if job.answer_id == turn.id) <= 1)
    wait_until(is_made(jobs, answerer.ask("other", "c", "ann")))  # which clears away jobs that have ended
    gates[1].set()
    answerer.wait()
    assert not any(job.is_open for job in jobs.jobs())
    answer = answer_of(store, turn.id)
    assert (answer.text, answer.without, answer.stopped) == ("Later.", tuple(ids[:2]), False)
    assert first.id not in {job.id for job in jobs.jobs() if job.is_open}


def test_striking_out_while_a_new_answer_grows_begins_it_anew(
    answerer_of: MakeAnswerer, store: FeedbackStore, jobs: AnswerJobStore
) -> None:
    gate = Gate()
    answerer = answerer_of(hotel=["150 ", gate, "euros."], without_1=["Trains."])
    answer_id = answerer.ask("hotel", "c", "ann")
    assert gate.reached.wait(PATIENCE)
    wait_until(lambda: answer_of(store, answer_id).citations)
    turn = store.answer(answer_id, "ann")
    assert turn is not None
    answerer.write_again(turn, [turn.answer.citations[0].chunk.id])
    answerer.wait()  # nobody opened the gate: it was asked to stop
    assert answer_of(store, answer_id).text == "Trains."


# What goes wrong -------------------------------------------------------------------------------------

FAILURES = [
    (CiteloopError("the table is damaged"), "the table is damaged", False),
    (ValueError("with /secret/path"), "internal error; see the server log", True),
]


@pytest.mark.parametrize(("error", "note", "is_logged"), FAILURES)
@pytest.mark.parametrize("script", ["rank", "hotel"])
def test_a_failure_leaves_a_note_in_the_place_of_the_answer(
    answerer_of: MakeAnswerer,
    store: FeedbackStore,
    jobs: AnswerJobStore,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    note: str,
    is_logged: bool,
    script: str,
) -> None:
    answer_id = answerer_of(**{script: [error]}).ask("hotel", "c", "ann")
    wait_until(is_made(jobs, answer_id))
    answer = answer_of(store, answer_id)
    shown = f"{note} for request {answer_id}" if is_logged else note
    assert (answer.question, answer.text, answer.note) == ("hotel", "", shown)
    assert (answer.complete, answer.stopped) == (False, False)
    assert len(answer.citations) == (0 if script == "rank" else 3)
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == is_logged
    if is_logged:
        assert errors[0].exc_info is not None
        assert errors[0].exc_info[1] is error
        assert answer_id in errors[0].getMessage()


def test_a_failure_in_the_middle_keeps_what_is_there(
    answerer_of: MakeAnswerer, store: FeedbackStore, jobs: AnswerJobStore
) -> None:
    answer_id = answerer_of(hotel=["150 ", CiteloopError("the table is damaged")]).ask("hotel", "c", "ann")
    wait_until(is_made(jobs, answer_id))
    answer = answer_of(store, answer_id)
    assert (answer.text, answer.note, answer.complete) == ("150 ", "the table is damaged", False)


@pytest.mark.parametrize(("error", "note", "is_logged"), FAILURES)
@pytest.mark.parametrize("written", [[], ["Trains "]])
def test_what_cannot_be_written_again_stays_as_it_was_and_is_not_tried_again(
    answerer_of: MakeAnswerer,
    store: FeedbackStore,
    jobs: AnswerJobStore,
    error: Exception,
    note: str,
    is_logged: bool,
    written: Sequence[str],
) -> None:
    turn = keep(store)
    struck = turn.answer.citations[1].chunk.id
    answerer_of(without_1=[*written, error]).write_again(turn, [struck])
    wait_until(is_made(jobs, turn.id))
    answer = answer_of(store, turn.id)
    note = f"{note} for request {turn.id}" if is_logged else note
    said = f"This is the answer as it was; it could not be written again: {note}"
    assert answer == replace(
        turn.answer, note=said, without=(struck,)
    )  # without what is struck out: no page begins anew


def test_one_failure_does_not_make_others_wait(
    answerer_of: MakeAnswerer, store: FeedbackStore, jobs: AnswerJobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.answering._MAX_AT_ONCE", 1)
    answerer = answerer_of(broken=[ValueError()], hotel=["150 euros."])
    broken, fine = answerer.ask("broken", "c", "ann"), answerer.ask("hotel", "c", "ann")
    wait_until(lambda: is_made(jobs, broken)() and is_made(jobs, fine)())
    assert answer_of(store, fine).text == "150 euros."


def test_an_answer_that_waits_for_its_turn_is_not_given_up(
    answerer_of: MakeAnswerer, store: FeedbackStore, jobs: AnswerJobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.answering._MAX_AT_ONCE", 1)
    gate = Gate()
    answerer = answerer_of(first=["1", gate], second=["2"])
    first, second = answerer.ask("first", "c", "ann"), answerer.ask("second", "c", "ann")
    assert gate.reached.wait(PATIENCE)
    before = {job.answer_id: job.heartbeat_at for job in jobs.jobs()}
    assert set(before) == {first, second}
    wait_until(lambda: all(job.heartbeat_at != before[job.answer_id] for job in jobs.jobs()))
    gate.set()
    wait_until(lambda: is_made(jobs, first)() and is_made(jobs, second)())
    assert [answer_of(store, each).text for each in (first, second)] == ["1", "2"]


# The real pipeline -----------------------------------------------------------------------------------


def test_a_language_model_that_breaks_off_leaves_its_text_and_a_note(
    settings: Settings, table: ChunkTable, embedder: FakeEmbedder, store: FeedbackStore, jobs: AnswerJobStore
) -> None:
    writer = FakeLanguageModel("150 euros [1]", LanguageModelError("it broke off"))
    answerer = Answerer(Pipeline(settings, embedder, writer), store, jobs)
    answer_id = answerer.ask(QUESTION, "c", "ann", within=Filter(collections=("handbook",)))
    answerer.wait()
    answer = answer_of(store, answer_id)
    assert (answer.text, answer.note, answer.complete) == ("150 euros [1]", "it broke off", False)
    assert {each.chunk.document for each in answer.ranking} == {"handbook/leave.md", "handbook/travel.md"}


def test_a_question_that_finds_too_many_waiting_is_kept_with_a_note(
    answerer_of: MakeAnswerer, store: FeedbackStore, jobs: AnswerJobStore
) -> None:
    answer_id = answerer_of(rank=[BusyError(7)]).ask("hotel", "c", "ann")
    wait_until(is_made(jobs, answer_id))
    answer = answer_of(store, answer_id)
    assert (answer.question, answer.text, answer.complete) == ("hotel", "", False)
    assert answer.note == "too many questions at once; ask again in about 7 seconds"


def test_a_question_that_waits_for_a_slot_can_be_stopped(
    pipeline: Pipeline, store: FeedbackStore, jobs: AnswerJobStore
) -> None:
    pipeline.admission = Admission(1, 5)
    answerer = Answerer(pipeline, store, jobs)
    with pipeline.admission.slot():
        answer_id = answerer.ask("hotel", "c", "ann")
        wait_until(lambda: (job := jobs.at_work(answer_id)) and job.current == "wait")
        jobs.stop(answer_id)
        wait_until(is_made(jobs, answer_id))
    answer = answer_of(store, answer_id)
    assert (answer.stopped, answer.note, answer.citations) == (True, "", ())
    answerer.wait()


def test_a_filter_that_fits_nothing_any_more_is_said(
    settings: Settings, table: ChunkTable, embedder: FakeEmbedder, store: FeedbackStore, jobs: AnswerJobStore
) -> None:
    answerer = Answerer(Pipeline(settings, embedder, FakeLanguageModel("x")), store, jobs)
    answer_id = answerer.ask(QUESTION, "c", "ann", within=Filter(collections=("gone",)))
    answerer.wait()
    answer = answer_of(store, answer_id)
    assert "gone" in answer.note
    assert (answer.text, answer.complete) == ("", False)


# The jobs --------------------------------------------------------------------------------------------


def beat_at(jobs: AnswerJobStore, job: AnswerJob, seconds_ago: float) -> None:
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    jobs.update(job.id, heartbeat_at=at.isoformat(timespec="milliseconds"))


def test_a_job_whose_process_has_died_is_not_at_work(jobs: AnswerJobStore) -> None:
    job = jobs.begin("a", ["x", "y"])
    assert jobs.at_work("a") == job
    beat_at(jobs, job, 1)
    assert jobs.at_work("a") is not None
    beat_at(jobs, job, 20)
    assert jobs.at_work("a") is None
    assert jobs.begin("a").id == getattr(jobs.at_work("a"), "id", None)


def test_a_job_that_is_begun_anew_asks_the_one_before_it_to_stop(jobs: AnswerJobStore) -> None:
    first, other = jobs.begin("a"), jobs.begin("b")
    second = jobs.begin("a", ["x"])
    assert jobs.job(first.id).cancel_requested
    assert not jobs.job(other.id).cancel_requested
    assert not jobs.job(second.id).cancel_requested
    assert (found := jobs.at_work("a")) is not None
    assert (found.id, found.without) == (second.id, ("x",))


def test_many_that_begin_the_same_answer_at_once_leave_one_that_is_not_asked_to_stop(home: Path) -> None:
    barrier = threading.Barrier(8)

    def begin() -> None:
        store = AnswerJobStore(home)
        barrier.wait(PATIENCE)
        store.begin("a")

    AnswerJobStore(home)
    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    jobs = AnswerJobStore(home)
    (last,) = [job for job in jobs.jobs() if not job.cancel_requested]
    assert (found := jobs.at_work("a")) is not None
    assert found.id == last.id
