"""Quotes in languages that the shipped reranker cannot read."""

from collections.abc import Sequence

import numpy as np
import pytest

from app.reranking.any_language import AnyLanguage
from ingest.embed.embedder import MULTILINGUAL_EMBEDDER, Vectors


class EnglishTokens:
    def similarities(self, text: str, texts: Sequence[str]) -> list[float]:
        return [0.9] * len(texts)

    def reads(self, texts: Sequence[str]) -> bool:
        return "ü" not in "".join(texts)


class Embedder:
    """Texts that end alike have one vector."""

    name, dimension, max_tokens = MULTILINGUAL_EMBEDDER, 2, 256

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def embed(self, texts: list[str]) -> Vectors:
        self.embedded += texts
        return np.array([self.embed_query(text) for text in texts], np.float32)

    def embed_query(self, text: str) -> Vectors:
        return np.array([1.0, 0.0] if text.endswith("früh") else [0.75, 7**0.5 / 4], np.float32)


def test_token_vectors_compare_what_they_can_read() -> None:
    embedder = Embedder()
    assert AnyLanguage(EnglishTokens(), embedder).similarities("how early", ["early", "late"]) == [0.9, 0.9]
    assert embedder.embedded == []


def test_the_embedder_compares_other_languages_on_the_same_scale() -> None:
    scorer = AnyLanguage(EnglishTokens(), Embedder())
    assert scorer.similarities("wie früh", ["so früh", "für alle"]) == pytest.approx([1.15, 0.15])


def test_the_parts_of_a_question_share_the_vectors_of_the_texts() -> None:
    embedder = Embedder()
    scorer = AnyLanguage(EnglishTokens(), embedder)
    scorer.similarities("wie früh", ["so früh", "für alle"])
    scorer.similarities("wer früh", ["so früh", "für alle"])
    assert embedder.embedded == ["so früh", "für alle"]
