"""`citeloop`: the command line. Results go to stdout, everything else to stderr.

Exit status: 0 done, 1 failed (one line on stderr says why), 2 wrong usage. Heavy imports are inside the commands, so
that `--help` is quick.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.access import access_cli
from app.commands.backup import backup_command, restore_command
from app.commands.documents import documents_cli
from app.commands.evaluate import evaluate_command
from app.commands.feedback import feedback_cli
from app.commands.keys import keys_cli, mcp_command
from app.commands.models import (
    get_command,
    import_command,
    models_cli,
    promote_command,
    rollback_command,
    trial_command,
)
from app.commands.recorded import recorded
from app.commands.replay import replay_command
from app.commands.sources import sources_cli
from app.commands.train import train_command
from ingest import describe
from ingest.__main__ import run
from ingest.commands import (
    HomeOption,
    JsonOption,
    cancel,
    ingest_command,
    jobs_cli,
    reindex_command,
    resume,
    show,
    watch_command,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.answer import Answer
    from app.pipeline import Pipeline
    from app.search.filters import Filter
    from app.settings import Settings

cli = typer.Typer(
    name="citeloop",
    help="Ask your documents, see why each passage ranks where it does, strike out a wrong citation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.add_typer(access_cli, name="access")
cli.add_typer(documents_cli, name="documents")
cli.add_typer(feedback_cli, name="feedback")
cli.add_typer(jobs_cli, name="jobs")
cli.add_typer(keys_cli, name="keys")
cli.add_typer(models_cli, name="models")
cli.add_typer(sources_cli, name="sources")
cli.command("ingest")(recorded("documents ingested", "paths")(ingest_command))
cli.command("watch")(recorded("folder watched", "folder")(watch_command))
cli.command("reindex")(recorded("documents indexed again")(reindex_command))
cli.command("evaluate")(evaluate_command)
cli.command("replay")(replay_command)
cli.command("train")(recorded("training ended", "kind")(train_command))
cli.command("promote")(recorded("model promoted", "name")(promote_command))
cli.command("rollback")(recorded("model rolled back")(rollback_command))
models_cli.command("get")(recorded("model downloaded", "name")(get_command))
models_cli.command("trial")(recorded("trial changed", "name")(trial_command))
models_cli.command("import")(recorded("model imported", "path")(import_command))
cli.command("backup")(recorded("home folder backed up", "file")(backup_command))
cli.command("restore")(recorded("home folder restored", "file")(restore_command))
cli.command("mcp")(mcp_command)
for each in jobs_cli.registered_commands:  # the document side has no audit log
    if each.callback in (cancel, resume):
        each.callback = recorded(f"ingest: {each.callback.__name__}", "job_id")(each.callback)

RerankerOption = Annotated[
    str | None,
    typer.Option(
        help="live, none, shipped, trained:NAME, late-interaction, cross-encoder:PATH_OR_ID, http:URL, or a folder."
    ),
]
CollectionOption = Annotated[list[str] | None, typer.Option(help="Only documents of this collection; repeatable.")]
TypeOption = Annotated[list[str] | None, typer.Option(help="Only documents of this type, such as pdf; repeatable.")]
DocumentOption = Annotated[list[str] | None, typer.Option(help="Only this document, by its name; repeatable.")]
SinceOption = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Ingested on this day or later.")]
UntilOption = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Ingested on this day or earlier.")]
NoRerankOption = Annotated[bool, typer.Option("--no-rerank", help="Search without reranking.")]
IgnoreVotesOption = Annotated[
    bool, typer.Option("--ignore-votes", help="Rank as if nobody had struck out, kept or named a passage.")
]
AsTypedOption = Annotated[bool, typer.Option("--as-typed", help="Do not correct typos.")]
EarlierOption = Annotated[
    list[str] | None, typer.Option(help="A question asked before this one; repeatable, oldest first.")
]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"citeloop {version('citeloop')}")
        raise typer.Exit


def _find_describer(home: Path) -> describe.Describer | None:
    from app.language_model.vision import find_describer

    return find_describer(home)


describe.find_describer = _find_describer


@cli.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of the program itself."""


