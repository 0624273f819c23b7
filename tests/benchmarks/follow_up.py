"""Does a follow-up with the last question in brackets find enough? python -m tests.benchmarks.follow_up

Dialogues about the sample documents: one or two questions, a follow-up, the full question written by hand, and the
words that answer it. Search runs with the follow-up as it was typed, in a row with the question before it, with
that in brackets, and with the question by hand as the ceiling. Detection was developed on one half; the other one is
reported. Also, how many quoted answers to the follow-ups hold these words, and how many questions that stand alone are
taken for follow-ups. Nothing is asserted.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.evaluation.benchmark import Evidence, Run, read_benchmark, resolve_evidence
from app.evaluation.judgements import text_of
from app.evaluation.metrics import difference, measure
from app.search.follow_up import is_follow_up, rewrite
from app.search.search import search
from ingest.embed.embedder import Embedder, load_embedder
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.benchmarks.quoted_answers import answers_from, bare

QUESTIONS = Path(__file__).with_name("follow_ups.jsonl")
DATA = Path(__file__).resolve().parents[2] / "data"
JARGON = Path(__file__).with_name("jargon.jsonl")
SHORT = (
    "What is Kingfisher?",
    "Who is Tom Ashdown?",
    "How much leave do I get?",
    "Where is the canteen?",
    "When is pay day?",
    "How do I request leave?",
    "What is anchor day?",
    "Is there a canteen in Bristol?",
    "How long is my notice period?",
    "Can I bring my dog to work?",
    "Who approves my travel?",
    "When is the office open?",
    "What does a hotel room cost?",
    "Is it allowed to fly business class?",
    "How long does it take to get a laptop?",
    "What happens if I lose my badge?",
    "Do we get a Christmas bonus?",
    "how do i reset my passphrase",
    "Which printers can print in colour?",
    "Are there showers in Bremen?",
    "What should I do when there is a fire alarm?",
    "Does the company pay for gym membership?",
    "How can I reach IT?",
    "When do we close this year?",
)
"""Questions that stand alone, as people ask them first, written without a look at what the rule makes of them."""
MEASURED = ("hit rate@5", "nDCG@10")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """earlier: questions in full, oldest first. full: the follow-up by hand. quote: words of the document."""

    part: Literal["develop", "report"]
    earlier: tuple[str, ...]
    follow_up: str
    full: str
    document: str
    quote: str


def in_a_row(dialogue: Dialogue) -> str:
    """The last question and the follow-up, one after the other."""
    return f"{dialogue.earlier[-1]} {dialogue.follow_up}"


WAYS: Mapping[str, Callable[[Dialogue], str]] = {
    "as typed": lambda dialogue: dialogue.follow_up,
    "in a row": in_a_row,
    "in brackets": lambda dialogue: rewrite(dialogue.follow_up, dialogue.earlier),
    "by hand": lambda dialogue: dialogue.full,
}


def main() -> None:
    """Print the figures as JSON."""
    dialogues = read_dialogues(QUESTIONS)
    figures = measure_follow_ups(dialogues) | {"quotes that hold the evidence": num_quoted(dialogues.values())}
    print(json.dumps(figures, ensure_ascii=False, indent=1))


def measure_follow_ups(dialogues: Mapping[str, Dialogue]) -> dict[str, object]:
    """Both halves, with the questions that are taken for what they are not."""
    with tempfile.TemporaryDirectory() as scratch:
        embedder = load_embedder()
        table = ChunkTable(Path(scratch), embedder)
        failed = [each.name for each in ingest([DATA / "sample"], table, embedder) if each.status != "added"]
        if failed:
            raise ValueError(f"these documents could not be read: {', '.join(failed)}")
        parts = {
            part: {key: each for key, each in dialogues.items() if each.part == part} for part in ("develop", "report")
        }
        figures: dict[str, object] = {part: _compare(found, table, embedder) for part, found in parts.items()}
    benchmark = read_benchmark(DATA / "eval" / "sample")
    jargon = (json.loads(row)["question"] for row in JARGON.read_text(encoding="utf-8").splitlines())
    alone = {
        "questions of the benchmark": [*benchmark.queries.values(), *benchmark.unanswerable.values()],
        "questions with code names": list(jargon),
        "first questions of the dialogues": sorted({each.earlier[0] for each in dialogues.values()}),
        "short questions": SHORT,
    }
    return figures | {"wrongly taken for follow-ups": {name: _share(questions) for name, questions in alone.items()}}


def num_quoted(dialogues: Collection[Dialogue]) -> dict[str, int]:
    """Return for each half how many quoted answers to the follow-ups hold the words that answer."""
    answers = answers_from([DATA / "sample"], [WAYS["in brackets"](each) for each in dialogues])
    pairs = zip(dialogues, answers, strict=True)
    return dict(Counter(each.part for each, answer in pairs if bare(each.quote) in bare(answer.text)))


def read_dialogues(path: Path) -> dict[str, Dialogue]:
    """By their number in the file."""
    rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
    return {str(number): Dialogue(**row | {"earlier": tuple(row["earlier"])}) for number, row in enumerate(rows, 1)}


def _compare(dialogues: Mapping[str, Dialogue], table: ChunkTable, embedder: Embedder) -> dict[str, object]:
    """The measures of each way, and what brackets gain over the questions in a row: mean, 95% interval, p."""
    qrels = {key: {_answering(each, table): 1} for key, each in dialogues.items()}
    values = {}
    for way, question_of in WAYS.items():
        run: Run = {}
        for key, each in dialogues.items():
            found = search(question_of(each), table, embedder)
            run[key] = {candidate.chunk.id: candidate.fused_score for candidate in found}
        values[way] = measure(qrels, run)
    gain = difference(values["in brackets"]["nDCG@10"], values["in a row"]["nDCG@10"])
    points = [round(value, 3) for value in (gain.mean, gain.low, gain.high, gain.p_value)]
    return {
        "dialogues": len(dialogues),
        "recognised": sum(is_follow_up(each.follow_up) for each in dialogues.values()),
        **{way: {name: _mean(found[name].values()) for name in MEASURED} for way, found in values.items()},
        "gain of brackets over in a row, nDCG@10": points,
    }


def _answering(dialogue: Dialogue, table: ChunkTable) -> str:
    """The id of the chunk that holds the quote. Raises BenchmarkError if none does."""
    (document_id,) = [document.id for document in table.documents() if document.name == dialogue.document]
    chunks = table.chunks_of(document_id)
    return resolve_evidence(Evidence(dialogue.document, dialogue.quote), chunks, text_of(chunks)).id


def _mean(values: Collection[float]) -> float:
    return round(sum(values) / len(values), 3)


def _share(questions: Collection[str]) -> str:
    return f"{sum(map(is_follow_up, questions))} of {len(questions)}"


if __name__ == "__main__":
    main()
