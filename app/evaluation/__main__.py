"""`python -m app.evaluation DOCUMENTS CORPUS`: make a benchmark's corpus from a folder of documents.

For a benchmark of your own, add `queries.jsonl` and `qrels.tsv` beside the corpus.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.evaluation.benchmark import write_corpus
from ingest.__main__ import run
from ingest.files import find_files
from ingest.parse import PARSERS, parse


def corpus_command(
    documents: Annotated[Path, typer.Argument(exists=True, help="A folder of documents.")],
    corpus: Annotated[Path, typer.Argument(help="The file to write, BENCHMARK/corpus.jsonl.")],
) -> None:
    """Write documents as a BEIR corpus. Example: python -m app.evaluation data/sample data/eval/sample/corpus.jsonl"""
    files = [file for file in find_files([documents]) if file.path.suffix.lower() in PARSERS]
    write_corpus((parse(file.path, file.name) for file in files), corpus)
    print(f"{len(files)} documents in {corpus}")


if __name__ == "__main__":
    main = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    main.command()(corpus_command)
    run(main)
