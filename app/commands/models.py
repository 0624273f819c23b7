"""The commands for models: promote, rollback, and models with get, try, export, import and catalog.

Heavy imports are inside the commands: a rollback must be quick.
"""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest import CiteloopError
from ingest.commands import HomeOption, JsonOption
from ingest.home.folder import DEFAULT_HOME

if TYPE_CHECKING:
    from app.evaluation.trial import Tally
    from app.registry import Promotion, Registry, TrainedModel

TrialOption = Annotated[bool, typer.Option("--trial/--no-trial", help="Time it and compare it with the live one.")]
WhyOption = Annotated[str, typer.Option(help="The reason, for the history.")]


models_cli = typer.Typer(help="List models; download, try, export and import them.")


def promote_command(
    name: Annotated[str, typer.Argument(help="A name from `citeloop models`, or shipped.")],
    why: WhyOption = "",
    force: Annotated[bool, typer.Option("--force", help="Promote regardless of the gate.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a trained or downloaded model live, if the gate agrees. Running servers use it from the next question on.

    Example: citeloop promote reranker-2 --why "better on the handbook"
    """
    registry = _registry(home)
    if not force and (objection := registry.objection(name)):
        raise CiteloopError(f"{objection}; use --force to promote anyway")
    _print(registry.promote(name, user_name(), why, override=force), as_json=as_json)


def rollback_command(why: WhyOption = "", home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Go back to the model that was live before the last promotion; repeat it to go further back.

    Running servers use it from the next question on. Example: citeloop rollback --why "too many citations struck out"
    """
    _print(_registry(home).rollback(user_name(), why), as_json=as_json)


@models_cli.callback(invoke_without_command=True)
def models_command(
    context: typer.Context,
    history: Annotated[bool, typer.Option("--history", help="Also print all promotions, newest first.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the kinds of rerankers and the models of this home, with the live one and the gate's verdicts.

    Example: citeloop models --history
    """
    if not context.invoked_subcommand:
        _list_models(home, history=history, as_json=as_json)


def _list_models(home: Path | None, *, history: bool, as_json: bool) -> None:
    from app.reranking.names import describe
    from app.settings import read_settings

    settings = read_settings(home)
    registry = _registry(settings.home)
    kinds, trained, live, lines = describe(settings), registry.models(), registry.live(), registry.history()
    found = _tally(registry, settings.home)
    if as_json:
        rows = [{**asdict(model), "live": model.name == live, **_gate(registry, model)} for model in trained]
        record = {"rerankers": kinds, "live": live, "trained": rows, "trial": found.as_record() if found else None}
        print(json.dumps(record | ({"history": [asdict(line) for line in lines]} if history else {})))
        return
    print("\n".join(f"{name:18} {description}" for name, description in kinds.items()))
    print(f"\nlive: {live}")
    if found:
        print(found.sentence)
    for model in trained:
        verdict = _gate(registry, model)["verdict"] or "not compared"
        what = f"{model.created_at[:19]}  {model.kind:16}  {verdict:16}  {model.note}".rstrip()
        print(f"{'*' if model.name == live else ' '} {model.name:16}  {what}")
    if history:
        print("\n" + "\n".join(_lines(lines)))


@models_cli.command("catalog")
def catalog_command(as_json: JsonOption = False) -> None:
    """List the models that can be downloaded. Example: citeloop models catalog"""
    from app.downloads.catalog import catalog

    if as_json:
        print(json.dumps([{**asdict(model), "name": model.name, "refusal": model.refusal} for model in catalog()]))
        return
    for model in catalog():
        what = f"{model.kind:16}  {model.mb:5,} MB  {model.license or 'see hub':12}  {', '.join(model.languages):6}"
        print(f"{model.name:38}  {what}  {model.refusal or model.published}".rstrip())


def get_command(
    name: Annotated[str, typer.Argument(help="A name from `citeloop models catalog`.")],
    trial: TrialOption = True,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Download a model, check each file, time it and compare it with the live one; it does not go live yet.

    After a stop, run it again: it continues where it stopped. Example: citeloop models get ms-marco-MiniLM-L6-v2
    """
    from tqdm import tqdm

    from app.downloads.catalog import find
    from app.downloads.hub import read_release
    from app.downloads.store import fetch, require_new

    registry, wanted = _registry(home), find(name)
    require_new(wanted, registry)
    release = read_release(wanted)
    print(f"{wanted.id}, revision {release.revision[:12]}, license {release.license}", file=sys.stderr)
    with tqdm(total=release.size, unit="B", unit_scale=True, desc=wanted.name) as bar:
        model = fetch(release, registry, bar.update)
    _present(model, home, trial=trial, as_json=as_json)


@models_cli.command("try")
def try_command(
    name: Annotated[str, typer.Argument(help="A name from `citeloop models`.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Time a model on this machine and compare it with the live one. Example: citeloop models try bge-reranker-base"""
    _present(_registry(home).model(name), home, trial=True, as_json=as_json)


@models_cli.command("export")
def export_command(
    name: Annotated[str, typer.Argument(help="A name from `citeloop models`.")],
    path: Annotated[Path, typer.Argument(help="A new tar file.")],
    home: HomeOption = None,
) -> None:
    """Write a model to one file, for a machine without a network.

    Example: citeloop models export bge-reranker-base bge.tar
    """
    from app.downloads.archive import export_model

    export_model(name, path, _registry(home))
    print(f"wrote {path}")


def import_command(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file that `models export` wrote.")],
    trial: TrialOption = True,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check and register an exported model, and try it as `get` does. Example: citeloop models import bge.tar"""
    from app.downloads.archive import import_model

    _present(import_model(path, _registry(home)), home, trial=trial, as_json=as_json)


def trial_command(
    name: Annotated[str, typer.Argument(help="A name from `citeloop models`, or stop.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a model on trial: answers show sources of its ranking and the live one. `citeloop models` shows the tally.

    What people strike out decides which model is better; nothing is promoted automatically.

    Example: citeloop models trial reranker-2
    """
    registry = _registry(home)
    if name == "stop":
        trial = registry.trial()
        if not (trial and registry.end_trial(trial, "stopped")):
            raise CiteloopError("no model is on trial")
        print(json.dumps(None) if as_json else "The trial has been stopped.")
        return
    trial = registry.start_trial(name, user_name())
    print(json.dumps(asdict(trial)) if as_json else f"{trial.model} is on trial against {trial.live}.")


def _tally(registry: Registry, home: Path) -> Tally | None:
    """Return the tally of the trial that goes on, or None; loads nothing without one."""
    if registry.trial() is None:
        return None
    from app.evaluation.trial import tally
    from app.feedback import FeedbackStore

    return tally(registry, FeedbackStore(home))


def _present(model: TrainedModel, home: Path | None, *, trial: bool, as_json: bool) -> None:
    """Try a reranker, and print what was found and what to do next."""
    from app.registry import RERANKER_KINDS
    from app.settings import read_settings

    settings, lines, report = read_settings(home), list[str](), None
    if model.kind in RERANKER_KINDS and trial:
        from app.downloads.trial import try_model, words
        from app.pipeline import Pipeline

        report = try_model(model.name, Pipeline(settings))
        lines = words(report)
    if as_json:
        print(json.dumps({**asdict(model), "trial": asdict(report) if report else None}))
        return
    folder = _registry(settings.home).folder(model.name)
    force = "" if report and report.verdict == "promote" else " --force"
    use = (
        f"citeloop promote {model.name}{force}"
        if model.kind in RERANKER_KINDS
        else f"citeloop reindex --embedder {folder}"
    )
    print("\n".join([f"{model.name} is in {folder}", *lines, f"To use it: {use}"]))


def _registry(home: Path | None) -> Registry:
    from app.registry import Registry

    return Registry(home or DEFAULT_HOME)


def _gate(registry: Registry, model: TrainedModel) -> dict[str, object]:
    """Return verdict, sentence and slices of a model, or '' and None; the sentence reports a damaged verdict."""
    try:
        found = registry.verdict(model.name)
    except CiteloopError as error:
        return {"verdict": "", "sentence": str(error), "asked_before": None, "new": None}
    return {
        "verdict": found.verdict if found else "",
        "sentence": found.sentence if found else "",
        "asked_before": found.asked_before if found else None,
        "new": found.new if found else None,
    }


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
