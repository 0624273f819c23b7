"""files of pairs -> a model's folder: mine, train, fit a reranker's blend on sources kept aside."""

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
from app.registry import EMBEDDER, fingerprint
from app.reranking.names import open_reranker
from app.reranking.rerank import Blend
from app.training.fit.blend import ScoredQuery, fit_blend, fit_calibration, probabilities, scored_queries
from app.training.fit.kinds import TRAINERS, base_model
from app.training.fit.trainer import Recipe, Watch, is_main_process
from app.training.labels.examples import JudgedQuery, TrainingExample, judged_queries, mine
from app.training.labels.pairs import Pair, as_benchmark, read_pairs, split_by_source, spread
from ingest import CiteloopError
from ingest.chunk import DEFAULT_POLICY
from ingest.embed.embedder import DEFAULT_EMBEDDER, load_embedder
from ingest.home.whole_folders import new_folder

_ASIDE_SHARE = 0.15
"""Of the sources: their questions are not trained on but fit the blend, since a model is too sure of its own."""
_PASSAGES_PER_QUESTION = 2
"""Passages of the same file that are searched; the more, the harder the negatives."""
_NUM_SHOWN = 5


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

    output: a new folder, which gets its name once it is whole. kind: late-interaction, cross-encoder or embedder, which
    has no blend. base: the folder or hub id to begin with; empty: the embedder's weights. exclude: sources that are
    left out. Tables of the passages are built below home and kept. Raises CiteloopError when there is no such base or
    source, the output cannot be made, or a file is not as expected or too small.
    """
    begin = base_model(base, kind)
    with new_folder(output) if is_main_process() else nullcontext(output) as folder:
        collections = _read(files, exclude, 0 if kind == EMBEDDER else _ASIDE_SHARE, recipe.seed)
        examples = [example for each in collections for example in each.examples(home, recipe, track)]
        if not examples:
            raise CiteloopError("the pairs give no example: expected questions whose passage search finds among others")
        has_blend = kind != EMBEDDER and is_main_process()
        aside = _search_aside(collections, home, track) if has_blend else {}
        TRAINERS[kind](examples, begin, folder, recipe, watch=watch)
        if not is_main_process():
            return {}
        summary = {
            "kind": kind,
            "base": base or DEFAULT_EMBEDDER,
            "files": [each.summary() for each in collections],
            "excluded": sorted(exclude),
            "num_examples": len(examples),
            "recipe": asdict(recipe),
            **(_blended(folder, aside, track) if has_blend else {}),
            "fingerprint": fingerprint(folder),
        }
        (folder / "training.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return summary


def _read(files: Sequence[PairsFile], exclude: frozenset[str], aside_share: float, seed: int) -> list[_Collection]:
    """The files, each under a name of its own. Raises CiteloopError when a source to leave out is in none."""
    found = [read_pairs(file.path) for file in files]
    sources = sorted({pair.source for pairs in found for pair in pairs})
    if unknown := sorted(exclude - set(sources)):
        known = f"{', '.join(sources[:_NUM_SHOWN])}{', ...' if len(sources) > _NUM_SHOWN else ''}"
        raise CiteloopError(f"no pair is of the source {unknown[0]!r}, which is to be left out; there are: {known}")
    collections = []
    stems = Counter[str]()
    for file, pairs in zip(files, found, strict=True):
        stem = file.path.name.removesuffix(".gz").removesuffix(".jsonl")
        stems[stem] += 1
        name = stem if stems[stem] == 1 else f"{stem}_{stems[stem]}"
        kept = [pair for pair in pairs if pair.source not in exclude]
        collections.append(_Collection.of(name, kept, file.num_questions, aside_share, seed))
    return collections


def _search_aside(collections: Sequence[_Collection], home: Path, track: Track) -> dict[str, list[JudgedQuery]]:
    """By collection, the questions kept aside, where search answers one of them. Raises CiteloopError without any."""
    searched = {each.name: each.searched_aside(home, track) for each in collections if each.aside}
    answered = {name: queries for name, queries in searched.items() if any(each.is_answered for each in queries)}
    if not answered:
        raise CiteloopError("search finds no answer to a question of the sources kept aside; expected more pairs")
    return answered


def _blended(folder: Path, aside: Mapping[str, Sequence[JudgedQuery]], track: Track) -> dict[str, Any]:
    """Fit the blend of the reranker in a folder, and save it there; returns what training.json says of it."""
    reranker = open_reranker(str(folder))
    scored = {name: scored_queries(queries, reranker, track) for name, queries in aside.items()}
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
    def of(cls, name: str, found: Sequence[Pair], num_questions: int, aside_share: float, seed: int) -> _Collection:
        """aside_share: of the sources; 0: none."""
        questions = spread(found, num_questions, seed)
        pairs, aside = split_by_source(questions, aside_share) if aside_share else (questions, [])
        return cls(name, pairs, aside, spread(found, _PASSAGES_PER_QUESTION * len(questions), seed))

    def examples(self, home: Path, recipe: Recipe, track: Track) -> list[TrainingExample]:
        """Mined among the passages of the file, but for those of what is kept aside."""
        embedder = load_embedder()
        sources = {pair.source for pair in self.aside} - {pair.source for pair in self.pairs}
        documents = {pair.document for pair in self.aside}
        passages = [each for each in self.passages if each.source not in sources and each.document not in documents]
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

    def searched_aside(self, home: Path, track: Track) -> list[JudgedQuery]:
        """The questions kept aside, with the candidates that search finds."""
        embedder = load_embedder()
        benchmark = as_benchmark(f"{self.name} aside", self.aside, self.passages)
        table = benchmark_table(benchmark, home, embedder, DEFAULT_POLICY, track)
        return judged_queries(benchmark, table, embedder, track=track)

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
