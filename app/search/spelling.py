"""query -> the query with mistyped words corrected to words of the documents.

A word is corrected only if the documents lack it, no dictionary has it, and one slip of the fingers, two in a long
word, makes it a word of the documents. Numbers, identifiers, names and quoted phrases stay as typed.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from string import ascii_lowercase

from cachetools import LRUCache
from rapidfuzz import process
from rapidfuzz.distance import OSA, Levenshtein

from app.search.filters import EVERYTHING, Filter
from app.search.fusion import SPACELESS
from ingest.embed.embedder import MULTILINGUAL_EMBEDDER, Embedder
from ingest.table import ChunkTable, TableError

_LANGUAGES = ("en", "de", "fr")
_MORE_LANGUAGES = ("es", "it", "nl", "pt")
"""Asked too where the embedder reads them; elsewhere their words are mostly slips of English ones, as metrica is."""
"""Of the dictionaries; they are loaded at the first word that the documents lack, in a second."""
_MIN_LETTERS = 4
_MIN_LETTERS_OF_OTHER_SLIPS = 5
_MIN_LETTERS_OF_TWO_SLIPS = 9
"""A short word is a slip of many others: one of four letters is corrected only if two of them are swapped."""
_MAX_UNKNOWN = 3
"""A query with more unknown words is a pasted text, or in a language that the documents are not in."""
_MIN_COUNT = 3
"""A rarer word of the documents must be in a dictionary; it may be a slip itself."""
_FIRST_PATIENCE_SECONDS, _PATIENCE_SECONDS = 10.0, 1.0
"""How long a query waits for the words of the documents: the first ones, and newer ones."""
_MAX_KEPT = 16
"""Sets of collections whose words are kept: as many as there are kinds of readers at a time."""

_PART = re.compile(
    r"\"[^\"]*\"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|`[^`]*`"  # quoted: exactly this
    r"|(?<![\w./:@#+\\'’-])(?P<word>[^\W\d_]+)(?![\w/:@#+\\-]|\.\w|['’](?!s\b)\w)"  # noqa: RUF001
)
_TWO = re.compile(r"ae|oe|(?<![aeq])ue")
_UMLAUTS = {"ae": "ä", "oe": "ö", "ue": "ü"}
_AS_TWO = str.maketrans({umlaut: letters for letters, umlaut in _UMLAUTS.items()})
_VOWELS = frozenset("aeiouyäöüàáâãèéêëìíîïòóôõùúû")
_KEYS = {key: (x, y) for y, row in enumerate(("qwertyuiop", "asdfghjkl", "zxcvbnm")) for x, key in enumerate(row)}
_COST_OF_SLIP = 3.0
"""A cost of 1 outweighs that another word is ten times as frequent."""
_SWAPPED, _DOUBLED, _MISSING, _NEIGHBOR, _TOO_MANY = 0.0, 0.3, 0.6, 1.0, 1.2
"""Further costs by the kind of slip: letters swapped, one typed twice, left out, its neighbor on the keyboard typed
instead, or in addition."""


@dataclass(slots=True)
class _Words:
    """The counted words of the documents that some people may read; counting: of a newer state of the table."""

    last: dict[str, int] = field(default_factory=dict)
    counting: Future[dict[str, int]] | None = None
    state: tuple[str, int | None] = "", None


class Spelling:
    """Corrects queries; keeps the words of a table until it changes. Safe to share between threads."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="words")
        self._lock = threading.Lock()
        self._words: LRUCache[frozenset[str] | None, _Words] = LRUCache(_MAX_KEPT)

    def correct(self, query: str, table: ChunkTable, embedder: Embedder, readable: Filter = EVERYTHING) -> str:
        """Return the query with corrected words; unchanged if all may be meant as typed. Raises TableError.

        readable: the documents whose words count; the others have none.
        """
        words = dict.fromkeys(match["word"] for match in _PART.finditer(query) if match["word"])
        doubtful = [word for word in words if _may_be_wrong(word) and embedder.count_tokens(word) > 1]
        if not doubtful:
            return query
        within = readable.document_ids(table)
        all_unknown = (word for word in doubtful if not table.has_word(word, within))
        unknown = list(islice(all_unknown, _MAX_UNKNOWN + 1))
        if not 0 < len(unknown) <= _MAX_UNKNOWN:
            return query
        counts = self._counts(table, readable.readable, within)
        read = _LANGUAGES + _MORE_LANGUAGES if embedder.name == MULTILINGUAL_EMBEDDER else _LANGUAGES
        languages = _languages_of(words, read)
        corrections = {word: _correction(word, query, counts, languages, embedder) for word in unknown}
        return _PART.sub(lambda match: corrections.get(match["word"], match[0]), query)

    def _counts(
        self, table: ChunkTable, collections: frozenset[str] | None, within: frozenset[str] | None
    ) -> Mapping[str, int]:
        """Return the words of the documents with their counts; older ones while a large table is counted."""
        state = table.name, table.version
        with self._lock:
            words = self._words.setdefault(collections, _Words())
            if words.counting is None or (words.state != state and words.counting.done()):
                words.state, words.counting = state, self._thread.submit(table.word_counts, within)
            counting, patience = words.counting, _PATIENCE_SECONDS if words.last else _FIRST_PATIENCE_SECONDS
        with suppress(TimeoutError, TableError):  # search itself reports a damaged table
            words.last = counting.result(patience)
        return words.last


