"""Files of question-passage pairs -> the weight of words in the fused score, and what each weight gives on each file.

Every file counts the same. The weight is the one under which the relevant candidates are likeliest (softmax over the
candidates of a question). Never run it on questions that a result is reported for.

    python -m tests.benchmarks.fusion_weight faq.jsonl.gz medquad.jsonl.gz --questions 300
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from app.evaluation.tables import benchmark_table
from app.search.fusion import WORDS_WEIGHT, word_scores
from app.settings import read_settings
from app.training.labels.examples import JudgedQuery, judged_queries
from app.training.labels.pairs import as_benchmark, read_pairs, spread
from ingest.embed.embedder import load_embedder

_WEIGHTS = (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
_PASSAGES_PER_QUESTION = 5


@dataclass(frozen=True, slots=True)
class Parts:
    """Similarity and word score of one question's candidates, and which candidates are relevant."""

    similarities: NDArray[np.float64]
    words: NDArray[np.float64]
    relevant: NDArray[np.bool_]

    @classmethod
    def of(cls, judged: JudgedQuery) -> Parts:
        passages = [each.chunk.passage for each in judged.candidates]
        matches = [each.text_score or 0.0 for each in judged.candidates]
        return cls(
            np.array([each.vector_score for each in judged.candidates], float),
            np.array(word_scores(judged.query, passages, matches)),
            np.array([each.chunk.document in judged.relevant for each in judged.candidates]),
        )

    def loss(self, weight: float, sharpness: float) -> float:
        """Return minus the log likelihood of the relevant candidates."""
        scores = sharpness * (self.similarities + weight * self.words)
        likelihoods = np.exp(scores - scores.max())
        return -float(np.log(likelihoods[self.relevant].sum() / likelihoods.sum()))

    def ndcg_at_10(self, weight: float) -> float:
        """Return nDCG@10; one document is relevant, and its best chunk counts."""
        scores = self.similarities + weight * self.words
        rank = 1 + int((scores > scores[self.relevant].max()).sum())
        return 1 / float(np.log2(1 + rank)) if rank <= 10 else 0.0


def parts_of(path: Path, num_questions: int) -> list[Parts]:
    """Return the parts of each question of a file whose answer is among the candidates."""
    embedder, pairs = load_embedder(), spread(read_pairs(path), _PASSAGES_PER_QUESTION * num_questions, 0)
    benchmark = as_benchmark(path.stem, pairs[:num_questions], pairs)
    table = benchmark_table(benchmark, read_settings(None).home, embedder)
    judged = judged_queries(benchmark, table, embedder)
    return [Parts.of(each) for each in judged if each.is_answered]


def likeliest_weight(files: Sequence[Sequence[Parts]]) -> float:
    """Return the weight that explains all files best, each counting the same."""

    def loss(logarithms: NDArray[np.float64]) -> float:
        weight, sharpness = np.exp(logarithms)
        return float(np.mean([np.mean([each.loss(weight, sharpness) for each in parts]) for parts in files]))

    return float(np.exp(minimize(loss, np.log([WORDS_WEIGHT, 15.0]), method="Nelder-Mead").x[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--questions", type=int, default=300, help="of each file")
    arguments = parser.parse_args()
    files = {path.name: parts_of(path, arguments.questions) for path in arguments.files}
    report = {
        "likeliest_weight": round(likeliest_weight(list(files.values())), 3),
        "ndcg_at_10": {
            name: {
                str(weight): round(float(np.mean([each.ndcg_at_10(weight) for each in parts])), 3)
                for weight in _WEIGHTS
            }
            for name, parts in files.items()
        },
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
