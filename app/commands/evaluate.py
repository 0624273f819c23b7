"""The command `evaluate`. Heavy imports are inside it, so that `--help` is quick."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.evaluation.progress import track
from ingest.commands import HomeOption, JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from app.evaluation.kept_results import KeptResults
    from app.evaluation.report import EvaluationReport
    from app.evaluation.tables import JudgedTable
    from app.reranking.rerank import Reranker
    from app.search.search import Retriever
    from app.settings import Settings
    from ingest.embed.embedder import Embedder

_MAX_CANDIDATES = 1000
_BENCHMARK_FILES = ("corpus.jsonl", "queries.jsonl", "qrels")
_SOURCE_HELP = (
    "A CSV of judged questions, or a folder in BEIR layout: corpus.jsonl, queries.jsonl, and qrels.tsv with the first "
    "line query-id, corpus-id, score."
)

_EMBEDDERS_HELP = (
    "all-MiniLM-L6-v2, multilingual-e5-small and sentence-transformers folders, separated by commas; default: as "
    "configured."
)


def evaluate_command(
    source: Annotated[Path, typer.Argument(exists=True, help=_SOURCE_HELP)],
    rerankers: Annotated[str, typer.Option(help="Rerankers, separated by commas.")] = "none,shipped",
    retrievers: Annotated[str, typer.Option(help="vector, text, rrf or hybrid, separated by commas.")] = "hybrid",
    embedders: Annotated[str, typer.Option(help=_EMBEDDERS_HELP)] = "",
    num_candidates: Annotated[str, typer.Option(help="Candidates for the reranker, separated by commas.")] = "50",
    max_queries: Annotated[int | None, typer.Option(min=1, help="Maximum number of judged queries.")] = None,
    output: Annotated[Path | None, typer.Option(help="New folder for the report; else below HOME/reports.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure on judged questions whether reranking pays; writes a report with charts and TREC runs.

    A CSV has the columns question, document, quote and is about the ingested documents; a folder has its own. A
    reranker that fails is left out, and the exit status is 1. After a stop, run the same command again: finished
    results are reused.
    Example: citeloop evaluate data/eval/sample --rerankers none,shipped --num-candidates 20,50,100
    """
    from app.evaluation.kept_results import KeptResults
    from app.evaluation.report import RunOptions, evaluate_table
    from app.evaluation.report_files import check_output, write_report
    from app.settings import read_settings

    depths, chosen = _depths(num_candidates), _retrievers(retrievers)
    _check_source(source, embedders)
    settings = read_settings(home)
    check_output(settings.home, output)
    loaded, models = _rerankers(rerankers, settings), _embedders(embedders, settings)
    measured, failed = list[_Measured](), dict[str, str]()
    for judged, embedder in _judged(source, settings, models, max_queries):
        kept = KeptResults(settings.home, judged, embedder, _model_folders(rerankers, settings))
        report = evaluate_table(judged, embedder, loaded, chosen, depths, RunOptions(track, failed, kept))
        folder = output / Path(embedder.name).name if output and len(models) > 1 else output
        measured.append(_Measured(report, write_report(report, settings.home, folder), kept))
        _print_notes(report, kept)
    _print_results(measured, output, is_list=bool(embedders), as_json=as_json)
    if failed:
        raise typer.Exit(1)  # keep the results, so that the next run measures only the failed ones
    for one in measured:
        one.kept.clear()


@dataclass(frozen=True, slots=True)
class _Measured:
    """A report and its folder. kept: its results, for a next run if this one is stopped."""

    report: EvaluationReport
    folder: Path
    kept: KeptResults


def _print_results(measured: Sequence[_Measured], output: Path | None, *, is_list: bool, as_json: bool) -> None:
    """Print the reports; of several, an overview too, which is also written to the output folder."""
    from app.evaluation.decision import verdict
    from app.evaluation.report_files import as_record
    from app.evaluation.report_text import overview

    records, texts = [], []
    for one in measured:
        decided = verdict(one.report)
        records.append(as_record(one.report) | {"verdict": asdict(decided), "folder": str(one.folder)})
        texts += _texts(one.report, decided.sentence, one.folder)
    if len(measured) > 1:
        texts.append(overview([one.report for one in measured]))
        if output:
            (output / "overview.md").write_text(texts[-1] + "\n", encoding="utf-8")
    print(json.dumps(records if is_list else records[0]) if as_json else "\n\n".join(texts))


