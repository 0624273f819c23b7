from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from app.answer.prompts import PROPOSAL, Prompts, save_prompts
from app.feedback import FeedbackStore, Judgement
from app.feedback.rules import label
from app.language_model.protocol import LanguageModelError
from app.pipeline import Pipeline
from app.settings import Settings
from app.training.exchange.exports import ExchangeError, export_bytes
from app.training.labels.from_feedback import readiness
from app.training.proposals.jobs import ProposalJobStore, run
from app.training.proposals.propose import NO_LANGUAGE_MODEL, Refusal, pick, propose, refusal_words
from app.training.proposals.store import Proposal, ProposalError, ProposalStore
from ingest.home.job_store import JobError
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.app.builders import WordScorer
from tests.conftest import PATIENCE, FakeEmbedder, FakeLanguageModel, refuse

HOTEL, VPN = "What may a hotel cost per night?", "Which key does the VPN ask for?"
MACHINE = "Is the machine number oiled by its owner, every how many weeks?"
PARENTS = "How early do parents request parental leave?"
QUESTIONS = {"hotel": HOTEL, "VPN": VPN, "Parents": PARENTS}
"""Word of a passage -> a question that it answers; the fourth passage of the tiny home is too short to ask about."""


class Asker:
    """Writes the question whose word stands in the passage; `messages` are those of the last time."""

    name = "asker-1"

    def __init__(self, questions: Mapping[str, str]) -> None:
        self._questions = questions
        self.messages: list[Mapping[str, str]] = []
        self.num_asked = 0

    def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
        self.messages = list(messages)
        self.num_asked += 1
        yield from (question for word, question in self._questions.items() if word in messages[-1]["content"])


Ask = Callable[[object], Pipeline]


@pytest.fixture
def ask(settings: Settings, table: ChunkTable, embedder: FakeEmbedder) -> Ask:
    """A pipeline over the tiny table whose language model is this one."""

    def pipeline(language_model: object) -> Pipeline:
        return Pipeline(settings, embedder, language_model, WordScorer())  # type: ignore[arg-type]

    return pipeline


@pytest.fixture
def asking(ask: Ask) -> Pipeline:
    return ask(Asker(QUESTIONS))


def outcomes(pipeline: Pipeline, count: int = 20) -> list[Proposal | Refusal]:
    return list(propose(pipeline, count, seed=1))


NOT_ONE: Refusal = "no single question of 10 to 200 characters"


def about_hotels(ask: Ask, text: str) -> Proposal | Refusal:
    """What becomes of a text that the language model writes about the one passage on hotels."""
    pipeline = ask(FakeLanguageModel(text))
    taken = {chunk.text for document in pipeline.table.documents() for chunk in pipeline.table.chunks_of(document.id)}
    FeedbackStore(pipeline.settings.home).judge(
        Judgement(user="ann", question=f"{each[:40]} zzz?", label="relevant", text=each)
        for each in taken
        if "hotel" not in each
    )
    (outcome,) = outcomes(pipeline)
    return outcome


# what is asked --------------------------------------------------------------------------------------------


def test_a_question_that_passes_is_kept_with_its_passage(asking: Pipeline, table: ChunkTable) -> None:
    made = outcomes(asking)
    kept = ProposalStore(table.home).proposals()
    assert made == kept
    assert {each.question for each in kept} == set(QUESTIONS.values())
    (hotel,) = (each for each in kept if each.question == HOTEL)
    chunk = table.chunk(hotel.chunk_id)
    assert chunk is not None
    assert (hotel.document, hotel.title, hotel.heading, hotel.page, hotel.text) == (
        "handbook/travel.md",
        chunk.title,
        chunk.heading,
        chunk.page,
        chunk.text,
    )
    assert (hotel.model, hotel.state, hotel.decided_by) == ("asker-1", "open", "")


def test_the_language_model_is_given_the_passage_below_the_instructions_of_the_home(ask: Ask, home: Path) -> None:
    for instructions in (PROPOSAL, "Ask something about it."):
        save_prompts(home, Prompts(proposal=instructions))
        asker = Asker({})
        outcomes(ask(asker))
        assert asker.messages[0] == {"role": "system", "content": instructions}
        assert any(f"{title}\n" in asker.messages[1]["content"] for title in ("Travel", "VPN", "Parental leave"))


def test_passages_with_an_answer_or_a_proposal_or_hardly_any_text_are_not_asked_about(
    ask: Ask, asking: Pipeline, home: Path
) -> None:
    assert len(outcomes(asking)) == 3
    again = Asker({})
    assert outcomes(ask(again)) == []
    assert again.num_asked == 0
    store = ProposalStore(home)
    for each in store.proposals():
        store.reject(each.id, "ann")
    FeedbackStore(home).judge([Judgement.of(store.proposals()[0].question, store.proposals()[0], "relevant", "ann")])
    outcomes(ask(again))
    assert again.num_asked == 2  # a passage whose question was rejected may be asked about otherwise


