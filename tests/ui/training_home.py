"""A home folder in which people gave feedback, a reranker was trained and another training is at work.

For screenshots: what people do is drawn at random, and no model is really trained.
"""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.evaluation.changes import Place, QuestionChange
from app.feedback import FeedbackStore, Judgement, Reason, StoredAnswer
from app.pipeline import Pipeline
from app.registry import Registry
from app.settings import Settings
from app.training.fit.trainer import Loss
from app.training.jobs import TrainingJobStore
from ingest.home.database import now
from tests.app.gate_builder import CARD, add_training, make_gate_report, make_losses

DATA = Path(__file__).resolve().parents[2] / "data"
_PEOPLE = ("ann@example.org", "ben@example.org", "cleo@example.org", "dan@example.org", "eve@example.org")
_REASONS: tuple[Reason | None, ...] = (None, "not relevant", "not relevant", "outdated", "duplicate")


def fill(home: Path, num_questions: int = 80) -> None:
    """Feedback, one promoted model, one that waits, and the trainings that made them."""
    pipeline, chance = Pipeline(Settings(home=home, reranker="shipped")), random.Random(0)
    store = FeedbackStore(home)
    lines = (DATA / "eval" / "sample" / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines[:num_questions]):
        _react(store, store.save_answer(pipeline.rank(json.loads(line)["text"]), f"c{number}", _PEOPLE[0]), chance)
    _train(home, store)


def _react(store: FeedbackStore, answer_id: str, chance: random.Random) -> None:
    """Some people strike out some sources of an answer and open others."""
    answer = store.answer(answer_id, _PEOPLE[0])
    assert answer is not None
    for user in chance.sample(_PEOPLE, 2):
        for place, citation in enumerate(answer.answer.citations):
            if chance.random() < 0.12 + 0.08 * place:
                store.record(answer, citation.chunk.id, "deleted", user, chance.choice(_REASONS))
            elif chance.random() < 0.5 - 0.1 * place:
                store.record(answer, citation.chunk.id, "opened", user)
    if chance.random() < 0.95:
        store.judge([_judgement(answer)])


def _judgement(answer: StoredAnswer) -> Judgement:
    chunk = answer.answer.citations[0].chunk
    return Judgement.of(answer.answer.question, chunk.ref, "relevant", _PEOPLE[1])


def _train(home: Path, store: FeedbackStore) -> None:
    registry = Registry(home)
    events = store.events()
    for candidate, live, gain, p_value in (
        ("reranker-1", "shipped", 0.062, 0.003),
        ("reranker-2", "reranker-1", 0.004, 0.4),
        ("reranker-3", "reranker-1", 0.038, 0.008),
    ):
        places = [_places(store, events[number].answer_id) for number in (5, 40, 90, 150)]
        changes = [QuestionChange(f"q{number}", *each) for number, each in enumerate(places)]
        report = make_gate_report(candidate, live, gain=gain, p_value=p_value, changes=changes)
        with registry.unfinished() as folder:
            shutil.copytree(DATA / "models" / "shipped", folder, dirs_exist_ok=True)
            (folder / "README.md").write_text(CARD, encoding="utf-8")
            report.save(folder)
            registry.add(folder, candidate, kind="late-interaction", base=live)
        add_training(home, *make_losses(done=120), user=_PEOPLE[0], model=candidate, verdict=report.verdict)
        if candidate == "reranker-1":
            registry.promote(candidate, _PEOPLE[0], "better on the handbook")
    _end_trainings(home)


def _places(store: FeedbackStore, answer_id: str) -> tuple[str, float, float, tuple[Place, ...], tuple[Place, ...]]:
    answer = store.answer(answer_id, _PEOPLE[0])
    assert answer is not None
    shown = [
        Place(relevant=False, **{**asdict(each.chunk.ref), "text": each.chunk.text[:160]})
        for each in answer.answer.ranking[:5]
    ]
    right = replace(shown[0], relevant=True)
    before, after = (*shown[1:4], right, shown[4]), (right, *shown[1:])
    gains = (0.43, 1.0) if answer_id < "8" else (1.0, 0.63)
    orders = (before, after) if gains[0] < gains[1] else (after, (shown[1], right, *shown[2:]))
    return answer.answer.question, *gains, *orders


def _end_trainings(home: Path) -> None:
    store = TrainingJobStore(home)
    for job in store.jobs():
        store.end(job.id, "done")


def begin_training(home: Path) -> str:
    """One that is two thirds through, for as long as somebody's heart beats for it; its id."""
    started = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
    losses: list[Loss] = make_losses()
    at_work = {"current": "training", "step": 80, "num_steps": 120, "started_at": started, "learning_since": started}
    job = add_training(home, *losses, user=_PEOPLE[0], heartbeat_at=now(), **at_work)
    return job.id