def _check_source(source: Path, embedders: str) -> None:
    """Raise BadParameter if the source does not fit."""
    if embedders and source.is_file():
        raise typer.BadParameter(
            f"--embedders needs a folder in BEIR layout; {source} is about the ingested documents, which are embedded "
            "already"
        )
    if source.is_file() and source.name.startswith(_BENCHMARK_FILES):
        raise typer.BadParameter(f"{source} is one file of a benchmark; name its folder, {source.parent}")


def _print_notes(report: EvaluationReport, kept: KeptResults) -> None:
    for line in report.left_out:
        print(f"left out: {line}", file=sys.stderr)
    if kept.num_reused:
        print(f"reused {kept.num_reused} of {len(report.results)} results of a stopped run", file=sys.stderr)


def _texts(report: EvaluationReport, sentence: str, folder: Path) -> list[str]:
    """Return the printed parts of a report and its verdict, in Markdown."""
    from app.evaluation.report_text import abstention_text, description, latency_table, quality_table

    tables = quality_table(report), latency_table(report)
    pieces = [description(report), *tables, sentence, abstention_text(report)]
    return [*filter(None, pieces), f"Report: {folder / 'report.html'}"]


def _judged(
    source: Path, settings: Settings, embedders: Sequence[str], max_queries: int | None
) -> Iterator[tuple[JudgedTable, Embedder]]:
    """Yield the questions on the ingested documents, or on the benchmark's for each embedder."""
    if source.is_file():
        from app.evaluation.judgements import read_judgements
        from app.pipeline import Pipeline

        pipeline = Pipeline(settings)
        yield read_judgements(source, pipeline.table, max_queries), pipeline.models.embedder
        return
    from app.evaluation.benchmark import read_benchmark
    from app.evaluation.tables import judged_table
    from ingest.embed.embedder import load_embedder

    benchmark, loaded = read_benchmark(source, max_queries), [load_embedder(name) for name in embedders]
    for embedder in loaded:
        yield judged_table(benchmark, settings.home, embedder, track), embedder


def _depths(named: str) -> list[int]:
    try:
        depths = [int(depth) for depth in named.split(",")]
    except ValueError:
        depths = [0]
    if not all(1 <= depth <= _MAX_CANDIDATES for depth in depths) or len(set(depths)) < len(depths):
        raise typer.BadParameter(
            f"expected different numbers from 1 to {_MAX_CANDIDATES} for --num-candidates, such as 20,50, got {named}"
        )
    return depths


def names_in(named: str) -> list[str]:
    """Return the names between commas, without duplicates."""
    return list(dict.fromkeys(filter(None, map(str.strip, named.split(",")))))


def _embedders(named: str, settings: Settings) -> list[str]:
    """Return embedders by recorded name; without any, the configured one."""
    from ingest.embed.embedder import recorded_name
    from ingest.worker import embedder_for

    models = list(dict.fromkeys(map(recorded_name, names_in(named))))
    names = [Path(model).name for model in models]
    if twice := [name for name in names if names.count(name) > 1]:
        raise typer.BadParameter(f"two embedders would be reported as {twice[0]}; evaluate them separately")
    return models or [embedder_for(settings.home, settings.embedder).name]


def _rerankers(named: str, settings: Settings) -> dict[str, Reranker | None]:
    """Return rerankers by reported name, which hides the secret parts of an address."""
    from app.reranking.names import UnknownRerankerError, load_reranker, shown_name

    loaded: dict[str, Reranker | None] = {}
    for name in names_in(named):
        shown = shown_name(name)
        if shown in loaded:
            raise typer.BadParameter(f"two rerankers would be reported as {shown}; evaluate them separately")
        try:
            loaded[shown] = load_reranker(name, settings)
        except UnknownRerankerError as error:
            raise typer.BadParameter(str(error)) from error
    if not loaded:
        raise typer.BadParameter("expected names of rerankers, such as none,shipped")
    return loaded


def _model_folders(named: str, settings: Settings) -> dict[str, Path | None]:
    """Return model folders by reported name of the reranker."""
    from app.reranking.names import model_folder, shown_name

    return {shown_name(name): model_folder(name, settings) for name in names_in(named)}


def _retrievers(named: str) -> list[Retriever]:
    from app.search.search import RETRIEVERS

    names = names_in(named)
    chosen = [retriever for retriever in RETRIEVERS if retriever in names]
    if not chosen or len(chosen) != len(names):
        raise typer.BadParameter(f"expected some of {', '.join(RETRIEVERS)}, got {named}")
    return chosen
