"""`citeloop documents`: list the documents with their collections, and move them to another one.

Heavy imports are inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.recorded import recorded
from ingest import CiteloopError
from ingest.commands import HomeOption, JsonOption, show
from ingest.home.folder import DEFAULT_HOME

if TYPE_CHECKING:
    from ingest.listing import StoredDocument

documents_cli = typer.Typer(help="List documents, and move them to another collection.", no_args_is_help=True)


@documents_cli.command("list")
def list_command(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print the documents with their collections. Example: citeloop documents list --json"""
    from ingest.table import stored_documents

    documents = stored_documents(home or DEFAULT_HOME)
    if as_json:
        print(json.dumps({"documents": [asdict(document) for document in documents]}, default=str))
        return
    for document in documents:
        show(f"{document.collection}  {document.name}  {document.title}")
    if not documents:
        print("no documents yet")


@documents_cli.command("move")
@recorded("documents moved to {collection}", "names")
def move_command(
    names: Annotated[list[str], typer.Argument(help="Names, or ids from `documents list --json`.")],
    collection: Annotated[str, typer.Option("--to", help="The collection; a new name makes a new one.")],
    home: HomeOption = None,
) -> None:
    """Move documents to another collection. Example: citeloop documents move handbook/pay.md --to personnel"""
    from ingest.removal import move
    from ingest.table import ChunkTable
    from ingest.worker import embedder_for

    table = ChunkTable(home or DEFAULT_HOME, embedder_for(home or DEFAULT_HOME, ""))
    with table.writing():
        chosen = [document for name in names for document in _named(name, table.documents())]
        move(chosen, collection, table)
    print(f"moved to {collection.strip()}: {', '.join(document.name for document in chosen)}")


def _named(name: str, documents: list[StoredDocument]) -> list[StoredDocument]:
    """Return the documents of this name or id. Raises CiteloopError if there are none."""
    found = [document for document in documents if name in (document.name, document.id)]
    if not found:
        raise CiteloopError(f"there is no document {name!r}; for their names, run: citeloop documents list")
    return found
