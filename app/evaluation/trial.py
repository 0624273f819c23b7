"""a model on trial and the log of feedback -> Tally: which model ranks higher what people left standing.

While a model is on trial, answers show places drafted from its ranking and the live one, so that neither decides alone
what people can judge. An answer counts if somebody struck out a source of it as not relevant, and so has looked at it.
Its gain is the nDCG@10 of the candidate's ranking, less that of the live one, if the sources left standing are what
answers. The mean gain is tested at 100 and 200 answers (O'Brien and Fleming, 1979), whenever somebody looks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np

from app.access.audit import AuditLog
from app.evaluation.replay import askings, left_standing
from app.feedback import FeedbackEvent, FeedbackStore, question_key
from app.registry import Registry, Trial, TrialOutcome
from app.translation import N_
from app.translation import gettext as _

LOOKS = {100: 2.797, 200: 1.977}
"""Number of answers -> least distance of the mean gain from 0, in standard errors; 5% false decisions in total."""
_DEPTH = 10
_ENDS: Mapping[TrialOutcome, str] = {
    "won": N_("{model} has won its trial against {live}."),
    "lost": N_("{model} has lost its trial against {live}."),
    "undecided": N_("The trial of {model} against {live} did not tell which is better."),
    "stopped": N_("The trial of {model} against {live} was stopped."),
}


@dataclass(frozen=True, slots=True)
class Tally:
    """What a trial shows.

    num_better, num_worse: answers whose sources left standing the candidate ranks higher, or lower. outcome: ''
    while it goes on.
    """

    trial: Trial
    num_answers: int
    num_better: int
    num_worse: int
    outcome: TrialOutcome

    @property
    def sentence(self) -> str:
        """Return the tally in words."""
        model, live = self.trial.model, self.trial.live
        same = self.num_answers - self.num_better - self.num_worse
        tally = _(
            "Sources left standing rank higher: with {model} in {better}, with {live} in {worse}, no difference in "
            "{same}.",
            better=self.num_better,
            model=model,
            worse=self.num_worse,
            live=live,
            same=same,
        )
        going_on = _(
            "Answers with a strike-out so far: {n}. The trial ends after {all} at the latest.",
            n=self.num_answers,
            all=max(LOOKS),
        )
        end = end_in_words(self.outcome, model, live) if self.outcome else going_on
        return f"{end} {tally}" if self.num_answers else end

    def as_record(self) -> dict[str, object]:
        """Return the form that the command line prints, with stable names."""
        return {**asdict(self), "sentence": self.sentence}


def end_in_words(outcome: TrialOutcome, model: str, live: str) -> str:
    """Return how a trial ended. outcome: not ''."""
    return _(_ENDS[outcome], model=model, live=live)


def tally(registry: Registry, store: FeedbackStore) -> Tally | None:
    """Return the tally of the trial, and end the trial if it is decided; None without a trial."""
    trial = registry.trial()
    if trial is None:
        return None
    gains = list(_gains(trial, store))[: max(LOOKS)]
    found = outcome_of(gains)
    if found and registry.end_trial(trial, found):
        AuditLog(registry.models_folder.parent).add("", f"trial {found}", trial.model)
    return Tally(trial, len(gains), sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains), found)


def outcome_of(gains: Sequence[float]) -> TrialOutcome:
    """Return the outcome at the first look that decides; '' if more answers are needed."""
    for num_answers, bound in LOOKS.items():
        seen = np.array(gains[:num_answers])
        if len(seen) < num_answers:
            return ""
        error = float(seen.std(ddof=1)) / math.sqrt(num_answers)
        if seen.any() and abs(seen.mean()) >= bound * error:
            return "won" if seen.mean() > 0 else "lost"
    return "undecided"


def gain_of(ranks: Sequence[tuple[int, int]]) -> float:
    """Return the gain in nDCG@10. ranks: of each source left standing, by the live model and by the candidate."""
    ideal = sum(_discount(rank) for rank in range(1, len(ranks) + 1))
    return sum(_discount(other) - _discount(live) for live, other in ranks) / ideal if ranks else 0.0


def _gains(trial: Trial, store: FeedbackStore) -> Iterator[float]:
    """Yield the gain of each judged answer of the trial, oldest first; of the same person and question, the first."""
    counted = set()
    for said in askings(store):
        first = said[0]
        if not isinstance(first, FeedbackEvent) or first.at < trial.since or first.reranker != trial.live:
            continue
        answer, labels = store.answer(first.answer_id, first.user), left_standing(said)
        asking = first.user, question_key(first.question)
        if answer is None or asking in counted or all(labels.values()):
            continue
        ranks = {ranked.chunk.id: ranked.ranks for ranked in answer.answer.ranking}
        if answer.asked_at >= datetime.fromisoformat(trial.since) and all(ranks.values()):
            counted.add(asking)
            kept = [ranks[chunk_id] for chunk_id, stands in labels.items() if stands]
            yield gain_of([pair for pair in kept if pair])


def _discount(rank: int) -> float:
    return 1 / math.log2(rank + 1) if rank <= _DEPTH else 0.0
