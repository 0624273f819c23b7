"""Each rule of what people's acts mean for training, and that no other act teaches anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import pytest

from app.feedback import Action, FeedbackEvent, Judgement, Label, Reason
from app.feedback.rules import CURATOR, KEPT, STRUCK_OUT, LabeledPassage, label

QUESTION = "How long is the leave?"


def act(
    user: str, action: Action, reason: Reason | None = None, *, question: str = QUESTION, text: str = "Thirty days."
) -> FeedbackEvent:
    """An event of which only what is given matters."""
    given: dict[str, Any] = {"user": user, "action": action, "reason": reason, "question": question, "text": text}
    place = {"chunk_id": f"id of {text}", "title": "Handbook", "heading": "Leave", "document": "leave.md"}
    blank = {field.name: None for field in fields(FeedbackEvent)}
    return FeedbackEvent(**{**blank, **place, **given})


def judge(label: Label, *, question: str = QUESTION, text: str = "Thirty days.") -> Judgement:
    return Judgement(user="curator", question=question, label=label, text=text)


def only(events: Sequence[FeedbackEvent], judgements: Sequence[Judgement] = ()) -> LabeledPassage:
    (found,) = label(events, judgements)
    return found


@pytest.mark.parametrize("reason", [None, "not relevant"])
def test_struck_out_without_a_reason_or_as_not_relevant_is_a_negative(reason: Reason | None) -> None:
    found = only([act("ann", "deleted", reason)])
    assert (found.relevant, found.weight, found.origin) == (False, STRUCK_OUT, "struck out by 1")
    assert found.passage == "Handbook > Leave\nThirty days."


@pytest.mark.parametrize("reason", ["outdated", "duplicate", "wrong page", "other"])
def test_another_reason_says_nothing_about_relevance(reason: Reason) -> None:
    found = only([act("ann", "deleted", reason)])
    assert (found.relevant, found.weight, found.origin) == (None, 0.0, f"struck out as {reason}")


def test_a_reason_given_later_stands_for_the_deletion() -> None:
    assert only([act("ann", "deleted"), act("ann", "deleted", "outdated")]).relevant is None


def test_what_is_undone_does_not_count() -> None:
    found = only([act("ann", "deleted"), act("ann", "undone")])
    assert (found.relevant, found.origin) == (None, "undone")


def test_kept_is_a_weak_positive_and_to_open_a_passage_says_nothing() -> None:
    assert (only([act("ann", "kept")]).relevant, only([act("ann", "kept")]).weight) == (True, KEPT)
    assert label([act("ann", "opened")], []) == []
    assert only([act("ann", "kept"), act("ann", "opened")]).weight == KEPT
    assert 2 * KEPT < STRUCK_OUT < CURATOR
    looked = [act(user, "opened") for user in ("ben", "cid", "dan")]
    assert only([act("ann", "deleted"), *looked]).relevant is False


def test_who_strikes_out_what_he_opened_or_kept_is_against_it() -> None:
    assert only([act("ann", "opened"), act("ann", "kept"), act("ann", "deleted")]).relevant is False


def test_a_user_has_one_vote_on_a_passage_however_often_he_asks() -> None:
    once, often = only([act("ann", "deleted")]), only([act("ann", "deleted")] * 5)
    assert once.weight == often.weight
    again = [act("ann", "deleted"), act("ann", "deleted", question="how  long is the LEAVE")]
    assert only(again).struck_by == ("ann",)


def test_users_who_contradict_each_other_cancel_by_weight() -> None:
    found = only([act("ann", "deleted"), act("bob", "kept")])
    assert found.relevant is False
    assert found.weight == pytest.approx(STRUCK_OUT * (STRUCK_OUT - KEPT) / (STRUCK_OUT + KEPT))
    assert found.is_contradicted
    even = [act(f"against {number}", "deleted") for number in range(3)] + [act(f"for {n}", "kept") for n in range(7)]
    found = only(even)
    assert (found.relevant, found.weight, found.origin) == (None, 0.0, "users contradict each other")


def test_a_majority_is_followed_with_less_weight() -> None:
    split = only([act("ann", "deleted"), act("bob", "deleted"), act("cid", "kept")])
    united = only([act("ann", "deleted"), act("bob", "deleted")])
    assert split.relevant is False
    assert 0 < split.weight < united.weight <= 1


def test_one_users_share_is_capped_where_several_take_part() -> None:
    many = [act("mallory", "deleted", text=f"passage {number}") for number in range(200)]
    others = [act(user, "deleted", text=f"of {user} {n}") for user in ("ann", "bob", "cid") for n in range(30)]
    by_user = {each.struck_by[0]: each.weight for each in label([*many, *others], [])}
    assert by_user["ann"] == STRUCK_OUT
    total = sum(each.weight for each in label([*many, *others], []))
    assert 200 * by_user["mallory"] <= 0.25 * total * 1.01
    alone = label(many, [])
    assert {each.weight for each in alone} == {STRUCK_OUT}, "a team of one is not capped"


def test_a_few_votes_are_never_capped() -> None:
    events = [act("ann", "deleted", text=f"passage {number}") for number in range(20)]
    events += [act(user, "kept", text=user) for user in ("bob", "cid", "dan")]
    assert all(each.weight == STRUCK_OUT for each in label(events, []) if each.struck_by)


@pytest.mark.parametrize(("said", "relevant"), [("relevant", True), ("not relevant", False)])
def test_a_curators_word_counts_fully_and_ends_the_matter(said: Label, relevant: bool) -> None:
    found = only([act("ann", "deleted"), act("bob", "deleted"), act("cid", "kept")], [judge(said)])
    assert (found.relevant, found.weight, found.origin, found.judged_by) == (relevant, CURATOR, "curator", "curator")


def test_a_curator_can_leave_a_passage_out() -> None:
    found = only([act("ann", "deleted")], [judge("left out")])
    assert (found.relevant, found.weight) == (None, 0.0)


def test_a_curator_can_add_a_passage_that_nobody_touched() -> None:
    found = label([act("ann", "deleted")], [judge("relevant", text="Twenty days.")])
    assert [(each.text, each.relevant) for each in found] == [("Thirty days.", False), ("Twenty days.", True)]


def test_passages_of_a_question_stand_together() -> None:
    events = [act("ann", "deleted", text="one"), act("ann", "deleted", question="Other?", text="two")]
    found = label(events, [judge("relevant", text="three")])
    assert [each.text for each in found] == ["one", "three", "two"]


def test_trust_is_how_much_of_an_undisputed_act_is_left() -> None:
    assert only([act("ann", "kept")]).trust == 1.0
    assert only([act("ann", "deleted")]).trust == 1.0
    assert only([act("ann", "deleted")], [judge("relevant")]).trust == 1.0
    disputed = only([act("ann", "deleted"), act("ben", "kept")])
    assert disputed.trust == pytest.approx(0.4)
    much = [act("ann", "deleted", text=f"{number}") for number in range(400)]
    others = [act(user, "deleted", text=f"{user} {number}") for user in ("ben", "cid") for number in range(20)]
    trust = {each.struck_by: each.trust for each in label([*much, *others], [])}
    assert trust["ben",] == trust["cid",] == 1.0
    assert trust["ann",] < 0.2


def test_voters_are_those_on_whom_the_label_rests() -> None:
    assert only([act("ann", "kept"), act("ben", "kept"), act("cid", "opened")]).voters == {"ann", "ben"}
    assert only([act("ann", "kept"), act("ben", "deleted"), act("cid", "deleted")]).voters == {"ben", "cid"}
