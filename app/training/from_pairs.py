"""files of pairs -> a model's folder: mine, train, and fit a reranker's blend on held-out sources."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from app.evaluation.tables import Track, benchmark_table
from app.registry import fingerprint
from app.reranking.names import open_reranker
from app.reranking.rerank import Blend
from app.training.fit.blend import ScoredQuery, fit_blend, fit_calibration, probabilities, scored_queries
from app.training.fit.kinds import EMBEDDER, TRAINERS, base_model
from app.training.fit.trainer import Recipe, Training, Watch, is_main_process, require_libraries
from app.training.labels.examples import JudgedQuery, TrainingExample, judged_queries, mine
from app.training.labels.pairs import Pair, as_benchmark, read_pairs, split_by_source, spread
from ingest import CiteloopError
from ingest.embed.embedder import DEFAULT_EMBEDDER, load_embedder
from ingest.home.whole_folders import new_folder

_ASIDE_SHARE = 0.15
"""Share of sources that fit the blend instead, since a model is too sure on questions it was trained on."""
_PASSAGES_PER_QUESTION = 2
"""Passages per question to search in the same file; more give harder negatives."""
_NUM_SHOWN = 5
_NUM_BINS = 10


@dataclass(frozen=True, slots=True)
class PairsPlan:
    """What to train on pairs.

    files: each with the maximum number of its questions to use. kind: late-interaction, cross-encoder or embedder,
    which has no blend. base: the folder or hub id to start from; empty: the embedder's weights. exclude: sources to
    leave out.
    """

    files: Sequence[tuple[Path, int]]
    recipe: Recipe
    kind: str = "late-interaction"
    base: str = ""
    exclude: frozenset[str] = frozenset()


def train_from_pairs(
    plan: PairsPlan,
    output: Path,
    home: Path,
    track: Track,
    watch: Watch = Watch(),  # noqa: B008  # frozen
) -> dict[str, Any]:
    """Train on the pairs and write model, blend and training.json to the output folder; returns that record.

    Under torchrun, processes other than the main one return {}. output: a new folder, named once it is complete.
    Tables of the passages are built below home and kept. Raises CiteloopError when the base or a source is missing, the
    output cannot be created, a file is invalid or too small, or the train extra is not installed.
    """
    require_libraries()
    begin = base_model(plan.base, plan.kind)
    with new_folder(output) if is_main_process() else nullcontext(output) as folder:
        collections = _read(plan)
        examples = [example for each in collections for example in each.examples(home, plan.recipe, track)]
        if not examples:
            raise CiteloopError("the pairs give no example: expected questions whose passage is found by search")
        has_blend = plan.kind != EMBEDDER and is_main_process()
        aside = _search_aside(collections, home, track) if has_blend else {}
        TRAINERS[plan.kind](Training(examples, plan.recipe, watch=watch), begin, folder)
        if not is_main_process():
            return {}
        summary = {
            "kind": plan.kind,
            "base": plan.base or DEFAULT_EMBEDDER,
            "files": [collection.summary() for collection in collections],
            "excluded": sorted(plan.exclude),
            "num_examples": len(examples),
            "recipe": asdict(plan.recipe),
            **(_blended(folder, aside, track) if has_blend else {}),
            "fingerprint": fingerprint(folder),
        }
        (folder / "training.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return summary


def _read(plan: PairsPlan) -> list[_Collection]:
    """Read the files, each with a unique name. Raises CiteloopError when a source to exclude is unknown."""
    found = [read_pairs(path) for path, _ in plan.files]
    sources = sorted({pair.source for pairs in found for pair in pairs})
    if unknown := sorted(plan.exclude - set(sources)):
        known = f"{', '.join(sources[:_NUM_SHOWN])}{', ...' if len(sources) > _NUM_SHOWN else ''}"
        raise CiteloopError(f"cannot exclude the source {unknown[0]!r}: no pair has it; the sources are: {known}")
    aside_share = 0 if plan.kind == EMBEDDER else _ASIDE_SHARE
    collections = []
    stems = Counter[str]()
    for (path, num_questions), pairs in zip(plan.files, found, strict=True):
        stem = path.name.removesuffix(".gz").removesuffix(".jsonl")
        stems[stem] += 1
        name = stem if stems[stem] == 1 else f"{stem}_{stems[stem]}"
        kept = [pair for pair in pairs if pair.source not in plan.exclude]
        collections.append(_Collection.of(name, kept, num_questions, aside_share, plan.recipe.seed))
    return collections


def _search_aside(collections: Sequence[_Collection], home: Path, track: Track) -> dict[str, list[JudgedQuery]]:
    """Return held-out questions by collection, if search answers one of them. Raises CiteloopError if none is left."""
    searched = {file.name: file.searched_aside(home, track) for file in collections if file.aside}
    answered = {name: queries for name, queries in searched.items() if any(query.is_answered for query in queries)}
    if not answered:
        raise CiteloopError("search finds no answer to any question of the held-out sources; add more pairs")
    return answered


def _blended(folder: Path, aside: Mapping[str, Sequence[JudgedQuery]], track: Track) -> dict[str, Any]:
    """Fit and save the blend of the reranker in a folder; returns its part of training.json."""
    reranker = open_reranker(str(folder))
    scored = {name: scored_queries(queries, reranker, track) for name, queries in aside.items()}
    blend = fit_calibration(scored, fit_blend(scored))
    blend.save(folder)
    return {"blend": asdict(blend), "reliability": reliability(scored, blend)}


@dataclass(frozen=True, slots=True)
class _Collection:
    """The pairs of one file. pairs: to train on. aside: to fit the blend on. passages: to search."""

    name: str
    pairs: list[Pair]
    aside: list[Pair]
    passages: list[Pair]

    @classmethod
    def of(cls, name: str, found: Sequence[Pair], num_questions: int, aside_share: float, seed: int) -> _Collection:
        """aside_share: of the sources; 0 for none."""
        questions = spread(found, num_questions, seed)
        pairs, aside = split_by_source(questions, aside_share) if aside_share else (questions, [])
        return cls(name, pairs, aside, spread(found, _PASSAGES_PER_QUESTION * len(questions), seed))

    def examples(self, home: Path, recipe: Recipe, track: Track) -> list[TrainingExample]:
        """Return examples mined from the passages of the file, except the held-out ones."""
        embedder = load_embedder()
        sources = {pair.source for pair in self.aside} - {pair.source for pair in self.pairs}
        documents = {pair.document for pair in self.aside}
        passages = [pair for pair in self.passages if pair.source not in sources and pair.document not in documents]
        benchmark = as_benchmark(self.name, self.pairs, passages)
        table = benchmark_table(benchmark, home, embedder, track)
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

    def searched_aside(self, home: Path, track: Track) -> list[JudgedQuery]:
        """Return the held-out questions with their candidates."""
        embedder = load_embedder()
        benchmark = as_benchmark(f"{self.name} aside", self.aside, self.passages)
        table = benchmark_table(benchmark, home, embedder, track)
        return judged_queries(benchmark, table, embedder, track=track)

    def summary(self) -> dict[str, Any]:
        return {"name": self.name, "num_questions": len(self.pairs), "num_aside": len(self.aside)}


def reliability(scored: Mapping[str, Sequence[ScoredQuery]], blend: Blend) -> list[dict[str, float]]:
    """Return, per bin of predicted probability, the number of candidates, mean probability and relevant share."""
    predicted: list[float] = []
    true: list[bool] = []
    for query in chain.from_iterable(scored.values()):
        predicted += probabilities(query, blend)
        true += query.relevant
    probability, relevant = np.array(predicted), np.array(true)
    bins = np.minimum((probability * _NUM_BINS).astype(int), _NUM_BINS - 1)
    return [
        {
            "candidates": int((bins == number).sum()),
            "said": round(float(probability[bins == number].mean()), 4),
            "relevant": round(float(relevant[bins == number].mean()), 4),
        }
        for number in range(_NUM_BINS)
        if (bins == number).any()
    ]
