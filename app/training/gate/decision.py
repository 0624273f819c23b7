"""Comparison -> GateReport: promote the candidate, keep the live model, or too little data to tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.evaluation.changes import QuestionChange
from app.evaluation.metrics import Difference, Interval
from app.evaluation.slices import MAX_LOSS, Slice
from app.registry import Decision
from app.training.labels.from_feedback import MIN_GATE_QUESTIONS
from app.translation import N_, number
from app.translation import gettext as _
from ingest.home.database import now

USEFUL_GAIN = 0.01
"""Smallest gain in nDCG@10 that is worth a new model."""
MAX_FORGOTTEN = 0.005
"""Largest allowed loss of nDCG@10 on the probe."""
MAX_SLOW_DOWN = 1.5
"""Largest allowed factor on the live model's time."""
_P_VALUE = 0.05


@dataclass(frozen=True, slots=True)
class Group:
    """nDCG@10 of both models on the questions answered in one folder; similar questions count separately."""

    name: str
    num_questions: int
    live: float
    candidate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The measured differences that the decision is based on.

    num_different: questions, with similar ones counted as one, as in every mean and test except the means by folder.
    gain: measure -> candidate minus live model; gain_over_none: minus search alone. asked_before: the questions whose
    need the training saw in other words; new: the others; both are empty in older reports. shown_gain: hit rate@5 with
    unjudged passages counted as wrong. probe: nDCG@10 of the candidate minus the live model on questions about other
    documents, or None. latency_ms: live, candidate -> median milliseconds to rerank the probe's candidates. budget_ms:
    maximum for the candidate. max_slow_down: maximum factor on the live model's time, None without.
    """

    num_questions: int
    num_different: int = 0
    gain: Mapping[str, Difference]
    gain_over_none: Mapping[str, Difference]
    asked_before: Slice = field(default_factory=Slice)
    new: Slice = field(default_factory=Slice)
    shown_gain: Difference
    probe: Difference | None
    latency_ms: Mapping[str, float]
    budget_ms: float = 0.0
    max_slow_down: float | None = MAX_SLOW_DOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport(Comparison):
    """A comparison and the decision.

    sentence: the decision in words; reasons: a sentence each. metrics: none, live, candidate -> measure -> mean and
    interval.
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

    @classmethod
    def of(
        cls,
        comparison: Comparison,
        candidate: str,
        live: str,
        metrics: Mapping[str, Mapping[str, Interval]],
        groups: tuple[Group, ...],
        changes: tuple[QuestionChange, ...],
    ) -> GateReport:
        """Return the report with the decision, made now."""
        verdict, sentence, reasons = decide(comparison, candidate, live)
        return cls(
            **{each.name: getattr(comparison, each.name) for each in fields(comparison)},
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
        """Return the number of different new questions; of older reports without slices, of all."""
        has_slices = self.new.num_questions or self.asked_before.num_questions
        return self.new.num_questions if has_slices else self.num_different or self.num_questions

    def save(self, folder: Path) -> None:
        """Write gate.json."""
        content = json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"
        (folder / "gate.json").write_text(content, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> GateReport | None:
        """Return the report in a folder's gate.json; None if it is missing or invalid."""
        try:
            return _REPORT.validate_json((folder / "gate.json").read_bytes())
        except (OSError, ValidationError):
            return None


_REPORT = TypeAdapter(GateReport)


def decide(found: Comparison, candidate: str, live: str) -> tuple[Decision, str, tuple[str, ...]]:
    """Return verdict, sentence and reasons.

    First reject what is surely bad: forgetting, slowness, answers pushed down. Then promote a significant and useful
    gain on new questions, or on those asked before if new ones have certainly lost nothing that matters. Reject what is
    surely no better; for the rest there is too little data.
    """
    against = _objections(found, candidate, live)
    gain = found.gain["nDCG@10"]
    facts = _facts(found, live)
    if against:
        return "keep", _("Keep {live}: {reason}", live=live, reason=against[0]), (*against, facts)
    if found.new.num_questions < MIN_GATE_QUESTIONS:
        needed = _(
            "Too little data to tell: the feedback has {n} new questions for comparing, but needs at least {needed}.",
            n=found.new.num_questions,
            needed=MIN_GATE_QUESTIONS,
        )
        return "too little data", needed, (facts,)
    if _is_useful(found.new):
        return "promote", _("Promote {candidate}: {facts}.", candidate=candidate, facts=facts), _assurances(found)
    if _is_useful(found.asked_before) and found.new.is_harmless:
        where = _(
            "Promote {candidate}: {facts}; the gain is on questions asked before in other words, and new ones lose "
            "nothing that matters.",
            candidate=candidate,
            facts=facts,
        )
        return "promote", where, _assurances(found)
    if gain.high < USEFUL_GAIN and not _is_useful(found.asked_before):
        no_better = _(
            "Keep {live}: {candidate} is not better by a point. {facts}.", live=live, candidate=candidate, facts=facts
        )
        return "keep", no_better, (facts,)
    return "too little data", _("Too little data to tell: {facts}.", facts=facts), (facts,)


def worded(report: GateReport) -> tuple[str, tuple[str, ...]]:
    """Return sentence and reasons in the reader's language; as stored if today's rules decide otherwise."""
    verdict, sentence, reasons = decide(report, report.candidate, report.live)
    return (sentence, reasons) if verdict == report.verdict else (report.sentence, report.reasons)


def interval_words(gain: Difference) -> str:
    """Return interval and p-value of a gain in nDCG@10, in points."""
    return _(
        "95% interval {low} to {high}, p = {p}",
        low=number(100 * gain.low, "+.1f"),
        high=number(100 * gain.high, "+.1f"),
        p=number(gain.p_value, ".2g"),
    )


def _facts(found: Comparison, live: str) -> str:
    gain = found.gain["nDCG@10"]
    is_repeated = found.num_different < found.num_questions
    return _(
        "{points} points nDCG@10 against {live} on {n} questions{different} never used for training ({interval})",
        points=number(100 * gain.mean, "+.1f"),
        live=live,
        n=found.num_questions,
        different=_(" ({n} different ones)", n=found.num_different) if is_repeated else "",
        interval=interval_words(gain),
    )


def _is_useful(part: Slice) -> bool:
    """Return whether these questions gain significantly and enough."""
    return part.gain is not None and part.gain.mean >= USEFUL_GAIN and part.gain.p_value < _P_VALUE


def _objections(found: Comparison, candidate: str, live: str) -> list[str]:
    """Return reasons to reject the candidate regardless of its gain."""
    against = []
    if found.probe and found.probe.mean < -MAX_FORGOTTEN:
        against.append(
            _(
                "{candidate} is worse on other documents' questions: {points}.",
                candidate=candidate,
                points=_points(found.probe),
            )
        )
    shown = found.shown_gain
    if shown.mean < 0 and shown.p_value < _P_VALUE:
        hits = _("{points} points hit rate@5", points=number(100 * shown.mean, "+.1f"))
        against.append(
            _("{candidate} pushes answers out of the first five: {points}.", candidate=candidate, points=hits)
        )
    for part, worse in (
        (found.new, N_("{candidate} ranks new questions worse: {points}.")),
        (found.asked_before, N_("{candidate} ranks questions asked before in other words worse: {points}.")),
    ):
        if part.gain and part.gain.mean < -MAX_LOSS and part.gain.p_value < _P_VALUE:
            against.append(_(worse, candidate=candidate, points=_points(part.gain)))
    over_none = found.gain_over_none["nDCG@10"]
    # Struck-out passages are mistakes of the live model, so search alone looks better than it is: require a
    # significant loss.
    if over_none.mean < 0 and over_none.p_value < _P_VALUE and found.num_different >= MIN_GATE_QUESTIONS:
        against.append(
            _("{candidate} ranks worse than search alone: {points}.", candidate=candidate, points=_points(over_none))
        )
    new, old = found.latency_ms.get("candidate", 0.0), found.latency_ms.get("live", 0.0)
    # A busy machine can slow both beyond the budget; a trained model as fast as the live one is then not too slow.
    is_over_budget = new > found.budget_ms and not (found.max_slow_down and new <= old)
    if is_over_budget or (old and found.max_slow_down and new > found.max_slow_down * old):
        against.append(_too_slow(found, candidate, live, new, old))
    return against


def _too_slow(found: Comparison, candidate: str, live: str, new: float, old: float) -> str:
    factor = _(" and {n} times {live}", n=number(found.max_slow_down, "g"), live=live) if found.max_slow_down else ""
    return _(
        "{candidate} is too slow: {new} ms a question, {live} {old} ms, the budget is {budget} ms{factor}.",
        candidate=candidate,
        new=number(new, ".0f"),
        live=live,
        old=number(old, ".0f"),
        budget=number(found.budget_ms, ".0f"),
        factor=factor,
    )


def _points(gain: Difference) -> str:
    return _("{points} points nDCG@10", points=number(100 * gain.mean, "+.1f"))


def _assurances(found: Comparison) -> tuple[str, ...]:
    """Return the other checks that passed."""
    over_none = found.gain_over_none["nDCG@10"]
    reasons = [_("{points} against search alone", points=_points(over_none))]
    if found.probe:
        reasons.append(_("{points} on questions about other documents", points=_points(found.probe)))
    if found.latency_ms:
        new, old = (number(found.latency_ms[name], ".0f") for name in ("candidate", "live"))
        reasons.append(_("{new} ms a question, was {old} ms", new=new, old=old))
    return tuple(reasons)
