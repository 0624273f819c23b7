"""text of an answer, passages that it cites -> CitedSentence: do they say it?

A language model may cite a passage that says something else, or get a number or a name wrong. These are looked up,
all other words are compared by the scorer; neither reads: a statement turned into its opposite with the passage's own
words is not noticed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from app.answer.blocks import is_table_rule, sentences, split_sentences
from app.answer.marks import SPACED_MARK, cited_numbers, without_fences
from app.reranking.similarity import Similarity
from app.search.query import INTRO_ENDS, QUESTION_ENDS
from ingest.parse.marks import BULLETS

MIN_SUPPORT = 0.55
"""From this score on a sentence counts as said by its passages.

Chosen on training data (python -m tests.benchmarks.citation_support): 97% of reworded sentences and 72% of the
conclusions of articles reach it, 2% of sentences about something else and 19% of those about something near. Of the
test's 64 true statements 98% do, of as many false ones 48%: these have the right words in the wrong place.
"""
_MIN_COMMON = 0.3
"""Share of an answer's short words that some passage has, too; below it the answer is in another language.

One in a hundred single English sentences is below it, of two together none; of three sentences in another language
19 in 20 are.
"""
_MAX_SHORT = 4
"""Letters of a short word."""
_MIN_LONG_WORDS = 3
"""Without a citation or a figure, a sentence with fewer words of four letters or more states nothing."""
_MAX_NAMES = 0.35
"""Where more of the words begin with a capital, as nouns do in German, a capital makes no name."""
_STEM = 5
"""Number of leading letters to match a name, so endings do not matter."""

_MENTION = re.compile(r"\b(?:passages?|sources?|quellen?)(?:[\s,]+(?:(?:and|und|et|y|to)\s)?\d+\b)+", re.IGNORECASE)
"""Passages named in the sentence itself, by numbers that are no figures."""
_LIST_MARK = re.compile(rf"\s*(?:>\s*)*(?:[-*+{BULLETS}]|\d+[.)])\s+|\s*>\s*")
_MARKUP = re.compile(r"\*\*|__|`|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)|\[(?!\d+\])|\](?:\([^\s)]{0,500}\))?")
_HEADING = re.compile(r"#{1,6}\s.*|```.*|\*\*[^*]+\*\*:?")
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")
_NAME = re.compile(r"(?<=[a-zß-ÿ,;] )[A-ZÀ-Þ]\w{3,}")
"""A word with a capital inside a sentence; abbreviations such as UK are written out as often as not."""
_NUMERALS = {
    word: str(number)
    for numerals in (
        "one two three four five six seven eight nine ten eleven twelve",
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth",
        "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
        "un deux trois quatre cinq six sept huit neuf dix onze douze",
        "uno dos tres cuatro cinco seis siete ocho nueve diez once doce",
    )
    for number, word in enumerate(numerals.split(), 1)
}


@dataclass(frozen=True, slots=True)
class CitedSentence:
    """A sentence of an answer with the numbers of the passages that it cites, in its order.

    text: as it stands in the answer, marks and all. score: how far these passages say it, 0 to 1; where it cites none,
    the best of all passages. is_supported: whether that is enough.
    """

    text: str
    numbers: tuple[int, ...]
    score: float
    is_supported: bool


def check_support(text: str, passages: Mapping[int, str], scorer: Similarity) -> tuple[CitedSentence, ...]:
    """How far the passages say each statement of an answer with [n]; headings, questions and lead-ins are none.

    passages: all that the answer was written from, by number, with title and headings. The
    score is the similarity of sentence and nearest sentence of a passage, 0 where a figure or a name of it stands in
    none of those that it cites. Of an answer in another language than the passages, the figures alone are compared.
    """
    sure = {number: _figures(passage) | _spelt_out(passage) | _stems(passage) for number, passage in passages.items()}
    similarity = _similarity(passages, scorer) if _in_language_of(text, passages.values()) else None
    has_names = similarity and not _capitalises_nouns(text, *passages.values())

    def score(sentence: str, cited: Sequence[int]) -> float:
        wanted = _figures(_MENTION.sub("", sentence)) | (_names(sentence) if has_names else set())
        groups = [cited] if cited else [(number,) for number in passages]
        told = [group for group in groups if wanted <= set().union(*(sure[number] for number in group))]
        if not told:
            return 0.0
        near = similarity(sentence) if similarity else dict.fromkeys(passages, 1.0)
        return max(near[number] for group in told for number in group)

    found = []
    for sentence, cited in _sentences(text):
        numbers = tuple(number for number in cited if number in passages)
        if _is_statement(_plain(sentence), numbers):
            best = score(_plain(sentence), numbers)
            found.append(CitedSentence(sentence, numbers, best, best >= MIN_SUPPORT))
    return tuple(found)


def _similarity(passages: Mapping[int, str], scorer: Similarity) -> Callable[[str], dict[int, float]]:
    """Sentence -> number of each passage -> its similarity with the nearest sentence there, 0 to 1."""
    pieces = [(number, _plain(piece)) for number, passage in passages.items() for piece in split_sentences(passage)]

    def similarity(sentence: str) -> dict[int, float]:
        nearest = dict.fromkeys(passages, 0.0)
        texts = [piece for _, piece in pieces]
        scores = scorer.similarities(sentence, texts) if texts else []  # encodes each text once
        for (number, _), found in zip(pieces, scores, strict=True):
            nearest[number] = max(nearest[number], min(found, 1.0))
        return nearest

    return similarity


def _sentences(text: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Sentences, list items and table rows as they stand there, each with what it cites.

    What a lead-in such as "The steps [2]:" cites, the items below it that cite nothing do, too.
    """
    lines = without_fences(text).splitlines()
    above: tuple[int, ...] = ()
    for line, below in zip_longest(lines, lines[1:], fillvalue=""):
        mark = _LIST_MARK.match(line)
        rest = (line[mark.end() :] if mark else line).strip()
        if not rest or _HEADING.fullmatch(rest) or is_table_rule(rest):
            continue
        if not mark:
            above = ()
        if rest.startswith("|"):
            if not is_table_rule(below):  # the row above a rule heads the table
                yield rest, _cited(rest)
            continue
        for sentence in sentences(rest):
            cited = _cited(sentence)
            yield sentence, cited or above
            if _is_lead_in(sentence):
                above = cited


