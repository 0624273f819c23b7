"""what a comparison found -> GateReport: promote the candidate, keep what is live, or too little data to tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.evaluation.changes import QuestionChange
from app.evaluation.metrics import Difference, Interval
from app.registry import Decision
from app.training.labels.from_feedback import MIN_GATE_QUESTIONS
from ingest.home.database import now

USEFUL_GAIN = 0.01
"""Of nDCG@10: less is not worth a new model."""
MAX_FORGOTTEN = 0.005
"""Of nDCG@10 on the probe: more is forgetting."""
MAX_SLOW_DOWN = 1.5
"""Times the milliseconds of the live model."""
_P_VALUE = 0.05


@dataclass(frozen=True, slots=True)
class Group:
    """The questions whose answer lies in one folder of the documents, like ones counted each; nDCG@10 of both."""

    name: str
    num_questions: int
    live: float
    candidate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a comparison found, on which the decision rests.

    num_different: of the questions, counting those that ask nearly the same as one, as every mean and test does but
    the means by folder. gain: measure -> of the candidate over the live model; gain_over_none likewise. shown_gain: hit
    rate@5 with what nobody judged counted as wrong. probe: nDCG@10 of the candidate against the live model on questions
    about other documents; None where there is none. latency_ms: live, candidate -> median milliseconds to rerank the
    probe's candidates, with search where the candidate searches with another embedder. budget_ms: the most that it may
    take.
    """

    num_questions: int
    num_different: int = 0
    gain: Mapping[str, Difference]
    gain_over_none: Mapping[str, Difference]
    shown_gain: Difference
    probe: Difference | None
    latency_ms: Mapping[str, float]
    budget_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport(Found):
    """What a comparison found, and what follows from it.

    sentence: the decision in words; reasons: what it rests on, a sentence each. metrics: none, live, candidate ->
    measure -> mean and interval. embedder: the new one that search used below a new reranker, whose name in candidate
    stands with it; '' where only one of the two is new.
    """

    candidate: str
    live: str
    decided_at: str
    verdict: Decision
    sentence: str
    reasons: tuple[str, ...]
    metrics: Mapping[str, Mapping[str, Interval]]
    groups: tuple[Group, ...]
    changes: tuple[QuestionChange, ...]
    embedder: str = ""

    @classmethod
    def of(
        cls,
        found: Found,
        candidate: str,
        live: str,
        metrics: Mapping[str, Mapping[str, Interval]],
        groups: tuple[Group, ...],
        changes: tuple[QuestionChange, ...],
    ) -> GateReport:
        """What was found, decided now."""
        verdict, sentence, reasons = decide(found, candidate, live)
        return cls(
            **{field.name: getattr(found, field.name) for field in fields(found)},
            candidate=candidate,
            live=live,
            decided_at=now(),
            verdict=verdict,
            sentence=sentence,
            reasons=reasons,
            metrics=metrics,
            groups=groups,
            changes=changes,
        )

    @property
    def num_counted(self) -> int:
        """The questions that a verdict needs enough of: those that differ, of which older reports do not say."""
        return self.num_different or self.num_questions

    def save(self, folder: Path) -> None:
        """Write gate.json."""
        content = json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"
        (folder / "gate.json").write_text(content, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> GateReport | None:
        """What gate.json in this folder says; None where there is none, or not one of ours."""
        try:
            return _REPORT.validate_json((folder / "gate.json").read_bytes())
        except (OSError, ValidationError):
            return None


_REPORT = TypeAdapter(GateReport)


def decide(found: Found, candidate: str, live: str) -> tuple[Decision, str, tuple[str, ...]]:
    """The rule: verdict, sentence, reasons.

    What is surely bad is kept out first: forgetting, slowness, answers pushed down. Then a gain that chance alone
    would hardly make, and that is worth it, promotes. What is surely no better is kept out, and for the rest there
    is too little data.
    """
    against = _objections(found, candidate, live)
    gain = found.gain["nDCG@10"]
    different = f" ({found.num_different} different ones)" if found.num_different < found.num_questions else ""
    facts = (
        f"{100 * gain.mean:+.1f} points nDCG@10 against {live} on {found.num_questions} questions{different} that no "
        f"model was trained on (95% interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f}, p = {gain.p_value:.2g})"
    )
    if against:
        return "keep", f"Keep {live}: {against[0]}", (*against, facts)
    if found.num_different < MIN_GATE_QUESTIONS:
        needed = f"{found.num_different} questions to compare by, and at least {MIN_GATE_QUESTIONS} are needed"
        return "too little data", f"Too little data to tell: there are {needed}.", (facts,)
    if gain.mean >= USEFUL_GAIN and gain.p_value < _P_VALUE:
        return "promote", f"Promote {candidate}: {facts}.", _assurances(found)
    if gain.high < USEFUL_GAIN:
        return "keep", f"Keep {live}: {candidate} is not better by a point. {facts}.", (facts,)
    return "too little data", f"Too little data to tell: {facts}.", (facts,)


def _objections(found: Found, candidate: str, live: str) -> list[str]:
    """What speaks against the candidate whatever it gains."""
    against = []
    if found.probe and found.probe.mean < -MAX_FORGOTTEN:
        against.append(
            f"{candidate} has forgotten: {100 * found.probe.mean:+.1f} points nDCG@10 on other documents' questions."
        )
    if found.shown_gain.mean < 0 and found.shown_gain.p_value < _P_VALUE:
        against.append(
            f"{candidate} pushes answers out of the first five: {100 * found.shown_gain.mean:+.1f} points hit rate@5."
        )
    over_none = found.gain_over_none["nDCG@10"]
    # What was struck out are mistakes of the live model, so that search alone looks better here than it is: only a
    # sure loss counts.
    if over_none.mean < 0 and over_none.p_value < _P_VALUE and found.num_different >= MIN_GATE_QUESTIONS:
        against.append(f"{candidate} ranks worse than search alone: {100 * over_none.mean:+.1f} points nDCG@10.")
    new, old = found.latency_ms.get("candidate", 0.0), found.latency_ms.get("live", 0.0)
    if new > found.budget_ms or (old and new > MAX_SLOW_DOWN * old):
        against.append(
            f"{candidate} is too slow: {new:.0f} ms a question, {live} {old:.0f} ms, the budget is "
            f"{found.budget_ms:.0f} ms and {MAX_SLOW_DOWN} times {live}."
        )
    return against


def _assurances(found: Found) -> tuple[str, ...]:
    """What was looked at besides the gain, and is in order."""
    over_none = found.gain_over_none["nDCG@10"]
    reasons = [f"{100 * over_none.mean:+.1f} points nDCG@10 against search alone"]
    if found.probe:
        reasons.append(f"{100 * found.probe.mean:+.1f} points nDCG@10 on questions about other documents")
    if found.latency_ms:
        reasons.append(f"{found.latency_ms['candidate']:.0f} ms a question, before {found.latency_ms['live']:.0f} ms")
    return tuple(reasons)
