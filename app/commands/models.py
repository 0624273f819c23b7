"""The commands for trained models: promote, rollback, models.

Heavy imports are inside the commands: a rollback must be quick.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest import CiteloopError
from ingest.commands import HomeOption, JsonOption

if TYPE_CHECKING:
    from app.registry import Promotion, Registry, TrainedModel

WhyOption = Annotated[str, typer.Option(help="The reason, for the history.")]


def promote_command(
    name: Annotated[str, typer.Argument(help="A name from `citeloop models`, or shipped.")],
    why: WhyOption = "",
    force: Annotated[bool, typer.Option("--force", help="Promote regardless of the gate.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a trained model live, if the gate agrees. Running servers use it from the next question on.

    Example: citeloop promote reranker-2 --why "better on the handbook"
    """
    from ingest.home.folder import DEFAULT_HOME

    registry = _registry(home or DEFAULT_HOME)
    if not force and (objection := registry.objection(name)):
        raise CiteloopError(f"{objection}; use --force to promote anyway")
    _print(registry.promote(name, user_name(), why, override=force), as_json=as_json)


def rollback_command(why: WhyOption = "", home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Go back to the model that was live before the last promotion; repeat it to go further back.

    Running servers use it from the next question on. Example: citeloop rollback --why "too many citations struck out"
    """
    from ingest.home.folder import DEFAULT_HOME

    _print(_registry(home or DEFAULT_HOME).rollback(user_name(), why), as_json=as_json)


def models_command(
    history: Annotated[bool, typer.Option("--history", help="Also print all promotions, newest first.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the kinds of rerankers and the trained models, with the live one and the gate's verdicts.

    Example: citeloop models --history
    """
    from app.reranking.names import describe
    from app.settings import read_settings

    settings = read_settings(home)
    registry = _registry(settings.home)
    kinds, trained, live, lines = describe(settings), registry.models(), registry.live(), registry.history()
    if as_json:
        rows = [{**asdict(model), "live": model.name == live, **_gate(registry, model)} for model in trained]
        record = {"rerankers": kinds, "live": live, "trained": rows}
        print(json.dumps(record | ({"history": [asdict(line) for line in lines]} if history else {})))
        return
    print("\n".join(f"{name:18} {description}" for name, description in kinds.items()))
    print(f"\nlive: {live}")
    for model in trained:
        verdict = _gate(registry, model)["verdict"] or "not compared"
        what = f"{model.created_at[:19]}  {model.kind:16}  {verdict:16}  {model.note}".rstrip()
        print(f"{'*' if model.name == live else ' '} {model.name:16}  {what}")
    if history:
        print("\n" + "\n".join(_lines(lines)))


def _registry(home: Path) -> Registry:
    from app.registry import Registry

    return Registry(home)


def _gate(registry: Registry, model: TrainedModel) -> dict[str, str]:
    """Return verdict and sentence on a model, or ''; the sentence reports a damaged verdict."""
    try:
        found = registry.verdict(model.name)
    except CiteloopError as error:
        return {"verdict": "", "sentence": str(error)}
    return {"verdict": found.verdict if found else "", "sentence": found.sentence if found else ""}


def _print(promotion: Promotion, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(promotion)))
    else:
        print(f"live: {promotion.model}, before: {promotion.previous}")


def _lines(history: Sequence[Promotion]) -> list[str]:
    """Return the history, a line per entry."""
    lines = []
    for entry in history:
        who = f" by {entry.who}" if entry.who else ""
        verdict = f" (gate: {entry.verdict})" if entry.verdict else ""
        why = f": {entry.why}" if entry.why else ""
        lines.append(f"{entry.at[:19]}  {entry.action:8}  {entry.previous} -> {entry.model}{who}{verdict}{why}")
    return lines or ["no promotions yet"]


def user_name() -> str:
    """Return the operating system's user name; in a container without one, the number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
