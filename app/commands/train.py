"""`citeloop train`: feedback, or files of questions and passages -> a model with its card.

Heavy imports are inside the command, so that `--help` is quick.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.commands.evaluate import names_in
from app.evaluation.progress import track
from ingest import CiteloopError
from ingest.commands import HomeOption, JsonOption

if TYPE_CHECKING:
    from app.settings import Settings
    from app.training.fit.trainer import Loss
    from app.training.from_pairs import PairsPlan
    from app.training.plan import Plan


TrainingKind = Literal["reranker", "cross-encoder", "late-interaction", "embedder"]
"""The kinds of plan.py, which is too slow to import for --help, and the embedder, only from pairs."""

_KIND_HELP = "reranker: train the live one further; others: a new model. embedder: only with --from-pairs."
_BASE_HELP = "Folder or hub id to start from; default: the live model, or for a new one the default embedder."
_PAIRS_HELP = (
    "Instead of feedback: JSON lines with question, passage, title, source; PATH or PATH:QUESTIONS. Repeatable."
)
_TOKENS_HELP = "With --from-pairs: maximum word pieces of a passage; default 128."
_SEED_HELP = "Random seed; the same seed gives the same model."


def train_command(
    kind: Annotated[TrainingKind, typer.Option(help=_KIND_HELP)] = "reranker",
    base: Annotated[str, typer.Option(help=_BASE_HELP)] = "",
    from_pairs: Annotated[list[str] | None, typer.Option(help=_PAIRS_HELP)] = None,
    output: Annotated[Path | None, typer.Option(help="With --from-pairs: the new model's folder.")] = None,
    exclude: Annotated[str, typer.Option(help="With --from-pairs: sources to leave out, separated by commas.")] = "",
    max_questions: Annotated[int, typer.Option(min=1, help="With --from-pairs: maximum per file.")] = 2500,
    max_tokens: Annotated[int | None, typer.Option(min=16, max=512, help=_TOKENS_HELP)] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help=_SEED_HELP)] = 0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a reranker on feedback and compare it with the live one, which does not change.

    Example: citeloop train; then, if the comparison is in favor: citeloop promote reranker-1.
    From files: citeloop train --from-pairs faq.jsonl.gz --from-pairs headings.jsonl.gz:2400 --output models/mine
    On several processors or machines: torchrun --nproc-per-node 2 -m app.commands.main train
    """
    from app.settings import read_settings
    from app.training.fit.trainer import Recipe
    from app.training.from_pairs import PairsPlan
    from app.training.plan import Plan

    settings = read_settings(home)
    if from_pairs:
        if output is None:
            raise typer.BadParameter("--from-pairs needs --output, a new folder for the model")
        files = [parse_pairs_file(name, max_questions) for name in from_pairs]
        recipe = Recipe(seed=seed, max_tokens=max_tokens) if max_tokens else Recipe(seed=seed)
        trained = "late-interaction" if kind == "reranker" else kind  # like the shipped one
        pairs = PairsPlan(files, recipe, trained, base, frozenset(names_in(exclude)))
        _train_from_pairs(pairs, output, settings, as_json=as_json)
        return
    if output or exclude or max_tokens:
        raise typer.BadParameter("--output, --exclude and --max-tokens are for --from-pairs")
    if kind == "embedder":
        raise typer.BadParameter("--kind embedder needs --from-pairs: feedback trains rerankers only")
    _train_from_feedback(Plan(kind, base, seed), settings, as_json=as_json)


def _train_from_feedback(plan: Plan, settings: Settings, *, as_json: bool) -> None:
    from app.commands.models import user_name
    from app.pipeline import Pipeline
    from app.training.candidate import help_training
    from app.training.fit.trainer import is_main_process
    from app.training.jobs import TrainingJobStore
    from app.training.worker import run

    if not is_main_process():
        help_training(plan, Pipeline(settings))
        return
    store = TrainingJobStore(settings.home)
    job = store.add(plan, user_name(), begin=True)
    candidate = run(store, job, Pipeline(settings), _print_loss, lambda step: print(step, file=sys.stderr))
    if candidate is None:
        raise CiteloopError("the training was cancelled; no model was made")
    if as_json:
        print(json.dumps({"job": job.id, "model": candidate.name, **asdict(candidate.report)}, ensure_ascii=False))
        return
    print(f"{candidate.name}: {candidate.report.sentence}")
    for reason in candidate.report.reasons:
        print(f"  {reason}")
    print(f"Asked before in other words: {candidate.report.asked_before.sentence}")
    print(f"New: {candidate.report.new.sentence}")
    if candidate.report.verdict == "promote":
        print(f"Make it live with: citeloop promote {candidate.name}")


def _train_from_pairs(plan: PairsPlan, output: Path, settings: Settings, *, as_json: bool) -> None:
    from app.training.fit.trainer import Watch, is_main_process
    from app.training.from_pairs import train_from_pairs

    summary = train_from_pairs(plan, output, settings.home, track, Watch(_print_loss))
    if not is_main_process():
        return
    if as_json:
        print(json.dumps({"folder": str(output), **summary}))
    else:
        is_embedder = plan.kind == "embedder"
        use = f"citeloop reindex --embedder {output}" if is_embedder else f"--reranker {plan.kind}:{output}"
        print(f"{output}: {summary['num_examples']} examples; use it with: {use}")


def parse_pairs_file(name: str, max_questions: int) -> tuple[Path, int]:
    """Return path and number of questions of PATH or PATH:QUESTIONS. Raises BadParameter."""
    path, colon, number = name.rpartition(":")
    if not (colon and number.isascii() and number.isdecimal()):
        path, number = name, str(max_questions)
    if not Path(path).is_file():
        raise typer.BadParameter(f"{path} is {'a folder' if Path(path).is_dir() else 'missing'}; expected a file")
    if int(number) < 1:
        raise typer.BadParameter(f"expected at least one question for {path}, got {number}")
    return Path(path), int(number)


def _print_loss(loss: Loss) -> None:
    kind, value = ("loss", loss.training) if loss.training is not None else ("validation loss", loss.validation)
    print(f"step {loss.step} of {loss.num_steps}: {kind} {value:.3f}", file=sys.stderr)
