"""The rule for going live, asked by the command line, the page and the training job through the registry."""

from __future__ import annotations

from app.registry.entries import TrialOutcome, Verdict
from app.translation import gettext as _


def objection(name: str, found: Verdict | None, live: str, trial: TrialOutcome = "") -> str:
    """Return why a model with this verdict should not replace the live one; '' if it should.

    A verdict that names the live model of its time counts only while that model is still live. trial: the outcome of
    the model's last trial against the live one; it decides where there was too little data.
    """
    if found is None:
        return _("{name} was not compared with the live model: it may be worse", name=name)
    if found.live and found.live != live:
        return _(
            "{name} was compared with {compared}, but {live} is live now; train again to compare with it, or for a "
            "downloaded model run: citeloop models try {name}",
            name=name,
            compared=found.live,
            live=live,
        )
    if trial == "lost":
        return _("{name} has lost its trial against {live}", name=name, live=live)
    if found.verdict == "keep":
        return _("{name} is not better than {live}, according to the comparison", name=name, live=live)
    if found.verdict == "too little data" and trial != "won":
        return _(
            "{name} was compared on too little feedback to tell whether it is better than {live}", name=name, live=live
        )
    return ""