@cli.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question, in quotation marks.")],
    earlier: EarlierOption = None,
    as_typed: AsTypedOption = False,
    reranker: RerankerOption = None,
    no_rerank: NoRerankOption = False,
    ignore_votes: IgnoreVotesOption = False,
    collection: CollectionOption = None,
    type: TypeOption = None,
    document: DocumentOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question with citations, also as a follow-up of earlier questions.

    Example: citeloop ask "And in Hamburg?" --earlier "How much may a hotel in Bremen cost?"
    """
    from app.answer import CURATED
    from app.answer.curated import said_by
    from app.pipeline import Pipeline

    questions = [*(earlier or ()), question]
    if not all(each.strip() for each in questions):
        raise typer.BadParameter("a question is empty")
    within = _filter(collection, document, type, since, until)
    name = "none" if no_rerank else reranker
    answer = _answer(Pipeline(_settings(home)), questions, name, within, as_typed=as_typed, ignore_votes=ignore_votes)
    if as_json:
        print(json.dumps(answer.as_record(), ensure_ascii=False))
        return
    show(answer.text + (f"\n({answer.note})" if answer.note else ""))
    if answer.answered_by == CURATED and answer.statement:
        show(f"(answered by {said_by(answer.statement)}, for “{answer.statement.question}”)")
    for citation in answer.citations:
        chunk = citation.chunk
        page = f", page {chunk.page}" if chunk.page else ""
        superseded = f", superseded by {citation.superseded_by}" if citation.superseded_by else ""
        show(f"\n[{citation.number}] {chunk.title} ({chunk.document}{page}{superseded})\n{_indented(chunk.shown)}")
    timings = ", ".join(f"{step} {milliseconds:.0f} ms" for step, milliseconds in answer.timings_ms.items())
    searched = f"searched: {answer.query}; " if answer.query else ""
    searched += "as typed: --as-typed; " if answer.corrected_from else ""
    print(f"\n{searched}reranker {answer.reranker}; {timings}", file=sys.stderr)


@cli.command()
def search(
    query: Annotated[str, typer.Argument(help="Words or a question, in quotation marks.")],
    as_typed: AsTypedOption = False,
    reranker: RerankerOption = None,
    no_rerank: NoRerankOption = False,
    ignore_votes: IgnoreVotesOption = False,
    num_results: Annotated[int, typer.Option(min=1, help="How many passages to print.")] = 10,
    collection: CollectionOption = None,
    type: TypeOption = None,
    document: DocumentOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the ranking, with each passage's change of rank by the reranker. Example: citeloop search vpn"""
    from app.pipeline import Pipeline

    within = _filter(collection, document, type, since, until)
    pipeline, name = Pipeline(_settings(home)), "none" if no_rerank else reranker
    answer = pipeline.rank(query, name, as_typed=as_typed, within=within, ignore_votes=ignore_votes)
    if answer.note:
        print(answer.note, file=sys.stderr)
    rows = [ranked.as_row() for ranked in answer.ranking[:num_results]]
    if as_json:
        found = {"query": answer.searched, "corrected_from": answer.corrected_from, "reranker": answer.reranker}
        print(json.dumps({**found, "ranking": rows}, ensure_ascii=False))
        return
    if answer.corrected_from:
        print(f"searched: {answer.query}; as typed: --as-typed", file=sys.stderr)
    for ranked in answer.ranking[:num_results]:
        moved = f"{ranked.rank_change:+d}" if ranked.rank_change else "="
        place = " > ".join((ranked.chunk.title, *ranked.chunk.headings))
        show(f"{ranked.rank:3}  {moved:>4}  {ranked.score:8.4f}  {place}  ({ranked.chunk.document})")
    if not rows:
        print("nothing found")


@cli.command()
def serve(
    home: HomeOption = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond loopback, a login is required.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="PORT", min=0, max=65535, help="Port; 0 picks a free one.")] = 8501,
    api: Annotated[
        bool, typer.Option("--api", help="Also serve the API below /v1, and tools for agents at /mcp.")
    ] = False,
    public_url: Annotated[
        list[str] | None,
        typer.Option(envvar="CITELOOP_PUBLIC_URL", help="Address at a reverse proxy, https://docs.example.com."),
    ] = None,
    without_login: Annotated[
        bool, typer.Option("--without-login", help="Listen beyond loopback; everybody there has full access.")
    ] = False,
) -> None:
    """Serve the app in a browser. Example: citeloop serve --port 8600"""
    if home:
        os.environ["CITELOOP_HOME"] = str(home.resolve())  # the pages read their settings from the environment
    from app.ui.server import serve as serve_pages

    serve_pages(host, port, api=api, public_urls=public_url or (), without_login=without_login)


@cli.command()
def doctor(
    home: HomeOption = None,
    repair: Annotated[bool, typer.Option(help="Restore a damaged table from the kept files.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Check all parts of the installation and repair the table. Example: citeloop doctor"""
    from app.commands.doctor import check

    checks = check(_settings(home), repair=repair)
    if as_json:
        print(json.dumps({"checks": [asdict(result) for result in checks]}))
    else:
        for result in checks:
            print(f"{'ok    ' if result.ok else 'FAILED'} {result.name}: {result.detail}")
    if not all(result.ok for result in checks):
        raise typer.Exit(1)


def main() -> None:
    """The entry point of the `citeloop` command."""
    run(cli)


def _answer(
    pipeline: Pipeline,
    questions: Sequence[str],
    reranker: str | None,
    within: Filter,
    *,
    as_typed: bool,
    ignore_votes: bool,
) -> Answer:
    """Answer the last question; the earlier ones may give it its meaning.

    A reranker that fails leaves the order of search and a note. Raises RerankerError when it cannot be loaded.
    """
    from app.reranking.names import LIVE

    if (name := pipeline.settings.reranker if reranker is None else reranker) != LIVE:
        pipeline.models.reranker(name)
    searched: list[str] = []
    for each in questions:
        searched.append(pipeline.in_full(each, searched, detect=False))
    ranked = pipeline.rank(
        questions[-1],
        name,
        query=searched[-1],
        as_typed=as_typed,
        within=within,
        ignore_votes=ignore_votes,
        fall_back=True,
    )
    *_, answer = pipeline.write(ranked)
    return answer


def _settings(home: Path | None) -> Settings:
    from app.settings import read_settings

    return read_settings(home)


def _filter(
    collections: list[str] | None,
    documents: list[str] | None,
    types: list[str] | None,
    since: datetime | None,
    until: datetime | None,
) -> Filter:
    from app.search.filters import Filter

    first, last = (day.date() if day else None for day in (since, until))
    return Filter(tuple(collections or ()), tuple(documents or ()), tuple(types or ()), first, last)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


if __name__ == "__main__":
    main()
