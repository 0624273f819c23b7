"""Versions of all documents -> Families: which document replaces which.

A document replaces another if it says so, or if both are a policy, manual, price list or the like with the same title
and mostly the same headings, and version or date tells the order. When unsure, both stay. A curator's corrections win.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import combinations
from pathlib import Path

from app.search.corrections import Correction, CorrectionError, CorrectionStore
from app.search.dates import asked_periods
from app.search.versions import Statement, Version, numbers_in
from app.search.words.versions import ASKS_FOR_EARLIER
from ingest.table import ChunkTable

_log = logging.getLogger(__name__)

_MAX_VERSIONS = 50
"""More documents with one title are copies of a form, not versions."""
_MIN_SHARED = 0.5
"""Share of the headings of the longer document that both must have."""
_MANY_DOCUMENTS = 2_000
"""Finding the families of more takes so long that questions do not wait for it."""

_Replacement = tuple[str, str]
"""Ids of the newer and the older document."""


@dataclass(frozen=True)
class Families:
    """Which documents replace which. newer: document id -> ids of those that replace it, directly or not."""

    versions: Mapping[str, Version]
    newer: Mapping[str, frozenset[str]]

    @cached_property
    def superseded(self) -> frozenset[str]:
        """Ids of all superseded documents."""
        return frozenset(self.newer)

    def among(self, document_ids: Collection[str] | None) -> Families:
        """Return the families of these documents alone, as if there were no others; None: all."""
        if document_ids is None:
            return self
        newer = {id: ids & frozenset(document_ids) for id, ids in self.newer.items() if id in document_ids}
        versions = {id: version for id, version in self.versions.items() if id in document_ids}
        return Families(versions, {id: ids for id, ids in newer.items() if ids})

    def newest(self, document_id: str) -> Version | None:
        """Return the newest document that replaces this one, or None."""
        ids = [id for id in self.newer.get(document_id, ()) if id not in self.newer]
        return min((self.versions[id] for id in ids), key=lambda version: version.name, default=None)

    def family(self, document_id: str) -> list[Version]:
        """Return a document and its other versions, newest first; empty without any."""
        return next((family for family in self.all() if document_id in (each.id for each in family)), [])

    def all(self) -> list[list[Version]]:
        """Return all families by title, each newest first."""
        by_newest: dict[frozenset[str], set[str]] = {}
        for id, newer in self.newer.items():
            by_newest.setdefault(newer - self.superseded, set()).update({id, *newer})
        families = [
            sorted((self.versions[id] for id in ids), key=lambda each: (len(self.newer.get(each.id, ())), each.name))
            for ids in by_newest.values()
        ]
        return sorted(families, key=lambda family: family[0].title.casefold())

    def is_asked_for(self, document_id: str, question: str) -> bool:
        """Return whether a question names this superseded version, by its number or a day when it was valid."""
        version = self.versions[document_id]
        if ASKS_FOR_EARLIER.search(question) or (version.number and version.number in numbers_in(question)):
            return True
        begins = [each.since for id in self.newer[document_id] if (each := self.versions[id]).since]
        first, end = version.since, min(begins, default=date.max)
        return first is not None and any(first <= last and start < end for start, last in asked_periods(question))


class FamilyFinder:
    """Finds the families of a home's table, again only after a change; safe to share between threads."""

    def __init__(self, home: Path) -> None:
        self._store = CorrectionStore(home)
        self._versions: dict[str, Version] = {}
        self._families = find_families(())
        self._state: object = None
        self._finding = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="families")

    def families(self, table: ChunkTable) -> Families:
        """Return the families of the documents in a table; of many documents, earlier ones while newer are found.

        Raises TableError.
        """
        state = self._state_of(table)
        if state == self._state:
            return self._families
        if len(self._versions) > _MANY_DOCUMENTS:
            if not self._finding.locked():
                self._thread.submit(self._find, table)  # search itself reports a damaged table
            return self._families
        return self._find(table)

    def _find(self, table: ChunkTable) -> Families:
        """Find the families; read only documents that have changed."""
        with self._finding:
            state = self._state_of(table)
            if state != self._state:
                documents = table.documents()
                known = self._versions
                same = {each.id for each in documents if each.id in known and known[each.id].outline.document == each}
                read = map(Version, table.outlines([each for each in documents if each.id not in same]))
                new = {version.id: version for version in read}
                self._versions = {each.id: new.get(each.id) or known[each.id] for each in documents}
                self._families, self._state = find_families(self._versions.values(), state[-1]), state
            return self._families

    def _state_of(self, table: ChunkTable) -> tuple[str, int | None, list[Correction]]:
        return table.name, table.version, self._corrections()

    def _corrections(self) -> list[Correction]:
        try:
            return self._store.all()
        except CorrectionError as error:  # questions are answered without them
            _log.warning("%s", error)
            return []


