"""questions -> their vectors, kept in the store so that a start does not embed them again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np

from app.feedback.answers import NotSavedError
from app.feedback.store import FeedbackStore
from ingest.embed.embedder import Embedder, Vectors


def question_vectors(questions: Mapping[str, str], store: FeedbackStore, embedder: Embedder) -> dict[str, Vectors]:
    """Return key -> vector, shape (dimension,), of these questions by key; new vectors are kept in the store."""
    kept = store.question_vectors(embedder.name, questions)
    new = {
        key: np.asarray(embedder.embed_query(question), np.float32)
        for key, question in questions.items()
        if key not in kept
    }
    with suppress(NotSavedError):  # they can be made again
        store.keep_question_vectors(embedder.name, {key: vector.tobytes() for key, vector in new.items()})
    return new | {key: np.frombuffer(vector, np.float32) for key, vector in kept.items()}
