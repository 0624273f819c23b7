"""`citeloop train`: from files of questions and passages to a reranker in a folder, with its card."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from ingest import CiteloopError
from ingest.commands import HomeOption, JsonOption

T = TypeVar("T")


def train_command(
    from_pairs: Annotated[
        list[str],
        typer.Option(
            help="JSON lines with question and passage, title and source; PATH or PATH:QUESTIONS. Repeatable."
        ),
    ],
    output: Annotated[Path, typer.Option(help="The new model's folder.")],
    exclude: Annotated[
        str, typer.Option(help="Sources to leave out, for tests of one's own; separated by commas.")
    ] = "",
    max_questions: Annotated[int, typer.Option(min=1, help="Of each file at most so many.")] = 2500,
    seed: Annotated[int, typer.Option(help="Of every draw; the same seed gives the same model.")] = 0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a late-interaction reranker on questions and the passages that answer them.

    Example: citeloop train --from-pairs faq.jsonl.gz --from-pairs headings.jsonl.gz:2400 --output models/mine
    """
    from app.settings import read_settings
    from app.training.from_pairs import PairsFile, train_from_pairs
    from app.training.late_interaction import Recipe

    if output.exists() and any(output.iterdir()):
        raise CiteloopError(f"{output} is not empty; name a new folder for the model")
    files = [parse_pairs_file(name, max_questions) for name in from_pairs]
    excluded = frozenset(source for source in exclude.split(",") if source)
    summary = train_from_pairs(
        [PairsFile(path, num_questions) for path, num_questions in files],
        output,
        read_settings(home).home,
        Recipe(seed=seed),
        exclude=excluded,
        track=_track,
        on_loss=lambda step, steps, loss: print(f"step {step} of {steps}: loss {loss:.3f}", file=sys.stderr),
    )
    if as_json:
        print(json.dumps({"folder": str(output), **summary}))
    else:
        print(f"{output}: {summary['num_examples']} examples; use it as --reranker late-interaction:{output}")


def parse_pairs_file(name: str, max_questions: int) -> tuple[Path, int]:
    """PATH or PATH:QUESTIONS. Raises BadParameter when there is no such file."""
    path, colon, number = name.rpartition(":")
    if not (colon and number.isdigit()):
        path, number = name, str(max_questions)
    if not Path(path).is_file():
        raise typer.BadParameter(f"no such file: {path}")
    return Path(path), int(number)


def _track(items: Iterable[T], label: str) -> Iterable[T]:
    from tqdm import tqdm

    return tqdm(items, desc=label, leave=False, disable=None)
