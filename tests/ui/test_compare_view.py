from __future__ import annotations

from typing import Any

import pytest

from app.answer import Answer
from app.feedback import FeedbackStore, Judgement, Reason
from app.pipeline import Pipeline
from app.settings import Settings
from tests.ui.conftest import Run

QUESTION = "Who may call extension 4400?"


def comparing() -> None:
    from dataclasses import replace
    from datetime import UTC, datetime

    from app.feedback import StoredAnswer
    from app.ui.ask.compare import compare
    from tests.app.builders import make_answer

    answer = replace(make_answer(), reranker="[free](http://evil.example)")
    compare(StoredAnswer("a", "c", "ann", datetime.now(UTC), answer))


def test_the_name_of_a_reranker_makes_no_link(run_page: Run) -> None:
    page = run_page(comparing)
    assert not page.exception
    assert [title.value for title in page.subheader] == [
        r"Reranked (\[free\](http\://evil.example))",
        "Not reranked",
    ]


def test_citations_and_sources_lead_to_the_page_of_the_passage(run_page: Run) -> None:
    page = run_page(comparing)
    shown = [element.value for element in page.markdown]
    assert all("](source?chunk=" in text for text in shown if "[\\[1\\]" in text)
    assert sum(text.startswith("[\\[") and "](source?chunk=" in text for text in shown) >= 2
    assert not any("#compared" in text for text in shown)


def comparing_stored() -> None:
    from app.ui.ask.compare import compare
    from app.ui.resources import feedback_store

    (turn,) = feedback_store().conversation("talk", "ann")
    compare(turn)


@pytest.mark.parametrize("reason", [None, "outdated"])
def test_what_is_struck_out_is_left_out_and_marked_on_both_sides(
    run_page: Run, pipeline: Pipeline, settings: Settings, reason: Reason | None
) -> None:
    store = FeedbackStore(settings.home)
    store.save_answer(pipeline.ask(QUESTION), "talk", "ann")
    (turn,) = store.conversation("talk", "ann")
    store.record(turn, turn.answer.citations[0].chunk.id, "deleted", "ann", reason)
    page = run_page(comparing_stored)
    assert not page.exception
    sources = [each.value for each in page.markdown if "](source?chunk=" in each.value and each.value.startswith("[")]
    assert len([source for source in sources if ":gray-badge[struck out]" in source]) == 2
    assert len(sources) == 2 * len(turn.answer.citations)


def test_both_sides_are_ranked_with_what_their_user_and_others_said(
    run_page: Run, pipeline: Pipeline, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeedbackStore(settings.home)
    last = pipeline.rank(QUESTION).ranking[-1].chunk
    store.judge([Judgement.of(QUESTION, last.ref, "relevant", "cora")])
    *_, without_votes = pipeline.write(pipeline.rank(QUESTION, ignore_votes=True))
    store.save_answer(without_votes, "talk", "ann")
    asked: list[dict[str, object]] = []
    rank = Pipeline.rank

    def note(*arguments: Any, **how: Any) -> Answer:
        asked.append(how)
        return rank(*arguments, **how)

    monkeypatch.setattr(Pipeline, "rank", note)
    run_page(comparing_stored)
    assert [(how["user"], how["ignore_votes"]) for how in asked] == [("ann", True)]
