"""`citeloop feedback`: inbox; export, import, list and propose labels of passages.

Heavy imports are inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.commands.recorded import recorded
from ingest import CiteloopError
from ingest.commands import HomeOption, JsonOption, printable

if TYPE_CHECKING:
    from app.feedback import FeedbackStore
    from app.feedback.rules import LabeledPassage
    from app.training.exchange.exports import ExportFormat
    from app.training.proposals.propose import Refusal
    from app.training.proposals.store import Proposal

feedback_cli = typer.Typer(help="List, export, import and propose labels of passages.", no_args_is_help=True)

_SHOWN_CHARACTERS = 100


@feedback_cli.command("export")
def export_command(
    export_format: Annotated[
        Literal["log", "triplets", "pairs", "beir"],
        typer.Option("--format", help="log: all events; others: passages labeled relevant or not."),
    ] = "log",
    output: Annotated[
        Path | None, typer.Option(help="File to write, for beir a new folder; default: standard output.")
    ] = None,
    for_training: Annotated[
        bool,
        typer.Option(
            "--for-training",
            help="Leave out the questions reserved for comparing models, for training elsewhere.",
        ),
    ] = False,
    home: HomeOption = None,
) -> None:
    """Write the feedback log as JSON lines, oldest first, or labeled passages for other libraries.

    triplets and pairs are for sentence-transformers, beir for citeloop evaluate and others.
    Example: citeloop feedback export --format triplets --for-training --output triplets.jsonl
    """
    if export_format == "log":
        if for_training:
            raise typer.BadParameter("--for-training is for labeled passages; the log has all events")
        from app.training.exchange.exports import event_lines

        _put(event_lines(_store(home).events(everyone=True)).encode(), output)
    elif export_format == "beir" and not output:
        raise typer.BadParameter("beir is a folder; name a new one with --output")
    else:
        labeled = _labeled(_store(home))
        _export_labels(export_format, _taught(labeled, home) if for_training else labeled, output)


@feedback_cli.command("import")
@recorded("decisions imported", "path")
def import_command(
    path: Annotated[Path, typer.Argument(exists=True, help="A file, or a folder in BEIR layout.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import labels from a file as a curator's judgements; importing again adds nothing.

    Accepts any export except the log, or a CSV with the columns question, answer and optionally label (1 or 0, yes or
    no). Imported labels count fully. Nothing is stored if any row is invalid.
    Example: citeloop feedback import answers.csv
    """
    from app.settings import read_settings
    from app.training.exchange.imports import import_labels

    result = import_labels(path, _store(home), user="command line", home=read_settings(home).home)
    num_known = result.num_read - result.num_new - result.num_overruled
    counts = {"read": result.num_read, "new": result.num_new, "already_there": num_known}
    counts["in_the_documents"] = result.num_located
    if as_json:
        print(json.dumps({**counts, "overruled": result.num_overruled}))
        return
    overruled = f", {result.num_overruled} skipped because a curator decided otherwise" if result.num_overruled else ""
    print(f"{result.num_read} labels read, {result.num_new} new, {num_known} already there{overruled}")
    if result.num_located < result.num_read:
        print(f"{result.num_read - result.num_located} are of passages in no document: they only train")


