"""a plan and the feedback of a home folder -> Candidate: a trained model, registered and compared with the live one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from app.evaluation import read_benchmark
from app.feedback.rules import LabeledPassage
from app.memory import Memory, Remembered, digest
from app.pipeline import Pipeline
from app.registry import SHIPPED, Registry
from app.reranking.late_interaction import LateInteractionReranker
from app.reranking.names import LIVE, folder_of, is_late_interaction, open_reranker
from app.reranking.rerank import Blend, Reranker, RerankerError
from app.training.fit.blend import ScoredQuery, fit_blend
from app.training.fit.kinds import TRAINERS, base_model
from app.training.fit.trainer import Watch
from app.training.gate.compare import Contender, compare, probe
from app.training.gate.decision import GateReport
from app.training.labels.examples import TrainingExample
from app.training.labels.from_feedback import answering
from app.training.labels.material import Material, describe, gather
from app.training.plan import Plan, Step
from ingest.home.job_store import StoppedError

PROBE = Path(__file__).resolve().parent.parent.parent / "data" / "eval" / "sample"
"""Questions about the sample documents, to check that a model has not forgotten them."""

OnStep = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A new model with its comparison."""

    name: str
    report: GateReport


def make_candidate(
    plan: Plan, pipeline: Pipeline, user: str, job_id: str, watch: Watch, on_step: OnStep = lambda _: None
) -> Candidate:
    """Train on the feedback, register the model and compare it. on_step: called at each step.

    The live model does not change. Raises TooLittleFeedbackError, RerankerError, RegistryError when the live model is
    damaged, StoppedError.
    """
    registry, base = Registry(pipeline.settings.home), base_of(plan, pipeline)  # a missing base is reported first
    on_step("reading the feedback")
    material = gather(pipeline, plan.recipe)
    with registry.unfinished() as folder:
        on_step("training")
        kind = _train(plan, base, material, folder, watch)
        _stop_if_asked(watch)
        on_step("weighing its scores")
        _blend(plan, base, kind, folder, material, pipeline)
        name = registry.new_name()
        describe(folder, name, plan, base, user, material)
        on_step("comparing it with the live one")
        report = _compare(name, folder, material, pipeline)
        _stop_if_asked(watch)
        report.save(folder)
        registry.add(folder, name, kind=kind, base=base, job_id=job_id, note=report.sentence)
    return Candidate(name, report)


def help_training(plan: Plan, pipeline: Pipeline) -> None:
    """Under torchrun: take part in the training of another process, which makes the candidate."""
    material = gather(pipeline, plan.recipe)
    with TemporaryDirectory() as unused:
        _train(plan, base_of(plan, pipeline), material, Path(unused), Watch())


def base_of(plan: Plan, pipeline: Pipeline) -> str:
    """Return the folder or hub id of the model to start from.

    Raises RerankerError when the base is missing, RegistryError when the live model is damaged.
    """
    if plan.base or plan.kind != "reranker":
        return base_model(plan.base, plan.kind)
    registry = Registry(pipeline.settings.home)
    live = registry.live()
    registry.check(live)
    return str(folder_of(live, pipeline.settings))


def _stop_if_asked(watch: Watch) -> None:
    if watch.should_stop():
        raise StoppedError("cancelled; no model was made")


# train -----------------------------------------------------------------------------------------------------


def _train(plan: Plan, base: str, material: Material, folder: Path, watch: Watch) -> str:
    """Train into the folder; returns the kind of the model. A live model keeps its kind."""
    examples, replayed = material.examples, material.replayed
    kind: str = plan.kind
    if plan.kind == "reranker":
        kind = "late-interaction" if is_late_interaction(base) else "cross-encoder"
        if kind == "late-interaction":
            replayed = _with_teacher_scores(replayed, LateInteractionReranker(base))
    TRAINERS[kind]([*examples.train, *replayed], base, folder, plan.recipe, examples.validation, watch)
    return kind


def _with_teacher_scores(replayed: Sequence[TrainingExample], teacher: Reranker) -> list[TrainingExample]:
    """Return the replayed examples with the current scores of the model that is trained further."""
    return [replace(one, scores=tuple(teacher.score(one.query, [*one.positives, *one.negatives]))) for one in replayed]


# weigh -----------------------------------------------------------------------------------------------------


def _blend(plan: Plan, base: str, kind: str, folder: Path, material: Material, pipeline: Pipeline) -> None:
    """Write the blend of the reranker, search and memory scores.

    Only the memory's weights are fitted on the questions; the others are those of the base model or of the shipped
    reranker. Fitting uses the scores of the shipped reranker, because a model is too sure on questions that it was
    trained on, and ignores what the memory knows about the question itself. A cross-encoder has no memory: it cannot
    measure the similarity of questions.
    """
    shipped = pipeline.reranker(SHIPPED)
    if shipped is None or shipped.blend is None:
        raise RerankerError("the shipped reranker has no blend; install from a full checkout")
    # The shipped calibration holds only for scores like the shipped reranker's.
    own = Blend.load(Path(base)) if plan.kind == "reranker" else None
    prior = own or replace(shipped.blend, calibration=None)
    if kind == "cross-encoder":
        replace(prior, memory=None).save(folder)
        return
    memory = Memory(
        # Trust is 1 for a single vote, less if its user is capped or contradicted.
        Remembered(question, digest(labeled.passage), bool(labeled.relevant), labeled.trust)
        for question in material.examples.taught
        for labeled in material.questions[question]
    )
    scored = [
        _scored(question, material.questions[question], shipped, memory, pipeline)
        for question in material.examples.taught
    ]
    usable = [query for query in scored if any(query.relevant) and not all(query.relevant)]
    replace(fit_blend({"feedback": usable}, prior), memory=memory).save(folder)


def _scored(
    question: str, passages: Sequence[LabeledPassage], scorer: Reranker, memory: Memory, pipeline: Pipeline
) -> ScoredQuery:
    """Return the scored candidates of a question; relevant are those that training takes as positive."""
    candidates = pipeline.search(question)
    texts = [candidate.chunk.passage for candidate in candidates]
    relevant = {passage.text for passage in answering(passages)}
    return ScoredQuery(
        tuple(candidates),
        tuple(scorer.score(question, texts)),
        tuple(candidate.chunk.text in relevant for candidate in candidates),
        memory.recall(question, texts, scorer.score, without=question),
    )


# compare ---------------------------------------------------------------------------------------------------


def _compare(name: str, folder: Path, material: Material, pipeline: Pipeline) -> GateReport:
    """Compare the new reranker with the live one on the same candidates."""
    home, embedder = pipeline.settings.home, pipeline.embedder
    live = Contender(Registry(home).live(), pipeline.reranker(LIVE))
    candidate = Contender(name, open_reranker(str(folder)))
    probed = probe(candidate, live, embedder, read_benchmark(PROBE), home)
    budget_ms = pipeline.settings.rerank_budget_ms
    return compare(
        candidate, live, material.examples.gate, pipeline.table, embedder, pipeline.search, probed, budget_ms
    )