def test_a_passage_that_does_not_answer_may_still_be_asked_about(
    asking: Pipeline, home: Path, table: ChunkTable
) -> None:
    (chunk,) = (each for document in table.documents() for each in table.chunks_of(document.id) if "hotel" in each.text)
    FeedbackStore(home).judge([Judgement(user="a", question="Why?", label="not relevant", text=chunk.text)])
    assert HOTEL in [each.question for each in outcomes(asking) if isinstance(each, Proposal)]


def test_no_more_passages_than_wanted_are_asked_about(ask: Ask) -> None:
    asker = Asker({})
    assert len(outcomes(ask(asker), count=1)) == asker.num_asked == 1


@pytest.fixture
def many(tmp_path: Path, table: ChunkTable, embedder: FakeEmbedder) -> ChunkTable:
    """One long document and three short ones more, one of which repeats another."""
    folder = tmp_path / "more"
    folder.mkdir()
    sections = (f"## Part {n}\n\n{'Word number ' * 6}{n} of the long one, and then {n * 7}.\n" for n in range(12))
    (folder / "long.md").write_text("# Long\n\n" + "\n".join(sections))
    for name, n in (("a", 1), ("b", 2), ("copy of a", 1)):
        (folder / f"{name}.md").write_text(
            f"# Short\n\nThe machine number {n} is oiled every {n} weeks by its owner in the hall.\n"
        )
    list(ingest([folder], table, embedder))
    return table


def test_passages_are_spread_over_the_documents_and_the_same_for_a_seed(many: ChunkTable) -> None:
    def drawn(seed: int) -> list[str]:
        return [chunk.text for chunk in pick(many, seed, ())]

    for seed in range(5):
        documents = [chunk.document for chunk in pick(many, seed, ())]
        assert len(set(documents[:6])) == 6, "each has its turn before one has its second"
        assert documents.count("long.md") > 4
    assert drawn(1) == drawn(1) != drawn(2)
    assert len(drawn(1)) == len(set(drawn(1))), "a text that stands in two documents is asked about once"


def test_without_a_language_model_it_says_how_to_set_one(pipeline: Pipeline) -> None:
    with pytest.raises(ProposalError, match="Settings page") as failure:
        outcomes(pipeline)
    assert str(failure.value) == NO_LANGUAGE_MODEL


def test_when_the_language_model_fails_what_was_kept_stays(ask: Ask, home: Path) -> None:
    class Failing(Asker):
        def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
            if self.num_asked:
                raise LanguageModelError("busy; try later")
            return super().stream(messages, stop)

    with pytest.raises(LanguageModelError, match="busy"):
        outcomes(ask(Failing(QUESTIONS)))
    assert len(ProposalStore(home).proposals()) == 1


def test_a_text_that_breaks_off_costs_one_passage_and_not_the_rest(ask: Ask) -> None:
    class Rambling(Asker):
        def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
            yield from super().stream(messages, stop)
            if "hotel" in messages[-1]["content"]:
                raise LanguageModelError("it reached its length limit")

    made = outcomes(ask(Rambling(QUESTIONS)))
    assert sorted(each.question for each in made if isinstance(each, Proposal)) == [PARENTS, VPN]
    assert NOT_ONE in made


# the check ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "refusal"),
    [
        ("", NOT_ONE),
        ("A hotel may be expensive.", NOT_ONE),
        ("A hotel?", NOT_ONE),
        (f"What may a hotel cost {'per night ' * 20}?", NOT_ONE),
        ("What may a hotel cost?\nWhich trains come first?", NOT_ONE),
        ("What may a hotel " + "cost " * 10_000, NOT_ONE),
        ("A hotel may cost 150 euros a night?", "copies the passage"),
        ("“a hotel may cost 150 EUROS a night. Trains come?”", "copies the passage"),
        ("name what it is about, and do not speak of a passage or a text?", "repeats its instructions"),
        (PROPOSAL, "repeats its instructions"),
        ("Does the VPN of extension 4400 need the hardware key when the tunnel fails?", "not answered by the passage"),
    ],
)
def test_what_is_no_question_that_the_passage_answers_is_refused(
    ask: Ask, home: Path, written: str, refusal: Refusal
) -> None:
    assert about_hotels(ask, written) == refusal
    assert ProposalStore(home).proposals() == []


