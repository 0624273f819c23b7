"""questions -> Part: training, validation, or only comparing models.

Similar questions get the same part, so that most of those that compare models are new to them. Of similar questions
that train, some are set aside to compare models on needs asked before in other words. A question keeps its part
forever, so that no model is compared on questions it was trained on.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sqlalchemy import Connection, insert, select

from app.feedback import question_key
from ingest import CiteloopError
from ingest.embed.embedder import Embedder, Vectors, likeness
from ingest.home.records import Records, unusable
from ingest.home.tables import MADE, question_parts

Part = Literal["train", "validation", "gate", "asked again", "left out"]

SHARES: Mapping[Part, float] = {"train": 0.6, "validation": 0.1, "gate": 0.3}
TAUGHT: Sequence[Part] = ("train", "validation")
"""Parts used in training."""
COMPARED: Sequence[Part] = ("gate", "asked again")
"""Parts that compare models: unlike all that train, and like some of them."""
SAME_QUESTION = (0.75, 0.85, 0.95)
"""Likeness above which two questions count as similar; the next one applies within a group that is too
large, as with questions of one form."""
_LARGE_SHARE, _LARGE = 0.1, 8
"""A group is too large above both this share of all questions and this number."""

_BLOCK = 1024
"""Questions compared with all others at a time."""


def parts_of(questions: Sequence[str], home: Path, embedder: Embedder) -> dict[str, Part]:
    """Return question -> permanent part; new questions are assigned and stored in the home folder."""
    by_key = {question_key(question): question for question in questions}
    records, vectors = Records(home, MADE, unusable(CiteloopError, "the parts of questions")), dict[str, Vectors]()
    known = _known(records)
    while missing := [key for key in by_key if key not in known]:
        keys = list({**known, **by_key})
        unseen = [key for key in keys if key not in vectors]
        vectors |= dict(zip(unseen, embedder.embed([by_key.get(key, key) for key in unseen]), strict=True))
        parts = assign(keys, np.stack([vectors[key] for key in keys]), known, embedder.name)
        # Outside the transaction, since it may take minutes; the next round sees what others stored meanwhile.
        known = _keep({key: parts[key] for key in missing}, known, records)
    return {question: known[question_key(question)] for question in questions}


def _known(records: Records) -> dict[str, Part]:
    with records.reading() as connection:
        return _stored(connection)


def _keep(new: Mapping[str, Part], known: Mapping[str, Part], records: Records) -> dict[str, Part]:
    """Store new parts unless others were stored since `known` was read; return what is stored."""
    with records.writing() as connection:
        stored = _stored(connection)
        if stored != known:
            return stored
        connection.execute(insert(question_parts), [{"question": key, "part": part} for key, part in new.items()])
        return {**stored, **new}


def _stored(connection: Connection) -> dict[str, Part]:
    return {key: cast(Part, part) for key, part in connection.execute(select(question_parts))}


def assign(keys: Sequence[str], vectors: Vectors, known: Mapping[str, Part], embedder: str = "") -> dict[str, Part]:
    """Return key -> part. vectors: unit vectors, shape (len(keys), dimension); known: parts already assigned. embedder:
    its recorded name, here and below.

    A group of similar questions gets the part that one of them has; if they have several, new ones are left out. Other
    groups fill the part that lacks most, in an order that depends only on their words. New questions of a group that
    trains are set aside as asked again until they are the gate's share of it.
    """
    parts, counts = dict(known), Counter(_of_group(part) for part in known.values())
    members: dict[int, list[str]] = {}
    for key, number in zip(keys, groups_of(vectors, embedder), strict=True):
        members.setdefault(number, []).append(key)
    for group in sorted(members.values(), key=lambda group: _digest(min(group))):
        taken = {_of_group(known[key]) for key in group if key in known}
        part = _most_missing(counts) if not taken else taken.pop() if len(taken) == 1 else "left out"
        new = [key for key in group if key not in known]
        parts |= dict.fromkeys(new, part)
        counts[part] += len(new)
        if part == "train":
            num_aside = sum(parts[key] == "asked again" for key in group)
            lacking = max(0, round(SHARES["gate"] * len(group)) - num_aside)
            parts |= dict.fromkeys(sorted(new, key=_digest)[:lacking], "asked again")
    return parts


def _of_group(part: Part) -> Part:
    """Return the part of the similar questions of one with this part."""
    return "train" if part == "asked again" else part


def groups_of(vectors: Vectors, embedder: str = "") -> list[int]:
    """Return each row's group number; chains of similar rows form a group."""
    groups = _connected(vectors, SAME_QUESTION[0], embedder)
    for threshold in SAME_QUESTION[1:]:
        for group in np.flatnonzero(np.bincount(groups) > max(_LARGE, _LARGE_SHARE * len(vectors))):
            rows = np.flatnonzero(groups == group)
            groups[rows] = groups.max() + 1 + _connected(vectors[rows], threshold, embedder)
    return [int(group) for group in groups]


def _connected(vectors: Vectors, threshold: float, embedder: str) -> NDArray[np.int_]:
    pairs = [
        np.argwhere(likeness(vectors[start : start + _BLOCK] @ vectors.T, embedder) >= threshold) + np.array([start, 0])
        for start in range(0, len(vectors), _BLOCK)
    ]
    rows, columns = np.concatenate(pairs).T
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(vectors), len(vectors)))
    return np.asarray(connected_components(graph, directed=False)[1], int)


def _most_missing(counts: Counter[Part]) -> Part:
    return min(SHARES, key=lambda part: (counts[part] + 1) / SHARES[part])


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
