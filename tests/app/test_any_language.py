"""Ranks and quotes in languages that the shipped reranker cannot read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from app.reranking.any_language import COMMON_PART, AnyLanguage, in_any_language
from app.reranking.kept_vectors import KeptVectors, key_of
from app.reranking.late_interaction import LateInteractionReranker
from app.reranking.names import load_reranker
from app.reranking.rerank import Blend
from app.settings import Settings
from ingest.embed.embedder import MULTILINGUAL_EMBEDDER, PackedBertEmbedder, load_embedder
from tests.conftest import FakeEmbedder, FakeReranker


class Tokens:
    """One vector for each word: equal words are alike."""

    def encode_document(self, passages: list[str]) -> list[torch.Tensor]:
        return [torch.eye(26)[[ord(word[0].lower()) - 97 for word in passage.split()]] for passage in passages]

    def encode_query(self, query: str) -> torch.Tensor:
        return self.encode_document([query])[0]


class English(LateInteractionReranker):
    def reads(self, texts: Sequence[str]) -> bool:
        return "ü" not in "".join(texts)


@pytest.fixture
def english(tmp_path: Path) -> English:
    english = English(name="english", encoder=Tokens(), blend=Blend(1, 1, 1))
    english.kept = KeptVectors(tmp_path, "1")
    return english


@pytest.fixture
def other(tmp_path: Path) -> LateInteractionReranker:
    other = LateInteractionReranker(name="other", encoder=Tokens())
    other.kept = KeptVectors(tmp_path, "1", "others")
    return other


def test_the_reranker_ranks_what_it_can_read_and_the_other_one_the_rest(
    english: English, other: LateInteractionReranker
) -> None:
    both = AnyLanguage(english, other)
    assert (both.name, both.blend) == (english.name, english.blend)
    assert both.suited("how early", ["so soon"]) is english
    assert both.suited("wie früh", ["so soon"]) is both.suited("how early", ["so früh"]) is other


def test_similarities_are_on_one_scale(english: English, other: LateInteractionReranker) -> None:
    both = AnyLanguage(english, other)
    assert both.similarities("a b", ["b a", "a c"]) == pytest.approx([1.0, 0.5], abs=0.02)
    assert both.similarities("a für", ["für a", "a c"]) == pytest.approx([1.05, 0.55], abs=0.02)


def test_each_passage_is_prepared_by_the_one_that_reads_it(english: English, other: LateInteractionReranker) -> None:
    both, passages = AnyLanguage(english, other), ["a b", "c für"]
    assert sorted(both.unprepared(passages)) == passages
    both.prepare(passages)
    assert both.unprepared(passages) == []
    assert english.kept
    assert other.kept
    assert english.kept.missing(passages) == ["c für"]
    assert other.kept.missing(passages) == ["a b"]
    both.keep_only([key_of("a b")])
    assert both.unprepared(passages) == ["c für"]
    both.forget()
    assert both.score("a", ["a b"]) == pytest.approx([1.0], abs=0.02)


def test_nothing_stands_in_without_a_multilingual_embedder_or_late_interaction(english: English) -> None:
    assert in_any_language(english, FakeEmbedder()) is english
    assert in_any_language(None, FakeEmbedder()) is None


@pytest.mark.slow
def test_german_is_ranked_with_the_multilingual_embedder(settings: Settings, tmp_path: Path) -> None:
    embedder = load_embedder(MULTILINGUAL_EMBEDDER)
    assert isinstance(embedder, PackedBertEmbedder)
    shipped, unable = load_reranker("shipped", settings), FakeReranker({})
    both = in_any_language(shipped, embedder, tmp_path)
    assert in_any_language(unable, embedder) is unable
    assert isinstance(both, AnyLanguage)
    assert both == in_any_language(shipped, embedder, tmp_path)  # else it would be prepared again and again
    assert both.suited("How many days of leave do I have?", ["Everybody has thirty days of leave a year."]) is shipped
    passages = [
        "Der Parkplatz hinter dem Werk ist von sechs bis zwanzig Uhr offen.",
        "Alle Beschäftigten haben dreißig Tage Erholungsurlaub im Kalenderjahr.",
        "Reisekosten werden innerhalb von vier Wochen erstattet.",
    ]
    scores = both.score("Wie viele Urlaubstage bekomme ich?", passages)
    assert max(scores) == scores[1]
    assert max(scores) - min(scores) > 0.15  # with their common part, all texts are alike
    common = torch.from_numpy(np.load(COMMON_PART))
    assert torch.cosine_similarity(torch.cat(embedder.token_vectors(passages)).mean(0), common, dim=0) > 0.85