@pytest.mark.parametrize(
    "written", [HOTEL, f'"{HOTEL}"', f"Question: {HOTEL}", f'The question is: "{HOTEL}"', f"\n{HOTEL}\n"]
)
def test_a_label_and_quotes_are_taken_off(ask: Ask, written: str) -> None:
    outcome = about_hotels(ask, written)
    assert isinstance(outcome, Proposal)
    assert outcome.question == HOTEL


def test_a_passage_that_search_does_not_find_is_no_answer(ask: Ask, many: ChunkTable) -> None:
    far = "Which Word number of the long one, and then?"  # eleven others say it as well
    found = list(propose(ask(Asker({"hotel": far, "machine": HOTEL})), 20, 1))
    assert "search does not find the passage" in found


@pytest.mark.parametrize("known", [HOTEL, HOTEL.upper().strip("?"), "What may a hotel cost us per night?"])
@pytest.mark.parametrize("place", ["judged", "struck out", "open", "rejected"])
def test_a_question_that_is_known_or_nearly_so_is_refused(
    ask: Ask, pipeline: Pipeline, home: Path, known: str, place: str
) -> None:
    feedback, store = FeedbackStore(home), ProposalStore(home)
    if place == "judged":
        feedback.judge([Judgement(user="ann", question=known, label="not relevant", text="Something else.")])
    elif place == "struck out":
        shown = feedback.answer(feedback.save_answer(replace(pipeline.ask(HOTEL), question=known), "one", "ann"), "ann")
        assert shown is not None
        feedback.record(shown, shown.answer.citations[0].chunk.id, "deleted", "ann")
    else:
        store.add(make_proposal(question=known, text="Something else."))
        if place == "rejected":
            store.reject("1", "ann")
    assert about_hotels(ask, HOTEL) == "known already"


def test_two_passages_do_not_get_the_same_question(ask: Ask, many: ChunkTable) -> None:
    made = outcomes(ask(Asker({"machine": MACHINE, "hotel": HOTEL})))
    questions = [each.question for each in made if isinstance(each, Proposal)]
    assert sorted(questions) == [MACHINE, HOTEL]
    assert "known already" in made


def test_refusals_are_counted_by_reason() -> None:
    made: list[Proposal | Refusal] = ["known already", "copies the passage", make_proposal(), "known already"]
    assert refusal_words(made) == "refused: 2 known already, 1 copies the passage"
    assert refusal_words([make_proposal()]) == ""


# deciding -------------------------------------------------------------------------------------------------


def make_proposal(question: str = HOTEL, text: str = "A hotel may cost 150 euros a night.") -> Proposal:
    return Proposal(
        id="1",
        at="2026-01-01T00:00:00+00:00",
        question=question,
        chunk_id="c1",
        document="travel.pdf",
        title="Travel",
        heading="Hotels",
        page=3,
        text=text,
        model="asker-1",
    )


@pytest.fixture
def store(home: Path) -> ProposalStore:
    store = ProposalStore(home)
    store.add(make_proposal())
    return store


@pytest.fixture
def feedback(home: Path) -> FeedbackStore:
    return FeedbackStore(home)


def test_what_is_accepted_is_an_example_with_its_origin(store: ProposalStore, feedback: FeedbackStore) -> None:
    assert store.accept("1", f"  {HOTEL} ", "cleo")
    (labelled,) = label(feedback.events(), feedback.judgements())
    assert (labelled.question, labelled.relevant, labelled.weight) == (HOTEL, True, 1.0)
    assert (labelled.origin, labelled.judged_by) == ("proposed by asker-1", "cleo")
    assert (labelled.document, labelled.page, labelled.text) == ("travel.pdf", 3, make_proposal().text)
    assert labelled.passage == f"Travel > Hotels\n{labelled.text}"
    (kept,) = store.proposals("accepted")
    assert kept.decided_by == "cleo"


def test_the_curator_may_edit_the_question(store: ProposalStore, feedback: FeedbackStore) -> None:
    edited = "How much is a hotel allowed to cost?"
    assert store.accept("1", edited, "cleo")
    assert [each.question for each in feedback.judgements()] == [edited]
    assert store.proposals()[0].question == edited


@pytest.mark.parametrize("question", ["", "  Why?  ", "a" * 201])
def test_an_edited_question_must_have_a_sensible_length(
    store: ProposalStore, feedback: FeedbackStore, question: str
) -> None:
    with pytest.raises(ProposalError, match="10 to 200 characters"):
        store.accept("1", question, "cleo")
    assert store.proposals("open")
    assert not feedback.judgements()


