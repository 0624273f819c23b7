"""a plan and the feedback of a home folder -> Candidate: a trained model, registered and compared with the live one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from app.evaluation import read_benchmark
from app.feedback.rules import LabeledPassage
from app.memory import Memory, Remembered, digest
from app.pipeline import Pipeline
from app.registry import EMBEDDER, SHIPPED, Registry
from app.reranking.late_interaction import LateInteractionReranker
from app.reranking.names import LIVE, folder_of, is_late_interaction, open_reranker
from app.reranking.rerank import Blend, Reranker, RerankerError
from app.search.search import Candidate as SearchResult
from app.search.search import search
from app.training.fit.blend import ScoredQuery, fit_blend
from app.training.fit.kinds import TRAINERS, base_model
from app.training.fit.trainer import Loss, Watch
from app.training.gate.compare import Contender, compare, probe
from app.training.gate.decision import GateReport
from app.training.gate.reembedded import ReembeddedTable
from app.training.labels.examples import TrainingExample
from app.training.labels.from_feedback import answering
from app.training.labels.material import Material, describe, gather
from app.training.plan import Plan, Step
from ingest.embed.embedder import DEFAULT_EMBEDDER, Embedder, open_embedder
from ingest.home.job_store import StoppedError

PROBE = Path(__file__).resolve().parent.parent.parent / "data" / "eval" / "sample"
"""Questions about the sample documents, to check that a model has not forgotten them."""

OnStep = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A new model with its comparison."""

    name: str
    report: GateReport

    @property
    def embedder(self) -> str:
        """Return the name of the embedder trained with it, or ''."""
        return self.report.embedder


def make_candidate(
    plan: Plan, pipeline: Pipeline, user: str, job_id: str, watch: Watch, on_step: OnStep = lambda _: None
) -> Candidate:
    """Train on the feedback, register the model and compare it. on_step: called at each step.

    The live model does not change. Raises TooLittleFeedbackError, RerankerError, RegistryError when the live model is
    damaged, StoppedError.
    """
    registry, joint_watch = Registry(pipeline.settings.home), _JointWatch(watch)
    bases = [base_of(part, pipeline) for part in plan.parts]  # a missing base is reported first
    on_step("reading the feedback")
    material = gather(pipeline, plan.recipe)
    with ExitStack() as folders:
        models = []
        for part, base in zip(plan.parts, bases, strict=True):
            on_step("training")
            model = _NewModel(part, base, folders.enter_context(registry.unfinished()))
            model.kind = _train(part, model.base, material, model.folder, joint_watch.next())
            _stop_if_asked(watch)
            if model.kind != EMBEDDER:
                on_step("weighing its scores")
                _blend(model, material, pipeline)
            model.name = registry.new_name("embedder" if model.kind == EMBEDDER else "reranker")
            describe(model.folder, model.name, part, model.base, user, material)
            models.append(model)
        on_step("comparing it with the live one")
        report = _compare(models, material, pipeline)
        _stop_if_asked(watch)
        for model in models:
            report.save(model.folder)
            registry.add(
                model.folder, model.name, kind=model.kind, base=model.base, job_id=job_id, note=report.sentence
            )
    return Candidate(models[-1].name, report)


@dataclass(slots=True)
class _NewModel:
    """A model in the making. kind, name: for the registry."""

    plan: Plan
    base: str
    folder: Path
    kind: str = ""
    name: str = ""


class _JointWatch:
    """Numbers the steps of several trainings as one training."""

    def __init__(self, watch: Watch) -> None:
        self._watch, self._num_before, self._step = watch, 0, 0

    def next(self) -> Watch:
        """Return the watch for the next training."""
        self._num_before = self._step
        return Watch(self._on_loss, self._watch.should_stop)

    def _on_loss(self, loss: Loss) -> None:
        self._step = self._num_before + loss.step
        self._watch.on_loss(replace(loss, step=self._step, num_steps=self._num_before + loss.num_steps))


def help_training(plan: Plan, pipeline: Pipeline) -> None:
    """Under torchrun: take part in the training of another process, which makes the candidate."""
    material = gather(pipeline, plan.recipe)
    for part in plan.parts:
        with TemporaryDirectory() as unused:
            _train(part, base_of(part, pipeline), material, Path(unused), Watch())


def base_of(plan: Plan, pipeline: Pipeline) -> str:
    """Return the folder or hub id of the model to start from.

    Raises RerankerError when the base is missing, RegistryError when the live model is damaged.
    """
    if plan.base:
        return base_model(plan.base, plan.kind)
    if plan.kind == "reranker":
        registry = Registry(pipeline.settings.home)
        live = registry.live()
        registry.check(live)
        return str(folder_of(live, pipeline.settings))
    current = pipeline.embedder.name if plan.kind == "embedder" else DEFAULT_EMBEDDER
    return base_model(current, plan.kind)


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


def _blend(model: _NewModel, material: Material, pipeline: Pipeline) -> None:
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
    own = Blend.load(Path(model.base)) if model.plan.kind == "reranker" else None
    prior = own or replace(shipped.blend, calibration=None)
    if model.kind == "cross-encoder":
        replace(prior, memory=None).save(model.folder)
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
    replace(fit_blend({"feedback": usable}, prior), memory=memory).save(model.folder)


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


def _compare(models: Sequence[_NewModel], material: Material, pipeline: Pipeline) -> GateReport:
    """Compare a new reranker with the same search, a new embedder with the same reranker, or both at once."""
    settings, now = pipeline.settings, pipeline.embedder
    live = Contender(Registry(settings.home).live(), pipeline.reranker(LIVE), pipeline.search)
    candidate, new = replace(live, name=" with ".join(model.name for model in reversed(models))), now
    for model in models:
        if model.kind == EMBEDDER:
            new = open_embedder(model.folder, str(model.folder))  # a unique name, since tables are cached by it
            candidate = replace(candidate, search=_search_with(new, pipeline))
        else:
            candidate = replace(candidate, reranker=open_reranker(str(model.folder)))
    if [model.kind for model in models] == [EMBEDDER]:
        live = replace(live, name=f"the embedder {Path(now.name).name}")
    probed = probe(candidate, live, new, now, read_benchmark(PROBE), settings.home)
    report = compare(candidate, live, material.examples.gate, pipeline.table, now, probed, settings.rerank_budget_ms)
    return replace(report, embedder=models[0].name if len(models) > 1 else "")


def _search_with(embedder: Embedder, pipeline: Pipeline) -> Callable[[str], Sequence[SearchResult]]:
    table = ReembeddedTable(pipeline.table, embedder)
    return lambda query: search(query, table, embedder, num_candidates=pipeline.settings.num_candidates)
