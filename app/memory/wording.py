"""two questions and what was found for them -> log-odds that both have the same need."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_]+(?:'t\b)?")
_FIGURE = re.compile(r"[^\W_]*\d[^\W_]*(?:[-_./:][^\W_]+)*")
_UNIMPORTANT_WORDS = (
    "a an the this that these those of to in on at for by with and or is are was were be been am do does did has have "
    "had will would shall should can could may might must i me my we us our you your it its there please any some "
    "der die das den dem des ein eine einen einem einer ist sind war und oder von zu im am fuer für mit ich wir "
    "le la les un une des du de est sont et ou à au aux en pour je nous mon ma mes notre nos "
    "el los las una del al es y o con para mi mis il lo i gli uno di è sono e per io mio mia de het een is "
    "zijn en voor ik mijn as um uma do da dos das é são eu meu minha"
)
"""Words that may differ between two wordings of the same question. Question words, `before` and `after` may not."""
_NEGATION_WORDS = (
    "no not never none nobody nothing neither nor without cannot nicht kein keine keinen ohne nie niemals "
    "ne pas sans jamais aucun sin nunca ningún ninguna non senza mai nessun nessuna niet geen zonder nooit "
    "não sem nenhum nenhuma"
)
_UNIMPORTANT, _NEGATIONS = frozenset(_UNIMPORTANT_WORDS.split()), frozenset(_NEGATION_WORDS.split())
_INTERCEPT, _SIMILARITY, _OVERLAP, _MISMATCH = -12.0, 8.0, 8.0, -1.5
"""Log-odds that two questions have the same need: per cosine similarity, per overlap of their results, and for a
negation or a figure that only one of them has (docs/decisions/0010)."""
_UNKNOWN_OVERLAP = 0.5


@dataclass(frozen=True, slots=True)
class Wording:
    """What decides whether two questions mean the same.

    words: in lower case, without unimportant ones. figures: numbers and names with digits. negated: says `not` or the
    like.
    """

    words: frozenset[str]
    figures: frozenset[str]
    negated: bool

    @classmethod
    def of(cls, question: str) -> Wording:
        """Return the wording of a question."""
        text = unicodedata.normalize("NFKC", question).casefold().replace("\u2019", "'")
        words = frozenset(_WORD.findall(text))
        negations = {word for word in words if word in _NEGATIONS or word.endswith("n't")}
        return cls(words.difference(_UNIMPORTANT, negations), frozenset(_FIGURE.findall(text)), bool(negations))

    def is_same(self, other: Wording) -> bool:
        """Return whether the questions differ at most in case, order and unimportant words."""
        return bool(self.words) and self == other

    def log_odds(self, other: Wording, similarity: float, overlap: float) -> float:
        """Return the log-odds that both questions have the same need; infinite for the same question.

        similarity: their cosine similarity. overlap: see `overlap`.
        """
        if self.is_same(other):
            return math.inf
        mismatches = (self.negated != other.negated) + (self.figures != other.figures)
        return _INTERCEPT + _SIMILARITY * similarity + _OVERLAP * overlap + _MISMATCH * mismatches


def overlap(found: Sequence[str], shown: Sequence[str]) -> float:
    """Return which share of the chunks shown for one question are among the first ones found for another, from 0 to 1.

    Both best first; higher ranks weigh more, as in DCG. If nothing is known to have been shown: .5.
    """
    weights = [1 / math.log2(rank + 1) for rank in range(1, len(shown) + 1)]
    first = set(found[: len(shown)])
    held = sum(weight for weight, chunk_id in zip(weights, shown, strict=True) if chunk_id in first)
    return held / sum(weights) if weights else _UNKNOWN_OVERLAP