def test_what_is_decided_once_stands(store: ProposalStore, feedback: FeedbackStore) -> None:
    assert store.accept("1", HOTEL, "cleo")
    assert not store.accept("1", "Another question for it?", "dan")
    assert not store.reject("1", "dan")
    assert not store.accept("no such id", HOTEL, "dan")
    assert len(feedback.judgements()) == 1
    assert [(each.state, each.decided_by) for each in store.proposals()] == [("accepted", "cleo")]


def test_of_many_that_accept_at_once_one_counts(store: ProposalStore, feedback: FeedbackStore) -> None:
    results: list[bool] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(store.accept("1", f"{HOTEL} ({n})", f"{n}")))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 7 + [True]
    assert len(feedback.judgements()) == 1


def test_where_the_judgement_cannot_be_written_the_proposal_stays_open(
    store: ProposalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ProposalError("no space left on the device")

    with monkeypatch.context() as patch:
        patch.setattr("app.training.proposals.store.append_judgement", fail)
        with pytest.raises(ProposalError, match="no space left"):
            store.accept("1", HOTEL, "cleo")
    assert store.proposals("open")
    assert store.accept("1", HOTEL, "cleo")


def test_what_is_open_or_rejected_never_is_training_material(
    asking: Pipeline, home: Path, feedback: FeedbackStore
) -> None:
    proposed = [each for each in outcomes(asking) if isinstance(each, Proposal)]
    store = ProposalStore(home)
    assert store.reject(proposed[0].id, "cleo")
    labelled = label(feedback.events(), feedback.judgements())
    assert labelled == []
    assert readiness(labelled).num_questions == 0
    with pytest.raises(ExchangeError, match="nothing to export"):
        export_bytes("pairs", labelled)
    assert store.accept(proposed[1].id, proposed[1].question, "cleo")
    labelled = label(feedback.events(), feedback.judgements())
    assert [each.question for each in labelled] == [proposed[1].question]
    assert readiness(labelled).num_positives == 1


def test_a_full_disk_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ProposalStore(home)
    monkeypatch.setattr("ingest.home.database._opened_for_writing", refuse)
    with pytest.raises(ProposalError, match=r"proposals in the home folder cannot be used: .* disk is full"):
        store.reject("1", "cleo")


# as a job -------------------------------------------------------------------------------------------------


def test_a_job_notes_how_far_it_is_and_what_came_of_it(ask: Ask, home: Path) -> None:
    jobs = ProposalJobStore(home)
    job = jobs.begin(20, seed=1)
    made: list[Proposal | Refusal] = []
    run(jobs, job, ask(Asker({**QUESTIONS, "VPN": "no"})), made.append)
    ended = jobs.job(job.id)
    assert (ended.state, ended.num_done, ended.num_proposed) == ("done", 3, 2)
    assert ended.refused == f"refused: 1 {NOT_ONE}"
    assert len(made) == 3


def test_one_job_at_a_time(home: Path) -> None:
    jobs = ProposalJobStore(home)
    first = jobs.begin(5)
    with pytest.raises(JobError, match="already"):
        jobs.begin(5)
    assert [job.id for job in jobs.jobs()] == [first.id]
    jobs.end(first.id, "done")
    assert jobs.begin(5).seed != first.seed


def test_a_job_whose_process_is_gone_does_not_block_the_next(home: Path) -> None:
    jobs = ProposalJobStore(home)
    dead = jobs.begin(5)
    with sqlite3.connect(home / "progress.sqlite3") as connection:
        connection.execute("UPDATE proposal_jobs SET heartbeat_at = '2026-01-01T00:00:00+00:00'")
    jobs.begin(5)
    assert jobs.job(dead.id).state == "failed"


def test_a_job_that_is_stopped_keeps_what_it_has(ask: Ask, home: Path) -> None:
    jobs = ProposalJobStore(home)
    job = jobs.begin(20, seed=1)

    class Stopped(Asker):
        """Somebody stops it while the second question is written; a real model then ends at once."""

        def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
            if self.num_asked:
                assert stop is not None
                jobs.cancel(job.id)
                assert stop.wait(PATIENCE)
                return
            yield from super().stream(messages, stop)

    run(jobs, job, ask(Stopped(QUESTIONS)))
    ended = jobs.job(job.id)
    assert (ended.state, ended.num_done, ended.num_proposed) == ("cancelled", 1, 1)
    assert len(ProposalStore(home).proposals()) == 1


def test_a_job_that_fails_says_why(pipeline: Pipeline, home: Path) -> None:
    jobs = ProposalJobStore(home)
    job = jobs.begin(5)
    with pytest.raises(ProposalError):
        run(jobs, job, pipeline)
    assert (jobs.job(job.id).state, jobs.job(job.id).message) == ("failed", NO_LANGUAGE_MODEL)
