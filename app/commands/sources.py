"""`citeloop sources`: documents that come from elsewhere and are kept up to date.

Heavy imports are inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.recorded import recorded
from ingest import CiteloopError
from ingest.commands import HomeOption, JsonOption, printable, run_job
from ingest.home.folder import DEFAULT_HOME

if TYPE_CHECKING:
    from ingest.jobs import Job, JobStore
    from ingest.sources.source import Source
    from ingest.sources.store import SourceStore
    from ingest.sources.sync import Plan

sources_cli = typer.Typer(
    help="Sync connected folders, cloud storage, websites and Git repositories.", no_args_is_help=True
)

NameArgument = Annotated[str, typer.Argument(help="As `citeloop sources list` prints it.")]


@sources_cli.command("add")
@recorded("source added", "address")
def add_command(
    address: Annotated[
        str, typer.Argument(help="A folder, s3://..., https://... (also a sitemap or .git), and others.")
    ],
    collection: Annotated[str, typer.Option(help="Collection of its documents; default: the source's name.")] = "",
    every: Annotated[str, typer.Option(help="How often `serve` syncs it: 30m, 1h, 7d; default: never.")] = "",
    name: Annotated[str, typer.Option(help="Its name; default: made from the address.")] = "",
    inner: Annotated[bool, typer.Option("--inner", help="A website of your own network, not of the internet.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a source; nothing is read yet. Example: citeloop sources add https://docs.example.com/ --every 1h"""
    from ingest.sources.connect import new_source

    source = new_source(address, name, collection, every, inner=inner)
    _sources(home).add(source)
    if as_json:
        print(json.dumps(asdict(source)))
        return
    followed = f"`citeloop serve` syncs it every {every}" if every else "it is synced by hand only"
    print(f"added {source.name}; {followed}. To sync it now: citeloop sources sync {source.name}")


@sources_cli.command("list")
def list_command(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print the sources with their last and next sync. Example: citeloop sources list --json"""
    from ingest.jobs import JobStore

    jobs, sources = JobStore(home or DEFAULT_HOME), _sources(home).sources()
    last = {source.name: next(iter(jobs.syncs(source.name)), None) for source in sources}
    if as_json:
        rows = [
            asdict(source) | {"last": _record(jobs, job) if (job := last[source.name]) else None} for source in sources
        ]
        print(json.dumps({"sources": rows}))
        return
    for source in sources:
        job = last[source.name]
        ran = f"last {_line(jobs, job)}" if job else "never synced"
        due = f"next {source.next_at[:19]}" if source.next_at else "by hand"
        print(printable(f"{source.name}  {source.address}  {source.collection}  {due}  {ran}"))
    if not sources:
        print("no sources yet; to add one: citeloop sources add ADDRESS")


@sources_cli.command("history")
def history_command(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print the syncs of a source, newest first. Example: citeloop sources history docs.example.com"""
    from ingest.jobs import JobStore

    jobs = JobStore(home or DEFAULT_HOME)
    runs = jobs.syncs(_sources(home).source(name).name)
    if as_json:
        print(json.dumps({"syncs": [_record(jobs, job) for job in runs]}))
        return
    print("\n".join(printable(_line(jobs, job)) for job in runs) or "never synced")


@sources_cli.command("sync")
@recorded("sources synced", "name")
def sync_command(
    name: Annotated[str | None, typer.Argument(help="Default: all sources.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would change.")] = False,
    delete_many: Annotated[
        bool, typer.Option("--delete-many", help="Also if most of its documents are gone there.")
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the documents of a source up to date; with --json, one object per source and line.

    The exit status is 1 if a document or a source cannot be read. Example: citeloop sources sync handbook --dry-run
    """
    store = _sources(home)
    worked = True
    for source in [store.source(name)] if name else store.sources():
        try:
            worked &= (
                _preview(source, store.home, delete_many=delete_many, as_json=as_json)
                if dry_run
                else _sync(source, store.home, delete_many=delete_many, as_json=as_json)
            )
        except CiteloopError as error:  # the other sources are synced
            print(f"error: {source.name}: {error}", file=sys.stderr)
            worked = False
    if not worked:
        raise typer.Exit(1)


@sources_cli.command("remove")
@recorded("source removed", "name")
def remove_command(
    name: NameArgument,
    with_documents: Annotated[bool, typer.Option("--with-documents", help="Remove its documents too.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop following a source; its documents stay, unless you say otherwise. Feedback is kept.

    Example: citeloop sources remove handbook --with-documents
    """
    from ingest.table import ChunkTable
    from ingest.worker import embedder_for, remove_source

    source = _sources(home).source(name)
    table = ChunkTable(home or DEFAULT_HOME, embedder_for(home or DEFAULT_HOME, ""))
    num_documents = remove_source(table, source, with_documents=with_documents)
    if as_json:
        print(json.dumps({"name": name, "num_documents": num_documents, "documents_removed": with_documents}))
        return
    fate = "were removed" if with_documents else "stay and are no longer updated"
    print(f"removed {name}; its {num_documents} documents {fate}")


def _sources(home: Path | None) -> SourceStore:
    from ingest.sources.store import SourceStore

    return SourceStore(home or DEFAULT_HOME)


def _sync(source: Source, home: Path, *, delete_many: bool, as_json: bool) -> bool:
    from app.settings import read_settings
    from ingest.jobs import JobStore

    jobs, embedder = JobStore(home), read_settings().embedder
    _sources(home).begin(source)
    job = jobs.add(
        "source",
        [],
        prune=delete_many,
        embedder=embedder,
        collection=source.collection,
        source=source.name,
        begin=True,
    )
    return run_job(jobs, job, as_json=as_json)


def _preview(source: Source, home: Path, *, delete_many: bool, as_json: bool) -> bool:
    from ingest.sources.sync import Sync

    plan = Sync(source, home, delete_many=delete_many).preview()
    if as_json:
        print(json.dumps({"source": source.name, "dry_run": True, **asdict(plan)}))
    else:
        _print_plan(source, plan)
    return not plan.unreadable


def _print_plan(source: Source, plan: Plan) -> None:
    lines = [
        *(f"read      {item.path}" for item in plan.changed),
        *(f"remove    {address}" for address in plan.gone),
        *(f"failed    {item.path}  {item.problem}" for item in plan.unreadable),
    ]
    for line in lines:
        print(printable(line))
    read, gone = len(plan.changed), len(plan.gone)
    print(f"{source.name}: {read} to read, {gone} to remove, {plan.num_unchanged} unchanged (dry run)")


def _record(jobs: JobStore, job: Job) -> dict[str, object]:
    return job.as_record() | {"counts": jobs.counts(job.id)}


def _line(jobs: JobStore, job: Job) -> str:
    """Return when a sync ran, how it ended, and the number of documents by status."""
    if job.is_open:
        return f"{job.created_at[:19]}  {'stopped' if job.is_dead else job.state}"
    words = ", ".join(f"{number} {status}" for status, number in jobs.counts(job.id).items()) or "no change"
    return f"{job.created_at[:19]}  {job.state}  {job.message or words}"
