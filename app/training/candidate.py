"""the feedback of a home folder -> Candidate: a trained reranker, registered, and compared with the live one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from app.evaluation import evaluate, read_benchmark
from app.feedback import FeedbackStore
from app.memory import Memory, Remembered, digest
from app.pipeline import Pipeline
from app.registry import SHIPPED, Registry, fingerprint
from app.rerank import Blend, Reranker
from app.rerankers import LIVE, folder_of, is_late_interaction
from app.rerankers.cross_encoder import CrossEncoderReranker
from app.rerankers.late_interaction import LateInteractionReranker
from app.training import cross_encoder, late_interaction
from app.training.blend import ScoredQuery, fit_blend
from app.training.card import card
from app.training.examples import TrainingExample
from app.training.fit import Recipe, Watch
from app.training.from_feedback import (
    FeedbackExamples,
    Readiness,
    answering,
    by_question,
    feedback_examples,
    readiness,
    replay_examples,
)
from app.training.gate import Contender, GateReport, compare
from app.training.rules import KEPT, LabeledPassage, label
from ingest import CiteloopError
from ingest.embed import default_embedder_path
from ingest.job_store import StoppedError

Kind = Literal["reranker", "cross-encoder", "late-interaction"]
"""What is trained: the live reranker, further; or a new one of a kind, from a base model."""

RECIPES: Mapping[Kind, Recipe] = {
    "reranker": Recipe(num_epochs=4, learning_rate=1e-5),
    "cross-encoder": Recipe(num_epochs=4, learning_rate=3e-5),
    "late-interaction": Recipe(num_epochs=4, learning_rate=3e-5),
}
_REPLAY_SHARE = 0.5
"""Replayed examples that are seen for each one of the feedback."""
PROBE = Path(__file__).resolve().parent.parent.parent / "data" / "eval" / "sample"
"""Questions about documents that come with the program: what a model must not forget."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train. base: a folder or hub id; empty: the live reranker, or for a new one the embedder's weights."""

    kind: Kind = "reranker"
    base: str = ""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that was made and compared."""

    name: str
    report: GateReport


class TooLittleFeedbackError(CiteloopError):
    """Training would move the model at random; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class _Material:
    """What a training is made of: the feedback, as counted, as examples, and by question; and the replay beside it."""

    ready: Readiness
    examples: FeedbackExamples
    questions: Mapping[str, Sequence[LabeledPassage]]
    replayed: Sequence[TrainingExample]


def make_candidate(
    plan: Plan, pipeline: Pipeline, user: str, job_id: str, watch: Watch, tell: Tell = lambda _: None
) -> Candidate:
    """Train on the feedback, register the model and compare it. tell: what is being done.

    Whatever happens, what is live stays so. Raises TooLittleFeedbackError, RerankerError, StoppedError.
    """
    registry, recipe = Registry(pipeline.settings.home), RECIPES[plan.kind]
    live, base = registry.live(), _base(plan, pipeline)
    tell("reading the feedback")
    material = _material(pipeline, recipe, plan.seed)
    with registry.unfinished() as folder:
        tell("training")
        kind = _train(plan.kind, base, material, recipe, folder, watch)
        if watch.should_stop():
            raise StoppedError("cancelled; no model was made")
        tell("weighing its scores")
        prior = Blend.load(folder_of(live if plan.kind == "reranker" else SHIPPED, pipeline.settings))
        if kind == "late-interaction":
            prior = _blend(material, load(kind, folder), pipeline, prior)
        if prior:
            prior.save(folder)
        name = registry.new_name()
        _describe(folder, name, plan, base, user, material, recipe)
        tell("comparing it with the live one")
        report = _compare(name, load(kind, folder), live, material, pipeline)
        report.save(folder)
        if watch.should_stop():
            raise StoppedError("cancelled; no model was made")
        registry.add(folder, name, kind=kind, base=base, job_id=job_id, note=report.sentence)
    return Candidate(name, report)


def help_training(plan: Plan, pipeline: Pipeline) -> None:
    """Under torchrun: take part in the training of another process, which alone makes the candidate of it."""
    recipe = RECIPES[plan.kind]
    with TemporaryDirectory() as unused:
        _train(plan.kind, _base(plan, pipeline), _material(pipeline, recipe, plan.seed), recipe, Path(unused), Watch())


def _base(plan: Plan, pipeline: Pipeline) -> str:
    if plan.base:
        return plan.base
    live = Registry(pipeline.settings.home).live()
    return str(folder_of(live, pipeline.settings) if plan.kind == "reranker" else default_embedder_path())


