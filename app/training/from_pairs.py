"""files of pairs -> a model's folder: mine, train, fit a reranker's blend on sources kept aside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from app.evaluation.tables import Track, benchmark_table
from app.registry import EMBEDDER, fingerprint
from app.rerank import Blend, Reranker
from app.rerankers import open_reranker, require_model
from app.training.blend import ScoredQuery, fit_blend, fit_calibration, probabilities, scored_queries
from app.training.examples import TrainingExample, judged_queries, mine
from app.training.fit import Recipe, Watch, is_main_process
from app.training.pairs import Pair, as_benchmark, read_pairs, split_by_source, spread
from app.training.trainers import TRAINERS
from ingest import CiteloopError
from ingest.chunk import DEFAULT_POLICY
from ingest.embed import DEFAULT_EMBEDDER, default_embedder_path, load_embedder

_ASIDE_SHARE = 0.15
"""Of the sources: their questions are not trained on but fit the blend, since a model is too sure of its own."""
_PASSAGES_PER_QUESTION = 2
"""Passages of the same file that are searched; the more, the harder the negatives."""


@dataclass(frozen=True, slots=True)
class PairsFile:
    """A file of pairs and how many of its questions to use at most."""

    path: Path
    num_questions: int


def train_from_pairs(
    files: Sequence[PairsFile],
    output: Path,
    home: Path,
    recipe: Recipe,
    *,
    kind: str = "late-interaction",
    base: str = "",
    exclude: frozenset[str] = frozenset(),
    track: Track,
    watch: Watch = Watch(),  # noqa: B008  # frozen
) -> dict[str, Any]:
    """Train on the pairs and write model, blend and training.json to the output folder; returns what that says.

    Under torchrun, the processes that only help with the training return nothing.

    kind: late-interaction, cross-encoder or embedder, which has no blend. base: the folder or hub id to begin with;
    empty: the embedder's weights. exclude: sources that are left out. Tables of the passages are built below home and
    kept. Raises CiteloopError when there is no such base, or a file is not as expected or too small.
    """
    if base:
        require_model(base, f"--base {base}")
    collections = [_Collection.read(file, exclude, recipe.seed) for file in files]
    examples = [example for each in collections for example in each.examples(home, recipe, track)]
    if not examples:
        raise CiteloopError("the pairs give no example: expected questions whose passage search finds among others")
    if kind != EMBEDDER and not any(each.aside for each in collections):
        raise CiteloopError("no source could be kept aside to fit the blend: expected pairs of several sources")
    TRAINERS[kind](examples, base or str(default_embedder_path()), output, recipe, watch=watch)
    if not is_main_process():
        return {}
    summary = {
        "kind": kind,
        "base": base or DEFAULT_EMBEDDER,
        "files": [each.summary() for each in collections],
        "excluded": sorted(exclude),
        "num_examples": len(examples),
        "recipe": asdict(recipe),
        **({} if kind == EMBEDDER else _blended(output, collections, home, track)),
        "fingerprint": fingerprint(output),
    }
    (output / "training.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return summary


def _blended(folder: Path, collections: Sequence[_Collection], home: Path, track: Track) -> dict[str, Any]:
    """Fit the blend of the reranker in a folder, and save it there; returns what training.json says of it."""
    reranker = open_reranker(str(folder))
    scored = {each.name: found for each in collections if (found := each.scored(home, reranker, track))}
    if not scored:
        raise CiteloopError("search finds no answer to a question of the sources kept aside; expected more pairs")
    blend = fit_calibration(scored, fit_blend(scored))
    blend.save(folder)
    return {"blend": asdict(blend), "reliability": reliability(scored, blend)}


@dataclass(frozen=True, slots=True)
class _Collection:
    """The pairs of one file: to train on, to fit the blend on, and all that is searched."""

    name: str
    pairs: list[Pair]
    aside: list[Pair]
    passages: list[Pair]

    @classmethod
    def read(cls, file: PairsFile, exclude: frozenset[str], seed: int) -> _Collection:
        found = [pair for pair in read_pairs(file.path) if pair.source not in exclude]
        questions = spread(found, file.num_questions, seed)
        pairs, aside = split_by_source(questions, _ASIDE_SHARE)
        passages = spread(found, _PASSAGES_PER_QUESTION * len(questions), seed)
        return cls(file.path.name.partition(".")[0], pairs, aside, passages)

    def examples(self, home: Path, recipe: Recipe, track: Track) -> list[TrainingExample]:
        """Mined among the passages of the file, but for those of the sources kept aside."""
        embedder = load_embedder()
        passages, _ = split_by_source(self.passages, _ASIDE_SHARE)
        benchmark = as_benchmark(self.name, self.pairs, passages)
        table = benchmark_table(benchmark, home, embedder, DEFAULT_POLICY, track)
        judged = judged_queries(benchmark, table, embedder, track=track)
        questions_of = {pair.document: pair.question for pair in chain(self.pairs, passages)}
        return mine(
            judged,
            table,
            embedder,
            questions_of,
            num_negatives=recipe.num_negatives,
            seed=recipe.seed,
            origin=self.name,
        )

    def scored(self, home: Path, reranker: Reranker, track: Track) -> list[ScoredQuery]:
        """The questions kept aside, with the candidates that search finds and the new model's scores."""
        if not self.aside:
            return []
        embedder = load_embedder()
        benchmark = as_benchmark(f"{self.name} aside", self.aside, self.passages)
        table = benchmark_table(benchmark, home, embedder, DEFAULT_POLICY, track)
        return scored_queries(judged_queries(benchmark, table, embedder, track=track), reranker, track)

    def summary(self) -> dict[str, Any]:
        return {"name": self.name, "num_questions": len(self.pairs), "num_aside": len(self.aside)}


def reliability(
    scored: Mapping[str, Sequence[ScoredQuery]], blend: Blend, num_bins: int = 10
) -> list[dict[str, float]]:
    """By probability that was said: how many candidates, their mean probability, and the share that is relevant."""
    said: list[float] = []
    true: list[bool] = []
    for each in chain.from_iterable(scored.values()):
        said += probabilities(each, blend)
        true += each.relevant
    probability, relevant = np.array(said), np.array(true)
    bins = np.minimum((probability * num_bins).astype(int), num_bins - 1)
    return [
        {
            "candidates": int((bins == each).sum()),
            "said": round(float(probability[bins == each].mean()), 4),
            "relevant": round(float(relevant[bins == each].mean()), 4),
        }
        for each in range(num_bins)
        if (bins == each).any()
    ]
