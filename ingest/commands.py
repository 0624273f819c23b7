"""The commands of the document side: ingest, watch, reindex, jobs.

Heavy imports are inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from ingest import CiteloopError
from ingest.home.folder import DEFAULT_HOME, ROOT
from ingest.progress_bar import ProgressBar

if TYPE_CHECKING:
    from ingest.embed.embedder import Embedder
    from ingest.isolation import Parsers
    from ingest.jobs import Job, JobStore
    from ingest.pipeline import FileResult

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar="CITELOOP_HOME", help="Folder with the table and the feedback.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print results as JSON.")]
EmbedderOption = Annotated[
    str,
    typer.Option(
        "--embedder",
        envvar="CITELOOP_EMBEDDER",
        help="all-MiniLM-L6-v2, multilingual-e5-small or a folder of sentence-transformers; default: the table's.",
        show_default=False,
    ),
]
CollectionOption = Annotated[
    str,
    typer.Option(
        "--collection",
        help="Put these documents into this collection; default: the one they have, or the name of their folder.",
        show_default=False,
    ),
]

_HARMLESS = "\xa0\u202f\u200c\u200d"
"""Spaces that do not break, and what joins or parts letters; Python calls them unprintable."""


def ingest_command(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files, or folders to read with their subfolders.", show_default=False)
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Add the sample documents that come with Citeloop.")] = False,
    home: HomeOption = None,
    embedder: EmbedderOption = "",
    prune: Annotated[bool, typer.Option(help="Remove documents whose files are gone from these folders.")] = False,
    collection: CollectionOption = "",
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="What reads and embeds: this machine, or a Ray cluster.")
    ] = "local",
    address: Annotated[
        str, typer.Option(help="Address of the Ray cluster, such as 10.0.0.5:6379; default: all cores of this machine.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Add documents to the table: PDF, Office, web pages, e-mail, e-books, Markdown, text, scans.

    Unchanged files are skipped, changed ones replaced, renamed ones keep their feedback. A file that cannot be read
    is reported, the rest continues, and the exit status is 1. Example: citeloop ingest ~/handbook --prune
    """
    from ingest.files import check_paths

    paths = [*(paths or ()), *([ROOT / "data" / "sample"] if sample else ())]
    if not paths:
        raise typer.BadParameter("name files or folders to add, or use --sample")
    if address and engine != "ray":
        raise typer.BadParameter("--address needs --engine ray")
    check_paths(paths)  # report a mistyped path before models are loaded
    store = _job_store(home)
    parsers = _cluster(store.home, embedder, address) if engine == "ray" else None
    job = store.add("folder", paths, prune=prune, embedder=embedder, collection=collection, begin=True)
    if not run_job(store, job, as_json=as_json, parsers=parsers):
        raise typer.Exit(1)


def _cluster(home: Path, embedder: str, address: str) -> Parsers:
    from ingest.cluster import RayParsers
    from ingest.worker import embedder_for

    return RayParsers(embedder_for(home, embedder).name, address)


def reindex_command(home: HomeOption = None, embedder: EmbedderOption = "", as_json: JsonOption = False) -> None:
    """Rebuild the table from the kept files, with another embedder or new chunking rules.

    The old table is used until the new one is complete. Example: citeloop reindex --embedder ~/models/ours
    """
    store = _job_store(home)
    run_job(store, store.add("reindex", [], embedder=embedder, begin=True), as_json=as_json)