def _material(pipeline: Pipeline, recipe: Recipe, seed: int) -> _Material:
    """Raises TooLittleFeedbackError."""
    store = FeedbackStore(pipeline.settings.home)
    labeled = label(store.events(), store.judgements())
    ready = readiness(labeled)
    if ready.missing:
        raise TooLittleFeedbackError(f"training does not make sense yet; missing: {'; '.join(ready.missing)}")
    table, embedder = pipeline.table, pipeline.embedder
    examples = feedback_examples(labeled, table, embedder, pipeline.settings.home, recipe.num_negatives, seed)
    num_replayed = round(_REPLAY_SHARE * len(examples.train) * recipe.num_epochs)
    replayed = [
        replace(each, weight=1 / recipe.num_epochs)  # seen once, since there are as many as are wanted
        for each in replay_examples(table, embedder, num_replayed, recipe.num_negatives, seed)
    ]
    return _Material(ready, examples, by_question(labeled), replayed)


def _train(
    kind: Kind, base: str, material: _Material, recipe: Recipe, folder: Path, watch: Watch
) -> Literal["late-interaction", "cross-encoder"]:
    """Train into the folder; returns what the model is. The live one is trained further as what it is."""
    is_cross_encoder = kind == "cross-encoder" or (kind == "reranker" and not is_late_interaction(base))
    train = cross_encoder.train if is_cross_encoder else late_interaction.train
    replayed = material.replayed
    if kind == "reranker" and not is_cross_encoder:
        replayed = _as_it_is(replayed, LateInteractionReranker(base))
    examples = [*material.examples.train, *replayed]
    train(examples, base, folder, recipe, material.examples.validation, watch)
    return "cross-encoder" if is_cross_encoder else "late-interaction"


def _as_it_is(replayed: Sequence[TrainingExample], teacher: Reranker) -> list[TrainingExample]:
    """The replayed examples with what the model that is trained further says of them now."""
    return [
        replace(each, scores=tuple(teacher.score(each.query, [*each.positives, *each.negatives]))) for each in replayed
    ]


def load(kind: str, folder: Path) -> Reranker:
    """A trained model by its folder; raises RerankerError."""
    return (CrossEncoderReranker if kind == "cross-encoder" else LateInteractionReranker)(str(folder))


def _blend(material: _Material, trained: Reranker, pipeline: Pipeline, prior: Blend | None) -> Blend:
    """How much a reranker's scores and the memory count beside the scores of search, as the training questions say.

    The scores are those of the live model, which has not seen these questions: one that was trained on them is too sure
    of itself. Few questions move the weights little: the prior holds. The memory is asked without what it knows of the
    question itself. A cross-encoder has no memory, since it cannot say how like two questions are.
    """
    live = pipeline.reranker(LIVE)
    scorer = live if isinstance(live, LateInteractionReranker) else trained
    questions = dict.fromkeys(each.query for each in (*material.examples.train, *material.examples.validation))
    memory = Memory(
        # One user's vote is remembered fully: that of one who is capped, or contradicted, is not.
        Remembered(question, digest(each.passage), bool(each.relevant), min(1.0, each.weight / KEPT))
        for question in questions
        for each in material.questions[question]
    )
    scored = [_scored(question, material.questions[question], scorer, memory, pipeline) for question in questions]
    usable = [each for each in scored if any(each.relevant) and not all(each.relevant)]
    return replace(fit_blend({"feedback": usable}, prior), memory=memory)


def _scored(
    question: str, passages: Sequence[LabeledPassage], scorer: Reranker, memory: Memory, pipeline: Pipeline
) -> ScoredQuery:
    """The candidates of a question that people judged. Relevant is what the training takes for it."""
    candidates = pipeline.search(question)
    texts = [each.chunk.passage for each in candidates]
    relevant = {each.text for each in answering(passages)}
    return ScoredQuery(
        tuple(candidates),
        tuple(scorer.score(question, texts)),
        tuple(each.chunk.text in relevant for each in candidates),
        memory.recall(question, texts, scorer.score, without=question),
    )


def _compare(name: str, reranker: Reranker, live: str, material: _Material, pipeline: Pipeline) -> GateReport:
    settings, embedder = pipeline.settings, pipeline.embedder
    live_reranker = pipeline.reranker(LIVE)
    probe = evaluate(read_benchmark(PROBE), settings.home, embedder, {"live": live_reranker, "candidate": reranker})
    return compare(
        Contender(name, reranker),
        Contender(live, live_reranker),
        material.examples.gate,
        pipeline.table,
        embedder,
        probe,
        settings.rerank_budget_ms,
    )


def _describe(folder: Path, name: str, plan: Plan, base: str, user: str, material: _Material, recipe: Recipe) -> None:
    """Write training.json and the card beside the model."""
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
        "recipe": asdict(recipe),
        "fingerprint": fingerprint(folder),
    }
    (folder / "training.json").write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card(name, record), encoding="utf-8")
