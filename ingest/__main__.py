"""`python -m ingest PATH...`: the ingest command alone, for pipelines that need no question side."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, get_args

import typer

from ingest import CiteloopError

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar="CITELOOP_HOME", help="Folder of the table and the feedback.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print results as JSON.")]


def ingest_command(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders to read with all below them.")],
    home: HomeOption = None,
    prune: Annotated[bool, typer.Option(help="Remove documents of these folders whose files are gone.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring documents into the table: PDF, Markdown, HTML, DOCX and text.

    Unchanged files are skipped, changed ones replaced; a file that cannot be read is reported, and the
    rest goes on (exit status 1 at the end). Example: citeloop ingest ~/handbook --prune
    """
    from tqdm import tqdm

    from ingest.embed import load_embedder
    from ingest.pipeline import FileResult, Status, check_paths, ingest
    from ingest.table import DEFAULT_HOME, ChunkTable

    check_paths(paths)  # a mistyped path is said before seconds are spent on loading
    embedder = load_embedder()
    table = ChunkTable(home or DEFAULT_HOME, embedder)
    results: list[FileResult] = []
    # disable=None: no bar where stderr is no terminal
    with tqdm(unit="file", desc="Ingesting", leave=False, disable=None) as progress:

        def start(num_files: int) -> None:
            progress.reset(total=num_files)

        def waiting() -> None:
            progress.write("another process is writing to this table; waiting for it", file=sys.stderr)

        for result in ingest(paths, table, embedder, prune=prune, on_start=start, on_wait=waiting):
            results.append(result)
            if not as_json and result.status != "unchanged":
                detail = result.reason or (f"{result.num_chunks} chunks" if result.num_chunks else "")
                progress.write(f"{result.status:9} {result.name}  {detail}".rstrip(), file=sys.stdout)
            progress.update(result.status != "removed")
            progress.set_postfix(chunks=sum(each.num_chunks for each in results), refresh=False)
    if as_json:
        print(json.dumps({"files": [asdict(result) for result in results], "num_chunks": table.num_chunks()}))
    else:
        counts = {status: sum(each.status == status for each in results) for status in get_args(Status)}
        print(", ".join(f"{count} {status}" for status, count in counts.items() if count) or "nothing to do")
        print(f"{len(table.documents())} documents, {table.num_chunks()} chunks in the table")
    if any(result.status == "failed" for result in results):
        raise typer.Exit(1)


def run(app: typer.Typer) -> None:
    """Run a command line; an error that is meant for the user becomes one line on stderr and status 1."""
    try:
        app()
    except (CiteloopError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    main.command()(ingest_command)
    run(main)