def _correction(
    word: str, query: str, counts: Mapping[str, int], languages: Collection[str], embedder: Embedder
) -> str:
    """Return the word that is meant by a word of the query."""
    lower, is_capitalized = word.lower(), word[0].isupper()
    is_name = is_capitalized and not query.lstrip(" \"'¿¡(").startswith(word)
    found = other_umlauts(lower, counts)
    if not (found or is_name):
        found = nearest(lower, counts, languages) or nearest(lower, _common_words(lower, embedder), languages)
    found = found or lower
    return found[0].upper() + found[1:] if is_capitalized else found


def _common_words(word: str, embedder: Embedder) -> dict[str, int]:
    """Return words that the embedder reads as a whole, so in use though the documents lack them.

    Only the surest slips lead to them, since nothing else speaks for these words: letters swapped, left out or doubled.
    """
    if len(word) < _MIN_LETTERS_OF_OTHER_SLIPS:
        return {}
    splits = [(word[:place], word[place:]) for place in range(1, len(word))]
    swapped = {start + end[1] + end[0] + end[2:] for start, end in splits if len(end) > 1}
    once = {start + end[1:] for start, end in splits if start[-1] == end[0]}
    longer = {start + letter + end for start, end in splits for letter in ascii_lowercase}
    return {other: 1 for other in swapped | once | longer if embedder.count_tokens(other) == 1}


def _languages_of(words: Iterable[str], languages: Sequence[str] = _LANGUAGES) -> list[str]:
    """Return the languages whose dictionaries have most of these words: one, unless several have as many."""
    import simplemma  # most queries need no dictionary

    known = [sum(simplemma.is_known(word, language, low_memory=True) for word in words) for language in languages]
    return [language for language, number in zip(languages, known, strict=True) if number == max(known)]


def other_umlauts(word: str, counts: Mapping[str, int]) -> str:
    """Return the counted word that writes ä as ae, or the other way round, or ''. All in lower case."""
    variants = word.translate(_AS_TWO), _TWO.sub(lambda match: _UMLAUTS[match[0]], word)
    return next((variant for variant in variants if variant != word and variant in counts), "")


def nearest(word: str, counts: Mapping[str, int], languages: Collection[str] = _LANGUAGES) -> str:
    """Return the likeliest of the counted words that became this word by slips, or ''. All in lower case.

    languages: whose words are no slips.
    """
    if word in counts or _in_dictionary(word, languages):
        return ""
    max_slips = 1 if len(word) < _MIN_LETTERS_OF_TWO_SLIPS else 2
    near = process.extract(word, list(counts), scorer=OSA.distance, score_cutoff=max_slips, limit=None)
    costs = {
        other: _COST_OF_SLIP * num_slips + _cost(word, other, num_slips) - math.log10(counts[other])
        for other, num_slips, _ in near
        if counts[other] >= _MIN_COUNT or _in_dictionary(other, languages)
    }
    likeliest = min(costs, key=lambda other: costs[other], default="")
    return likeliest if costs.get(likeliest, math.inf) < math.inf else ""


def _cost(word: str, other: str, num_slips: int) -> float:
    """Return the cost of reading the other word; infinite if no slips of the fingers explain it."""
    if num_slips == 1 and sorted(word) == sorted(other):
        return _SWAPPED + (word[0] != other[0])
    if word[0] != other[0] or max(len(word), len(other)) < _MIN_LETTERS_OF_OTHER_SLIPS:
        return math.inf
    if num_slips > 1 and (word.startswith(other) or other.startswith(word)):  # an inflection or a compound
        return math.inf
    edits = Levenshtein.editops(word, other)
    return sum(_cost_of_edit(edit.tag, word, edit.src_pos, other[edit.dest_pos : edit.dest_pos + 1]) for edit in edits)


def _cost_of_edit(kind: str, word: str, place: int, meant: str) -> float:
    """Return the cost of one letter typed in place of another, or too many or too few."""
    if kind == "insert":
        return _MISSING
    if kind == "replace":
        return _NEIGHBOR if _is_near(word[place], meant) else math.inf
    beside = word[place - 1 : place] + word[place + 1 : place + 2]
    if word[place] in beside:
        return _DOUBLED
    return _TOO_MANY if any(_is_near(word[place], letter) for letter in beside) else math.inf


def _is_near(letter: str, other: str) -> bool:
    """Return whether two letters are neighbors on the keyboard, or vowels."""
    if letter in _VOWELS and other in _VOWELS:
        return True
    (x, y), (other_x, other_y) = _KEYS.get(letter, (99, 0)), _KEYS.get(other, (-99, 0))
    return abs(x - other_x) <= 1 and abs(y - other_y) <= 1


def _may_be_wrong(word: str) -> bool:
    """Return whether a word is no abbreviation, no camelCase and of a script with spaces."""
    return len(word) >= _MIN_LETTERS and word[1:].islower() and not SPACELESS.search(word)


def _in_dictionary(word: str, languages: Collection[str]) -> bool:
    import simplemma

    return any(simplemma.is_known(word, language, low_memory=True) for language in languages)
