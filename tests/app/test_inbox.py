"""What a curator should decide next, questions that are said to be unanswered, and people whose votes are ignored."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Sized
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app.answer import Answer
from app.feedback import FeedbackStore, Judgement, StoredAnswer
from app.feedback.changed import Changed, changed_since
from app.feedback.curators import Asking
from app.feedback.inbox import InboxItem, inbox, troubles
from app.feedback.people import voters
from app.feedback.recall import LiveMemory
from app.feedback.rules import label
from app.feedback.statements import standing
from app.feedback.store import Position
from app.feedback.unanswered import by_week, unanswered_questions
from app.memory.votes import Statement
from app.pipeline import Pipeline
from app.reranking.rerank import RankedChunk
from app.reranking.statements import is_overtaken
from ingest.home.tables import answers, events
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.app.builders import make_answer, make_candidates, make_chunk
from tests.conftest import FakeEmbedder

LEAVE, VPN = "How long is the parental leave?", "What does the VPN need?"
PASSAGES = ("Thirty days.", "Trains first.", "A key.")


@pytest.fixture
def store(home: Path) -> FeedbackStore:
    return FeedbackStore(home)


def ask(
    store: FeedbackStore, question: str, user: str = "ann", *, days_ago: int = 0, **changes: object
) -> StoredAnswer:
    """Store an answer as if it had been asked some days ago."""
    answer: Answer = replace(make_answer(passages=PASSAGES), question=question, **changes)  # type: ignore[arg-type]
    answer_id = store.save_answer(answer, "talk", user)
    asked_at = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat(timespec="milliseconds")
    with store._records.writing() as connection:
        connection.execute(update(answers).where(answers.c.id == answer_id).values(asked_at=asked_at))
    stored = store.answer(answer_id, user)
    assert stored
    return stored


def strike(store: FeedbackStore, stored: StoredAnswer, *places: int, user: str = "ann") -> None:
    for place in places:
        store.record(stored, stored.answer.citations[place].chunk.id, "deleted", user)


def items(
    store: FeedbackStore, changed: Mapping[Any, Changed] | None = None, collections: Collection[str] | None = None
) -> list[InboxItem]:
    labeled = label(store.events(), store.judgements())
    return inbox(store, FakeEmbedder(), store.askings(), labeled, changed or {}, collections)


def with_scores(*scores: float) -> tuple[RankedChunk, ...]:
    candidates = make_candidates(*PASSAGES)
    return tuple(
        RankedChunk(candidate, rank, score, is_probability=True)
        for rank, (candidate, score) in enumerate(zip(candidates, scores, strict=True), 1)
    )


# what is in the inbox -------------------------------------------------------------------------------------------


def test_an_answered_question_is_not_in_it(store: FeedbackStore) -> None:
    ask(store, LEAVE)
    ask(store, VPN, found=False, complete=False)
    strike(store, ask(store, VPN), 0)
    assert items(store) == []


def test_a_question_without_an_answer_is_with_how_often_by_how_many_and_since_when(store: FeedbackStore) -> None:
    first = ask(store, "how long is a parental leave", "bob", days_ago=3, found=False)
    ask(store, LEAVE, "ann", days_ago=1, found=False)
    last = ask(store, LEAVE, "ann", found=False)
    (item,) = items(store)
    assert (item.question, item.num_asked, item.num_people, item.trouble) == (LEAVE, 3, 2, "not answered")
    assert item.wordings == (LEAVE, "how long is a parental leave")
    assert item.since == first.asked_at.isoformat(timespec="seconds")
    assert (item.answer_id, item.user) == (last.id, "ann")


def test_all_sources_struck_out_and_a_later_second_strike_mean_a_wrong_answer(store: FeedbackStore) -> None:
    strike(store, ask(store, LEAVE), 0, 1, 2)
    again = ask(store, VPN)
    strike(store, again, 0, 1)
    assert [item.trouble for item in items(store)] == ["all sources struck out"], "both at once: before the rewrite"
    with store._records.writing() as connection:
        earlier = (datetime.now(UTC) - timedelta(minutes=1)).isoformat(timespec="milliseconds")
        chunk_id = again.answer.citations[0].chunk.id
        struck = events.c.answer_id == again.id, events.c.chunk_id == chunk_id
        connection.execute(update(events).where(*struck).values(at=earlier))
    assert [item.trouble for item in items(store)] == ["all sources struck out", "struck out again"]


def test_undone_strikes_and_other_reasons_are_no_trouble(store: FeedbackStore) -> None:
    stored = ask(store, LEAVE)
    strike(store, stored, 0, 1)
    store.record(stored, stored.answer.citations[2].chunk.id, "deleted", "ann", "outdated")
    assert items(store) == []
    strike(store, stored, 2)
    strike(store, stored, 2, user="bob")
    assert items(store)
    store.record(stored, stored.answer.citations[0].chunk.id, "undone", "ann")
    assert items(store) == []


def test_contradiction_and_a_near_tie_come_after_questions_without_an_answer(store: FeedbackStore) -> None:
    stored = ask(store, LEAVE)
    strike(store, stored, 0)
    store.record(stored, stored.answer.citations[0].chunk.id, "kept", "bob")
    ask(store, "May I take the train?", ranking=with_scores(0.62, 0.61, 0.1))
    ask(store, "Is a hotel paid for?", ranking=with_scores(0.62, 0.2, 0.1))
    ask(store, "Who repairs a bicycle?", ranking=with_scores(0.2, 0.1, 0.1))
    ask(store, VPN, found=False)
    found = {item.trouble: round(item.gain, 2) for item in items(store)}
    assert list(found.items()) == [
        ("not answered", 0.6),
        ("people contradict each other", 0.5),
        ("weak best passage", 0.45),
        ("near tie", 0.03),
    ]


def test_what_is_asked_often_and_lately_comes_first(store: FeedbackStore) -> None:
    ask(store, VPN, days_ago=90, found=False)
    ask(store, VPN, days_ago=60, found=False)
    ask(store, LEAVE, found=False)
    assert [item.question for item in items(store)] == [LEAVE, VPN]
    ask(store, VPN, "bob", found=False)
    assert [item.question for item in items(store)] == [VPN, LEAVE]


def test_like_questions_are_one_item_and_others_are_not(store: FeedbackStore) -> None:
    ask(store, "How long is the parental leave for a father?", found=False)
    ask(store, "How long is the parental leave for the father today?", found=False)
    ask(store, VPN, found=False, citations=())
    assert sorted(len(item.wordings) for item in items(store)) == [1, 2]
    assert VPN in {item.question for item in items(store)}


# decisions ------------------------------------------------------------------------------------------------------


def judge(store: FeedbackStore, question: str, named: str = "relevant", user: str = "cora") -> None:
    chunk = make_chunk(PASSAGES[0])
    store.judge([Judgement.of(question, chunk.ref, named, user)])  # type: ignore[arg-type]


def test_a_named_passage_closes_an_item_with_all_its_wordings(store: FeedbackStore) -> None:
    ask(store, LEAVE, found=False)
    ask(store, "parental leave, how long?", found=False)
    judge(store, "parental leave, how long?")
    assert items(store) == []


def test_a_decision_does_not_close_a_like_wording_that_it_was_not_for(store: FeedbackStore) -> None:
    ask(store, "How long is the parental leave for a father?", found=False)
    ask(store, "How long is the parental leave for the father today?", found=False)
    judge(store, "How long is the parental leave for a father?")
    assert [item.wordings for item in items(store)] == [("How long is the parental leave for the father today?",)]


def test_after_a_rejected_passage_only_later_askings_count(store: FeedbackStore) -> None:
    ask(store, LEAVE, days_ago=1, found=False)
    judge(store, LEAVE, "not relevant")
    assert items(store) == []
    ask(store, LEAVE, found=False)
    assert [item.num_asked for item in items(store)] == [1]


def test_a_statement_closes_an_item_until_it_is_withdrawn(store: FeedbackStore) -> None:
    ask(store, LEAVE, found=False)
    store.say([Statement(LEAVE, "cora")])
    assert items(store) == []
    assert [one.question for one in standing(store.statements())] == [LEAVE]
    store.say([Statement(LEAVE, "cora", withdrawn=True)])
    assert [item.question for item in items(store)] == [LEAVE]
    assert standing(store.statements()) == []


def test_a_withdrawal_of_who_reads_less_opens_nothing_that_was_closed_for_all(store: FeedbackStore) -> None:
    ask(store, LEAVE, found=False)
    store.say([Statement(LEAVE, "cora")])
    store.say([Statement(LEAVE, "ann", collections=("handbook",), withdrawn=True)])
    assert items(store) == []


def test_that_nothing_answers_closes_an_item_only_for_who_may_read_no_more(store: FeedbackStore) -> None:
    ask(store, LEAVE, found=False)
    store.say([Statement(LEAVE, "ann", collections=("handbook",))])
    assert [item.question for item in items(store)] == [LEAVE]
    assert [item.question for item in items(store, collections={"handbook", "it"})] == [LEAVE]
    assert items(store, collections={"handbook"}) == []


# nothing answers this -------------------------------------------------------------------------------------------

CAR = "Is there a company car for me?"


def say_unanswered(pipeline: Pipeline, question: str = CAR, **changes: object) -> FeedbackStore:
    store = FeedbackStore(pipeline.settings.home)
    shown = tuple(citation.chunk.id for citation in pipeline.rank(question).citations)
    store.say([replace(Statement(question, "cora", shown=shown), **changes)])  # type: ignore[arg-type]
    return store


def test_the_same_question_is_told_at_once_who_said_that_nothing_answers(pipeline: Pipeline) -> None:
    assert pipeline.ask(CAR).statement is None
    say_unanswered(pipeline)
    answer = pipeline.ask("is there a company CAR for me")
    today = f"{datetime.now(UTC):%-d %B %Y}"
    assert answer.text.startswith(f"cora said on {today} that the documents do not answer this.")
    assert (answer.found, answer.complete) == (False, True)
    assert answer.citations, "the nearest passages"
    assert answer.as_record()["said_unanswered"] is True
    assert pipeline.ask(VPN).statement is None
    assert pipeline.rank(CAR, ignore_votes=True).statement is None


def test_a_very_like_question_is_told_too_and_a_less_like_one_is_not(pipeline: Pipeline) -> None:
    say_unanswered(pipeline)
    assert pipeline.rank("Is there a company car for me today?").statement
    assert pipeline.rank("Is there a company hotel?").statement is None
    assert pipeline.rank("Is there no company car for me?").statement is None


def test_a_withdrawal_or_a_later_named_passage_ends_it(pipeline: Pipeline) -> None:
    store = say_unanswered(pipeline)
    store.say([Statement(CAR, "bob", withdrawn=True)])
    assert pipeline.rank(CAR).statement is None
    say_unanswered(pipeline)
    assert pipeline.rank(CAR).statement
    chunk = pipeline.rank(CAR).citations[0].chunk
    store.judge([Judgement.of(CAR, chunk.ref, "relevant", "bob")])
    assert pipeline.rank(CAR).statement is None


def test_a_stored_answer_keeps_the_statement_when_it_is_written_again(pipeline: Pipeline) -> None:
    store = say_unanswered(pipeline)
    answer_id = store.save_answer(pipeline.ask(CAR), "talk", "ann")
    stored = store.answer(answer_id, "ann")
    assert stored
    (*_, rewritten) = pipeline.rewrite(stored.answer, [stored.answer.citations[0].chunk.id])
    assert rewritten.text == stored.answer.text
    assert [asking.said_unanswered for asking in store.askings()] == [True]
    assert items(store) == []


# counts ---------------------------------------------------------------------------------------------------------


def test_thanks_wait_for_no_decision() -> None:
    asked = [asking(1, "ok, thanks!", "2026-03-01", found=False), asking(2, "who pays?", "2026-03-01", found=False)]
    assert list(troubles(asked, [])) == [asked[1].answer_id]


def asking(number: int, question: str, asked_at: str, **changes: object) -> Asking:
    at = datetime.fromisoformat(f"{asked_at}T12:00+00:00")
    blank = Asking(str(number), f"user{number % 2}", at, question, True, False, None, None, ("a", "b"))
    return replace(blank, **changes)  # type: ignore[arg-type]


def test_unanswered_questions_are_counted_by_week_and_by_question() -> None:
    askings: Sequence[Asking] = [
        asking(1, LEAVE, "2026-11-01", found=False),  # a Sunday
        asking(2, VPN, "2026-11-02"),
        asking(3, LEAVE, "2026-11-08", found=False),
        asking(4, LEAVE.upper(), "2026-11-08", found=False, said_unanswered=True),
        asking(5, VPN, "2026-11-08", first=0.5, second=0.49),
    ]
    trouble_of = troubles(askings, [])
    weeks = by_week(askings, trouble_of)
    assert [(f"{week.begins}", week.num_asked, week.num_unanswered) for week in weeks] == [
        ("2026-11-02", 4, 2),
        ("2026-10-26", 1, 1),
    ]
    (question,) = unanswered_questions(askings, trouble_of)
    assert (question.num_asked, question.num_people, question.reason) == (3, 2, "a curator says so")
    assert (f"{question.first_asked}", f"{question.last_asked}") == ("2026-11-01", "2026-11-08")


# changed since --------------------------------------------------------------------------------------------------


def changed_questions_of(pipeline: Pipeline, store: FeedbackStore) -> Mapping[Any, Changed]:
    log = store.statements()
    questions = {asking.question for asking in store.askings()}
    votes = pipeline.memory.votes()
    return changed_since(questions, log, standing(log), votes, pipeline.table, pipeline.is_overtaken)


def save(pipeline: Pipeline, question: str = CAR, user: str = "ann") -> StoredAnswer:
    store = FeedbackStore(pipeline.settings.home)
    stored = store.answer(store.save_answer(pipeline.ask(question), "talk", user), user)
    assert stored
    return stored


def replace_text(pipeline: Pipeline, documents: Path, old: str, new: str) -> None:
    for path in documents.rglob("*.md"):
        path.write_text(path.read_text().replace(old, new))
    list(ingest([documents], pipeline.table, FakeEmbedder()))


def add_document(pipeline: Pipeline, documents: Path, text: str) -> None:
    (documents / "new.md").write_text(f"# New\n\n{text}\n")
    list(ingest([documents], pipeline.table, FakeEmbedder()))


def test_nothing_answers_this_lapses_when_a_new_passage_is_among_the_first(pipeline: Pipeline, documents: Path) -> None:
    store = say_unanswered(pipeline)
    save(pipeline)
    assert items(store, changed_questions_of(pipeline, store)) == []
    add_document(pipeline, documents, "There is a company car for me and for everybody.")
    answer = pipeline.ask(CAR)
    assert answer.statement is None
    assert "company car" in answer.text
    (item,) = items(store, changed_questions_of(pipeline, store))
    assert (item.question, item.trouble, item.num_asked) == (CAR, "documents added", 1)
    say_unanswered(pipeline)
    assert pipeline.rank(CAR).statement, "said again, of the documents as they are now"
    assert items(store, changed_questions_of(pipeline, store)) == []


def test_only_a_newer_passage_among_the_first_three_that_was_not_shown_then_overtakes_a_statement(
    table: ChunkTable,
) -> None:
    statement = Statement(CAR, "cora", at="2026-11-01T00:00:00+00:00", shown=("c9",))
    (document, *_) = table.documents()
    later, earlier = (replace(document, ingested_at=datetime(2026, month, 2, tzinfo=UTC)) for month in (11, 10))
    ranking = with_scores(0.5, 0.4, 0.3)
    first = ranking[0]
    shown = replace(first, candidate=replace(first.candidate, chunk=replace(first.chunk, id="c9")))
    new_at = {ranked.chunk.document_id: later for ranked in ranking}
    assert is_overtaken(statement, ranking, new_at.get)
    assert not is_overtaken(statement, ranking, lambda _: earlier)
    assert not is_overtaken(statement, ranking, lambda _: None)
    assert not is_overtaken(statement, (shown,) * 3, new_at.get)
    assert not is_overtaken(statement, (*(shown,) * 3, first), new_at.get)
    assert is_overtaken(statement, (*(shown,) * 2, first), new_at.get)
    assert not is_overtaken(replace(statement, text="No [1]."), ranking, new_at.get)


def test_votes_on_a_passage_that_has_changed_wait_and_are_kept_or_dropped(pipeline: Pipeline, documents: Path) -> None:
    question = "How long before a birth do parents request leave?"
    stored = save(pipeline, question)
    store = FeedbackStore(pipeline.settings.home)
    chunk = next(each.chunk for each in stored.answer.citations if "eight weeks" in each.chunk.text)
    store.judge([Judgement.of(question, chunk.ref, "relevant", "cora")])
    assert changed_questions_of(pipeline, store) == {}
    replace_text(pipeline, documents, "eight weeks", "eight  weeks")
    assert changed_questions_of(pipeline, store) == {}, "it says nearly the same"
    replace_text(pipeline, documents, "eight  weeks", "10 weeks")
    assert not [ranked for ranked in pipeline.rank(question).ranking if ranked.vote]
    waiting = changed_questions_of(pipeline, store)
    (item,) = items(store, waiting)
    assert item.trouble == "passage changed"
    ((vote, now),) = next(iter(waiting.values())).votes
    assert (vote.passage.text, "10 weeks" in now.text) == (chunk.text, True)
    store.judge(
        [
            Judgement.of(question, vote.passage, "left out", "cora"),
            Judgement.of(question, now.ref, "relevant", "cora"),
        ]
    )
    assert items(store, changed_questions_of(pipeline, store)) == []
    assert pipeline.rank(question).citations[0].chunk.id == now.id


def test_votes_on_documents_that_are_gone_do_not_wait(pipeline: Pipeline) -> None:
    stored = save(pipeline)
    store = FeedbackStore(pipeline.settings.home)
    chunk = stored.answer.citations[0].chunk
    store.judge([Judgement.of(CAR, chunk.ref, "relevant", "cora")])
    with pipeline.table.writing():
        pipeline.table.remove([chunk.document_id])
    assert changed_questions_of(pipeline, store) == {}


def test_a_written_answer_waits_when_a_source_has_changed_or_was_struck_out(
    pipeline: Pipeline, documents: Path
) -> None:
    store = FeedbackStore(pipeline.settings.home)
    source = next(each.chunk for each in pipeline.rank(CAR).ranking if "eight weeks" in each.chunk.text)
    written = Statement(CAR, "cora", text="No [1].", sources=(source.ref,))
    store.say([written])
    stored = save(pipeline)
    assert items(store) == []
    store.record(stored, stored.answer.citations[1].chunk.id, "deleted", "ann")
    assert items(store) == [], "the answer does not rest on that one"
    store.record(stored, source.id, "deleted", "ann")
    (item,) = items(store)
    assert item.trouble == "written answer struck out"
    store.say([replace(written, text="No, never [1].")])
    assert items(store) == [], "the curator has decided since"
    replace_text(pipeline, documents, "eight weeks", "10 weeks")
    waiting = changed_questions_of(pipeline, store)
    (item,) = items(store, waiting)
    assert item.trouble == "source changed"
    (changed,) = waiting.values()
    assert changed.statement
    assert [now and "10 weeks" in now.text for now in changed.sources] == [True]
    refs = tuple(now.ref for now in changed.sources if now)
    store.say([replace(changed.statement, sources=refs)])
    assert pipeline.rank(CAR).statement
    assert items(store, changed_questions_of(pipeline, store)) == []


# people ---------------------------------------------------------------------------------------------------------


def test_whose_votes_move_most_comes_first_with_how_often_others_agree(store: FeedbackStore) -> None:
    stored = ask(store, LEAVE)
    for user in ("ann", "bob"):
        strike(store, stored, 0, user=user)
    strike(store, stored, 1, user="ann")
    store.record(stored, stored.answer.citations[0].chunk.id, "kept", "mal")
    judge(store, VPN, user="cora")
    judge(store, "Another question?", user="cora")
    judge(store, "A third question?", user="cora")
    found = {one.user: one for one in voters(store, min_people=2)}
    assert list(found) == ["cora", "ann", "bob", "mal"]
    counts = {user: (one.num_votes, one.num_acting, one.num_compared, one.num_agreeing) for user, one in found.items()}
    assert counts == {"cora": (0, 0, 0, 0), "ann": (2, 1, 1, 1), "bob": (1, 1, 1, 1), "mal": (1, 0, 1, 0)}
    assert found["cora"].num_decisions == 3


def test_ignoring_somebody_takes_back_everything_and_counting_again_restores_it(store: FeedbackStore) -> None:
    stored = ask(store, LEAVE)
    strike(store, stored, 0, user="mal")
    ask(store, VPN, "mal", found=False)
    judge(store, LEAVE, user="mal")
    store.say([Statement(CAR, "mal")])

    def counts() -> tuple[int, ...]:
        said, _ = store.entries_after(Position())
        read: list[Sized] = [store.events(), store.judgements(), store.statements(), store.askings(), said]
        return tuple(map(len, read))

    assert counts() == (1, 1, 1, 2, 3)
    store.ignore("mal", "cora")
    assert counts() == (0, 0, 0, 1, 0)
    assert (len(store.events(everyone=True)), len(store.judgements(everyone=True))) == (1, 1)
    (mal,) = voters(store, min_people=1)
    assert (mal.ignored and mal.ignored.decided_by, mal.num_votes, mal.num_acting, mal.num_moving) == ("cora", 1, 0, 0)
    store.ignore("mal", "cora", ignored=False)
    assert counts() == (1, 1, 1, 2, 3)
    assert store.ignored() == {}


def test_a_decision_of_somebody_who_is_ignored_hides_none_and_does_not_stand_in_the_way(store: FeedbackStore) -> None:
    judge(store, LEAVE, "not relevant", user="cora")
    judge(store, LEAVE, "relevant", user="mal")
    store.ignore("mal", "cora")
    assert [(each.user, each.label) for each in store.judgements()] == [("cora", "not relevant")]
    judge(store, LEAVE, "relevant", user="bob")
    assert [(each.user, each.label) for each in store.judgements()] == [("bob", "relevant")]


def test_a_running_memory_follows_at_once(home: Path, store: FeedbackStore) -> None:
    stored = ask(store, LEAVE)
    strike(store, stored, 0, user="mal")
    strike(store, stored, 0, user="eve")
    memory, embedder = LiveMemory(home, 2), FakeEmbedder()
    found = [citation.chunk.id for citation in stored.answer.citations]
    assert memory.current(embedder).recall(LEAVE, "", found)
    store.ignore("mal", "cora")
    assert memory.current(embedder).recall(LEAVE, "", found) == []
    assert memory.current(embedder).recall(LEAVE, "mal", found) == []
    store.ignore("mal", "cora", ignored=False)
    assert memory.current(embedder).recall(LEAVE, "", found)


def test_who_is_ignored_stays_so_under_a_new_name(store: FeedbackStore) -> None:
    stored = ask(store, LEAVE)
    strike(store, stored, 0, user="0123456789ab")
    store.ignore("0123456789ab", "cora")
    store.take_over("0123456789ab", "0123456789abcdef0123456789abcdef")
    assert store.events() == []
