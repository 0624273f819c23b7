"""The commands about trained models: promote, rollback, models.

Heavy imports stand inside the commands: a rollback must not wait for libraries.
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
    from app.registry import Promotion, Registry, TrainedModel, Verdict

WhyOption = Annotated[str, typer.Option(help="The reason, for the history.")]


_ALL_THE_SAME = "--force promotes it all the same"


def promote_command(
    name: Annotated[str, typer.Argument(help="As `citeloop models` prints it; or shipped.")],
    why: WhyOption = "",
    force: Annotated[bool, typer.Option("--force", help="Whatever the gate says.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a trained model live, if the gate says so. Running servers use it from the next question on.

    Example: citeloop promote reranker-2 --why "better on the handbook"
    """
    from app.registry import SHIPPED
    from ingest.home.folder import DEFAULT_HOME

    registry = _registry(home or DEFAULT_HOME)
    found = None if name == SHIPPED else _verdict(registry, name, force=force)
    verdict = found.verdict if found else ""
    instead_of = (found.live or None) if found and not force else None
    _print(registry.promote(name, user_name(), why, verdict, instead_of=instead_of), as_json=as_json)


def rollback_command(why: WhyOption = "", home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Make live what was live before the last promotion; again for the one before that.

    Running servers use it from the next question on. Example: citeloop rollback --why "too many citations struck out"
    """
    from ingest.home.folder import DEFAULT_HOME

    _print(_registry(home or DEFAULT_HOME).rollback(user_name(), why), as_json=as_json)


def models_command(
    history: Annotated[bool, typer.Option("--history", help="Print also who promoted what, newest first.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the kinds of reranker that can be named, and the trained models: which is live, what the gate says.

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


def _verdict(registry: Registry, name: str, *, force: bool) -> Verdict | None:
    """What the gate said of a model, None when it was not asked. Raises CiteloopError unless it may go live."""
    from app.registry import how_to_embed

    registry.model(name)  # a name that is mistyped is said as such
    found = registry.verdict(name)
    if force:
        return found
    if found is None:
        raise CiteloopError(f"{name} was not compared with what is live (no gate.json); {_ALL_THE_SAME}")
    if found.verdict != "promote":
        raise CiteloopError(f"the gate says of {name}: {found.verdict}. {found.sentence.rstrip('.')}; {_ALL_THE_SAME}")
    if folder := registry.embedder_to_use_first(name):
        raise CiteloopError(
            f"{name} was judged with {found.embedder}; embed the documents with it first: {how_to_embed(folder)}; "
            f"{_ALL_THE_SAME}"
        )
    return found


def _gate(registry: Registry, model: TrainedModel) -> dict[str, str]:
    """The verdict on a model and its sentence, '' where there is none; a damaged one is said in its place."""
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
    """The history in words, a line each."""
    lines = []
    for each in history:
        who = f" by {each.who}" if each.who else ""
        verdict = f" (gate: {each.verdict})" if each.verdict else ""
        why = f": {each.why}" if each.why else ""
        lines.append(f"{each.at[:19]}  {each.action:8}  {each.previous} -> {each.model}{who}{verdict}{why}")
    return lines or ["no promotions yet"]


def user_name() -> str:
    """The name of the operating system's user; in a container that knows none, the number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
