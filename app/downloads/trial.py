"""A model of the registry -> its time on this machine, and whether it pays: a comparison with the live reranker.

It uses the questions that people judged here; a downloaded model was trained on none of them. The sample's questions
are measured too, for homes with too few judged ones.
"""

from __future__ import annotations

import time
from itertools import islice

from app.evaluation.benchmark import read_benchmark
from app.feedback import FeedbackStore
from app.feedback.rules import LabeledPassage, decided, label
from app.pipeline import Pipeline
from app.registry import Registry, RegistryError
from app.reranking.names import LIVE, load_reranker, open_reranker
from app.reranking.rerank import Reranker
from app.reranking.similarity import Forgetful
from app.training.candidate import PROBE, compare_with_live
from app.training.gate.compare import Contender, Probe
from app.training.gate.decision import GateReport, interval_words, worded
from app.translation import gettext as _
from app.translation import number

NUM_PASSAGES = 50
_CHARACTERS = 620
"""Mean length of the sample's passages."""
_NUM_TIMED = 3
_MAX_QUESTIONS = 300
_QUESTION = "How much may a hotel in Hamburg cost a night, and who approves a higher price?"


def try_model(name: str, pipeline: Pipeline) -> GateReport:
    """Time a reranker and compare it with the live one; the report is kept beside the model.

    A model over the time budget is not compared, since that could take hours. Unlike a trained model, it may be
    slower than the live one. Raises RegistryError, RerankerError.
    """
    registry = Registry(pipeline.settings.home)
    if registry.model(name).job_id:  # it may have been trained on the questions asked here
        raise RegistryError(f"{name} was trained here and compared then; see its report on the Training page")
    registry.check(name)
    folder = registry.folder(name)
    candidate = Contender(name, open_reranker(str(folder), name=name))
    live = Contender(registry.live(), load_reranker(LIVE, pipeline.settings))
    latency_ms = {"live": _milliseconds(live.reranker), "candidate": _milliseconds(candidate.reranker)}
    questions: dict[str, list[LabeledPassage]] = {}
    is_slow = latency_ms["candidate"] > pipeline.settings.rerank_budget_ms
    if not is_slow:
        store = FeedbackStore(pipeline.settings.home)
        questions = dict(islice(decided(label(store.events(), store.judgements())).items(), _MAX_QUESTIONS))
    report = compare_with_live(
        candidate, live, questions, pipeline, None, probed=Probe(None, latency_ms) if is_slow else None
    )
    report.save(folder)
    return report


def words(report: GateReport) -> list[str]:
    """Return what a trial found, a line each: time, judged questions, the sample's questions."""
    time_taken, live = report.latency_ms["candidate"], report.latency_ms["live"]
    lines = [
        _(
            "Time on this machine: {ms} ms for {n} passages; {live} takes {live_ms} ms.",
            ms=number(time_taken, ",.0f"),
            n=NUM_PASSAGES,
            live=report.live,
            live_ms=number(live, ",.0f"),
        ),
        _("On your questions: {sentence}", sentence=worded(report)[0]),
    ]
    if (gain := report.probe) is not None:
        lines.append(
            _(
                "On the sample's questions: {points} points nDCG@10 against {live} ({interval}).",
                points=number(100 * gain.mean, "+.1f"),
                live=report.live,
                interval=interval_words(gain),
            )
        )
    return lines


def _milliseconds(reranker: Reranker | None) -> float:
    """Return the time to score passages of the sample that are new to the reranker: the shortest of three times.

    Other work on the machine only makes it longer.
    """
    if reranker is None:
        return 0.0
    passages = _passages()
    reranker.score(_QUESTION, passages[:2])  # the first ones warm it up
    return min(_timed(reranker, passages) for _ in range(_NUM_TIMED))


def _timed(reranker: Reranker, passages: list[str]) -> float:
    if isinstance(reranker, Forgetful):
        reranker.forget()
    started = time.perf_counter()
    reranker.score(_QUESTION, passages)
    return (time.perf_counter() - started) * 1000


def _passages() -> list[str]:
    """Return passages of a usual length from the sample, so that times of all homes compare."""
    text = "\n".join(document.text for document in read_benchmark(PROBE).documents)
    return [text[start : start + _CHARACTERS] for start in range(0, NUM_PASSAGES * _CHARACTERS, _CHARACTERS)]
