"""Are code names learned that no model can know? python -m tests.benchmarks.jargon

Staff ask the sample company's documents with code names that the answering passages do not hold; some stand in its
glossary, the others in no document. A simulated curator strikes out wrong documents and adds the right passage where
it is not shown, a model is trained as `citeloop train` does it, and measured on other questions with the same names.
The control asks these once more with a name that nobody knows: what is gained there does not come from the names.
Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from app.evaluation.benchmark import Benchmark, Evidence, read_benchmark, resolve_evidence
from app.evaluation.judgements import text_of
from app.evaluation.metrics import Difference, difference
from app.feedback import FeedbackStore, Judgement, question_key
from app.pipeline import Pipeline
from app.reranking.rerank import Reranker, rerank
from app.settings import Settings
from app.training.candidate import PROBE, Candidate, make_candidate
from app.training.fit.trainer import Watch
from app.training.labels.split import SAME_QUESTION
from app.training.plan import Plan
from ingest.chunk import Chunk
from ingest.embed.embedder import load_embedder
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.benchmarks.curator import NUM_USERS, Judge, ask_and_click, strike_wrong

QUESTIONS = Path(__file__).with_suffix(".jsonl")
SAMPLE = PROBE.parent.parent / "sample"
UNKNOWN_NAME = "Tansy"
"""Stands in no document and in no question."""


@dataclass(frozen=True, slots=True)
class Question:
    """code_name: whose meaning has to be learned. quote: words of the document that answer the question."""

    code_name: str
    question: str
    document: str
    quote: str
    part: Literal["asked", "measured"]


class QuestionError(ValueError):
    """A question cannot be used; the message says which and why."""


def main() -> None:
    """Print the figures as JSON."""
    print(json.dumps(measure_jargon(read_questions(QUESTIONS), _options()), ensure_ascii=False))


def measure_jargon(questions: Mapping[str, Question], options: argparse.Namespace) -> dict[str, object]:
    """One home folder with the sample documents, one curator, one training."""
    with tempfile.TemporaryDirectory() as scratch:
        pipeline = sample_home(Path(scratch))
        check_names(questions.values(), pipeline.table)
        check_probe(questions.values())
        answers = {query_id: find_answer(each, pipeline.table) for query_id, each in questions.items()}
        asked, measured = _part(questions, "asked"), _part(questions, "measured")
        users = [f"user {number}" for number in range(NUM_USERS)]
        clicks = strike_wrong(options.wrong)
        deletions = ask_and_click(pipeline, benchmark_of(asked), asked, clicks, users, options.seed)
        shown = len(_right_documents(pipeline, asked))
        added = add_answers(pipeline, asked, answers)
        started = time.perf_counter()
        made = make_candidate(
            Plan(seed=options.seed), pipeline, "simulated", "", Watch(), lambda what: print(what, file=sys.stderr)
        )
        seconds = time.perf_counter() - started
        return {
            "code_names": len({each.code_name for each in questions.values()}),
            "asked": len(asked),
            "right_document_shown": shown,
            "passages_added": added,
            "deletions": deletions,
            "seed": options.seed,
            "measured": compare(pipeline, measured, made),
            "control": compare(pipeline, {key: _unnamed(each) for key, each in measured.items()}, made),
            "probe": _points(made.report.probe) if made.report.probe else None,
            "verdict": made.report.verdict,
            "sentence": made.report.sentence,
            "training_seconds": round(seconds),
        }


def read_questions(path: Path) -> dict[str, Question]:
    """By their number in the file."""
    rows = path.read_text(encoding="utf-8").splitlines()
    return {str(number): Question(**json.loads(row)) for number, row in enumerate(rows, 1)}


def sample_home(home: Path) -> Pipeline:
    """A home folder with the sample documents."""
    embedder = load_embedder()
    failed = [each.name for each in ingest([SAMPLE], ChunkTable(home, embedder), embedder) if each.status != "added"]
    if failed:
        raise QuestionError(f"these documents could not be read: {', '.join(failed)}")
    return Pipeline(Settings(home=home), embedder)


def find_answer(question: Question, table: ChunkTable) -> Chunk:
    """The chunk that holds the quote. Raises BenchmarkError if none does, QuestionError if it holds the name."""
    chunks = table.chunks_of(_document_ids(table)[question.document])
    chunk = resolve_evidence(Evidence(question.document, question.quote), chunks, text_of(chunks))
    if question.code_name.lower() in chunk.passage.lower():
        raise QuestionError(f"the passage that answers {question.question!r} holds {question.code_name}")
    return chunk


def check_names(questions: Collection[Question], table: ChunkTable) -> None:
    """Raise QuestionError for a question without its code name, asked twice, or a control whose name is known."""
    if len({question_key(each.question) for each in questions}) < len(questions):
        raise QuestionError("a question stands there twice")
    for each in questions:
        if each.code_name not in each.question:
            raise QuestionError(f"{each.question!r} does not name {each.code_name}")
    texts = [chunk.passage for document in table.documents() for chunk in table.chunks_of(document.id)]
    if any(UNKNOWN_NAME.lower() in text.lower() for text in (*texts, *(each.question for each in questions))):
        raise QuestionError(f"{UNKNOWN_NAME} is not unknown")


def check_probe(questions: Collection[Question]) -> None:
    """Raise QuestionError if one asks nearly the same as a question of the probe, which must stay unseen."""
    probe = read_benchmark(PROBE)
    others = [*probe.queries.values(), *probe.unanswerable.values()]
    embedder, texts = load_embedder(), [each.question for each in questions]
    for text, similarity in zip(texts, embedder.embed(texts) @ embedder.embed(others).T, strict=True):
        if similarity.max() >= SAME_QUESTION[0]:
            raise QuestionError(f"{text!r} asks what the probe asks: {others[int(similarity.argmax())]!r}")


def benchmark_of(questions: Mapping[str, Question]) -> Benchmark:
    """The questions, judged by document."""
    return Benchmark(
        name="jargon",
        documents=(),
        queries={query_id: each.question for query_id, each in questions.items()},
        qrels={query_id: {each.document: 1} for query_id, each in questions.items()},
        evidence={},
        fingerprint="",
    )


def add_answers(pipeline: Pipeline, questions: Mapping[str, Question], answers: Mapping[str, Chunk]) -> int:
    """A curator adds the passage that answers to each question that did not show it; returns how many."""
    store = FeedbackStore(pipeline.settings.home)
    shown = {(event.question, event.chunk_id) for event in store.events()}
    return store.judge(
        Judgement.of(each.question, answers[query_id].ref, "relevant", "curator")
        for query_id, each in questions.items()
        if (each.question, answers[query_id].id) not in shown
    )


def compare(pipeline: Pipeline, questions: Mapping[str, Question], made: Candidate) -> dict[str, object]:
    """The figures of search alone, the live model and the new one; a document counts where its best chunk is.

    by_code_name: nDCG@10 of the live model and of the new one.
    """
    judge = Judge.of(pipeline, benchmark_of(questions), questions)
    rerankers = {"none": "none", "live": "live", "tuned": f"trained:{made.name}"}
    ranks = {name: places(judge, pipeline.models.reranker(reranker)) for name, reranker in rerankers.items()}
    values = {name: {query_id: _gain(rank) for query_id, rank in each.items()} for name, each in ranks.items()}
    names = dict.fromkeys(each.code_name for each in questions.values())
    return {
        "questions": len(questions),
        "among_candidates": sum(map(math.isfinite, ranks["none"].values())),
        **{name: _figures(list(each.values())) for name, each in ranks.items()},
        "gain": _points(difference(values["tuned"], values["live"])),
        "gain_over_none": _points(difference(values["tuned"], values["none"])),
        "by_code_name": {
            name: [_mean_of(values[which], questions, name) for which in ("live", "tuned")] for name in names
        },
    }


def places(judge: Judge, reranker: Reranker | None) -> dict[str, float]:
    """The place of the right document by query id, from 1; infinite if it is not among the candidates."""
    found = {}
    for query_id, candidates in judge.candidates.items():
        ranking = rerank(judge.benchmark.queries[query_id], candidates, reranker)
        order = list(dict.fromkeys(ranked.chunk.document for ranked in ranking))
        (right,) = judge.benchmark.qrels[query_id]
        found[query_id] = order.index(right) + 1 if right in order else math.inf
    return found


def _part(questions: Mapping[str, Question], part: str) -> dict[str, Question]:
    return {query_id: each for query_id, each in questions.items() if each.part == part}


def _unnamed(question: Question) -> Question:
    return replace(question, question=question.question.replace(question.code_name, UNKNOWN_NAME))


def _document_ids(table: ChunkTable) -> dict[str, str]:
    return {document.name: document.id for document in table.documents()}


def _right_documents(pipeline: Pipeline, questions: Mapping[str, Question]) -> set[str]:
    """The questions whose right document was shown."""
    shown = {(event.question, event.document) for event in FeedbackStore(pipeline.settings.home).events()}
    return {query_id for query_id, each in questions.items() if (each.question, each.document) in shown}


def _gain(rank: float) -> float:
    """nDCG@10 where one document is right."""
    return 1 / math.log2(1 + rank) if rank <= 10 else 0.0


def _figures(ranks: Sequence[float]) -> dict[str, float]:
    return {
        "nDCG@10": _mean([_gain(rank) for rank in ranks]),
        "hit rate@1": _mean([rank <= 1 for rank in ranks]),
        "hit rate@5": _mean([rank <= 5 for rank in ranks]),
    }


def _mean_of(values: Mapping[str, float], questions: Mapping[str, Question], code_name: str) -> float:
    return _mean([values[query_id] for query_id, each in questions.items() if each.code_name == code_name])


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4)


def _points(found: Difference) -> str:
    return f"{100 * found.mean:+.2f} ({100 * found.low:+.2f} to {100 * found.high:+.2f}), p = {found.p_value:.3g}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wrong", type=float, default=0.0, help="share of the clicks that hit another citation")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
