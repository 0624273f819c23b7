"""`citeloop`: the whole program from the command line. Results on stdout, everything else on stderr.

Exit status: 0 done, 1 failed (one line on stderr says why), 2 wrong usage. Heavy imports stand inside
the commands, so that `--help` is quick.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.__main__ import run
from ingest.commands import HomeOption, JsonOption, ingest_command, jobs_cli, reindex_command, watch_command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.evaluation import EvaluationReport
    from app.settings import Settings

cli = typer.Typer(
    name="citeloop",
    help="Ask your documents, see why each passage ranks where it does, strike out a wrong citation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
feedback_cli = typer.Typer(help="What people struck out.", no_args_is_help=True)
cli.add_typer(feedback_cli, name="feedback")
cli.add_typer(jobs_cli, name="jobs")
cli.command("ingest")(ingest_command)
cli.command("watch")(watch_command)
cli.command("reindex")(reindex_command)

RerankerOption = Annotated[
    str | None,
    typer.Option(help="none, shipped, late-interaction, cross-encoder:PATH_OR_ID, http:URL, or a folder or hub id."),
]
NoRerankOption = Annotated[bool, typer.Option("--no-rerank", help="Keep the order of search.")]


@cli.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question, in quotation marks.")],
    reranker: RerankerOption = None,
    no_rerank: NoRerankOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question with citations. Example: citeloop ask "How many days of leave are there?"."""
    from app.pipeline import Pipeline

    if not question.strip():
        raise typer.BadParameter("the question is empty")
    answer = Pipeline(_settings(home)).ask(question, "none" if no_rerank else reranker)
    if as_json:
        print(json.dumps(answer.as_record(), ensure_ascii=False))
        return
    print(answer.text + (f"\n({answer.note})" if answer.note else ""))
    for citation in answer.citations:
        chunk = citation.chunk
        page = f", page {chunk.page}" if chunk.page else ""
        print(f"\n[{citation.number}] {chunk.title} ({chunk.document}{page})\n{_indented(chunk.text)}")
    timings = ", ".join(f"{step} {milliseconds:.0f} ms" for step, milliseconds in answer.timings_ms.items())
    print(f"\nreranker {answer.reranker}; {timings}", file=sys.stderr)


