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
"""Questions about documents that come with the program: what a model must not forget."""

Tell = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that was made and compared."""

    name: str
    report: GateReport

    @property
    def embedder(self) -> str:
        """The one that was made for it, or ''."""
        return self.report.embedder


def make_candidate(
    plan: Plan, pipeline: Pipeline, user: str, job_id: str, watch: Watch, tell: Tell = lambda _: None
) -> Candidate:
    """Train on the feedback, register the model and compare it. tell: what is being done.

    Whatever happens, what is live stays so. Raises TooLittleFeedbackError, RerankerError, RegistryError when
    the live model is damaged, StoppedError.
    """
    registry, in_a_row = Registry(pipeline.settings.home), _InARow(watch)
    bases = [base_of(part, pipeline) for part in plan.parts]  # one that is not there is said before all else
    tell("reading the feedback")
    material = gather(pipeline, plan.recipe)
    with ExitStack() as folders:
        models = []
        for part, base in zip(plan.parts, bases, strict=True):
            tell("training")
            model = _Made(part, base, folders.enter_context(registry.unfinished()))
            model.kind = _train(part, model.base, material, model.folder, in_a_row.next())
            _stop_if_asked(watch)
            if model.kind != EMBEDDER:
                tell("weighing its scores")
                _blend(model, material, pipeline)
            model.name = registry.new_name("embedder" if model.kind == EMBEDDER else "reranker")
            describe(model.folder, model.name, part, model.base, user, material)
            models.append(model)
        tell("comparing it with the live one")
        report = _compare(models, material, pipeline)
        _stop_if_asked(watch)
        for model in models:
            report.save(model.folder)
            registry.add(
                model.folder, model.name, kind=model.kind, base=model.base, job_id=job_id, note=report.sentence
            )
    return Candidate(models[-1].name, report)


@dataclass(slots=True)
class _Made:
    """A model while it is made. kind, name: as the registry will know it."""

    plan: Plan
    base: str
    folder: Path
    kind: str = ""
    name: str = ""


class _InARow:
    """Tells the steps of several trainings as those of one."""

    def __init__(self, watch: Watch) -> None:
        self._watch, self._num_before, self._step = watch, 0, 0

    def next(self) -> Watch:
        """For the next training."""
        self._num_before = self._step
        return Watch(self._tell, self._watch.should_stop)

    def _tell(self, loss: Loss) -> None:
        self._step = self._num_before + loss.step
        self._watch.on_loss(replace(loss, step=self._step, num_steps=self._num_before + loss.num_steps))


def help_training(plan: Plan, pipeline: Pipeline) -> None:
    """Under torchrun: take part in the training of another process, which alone makes the candidate of it."""
    material = gather(pipeline, plan.recipe)
    for part in plan.parts:
        with TemporaryDirectory() as unused:
            _train(part, base_of(part, pipeline), material, Path(unused), Watch())


def base_of(plan: Plan, pipeline: Pipeline) -> str:
    """The folder or hub id from which the training begins.

    Raises RerankerError when there is no such base, RegistryError when the live model is damaged.
    """
    if plan.base:
        return base_model(plan.base, plan.kind)
    if plan.kind == "reranker":
        registry = Registry(pipeline.settings.home)
        live = registry.live()
        registry.check(live)
        return str(folder_of(live, pipeline.settings))
    serves = pipeline.embedder.name if plan.kind == "embedder" else DEFAULT_EMBEDDER
    return base_model(serves, plan.kind)


def _stop_if_asked(watch: Watch) -> None:
    if watch.should_stop():
        raise StoppedError("cancelled; no model was made")


# train -----------------------------------------------------------------------------------------------------


def _train(plan: Plan, base: str, material: Material, folder: Path, watch: Watch) -> str:
    """Train into the folder; returns the kind of the model. What is live is trained further as what it is."""
    examples, replayed = material.examples, material.replayed
    kind: str = plan.kind
    if plan.kind == "reranker":
        kind = "late-interaction" if is_late_interaction(base) else "cross-encoder"
        if kind == "late-interaction":
            replayed = _as_it_is(replayed, LateInteractionReranker(base))
    TRAINERS[kind]([*examples.train, *replayed], base, folder, plan.recipe, examples.validation, watch)
    return kind


def _as_it_is(replayed: Sequence[TrainingExample], teacher: Reranker) -> list[TrainingExample]:
    """The replayed examples with what the model that is trained further says of them now."""
    return [
        replace(each, scores=tuple(teacher.score(each.query, [*each.positives, *each.negatives]))) for each in replayed
    ]


# weigh -----------------------------------------------------------------------------------------------------


def _blend(model: _Made, material: Material, pipeline: Pipeline) -> None:
    """Write how much the reranker's scores and its memory count beside the scores of search, as the questions say.

    Only the memory is weighed by them; the other weights are those of what was trained further, or of the shipped
    reranker. The scores are the shipped one's, which has not seen these questions: one that was trained on them is too
    sure of itself. The memory is asked without what it knows of the question itself. A cross-encoder has none: it
    cannot say how like two are.
    """
    shipped = pipeline.reranker(SHIPPED)
    if shipped is None or shipped.blend is None:
        raise RerankerError("the shipped reranker has no blend; install from a whole checkout")
    # What the shipped one calls a probability is so for scores like its own only.
    own = Blend.load(Path(model.base)) if model.plan.kind == "reranker" else None
    prior = own or replace(shipped.blend, calibration=None)
    if model.kind == "cross-encoder":
        replace(prior, memory=None).save(model.folder)
        return
    memory = Memory(
        # One user's vote is remembered fully: that of one who is capped, or contradicted, is not.
        Remembered(question, digest(each.passage), bool(each.relevant), each.trust)
        for question in material.examples.taught
        for each in material.questions[question]
    )
    scored = [
        _scored(question, material.questions[question], shipped, memory, pipeline)
        for question in material.examples.taught
    ]
    usable = [each for each in scored if any(each.relevant) and not all(each.relevant)]
    replace(fit_blend({"feedback": usable}, prior), memory=memory).save(model.folder)


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


# compare ---------------------------------------------------------------------------------------------------


def _compare(models: Sequence[_Made], material: Material, pipeline: Pipeline) -> GateReport:
    """With what is live: a reranker over the same search, an embedder below the same reranker, or both at once."""
    settings, now = pipeline.settings, pipeline.embedder
    live = Contender(Registry(settings.home).live(), pipeline.reranker(LIVE), pipeline.search)
    candidate, new = replace(live, name=" with ".join(model.name for model in reversed(models))), now
    for model in models:
        if model.kind == EMBEDDER:
            new = open_embedder(model.folder, str(model.folder))  # no other has this name: tables are kept by it
            candidate = replace(candidate, search=_searched_with(new, pipeline))
        else:
            candidate = replace(candidate, reranker=open_reranker(str(model.folder)))
    if [model.kind for model in models] == [EMBEDDER]:
        live = replace(live, name=f"the embedder {Path(now.name).name}")
    probed = probe(candidate, live, new, now, read_benchmark(PROBE), settings.home)
    report = compare(candidate, live, material.examples.gate, pipeline.table, now, probed, settings.rerank_budget_ms)
    return replace(report, embedder=models[0].name if len(models) > 1 else "")


def _searched_with(embedder: Embedder, pipeline: Pipeline) -> Callable[[str], Sequence[SearchResult]]:
    table = ReembeddedTable(pipeline.table, embedder)
    return lambda query: search(query, table, embedder, num_candidates=pipeline.settings.num_candidates)
