"""a plan and the feedback of a home folder -> Candidate: a trained model, registered and compared with the live one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from app.evaluation import read_benchmark
from app.memory import Memory, Remembered, digest
from app.pipeline import Pipeline
from app.registry import EMBEDDER, SHIPPED, Registry
from app.rerank import Blend, Reranker
from app.rerankers import LIVE, folder_of, is_late_interaction
from app.rerankers.cross_encoder import CrossEncoderReranker
from app.rerankers.late_interaction import LateInteractionReranker
from app.search import search
from app.training import cross_encoder, embedder, late_interaction
from app.training.blend import ScoredQuery, fit_blend
from app.training.compare import Contender, compare, probe
from app.training.examples import TrainingExample
from app.training.fit import Watch
from app.training.from_feedback import answering
from app.training.gate import GateReport
from app.training.material import Material, describe, gather
from app.training.plan import RECIPES, Plan, Step
from app.training.reembedded import ReembeddedTable
from app.training.rules import KEPT, LabeledPassage
from ingest.embed import DEFAULT_EMBEDDER, Embedder, default_embedder_path, open_embedder
from ingest.job_store import StoppedError

PROBE = Path(__file__).resolve().parent.parent.parent / "data" / "eval" / "sample"
"""Questions about documents that come with the program: what a model must not forget."""

Tell = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that was made and compared."""

    name: str
    report: GateReport


def make_candidate(
    plan: Plan, pipeline: Pipeline, user: str, job_id: str, watch: Watch, tell: Tell = lambda _: None
) -> Candidate:
    """Train on the feedback, register the model and compare it. tell: what is being done.

    Whatever happens, what is live stays so. Raises TooLittleFeedbackError, RerankerError, StoppedError.
    """
    registry, recipe, base = Registry(pipeline.settings.home), RECIPES[plan.kind], base_of(plan, pipeline)
    tell("reading the feedback")
    material = gather(pipeline, recipe, plan.seed)
    with registry.unfinished() as folder:
        tell("training")
        kind = _train(plan, base, material, folder, watch)
        _stop_if_asked(watch)
        if kind != EMBEDDER:
            tell("weighing its scores")
            _blend(plan, kind, folder, material, pipeline)
        name = registry.new_name("embedder" if kind == EMBEDDER else "reranker")
        describe(folder, name, plan, base, user, material, recipe)
        tell("comparing it with the live one")
        report = _compare(name, kind, folder, material, pipeline)
        report.save(folder)
        _stop_if_asked(watch)
        registry.add(folder, name, kind=kind, base=base, job_id=job_id, note=report.sentence)
    return Candidate(name, report)


def help_training(plan: Plan, pipeline: Pipeline) -> None:
    """Under torchrun: take part in the training of another process, which alone makes the candidate of it."""
    material = gather(pipeline, RECIPES[plan.kind], plan.seed)
    with TemporaryDirectory() as unused:
        _train(plan, base_of(plan, pipeline), material, Path(unused), Watch())


def base_of(plan: Plan, pipeline: Pipeline) -> str:
    """The folder or hub id from which the training begins."""
    if plan.base:
        return plan.base
    if plan.kind == "reranker":
        return str(folder_of(Registry(pipeline.settings.home).live(), pipeline.settings))
    serves = pipeline.embedder.name if plan.kind == "embedder" else DEFAULT_EMBEDDER
    return str(default_embedder_path()) if serves == DEFAULT_EMBEDDER else serves


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
    trainers = {"late-interaction": late_interaction, "cross-encoder": cross_encoder, EMBEDDER: embedder}
    train = trainers[kind].train
    train([*examples.train, *replayed], base, folder, RECIPES[plan.kind], examples.validation, watch)
    return kind


def _as_it_is(replayed: Sequence[TrainingExample], teacher: Reranker) -> list[TrainingExample]:
    """The replayed examples with what the model that is trained further says of them now."""
    return [
        replace(each, scores=tuple(teacher.score(each.query, [*each.positives, *each.negatives]))) for each in replayed
    ]


# weigh -----------------------------------------------------------------------------------------------------


def _load(kind: str, folder: Path) -> Reranker:
    return (CrossEncoderReranker if kind == "cross-encoder" else LateInteractionReranker)(str(folder))


def _blend(plan: Plan, kind: str, folder: Path, material: Material, pipeline: Pipeline) -> None:
    """Write how much the reranker's scores and its memory count beside the scores of search, as the questions say.

    The scores are those of the live model, which has not seen these questions: one that was trained on them is too sure
    of itself. Only the memory is weighed by them; the other weights are those of what it was trained from. The memory
    is asked without what it knows of the question itself. A cross-encoder has none: it cannot say how like two are.
    """
    live = Registry(pipeline.settings.home).live()
    prior = Blend.load(folder_of(live if plan.kind == "reranker" else SHIPPED, pipeline.settings))
    if kind == "cross-encoder":
        if prior:
            replace(prior, memory=None).save(folder)
        return
    live_reranker = pipeline.reranker(LIVE)
    scorer = live_reranker if isinstance(live_reranker, LateInteractionReranker) else _load(kind, folder)
    memory = Memory(
        # One user's vote is remembered fully: that of one who is capped, or contradicted, is not.
        Remembered(question, digest(each.passage), bool(each.relevant), min(1.0, each.weight / KEPT))
        for question in material.examples.taught
        for each in material.questions[question]
    )
    scored = [
        _scored(question, material.questions[question], scorer, memory, pipeline)
        for question in material.examples.taught
    ]
    usable = [each for each in scored if any(each.relevant) and not all(each.relevant)]
    replace(fit_blend({"feedback": usable}, prior), memory=memory).save(folder)


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


def _compare(name: str, kind: str, folder: Path, material: Material, pipeline: Pipeline) -> GateReport:
    """With what is live: a reranker over the same search, an embedder below the same reranker."""
    live_name = Registry(pipeline.settings.home).live()
    now = pipeline.embedder
    live = Contender(live_name, pipeline.reranker(LIVE), pipeline.search)
    if kind == EMBEDDER:
        new: Embedder = open_embedder(folder, name)
        table = ReembeddedTable(pipeline.table, new)
        live = replace(live, name=f"the embedder {Path(now.name).name}")
        candidate = Contender(name, live.reranker, lambda query: search(query, table, new))
    else:
        new, candidate = now, Contender(name, _load(kind, folder), pipeline.search)
    probed = probe(candidate, live, new, now, read_benchmark(PROBE), pipeline.settings.home)
    budget_ms = pipeline.settings.rerank_budget_ms
    return compare(candidate, live, material.examples.gate, pipeline.table, probed, budget_ms)
