from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from app.feedback import FeedbackEvent, FeedbackStore, Reason, ShownAnswer
from app.feedback.deletion_rates import DeletionRates, deletion_rates, deletion_rates_of
from app.registry import Promotion, Registry
from tests.app.builders import add_model, make_answer

PROMOTED = "2026-01-02"


def change(at: str, model: str, previous: str, action: str = "promote") -> Promotion:
    return Promotion(1, at, "ann", model, previous, action, "", "")  # type: ignore[arg-type]


def shown(number: int, reranker: str, at: str, num_citations: int = 5) -> list[ShownAnswer]:
    return [ShownAnswer(f"{reranker} {at} {each}", at, reranker, num_citations) for each in range(number)]


@pytest.fixture
def event(tmp_path: Path) -> FeedbackEvent:
    """Any event, to be changed."""
    store = FeedbackStore(tmp_path / "any")
    answer = store.answer(store.save_answer(make_answer(), "talk", "ann"), "ann")
    assert answer
    recorded = store.record(answer, answer.answer.citations[0].chunk.id, "deleted", "ann")
    assert recorded
    return recorded


def strike(event: FeedbackEvent, answers: list[ShownAnswer], number: int) -> list[FeedbackEvent]:
    """Events by which this many citations are struck out, one of each answer and then the next of each."""
    cited = itertools.islice(itertools.product(range(5), answers), number)
    return [replace(event, answer_id=answer.id, chunk_id=str(each), reason=None) for each, answer in cited]


HISTORY = [change(PROMOTED, "new", "shipped")]


def rates(event: FeedbackEvent, num_before: int, num_after: int, deleted: tuple[int, int]) -> DeletionRates:
    before, after = shown(num_before, "shipped", "2026-01-01"), shown(num_after, "new", "2026-01-02T10")
    found = deletion_rates(
        before + after, strike(event, before, deleted[0]) + strike(event, after, deleted[1]), HISTORY
    )
    assert found
    return found


def test_shares_before_and_after_are_counted(event: FeedbackEvent) -> None:
    found = rates(event, 40, 60, (10, 60))
    assert (found.before.reranker, found.before.num_answers, found.before.num_citations) == ("shipped", 40, 200)
    assert (found.after.reranker, found.after.num_answers, found.after.num_citations) == ("new", 60, 300)
    assert (found.before.share, found.after.share) == (0.05, 0.2)
    assert found.change == HISTORY[0]
    assert found.is_rising
    assert found.p_value < 0.001


@pytest.mark.parametrize(
    ("num_before", "num_after", "deleted", "is_rising"),
    [
        (30, 30, (5, 25), True),
        (29, 30, (5, 25), False),  # too few answers
        (30, 29, (5, 25), False),
        (30, 30, (5, 5), False),
        (30, 30, (25, 5), False),  # it is falling
        (30, 30, (5, 9), False),  # chance
        (300, 300, (50, 90), True),  # the same shares on more answers
        (30, 30, (0, 0), False),
        (30, 30, (0, 5), True),
        (0, 0, (0, 0), False),
    ],
)
def test_it_rises_where_chance_does_not_explain_it(
    event: FeedbackEvent, num_before: int, num_after: int, deleted: tuple[int, int], is_rising: bool
) -> None:
    assert rates(event, num_before, num_after, deleted).is_rising is is_rising


def test_who_strikes_out_all_of_one_answer_says_one_thing(event: FeedbackEvent) -> None:
    before, after = shown(30, "shipped", "2026-01-01"), shown(30, "new", "2026-01-02T10")
    found = deletion_rates(before + after, strike(event, after[:1], 5), HISTORY)
    assert found
    assert (found.after.num_deleted, found.after.num_corrected) == (5, 1)
    assert not found.is_rising


def test_only_what_is_not_relevant_and_stands_counts_and_each_citation_once(event: FeedbackEvent) -> None:
    answers = shown(10, "new", "2026-01-02T10")
    reasons: list[Reason | None] = [None, "not relevant", "outdated", "duplicate", "wrong page", "other"]
    events = [
        replace(event, answer_id=answer.id, reason=reason) for answer, reason in zip(answers, reasons, strict=False)
    ]
    events.append(replace(event, answer_id=answers[0].id, user="bob"))  # the same citation
    events.append(replace(event, answer_id=answers[6].id))
    events.append(replace(event, answer_id=answers[6].id, action="undone"))
    events.append(replace(event, answer_id=answers[7].id))
    events.append(replace(event, answer_id=answers[7].id, action="opened"))  # changes nothing
    found = deletion_rates(answers, events, HISTORY)
    assert found
    assert (found.after.num_deleted, found.after.num_corrected) == (3, 3)


def test_each_model_is_judged_by_its_own_answers_while_it_was_live(event: FeedbackEvent) -> None:
    answers = [
        *shown(1, "older", "2025-12-01"),
        *shown(2, "shipped", "2025-12-02"),  # before the model before was live
        *shown(3, "shipped", "2026-01-01"),
        *shown(4, "none", "2026-01-01"),
        *shown(5, "shipped", "2026-01-02T10"),  # chosen by hand, or a fallback
        *shown(6, "new", "2026-01-02T10"),
    ]
    history = [
        change("2026-01-02T09", "shipped", "new", "fallback"),
        *HISTORY,
        change("2025-12-31", "shipped", "older"),
    ]
    found = deletion_rates(answers, [], history)
    assert found
    assert (found.before.num_answers, found.after.num_answers) == (3, 6)


def test_without_a_promotion_there_is_nothing_to_compare() -> None:
    assert deletion_rates(shown(50, "shipped", "2026-01-01"), [], []) is None
    assert deletion_rates([], [], [change(PROMOTED, "none", "shipped", "fallback")]) is None


def test_rates_of_a_home_come_from_its_log_and_its_history(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert deletion_rates_of(home) is None
    store, registry = FeedbackStore(home), Registry(home)
    now = (f"2026-01-01T00:00:{second:02}.000+00:00" for second in range(60))
    monkeypatch.setattr("app.feedback.answers.now", lambda: next(now))
    monkeypatch.setattr("app.feedback.events.now", lambda: next(now))
    monkeypatch.setattr("app.registry.rows.now", lambda: next(now))
    answer = replace(make_answer(), reranker="shipped")
    first = store.save_answer(answer, "talk", "ann")
    store.save_answer(replace(answer, citations=()), "talk", "ann")  # nothing was shown
    assert [(each.id, each.reranker, each.num_citations) for each in store.shown()] == [(first, "shipped", 2)]
    registry.promote(add_model(home), "ann", "", override=True)
    store.save_answer(replace(answer, reranker="reranker-1"), "talk", "ann")
    stored = store.answer(first, "ann")
    assert stored
    store.record(stored, answer.citations[0].chunk.id, "deleted", "ann")
    found = deletion_rates_of(home)
    assert found
    assert (found.before.share, found.before.num_answers) == (0.5, 1)
    assert (found.after.reranker, found.after.share, found.after.num_answers) == ("reranker-1", 0, 1)
    assert not found.is_rising
    assert [each.reranker for each in store.shown(since=registry.history()[0].at)] == ["reranker-1"]