@feedback_cli.command("list")
def list_command(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print labels of passages by question, with weight and origin.

    +: relevant, -: not relevant, ?: undecided. Example: citeloop feedback list
    """
    from app.feedback.rules import by_question

    labeled = _labeled(_store(home))
    counts = _counts(labeled)
    if as_json:
        print(json.dumps({**counts, "passages": [asdict(label) for label in labeled]}, ensure_ascii=False))
        return
    for question, same in by_question(labeled).items():
        print(printable(question), *map(_line, same), sep="\n")
    print(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()))


@feedback_cli.command("inbox")
def inbox_command(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print the questions that a curator should decide on, those that help most first.

    Example: citeloop feedback inbox
    """
    from app.feedback.changed import changed_since
    from app.feedback.inbox import inbox
    from app.feedback.statements import standing
    from app.pipeline import Pipeline
    from app.settings import read_settings

    pipeline, store = Pipeline(read_settings(home)), _store(home)
    askings = store.askings()
    log = store.statements()
    changed = changed_since(
        {asking.question for asking in askings},
        log,
        standing(log),
        pipeline.memory.votes(),
        pipeline.table,
        pipeline.is_overtaken,
    )
    items = inbox(store, pipeline.models.embedder, askings, _labeled(store), changed)
    if as_json:
        print(json.dumps([asdict(item) for item in items], ensure_ascii=False))
        return
    for item in items:
        people = f"{item.num_people} {'person' if item.num_people == 1 else 'people'}"
        often = "once" if item.num_asked == 1 else f"{item.num_asked} times"
        words = f"{item.trouble}; asked {often} by {people} since {item.since[:10]}"
        print(printable(f"{item.gain:5.1f}  {item.question} ({words})"))
    if not items:
        print("Nothing to decide")


@feedback_cli.command("propose")
@recorded("questions proposed")
def propose_command(
    count: Annotated[int, typer.Option(min=1, help="Maximum number of passages to ask about.")] = 20,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Random seed for picking passages; default: a new one each time.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the language model propose questions about passages without any.

    Each is checked against its passage. It has no effect until a curator accepts it on the Feedback page.
    Example: citeloop feedback propose --count 20
    """
    from app.pipeline import Pipeline
    from app.settings import read_settings
    from app.training.proposals.jobs import ProposalJobStore, run

    settings, outcomes = read_settings(home), list["Proposal | Refusal"]()
    jobs = ProposalJobStore(settings.home)
    try:
        run(jobs, jobs.begin(count, seed), Pipeline(settings), outcomes.append)
    except CiteloopError:
        if outcomes:  # earlier proposals are stored
            _report_proposals(outcomes, as_json=as_json)
        raise
    _report_proposals(outcomes, as_json=as_json)


def _report_proposals(outcomes: Sequence[Proposal | Refusal], *, as_json: bool) -> None:
    from app.training.proposals.propose import refusal_counts, refusal_words
    from app.training.proposals.store import Proposal

    proposed = [outcome for outcome in outcomes if isinstance(outcome, Proposal)]
    if as_json:
        counts = {"asked": len(outcomes), "proposed": len(proposed), "refused": refusal_counts(outcomes)}
        print(json.dumps({**counts, "proposals": [asdict(one) for one in proposed]}, ensure_ascii=False))
        return
    for one in proposed:
        print(printable(f"{one.question} ({one.document}{f', page {one.page}' if one.page else ''})"))
    words = f"{len(outcomes)} passages asked about, {len(proposed)} questions proposed"
    print("; ".join(filter(None, (words, refusal_words(outcomes)))))
    if proposed:
        print("They have no effect until a curator accepts them on the Feedback page", file=sys.stderr)


def _export_labels(export_format: ExportFormat, labeled: Sequence[LabeledPassage], output: Path | None) -> None:
    from app.training.exchange.exports import export_bytes, judged_questions, needs_both, write_export

    if output:
        write_export(export_format, labeled, output)
    else:
        _put(export_bytes(export_format, labeled)[1], None)
    questions = judged_questions(labeled)
    num_left_out = sum(needs_both(export_format) and not question.has_both for question in questions)
    if num_left_out:
        print(
            f"{num_left_out} of {len(questions)} questions are left out: {export_format} needs both a relevant "
            "and an irrelevant passage",
            file=sys.stderr,
        )


def _taught(labeled: Sequence[LabeledPassage], home: Path | None) -> list[LabeledPassage]:
    """Return the labels of the questions used in training."""
    from app.models import Models
    from app.settings import read_settings
    from app.training.labels.split import TAUGHT, parts_of

    settings = read_settings(home)
    parts = parts_of(list({label.question: None for label in labeled}), settings.home, Models(settings).embedder)
    return [label for label in labeled if parts[label.question] in TAUGHT]


def _put(content: bytes, output: Path | None) -> None:
    if output:
        output.write_bytes(content)
    else:
        sys.stdout.write(content.decode())


def _counts(labeled: Iterable[LabeledPassage]) -> dict[str, int]:
    """Return the numbers of labels; contradicted ones are also counted by their label."""
    labeled = list(labeled)
    return {
        "relevant": sum(label.relevant is True for label in labeled),
        "not_relevant": sum(label.relevant is False for label in labeled),
        "undecided": sum(label.relevant is None for label in labeled),
        "contradicted": sum(label.needs_decision for label in labeled),
    }


def _line(passage: LabeledPassage) -> str:
    mark = "?" if passage.relevant is None else "+" if passage.relevant else "-"
    page = f", page {passage.page}" if passage.page else ""
    place = f" ({passage.document}{page})" if passage.document else ""
    text = " ".join(passage.passage.split())
    shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
    return printable(f"  {mark} {passage.weight:.2f}  {passage.origin}: {shown}{place}")


def _labeled(store: FeedbackStore) -> list[LabeledPassage]:
    from app.feedback.rules import label

    return label(store.events(), store.judgements())


def _store(home: Path | None) -> FeedbackStore:
    from app.feedback import FeedbackStore
    from app.settings import read_settings

    return FeedbackStore(read_settings(home).home)
