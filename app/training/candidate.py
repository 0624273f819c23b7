"""a plan and the feedback of a home folder -> Candidate: a trained model, registered and compared with the live one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from app.evaluation.benchmark import read_benchmark
from app.feedback import FeedbackStore, question_key
from app.feedback.question_vectors import question_vectors
from app.feedback.recall import Memory
from app.feedback.rules import LabeledPassage
from app.feedback.store import Position
from app.pipeline import Pipeline
from app.registry import SHIPPED, Registry
from app.reranking.any_language import in_any_language
from app.reranking.late_interaction import LateInteractionReranker
from app.reranking.model_files import is_late_interaction
from app.reranking.names import LIVE, folder_of, load_reranker, open_reranker
from app.reranking.rerank import Blend, Reranker, RerankerError
from app.training.fit.kinds import TRAINERS, base_model
from app.training.fit.trainer import Training, Watch, require_libraries
from app.training.gate.compare import Contender, Probe, compare, probe
from app.training.gate.decision import MAX_SLOW_DOWN, GateReport
from app.training.gate.questions import gate_questions
from app.training.labels.examples import TrainingExample
from app.training.labels.material import Material, describe, gather
from app.training.plan import Plan, Step
from ingest.home.folder import ROOT
from ingest.home.job_store import StoppedError

PROBE = ROOT / "data" / "eval" / "sample"
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
    damaged, StoppedError, CiteloopError without the train extra.
    """
    require_libraries()
    registry, base = Registry(pipeline.settings.home), base_of(plan, pipeline)  # a missing base is reported first
    on_step("reading the feedback")
    material = gather(pipeline, plan.recipe)
    with registry.unfinished() as folder:
        on_step("training")
        kind = _train(plan, base, material, folder, watch)
        _stop_if_asked(watch)
        _blend(plan, base, folder, pipeline)
        name = registry.new_name()
        describe(folder, name, plan, base, user, material)
        on_step("comparing it with the live one")
        taught = _remember(material.examples.taught, pipeline)
        candidate = Contender(name, open_reranker(str(folder)))
        live = Contender(registry.live(), load_reranker(LIVE, pipeline.settings))
        report = compare_with_live(candidate, live, material.examples.gate, pipeline, taught=taught)
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
    training = Training([*examples.train, *replayed], plan.recipe, examples.validation, watch)
    TRAINERS[kind](training, base, folder)
    return kind


def _with_teacher_scores(replayed: Sequence[TrainingExample], teacher: Reranker) -> list[TrainingExample]:
    """Return the replayed examples with the current scores of the model that is trained further."""
    return [replace(one, scores=tuple(teacher.score(one.query, [one.positive, *one.negatives]))) for one in replayed]


# blend -----------------------------------------------------------------------------------------------------


def _blend(plan: Plan, base: str, folder: Path, pipeline: Pipeline) -> None:
    """Write the weights of the scores: those of the base model, else of the shipped reranker.

    They are not fitted on the feedback: people judge what the live model shows them (measured: they get worse).
    """
    shipped = pipeline.models.reranker(SHIPPED)
    if shipped is None or shipped.blend is None:
        raise RerankerError("the shipped reranker has no blend; install from a full checkout")
    # The shipped calibration holds only for scores like the shipped reranker's.
    own = Blend.load(Path(base)) if plan.kind == "reranker" else None
    (own or replace(shipped.blend, calibration=None)).save(folder)


# compare ---------------------------------------------------------------------------------------------------


def compare_with_live(
    candidate: Contender,
    live: Contender,
    gate: Mapping[str, Sequence[LabeledPassage]],
    pipeline: Pipeline,
    max_slow_down: float | None = MAX_SLOW_DOWN,
    taught: Memory | None = None,
    probed: Probe | None = None,
) -> GateReport:
    """Compare a reranker with the live one on the same candidates, of these questions and of the sample's.

    taught: what people said of the questions that it was trained on; None if there are none. probed: used instead of
    the sample's questions.
    """
    table, embedder, budget_ms = pipeline.table, pipeline.models.embedder, pipeline.settings.rerank_budget_ms
    if probed is None:
        probed = probe(candidate, live, embedder, read_benchmark(PROBE), pipeline.settings.home)
    candidate, live = (
        replace(each, reranker=in_any_language(each.reranker, embedder, pipeline.settings.home))
        for each in (candidate, live)
    )
    questions = gate_questions(gate, table, embedder)
    return compare(candidate, live, questions, pipeline.search, probed, budget_ms, max_slow_down, taught)


def _remember(questions: Collection[str], pipeline: Pipeline) -> Memory:
    """Return what anybody said of these questions."""
    store, keys = FeedbackStore(pipeline.settings.home), {question_key(question) for question in questions}
    said = [one for one in store.entries_after(Position())[0] if question_key(one.question) in keys]
    memory = Memory(pipeline.models.embedder, min_people=1)
    memory.take(said, question_vectors(memory.new_questions(said), store, pipeline.models.embedder))
    memory.learn_reach()
    return memory