def find_families(versions: Iterable[Version], corrections: Iterable[Correction] = ()) -> Families:
    """Return the families of all documents; corrections of documents that are not in are ignored."""
    by_id = {version.id: version for version in versions}
    known = [each for each in corrections if each.document_id in by_id and each.other_id in by_id]
    corrected = {frozenset((each.document_id, each.other_id)) for each in known}
    found = sorted(each for each in _found(by_id.values()) if frozenset(each) not in corrected)
    newer: dict[str, set[str]] = {}
    for one, other in [*((each.other_id, each.document_id) for each in known if each.is_replaced), *found]:
        if other not in _reached(newer, one):  # else a circle
            newer.setdefault(other, set()).add(one)
    return Families(by_id, {id: _reached(newer, id) for id in newer})


def _reached(newer: Mapping[str, Collection[str]], document_id: str) -> frozenset[str]:
    """Return all documents that replace a document, directly or not."""
    reached: set[str] = set()
    ahead = list(newer.get(document_id, ()))
    while ahead:
        if (id := ahead.pop()) not in reached:
            reached.add(id)
            ahead += newer.get(id, ())
    return frozenset(reached)


def _found(versions: Collection[Version]) -> set[_Replacement]:
    """Return what the documents themselves tell."""
    by_subject: dict[str, list[Version]] = {}
    for version in versions:
        by_subject.setdefault(version.subject, []).append(version)
    by_words: dict[frozenset[str], list[Version]] = {}
    for version in versions:
        by_words.setdefault(version.words, []).append(version)
    pairs = set(_alike(by_subject.values()))
    for version in versions:
        for statement in version.statements:
            older = _meant(version, statement, by_subject[version.subject], by_words)
            pairs |= {(version.id, each.id) if statement.is_newer else (each.id, version.id) for each in older}
    return {(one, other) for one, other in pairs if (other, one) not in pairs}


def _alike(groups: Iterable[Collection[Version]]) -> Iterator[_Replacement]:
    """Yield the pairs with the same title and mostly the same headings whose order can be told."""
    for group in groups:
        if len(group) <= _MAX_VERSIONS:
            for one, other in combinations(group, 2):
                newer = one.is_newer_than(other) if _is_alike(one, other) else None
                if newer is not None:
                    yield (one.id, other.id) if newer else (other.id, one.id)


def _is_alike(one: Version, other: Version) -> bool:
    shared = len(one.headings & other.headings)
    return (
        one.is_replaceable
        and _have_same_scope(one, other)
        and shared > 0
        and shared >= _MIN_SHARED * max(len(one.headings), len(other.headings))
        and _name_same_things(one, other)  # the slowest is last
    )


def _name_same_things(one: Version, other: Version) -> bool:
    """Return whether their openings do not name different parts or products."""
    return not (one.identifiers and other.identifiers) or not one.identifiers.isdisjoint(other.identifiers)


def _have_same_scope(one: Version, other: Version) -> bool:
    """Return whether their paths do not name different things, such as two places."""
    return one.scope <= other.scope or other.scope <= one.scope


def _meant(
    version: Version,
    statement: Statement,
    same_title: Collection[Version],
    by_words: Mapping[frozenset[str], Collection[Version]],
) -> list[Version]:
    """Return the documents that a statement means, none where it could mean others."""
    is_own = statement.words <= version.words
    named = same_title if is_own else by_words.get(statement.words, ())
    if len(named) > _MAX_VERSIONS or version.is_sibling:
        return []
    meant = [each for each in named if each.id != version.id and _have_same_scope(each, version)]
    meant = [each for each in meant if _fits(each, statement, version if is_own else None)]
    contradicted = any(each.is_newer_than(version) is statement.is_newer for each in meant)
    named_in_full = statement.is_quoted or (version.is_replaceable and len(statement.words) > 1)
    return meant if not contradicted and (is_own or (len(meant) == 1 and named_in_full)) else []


def _fits(version: Version, statement: Statement, same_title: Version | None) -> bool:
    """Return whether a document has the version and date of a statement, where both give them.

    same_title: the document that says it, if the title alone does not tell the two apart.
    """
    if statement.numbers and version.number:
        return version.number in statement.numbers
    if statement.periods and version.since:
        return any(first <= version.since <= last for first, last in statement.periods)
    if same_title is None:
        return True
    tells_nothing = not (statement.numbers or statement.periods)
    return tells_nothing and same_title.is_newer_than(version) is statement.is_newer
