"""the feedback of a home folder -> Material: what a training is made of, and what its card says of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from app.feedback import FeedbackStore
from app.feedback.rules import LabeledPassage, decided, label
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
"""Replayed examples that are seen for each one of the feedback."""


@dataclass(frozen=True, slots=True)
class Material:
    """The feedback as it is counted, as examples, and by question; and what is replayed beside it."""

    ready: Readiness
    examples: FeedbackExamples
    questions: Mapping[str, Sequence[LabeledPassage]]
    replayed: Sequence[TrainingExample]


class TooLittleFeedbackError(CiteloopError):
    """Training would move the model at random; the message says what is missing."""


def gather(pipeline: Pipeline, recipe: Recipe) -> Material:
    """Read the feedback, split and mine. Raises TooLittleFeedbackError."""
    store = FeedbackStore(pipeline.settings.home)
    labeled = label(store.events(), store.judgements())
    ready = readiness(labeled)
    if ready.missing:
        raise TooLittleFeedbackError(f"training does not make sense yet; missing: {'; '.join(ready.missing)}")
    table, embedder = pipeline.table, pipeline.embedder
    num_negatives, seed = recipe.num_negatives, recipe.seed
    examples = feedback_examples(labeled, table, embedder, pipeline.settings.home, num_negatives, seed)
    num_replayed = round(_REPLAY_SHARE * len(examples.train) * recipe.num_epochs)
    replayed = [
        replace(each, weight=1 / recipe.num_epochs)  # seen once, since there are as many as are wanted
        for each in replay_examples(table, embedder, num_replayed, num_negatives, seed)
    ]
    return Material(ready, examples, decided(labeled), replayed)


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
        "evidence": dict(Counter(each.evidence for each in material.examples.train).most_common()),
        "recipe": asdict(plan.recipe),
        "fingerprint": fingerprint(folder),
    }
    (folder / "training.json").write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card(name, record), encoding="utf-8")
