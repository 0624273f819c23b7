"""the feedback of a home folder -> Material for a training, and its record."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from app.feedback import FeedbackStore
from app.feedback.rules import label
from app.pipeline import Pipeline
from app.registry import fingerprint
from app.training.card import card
from app.training.fit.trainer import Recipe
from app.training.labels.examples import TrainingExample
from app.training.labels.from_feedback import (
    FeedbackExamples,
    Readiness,
    feedback_examples,
    readiness,
    replay_examples,
)
from app.training.plan import Plan
from ingest import CiteloopError

_REPLAY_SHARE = 0.5
"""Replayed examples per feedback example."""


@dataclass(frozen=True, slots=True)
class Material:
    """The feedback as counts and as examples, and the replayed examples."""

    ready: Readiness
    examples: FeedbackExamples
    replayed: Sequence[TrainingExample]


class TooLittleFeedbackError(CiteloopError):
    """There is too little feedback to train on; the message says what is needed."""


def gather(pipeline: Pipeline, recipe: Recipe) -> Material:
    """Read the feedback, split and mine. Raises TooLittleFeedbackError."""
    store = FeedbackStore(pipeline.settings.home)
    labeled = label(store.events(), store.judgements())
    ready = readiness(labeled)
    if ready.missing:
        raise TooLittleFeedbackError(f"there is too little feedback for training; needed: {'; '.join(ready.missing)}")
    table, embedder = pipeline.table, pipeline.models.embedder
    num_negatives, seed = recipe.num_negatives, recipe.seed
    examples = feedback_examples(labeled, table, embedder, pipeline.settings.home, num_negatives, seed)
    num_replayed = round(_REPLAY_SHARE * len(examples.train) * recipe.num_epochs)
    replayed = [
        replace(example, weight=1 / recipe.num_epochs)  # each is seen once, not in every epoch
        for example in replay_examples(table, embedder, num_replayed, num_negatives, seed)
    ]
    return Material(ready, examples, replayed)


def describe(folder: Path, name: str, plan: Plan, base: str, user: str, material: Material) -> None:
    """Write training.json and the card beside a model."""
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    record = {
        "plan": asdict(plan),
        "base": base,
        "made_by": user,
        "made_at": made_at,
        "feedback": asdict(material.ready),
        "num_examples": len(material.examples.train),
        "num_validation": len(material.examples.validation),
        "num_gate_questions": len(material.examples.gate),
        "num_replayed": len(material.replayed),
        "evidence": dict(Counter(example.evidence for example in material.examples.train).most_common()),
        "recipe": asdict(plan.recipe),
        "fingerprint": fingerprint(folder),
    }
    (folder / "training.json").write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card(name, record), encoding="utf-8")