def _cited(sentence: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(cited_numbers(sentence)))


def _plain(sentence: str) -> str:
    """Without citations, marks of Markdown and cell borders."""
    return " ".join(_MARKUP.sub("", SPACED_MARK.sub("", sentence)).replace("|", " ").split())


def _is_lead_in(sentence: str) -> bool:
    return _plain(sentence).endswith(INTRO_ENDS)


def _is_statement(plain: str, numbers: Sequence[int]) -> bool:
    if plain.endswith(QUESTION_ENDS + INTRO_ENDS) or not re.search(r"\w", plain):
        return False
    return bool(numbers) or bool(_figures(plain)) or len(re.findall(r"\w{4,}", plain)) >= _MIN_LONG_WORDS


def _figures(text: str) -> set[str]:
    """The numbers in a text, however thousands, decimals and minutes are set off: 2,480 is 2480, and 9:00 is 9."""
    joined = (re.sub(r"[.,](?=\d{3}(?!\d))", "", figure) for figure in _FIGURE.findall(text))
    return {re.sub(r"(?:\.0+)+$", "", re.sub("[,:]", ".", figure)).lstrip("0") or "0" for figure in joined}


def _spelt_out(text: str) -> set[str]:
    return {_NUMERALS[word] for word in re.findall(r"\w+", text.lower()) if word in _NUMERALS}


def _names(sentence: str) -> set[str]:
    return {name[:_STEM].lower() for name in _NAME.findall(sentence)}


def _stems(text: str) -> set[str]:
    return {word[:_STEM].lower() for word in re.findall(r"[^\W\d_]\w{3,}", text)}


def _capitalises_nouns(*texts: str) -> bool:
    text = _plain(" ".join(texts))
    return len(_NAME.findall(text)) > _MAX_NAMES * len(re.findall(r"(?<=[a-zß-ÿ,;] )\w{4,}", text))


def _in_language_of(text: str, passages: Iterable[str]) -> bool:
    """Whether the passages have the short words of a text, which every text of its language is full of."""
    short = [word for word in re.findall(r"[^\W\d_]+", _plain(text).lower()) if len(word) <= _MAX_SHORT]
    known = set(re.findall(r"[^\W\d_]+", " ".join(passages).lower()))
    return sum(word in known for word in short) >= _MIN_COMMON * len(short)
