"""`citeloop ask` and `citeloop search`: a question -> its answer or ranking, printed."""

from __future__ import annotations

import json
import sys
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.commands import HomeOption, JsonOption, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.answer import Answer
    from app.pipeline import Pipeline
    from app.search.filters import Filter


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"expected a day such as 2026-03-31, not {text!r}") from error


RerankerOption = Annotated[
    str | None,
    typer.Option(
        help="live, none, shipped, trained:NAME, late-interaction, cross-encoder:PATH_OR_ID, http:URL, or a folder."
    ),
]
CollectionOption = Annotated[list[str] | None, typer.Option(help="Only documents of this collection; repeatable.")]
TypeOption = Annotated[list[str] | None, typer.Option(help="Only documents of this type, such as pdf; repeatable.")]
DocumentOption = Annotated[list[str] | None, typer.Option(help="Only this document, by its name; repeatable.")]
SinceOption = Annotated[
    date | None, typer.Option(parser=_day, metavar="YYYY-MM-DD", help="Ingested on this day or later.")
]
UntilOption = Annotated[
    date | None, typer.Option(parser=_day, metavar="YYYY-MM-DD", help="Ingested on this day or earlier.")
]
NoRerankOption = Annotated[bool, typer.Option("--no-rerank", help="Search without reranking.")]
IgnoreVotesOption = Annotated[
    bool, typer.Option("--ignore-votes", help="Rank as if nobody had struck out, kept or named a passage.")
]
AsTypedOption = Annotated[bool, typer.Option("--as-typed", help="Do not correct typos.")]
EarlierOption = Annotated[
    list[str] | None, typer.Option(help="A question asked before this one; repeatable, oldest first.")
]


def ask_command(
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
    from app.pipeline import Pipeline
    from app.settings import read_settings

    questions = [*(earlier or ()), question]
    if not all(each.strip() for each in questions):
        raise typer.BadParameter("a question is empty")
    within = _filter(collection, document, type, since, until)
    name = "none" if no_rerank else reranker
    answer = _answer(
        Pipeline(read_settings(home)), questions, name, within, as_typed=as_typed, ignore_votes=ignore_votes
    )
    if as_json:
        print(json.dumps(answer.as_record(), ensure_ascii=False))
    else:
        _print_answer(answer)


def search_command(
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
    from app.answer import NO_DOCUMENTS
    from app.pipeline import Pipeline
    from app.settings import read_settings
    from ingest.chunk import breadcrumb

    within = _filter(collection, document, type, since, until)
    pipeline, name = Pipeline(read_settings(home)), "none" if no_rerank else reranker
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
        place = breadcrumb(ranked.chunk.title, *ranked.chunk.headings)
        show(f"{ranked.rank:3}  {moved:>4}  {ranked.score:8.4f}  {place}  ({ranked.chunk.document})")
    if not rows:
        print("nothing found" if pipeline.table.num_chunks() else NO_DOCUMENTS)


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


def _print_answer(answer: Answer) -> None:
    from app.answer import CURATED
    from app.answer.curated import said_by

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


def _filter(
    collections: list[str] | None,
    documents: list[str] | None,
    types: list[str] | None,
    since: date | None,
    until: date | None,
) -> Filter:
    from app.search.filters import Filter

    return Filter(tuple(collections or ()), tuple(documents or ()), tuple(types or ()), since, until)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