def share_command(
    home: HomeOption = None,
    take_over: Annotated[bool, typer.Option(help="Let this server add the documents from now on.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy what is newer to or from the shared folder (CITELOOP_TABLE_URI); servers do it by themselves.

    The first server that shares adds the documents, the others follow. Example: citeloop share --take-over
    """
    from ingest.home import sharing

    folder = home or DEFAULT_HOME
    done = sharing.take_over(folder) if take_over else sharing.share(folder, begin=True)
    writer = sharing.writer_elsewhere(folder)
    if as_json:
        print(json.dumps({"done": done, "writer": writer or None}))
    else:
        print(done or "nothing is newer")
        print(f"documents are added on {writer}" if writer else "documents are added here")


def watch_command(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The folder to watch.")],
    home: HomeOption = None,
    embedder: EmbedderOption = "",
    collection: CollectionOption = "",
) -> None:
    """Keep the table in sync with a folder until interrupted (Ctrl+C). Example: citeloop watch ~/handbook"""
    from watchfiles import watch

    store = _job_store(home)
    is_first = True
    for changes in watch(folder, rust_timeout=1000, yield_on_timeout=True, raise_interrupt=False):
        if changes or is_first:  # the first run starts while already watching, so that no change is missed
            try:
                run_job(
                    store,
                    store.add("folder", [folder], prune=True, embedder=embedder, collection=collection, begin=True),
                )
            except CiteloopError as error:  # such as a full disk: the next change tries again
                print(f"error: {error}", file=sys.stderr)
            print(f"following {folder} (stop with Ctrl+C)", file=sys.stderr)
            is_first = False


jobs_cli = typer.Typer(help="List, cancel and resume ingest jobs.")
LastOption = Annotated[int, typer.Option(min=1, help="How many of the newest jobs to print.")]


@jobs_cli.callback(invoke_without_command=True)
def jobs_command(
    context: typer.Context, home: HomeOption = None, last: LastOption = 20, as_json: JsonOption = False
) -> None:
    """Print the jobs, newest first. Example: citeloop jobs --json"""
    if not context.invoked_subcommand:
        list_jobs(home, last, as_json)


@jobs_cli.command("list")
def list_jobs(home: HomeOption = None, last: LastOption = 20, as_json: JsonOption = False) -> None:
    """Print the jobs, newest first. Example: citeloop jobs list --last 5"""
    jobs = _job_store(home).jobs(last)
    if as_json:
        print(json.dumps({"jobs": [job.as_record() for job in jobs]}))
        return
    for job in jobs:
        files = f"{job.num_files_done}/{job.num_files} files, {_passages(job.num_chunks_done)}"
        state = "stopped" if job.is_dead else job.state
        what = job.source or ", ".join(job.paths) or "all documents"
        print(f"{job.id}  {state:9}  {job.created_at[:19]}  {job.kind:7}  {files}  {what}  {job.message}".rstrip())
    if not jobs:
        print("no jobs yet")


@jobs_cli.command()
def cancel(
    job_id: Annotated[str, typer.Argument(help="As `citeloop jobs` prints it.")], home: HomeOption = None
) -> None:
    """Ask a job to stop; what it has done stays. Example: citeloop jobs cancel 1f2e3d4c5b6a"""
    from ingest.worker import cancel as cancel_job

    store = _job_store(home)
    cancel_job(store, job_id)
    print(f"job {job_id}: {'asked to stop' if store.job(job_id).is_open else 'cancelled'}")


@jobs_cli.command()
def resume(
    job_id: Annotated[str | None, typer.Argument(help="Default: all jobs whose process was killed.")] = None,
    home: HomeOption = None,
) -> None:
    """Resume a failed or stopped job in the background. Example: citeloop jobs resume 1f2e3d4c5b6a"""
    store = _job_store(home)
    if job_id:
        store.queue_again(job_id)
    store.resume()
    waiting = [job.id for job in store.jobs() if job.is_waiting]
    print(f"resumed: {', '.join(waiting)}" if waiting else "nothing to resume")


def run_job(store: JobStore, job: Job, *, as_json: bool = False, parsers: Parsers | None = None) -> bool:
    """Run a job in this process and print each file's result; returns whether every file could be read."""
    from ingest.table import stored_documents
    from ingest.worker import embedder_for, run

    results: list[FileResult] = []
    load = cache(lambda: embedder_for(store.home, job.embedder))
    with ProgressBar() as bar:
        for result in run(store, job, load, bar.show, bar.wait, parsers):
            results.append(result)
            if not as_json and result.status != "unchanged":
                passages = _passages(result.num_chunks) if result.num_chunks else ""
                detail = "; ".join(filter(None, (passages, result.reason)))
                line = f"{result.status:9} {result.name}  {detail}".rstrip()
                bar.write(printable(line), sys.stdout)
    documents = stored_documents(store.home)
    num_chunks = sum(document.num_chunks for document in documents)
    if as_json:
        print(json.dumps({"job": job.id, "files": [asdict(result) for result in results], "num_chunks": num_chunks}))
    else:
        print(_counts(results))
        print(f"{len(documents)} documents, {_passages(num_chunks)} in the table")
        for line in (*_gaps(results), *_hints(store.home, results, load())):
            print(printable(line))
    return not any(result.status == "failed" for result in results)


def _passages(num_chunks: int) -> str:
    return "1 passage" if num_chunks == 1 else f"{num_chunks} passages"


def _job_store(home: Path | None) -> JobStore:
    from ingest.jobs import JobStore

    return JobStore(home or DEFAULT_HOME)


def _counts(results: list[FileResult]) -> str:
    from ingest.pipeline import Status

    counts = {status: sum(result.status == status for result in results) for status in get_args(Status)}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "nothing to do"


def _gaps(results: list[FileResult]) -> Iterator[str]:
    """Yield the number of files that were read with gaps, and what is missing in each."""
    gaps = [result for result in results if result.status in ("added", "replaced", "renamed") and result.reason]
    if gaps:
        yield f"read with gaps: {len(gaps)}"
    for result in gaps:
        yield f"  {result.name}: {result.reason}"


def _hints(home: Path, results: list[FileResult], embedder: Embedder) -> Iterator[str]:
    """Yield what to do if files were added in a language that the embedder does not read."""
    from ingest.languages import language_hint
    from ingest.table import ChunkTable

    was_added = any(result.status in ("added", "replaced") for result in results)
    if was_added and (hint := language_hint(ChunkTable(home, embedder), embedder)):
        yield hint


def printable(line: str) -> str:
    """Return the line without control characters, which could change the terminal."""
    return "".join(char if char.isprintable() or char in _HARMLESS else "?" for char in line)


def show(text: str) -> None:
    """Print a text of documents, models or people, each line as by `printable`."""
    print("\n".join(map(printable, text.split("\n"))))