@cli.command()
def search(
    query: Annotated[str, typer.Argument(help="Words or a question, in quotation marks.")],
    reranker: RerankerOption = None,
    no_rerank: NoRerankOption = False,
    num_results: Annotated[int, typer.Option(min=1, help="How many passages to print.")] = 10,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the ranking: where each passage stood before the reranker and after. Example: citeloop search vpn"""
    from app.pipeline import Pipeline

    answer = Pipeline(_settings(home)).rank(query, "none" if no_rerank else reranker)
    rows = [ranked.as_row() for ranked in answer.ranking[:num_results]]
    if as_json:
        print(json.dumps({"query": query, "reranker": answer.reranker, "ranking": rows}, ensure_ascii=False))
        return
    for ranked in answer.ranking[:num_results]:
        moved = f"{ranked.rank_change:+d}" if ranked.rank_change else "="
        place = " > ".join((ranked.chunk.title, *ranked.chunk.headings))
        print(f"{ranked.rank:3}  {moved:>4}  {ranked.score:8.4f}  {place}  ({ranked.chunk.document})")
    if not rows:
        print("nothing found")


@cli.command()
def serve(
    home: HomeOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 opens it to the network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="PORT", min=0, max=65535, help="Port; 0 takes a free one.")] = 8501,
) -> None:
    """Serve the app in a browser. Example: citeloop serve --port 8600"""
    if home:
        os.environ["CITELOOP_HOME"] = str(home.resolve())  # the page reads its settings by itself
    from app.ui.server import serve as serve_pages

    serve_pages(host, port)


@cli.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A folder in BEIR layout.")],
    rerankers: Annotated[str, typer.Option(help="Names, separated by commas.")] = "none,shipped",
    retrievers: Annotated[str, typer.Option(help="Of vector, text and hybrid, separated by commas.")] = "hybrid",
    chunkings: Annotated[str, typer.Option(help="Policies of chunking, separated by commas, or all.")] = "",
    num_candidates: Annotated[int, typer.Option(min=1, max=1000, help="Candidates for the reranker.")] = 50,
    max_queries: Annotated[int | None, typer.Option(min=1, help="Only the first so many judged queries.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure retrievers and rerankers on judged questions.

    Example: citeloop evaluate data/eval/sample --rerankers none,shipped --retrievers vector,text,hybrid
    """
    from app.evaluation import evaluate as run_evaluation
    from app.evaluation import read_benchmark
    from app.rerankers import load_reranker
    from app.search import RETRIEVERS
    from ingest.chunk import DEFAULT_POLICY, POLICIES
    from ingest.embed import load_embedder

    chosen = [retriever for retriever in RETRIEVERS if retriever in retrievers.split(",")]
    if len(chosen) != len(retrievers.split(",")):
        raise typer.BadParameter(f"expected some of {', '.join(RETRIEVERS)}, got {retrievers}")
    names = list(POLICIES) if chunkings == "all" else [name for name in chunkings.split(",") if name]
    if unknown := set(names) - set(POLICIES):
        raise typer.BadParameter(f"expected some of {', '.join(POLICIES)}, got {', '.join(unknown)}")
    policies = [POLICIES[name] for name in names] or [DEFAULT_POLICY]
    settings = _settings(home)
    benchmark, embedder = read_benchmark(folder, max_queries), load_embedder(settings.embedder)
    loaded = {name: load_reranker(name, settings) for name in rerankers.split(",")}
    reports = [
        run_evaluation(benchmark, settings.home, embedder, loaded, chosen, num_candidates, policy=policy, track=_track)
        for policy in policies
    ]
    if as_json:
        records = [asdict(report) for report in reports]
        print(json.dumps(records if chunkings else records[0]))
    else:
        print("\n\n".join(_table(report) for report in reports))


@feedback_cli.command()
def export(
    output: Annotated[Path | None, typer.Option(help="File to write; the default is standard output.")] = None,
    home: HomeOption = None,
) -> None:
    """Write the feedback log as JSON lines, oldest first. Example: citeloop feedback export --output log.jsonl"""
    from app.feedback import FeedbackStore

    lines = "".join(
        json.dumps(asdict(event), ensure_ascii=False) + "\n" for event in FeedbackStore(_settings(home).home).events()
    )
    if output:
        output.write_text(lines, encoding="utf-8")
    else:
        print(lines, end="")


@cli.command()
def models(as_json: JsonOption = False) -> None:
    """List the kinds of reranker that can be named. Example: citeloop models"""
    from app.rerankers import DESCRIPTIONS

    if as_json:
        print(json.dumps({"rerankers": DESCRIPTIONS}))
    else:
        print("\n".join(f"{name:18} {description}" for name, description in DESCRIPTIONS.items()))


@cli.command()
def doctor(
    home: HomeOption = None,
    repair: Annotated[bool, typer.Option(help="Mend a damaged table from the kept files.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Check that everything a question needs is at hand, whole and works; mend the table. Example: citeloop doctor"""
    from app.doctor import check

    checks = check(_settings(home), repair=repair)
    if as_json:
        print(json.dumps({"checks": [asdict(each) for each in checks]}))
    else:
        for each in checks:
            print(f"{'ok    ' if each.ok else 'FAILED'} {each.name}: {each.detail}")
    if not all(each.ok for each in checks):
        raise typer.Exit(1)


def main() -> None:
    """The entry point of the `citeloop` command."""
    run(cli)


def _settings(home: Path | None) -> Settings:
    from app.settings import read_settings

    return read_settings(home)


def _track(items: Iterable[str], label: str) -> Iterable[str]:
    from tqdm import tqdm

    return tqdm(items, desc=label, leave=False, disable=None)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _table(report: EvaluationReport) -> str:
    """The report as a Markdown table, a row for each retriever and reranker."""
    names = list(report.results[0].metrics)
    lines = [
        f"{report.benchmark}: {report.num_queries} questions judged by {report.judged}, {report.num_documents} "
        f"documents, {report.num_chunks} chunks ({report.chunking}), {report.num_candidates} candidates",
        "",
        f"| retriever | reranker | {' | '.join(names)} | search p50/p95 ms | rerank p50/p95 ms |",
        "|" + "---|" * (len(names) + 4),
    ]
    for result in report.results:
        values = [f"{value.mean:.3f} ({value.low:.3f}-{value.high:.3f})" for value in result.metrics.values()]
        times = [
            f"{result.latency_ms[stage].p50:.0f}/{result.latency_ms[stage].p95:.0f}" for stage in ("search", "rerank")
        ]
        lines.append(f"| {result.retriever} | {result.reranker} | {' | '.join(values)} | {' | '.join(times)} |")
    for result in report.results:
        if result.reranker == report.results[0].reranker:
            oracle = " | ".join(f"{result.oracle[name]:.3f}" for name in names)
            lines.append(f"| {result.retriever} | best possible order | {oracle} | | |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
