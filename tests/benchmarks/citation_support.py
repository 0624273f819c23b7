"""Which score tells what a passage says from what it does not? python -m tests.benchmarks.citation_support

Sentences of training data, reworded, and conclusions of articles meet their own passage, others, and their own after a
number, a name, two words or the sense has been changed. `app.answer.support` was made on the tuning part of these; the
rest, and statements on the sample documents that were written for this, are the test. The training data lie outside of
the project; without them only the statements are measured. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from app.answer.support import MIN_SUPPORT, check_support
from app.evaluation.benchmark import read_benchmark, resolve_evidence
from app.reranking.late_interaction import LateInteractionReranker
from app.training.candidate import PROBE
from ingest.chunk import chunk
from ingest.embed.embedder import load_embedder

STATEMENTS = Path(__file__).with_suffix(".jsonl")
SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "train"
TEST_SOURCES = (
    "GSA-TTS/identity-site",
    "sendgrid/docs",
    "MicrosoftDocs/OfficeDocs-SharePoint",
    "MicrosoftDocs/iis-docs",
)
"""Those that are kept out of every training here."""
COLLECTIONS = {"docs_faq": "title", "vespa_docs": "doc", "medquad": "focus", "pubmedqa": "pmid"}
"""File -> the field that passages on the same subject share."""
_MAX_CHARACTERS = 1000
_NUM_OTHERS = 4
_FILLERS = re.compile(r"(?i)the|an?|th(?:at|is|ese|ose)|which|of|very|also|then|however|therefore|just|so")
_LEADS = ("According to the documentation, ", "In short, ", "Note that ", "Yes: ", "")
_VERB = re.compile(r"\b(is|are|was|were|can|could|must|should|will|would|does|do|did|has|have|may)\b( not\b)?")
_NUMBER = re.compile(r"(?<![\w.,-])\d+(?:[.,]\d+)*")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w-]+")
_WORD = re.compile(r"\b[a-z]{5,}\b")

Part = Literal["tuning", "test"]
Score = Callable[["Case"], float]


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence, the passages that it cites, and others that the writer had. said: whether the cited ones say it."""

    collection: str
    part: Part
    kind: str
    said: bool
    sentence: str
    passages: tuple[str, ...]
    others: tuple[str, ...]


def main() -> None:
    """Print how well each score tells the kinds apart, and what the threshold does."""
    options = _options()
    cases = list(statements())
    if SHARED_DATA.exists():
        for name in COLLECTIONS:
            cases += collect(name, options.passages)
    else:
        print(f"no training data in {SHARED_DATA}, so only the statements on the sample are measured")
    scores = {name: [score(case) for case in cases] for name, score in methods().items()}
    print("share of pairs in which what is said has the higher score (test part)")
    for kind in dict.fromkeys(case.kind for case in cases if case.said):
        print_separation(kind, cases, scores)
    print(f"\nshare that {MIN_SUPPORT} calls said")
    for part in ("tuning", "test"):
        print_shares(
            [case for case in cases if case.part == part], part, scores["figures, names, nearest sentence"], cases
        )


def methods() -> dict[str, Score]:
    """Name -> score; the fourth is that of the app."""
    scorer = LateInteractionReranker()

    def supported(case: Case) -> float:
        passages = dict(enumerate((*case.passages, *case.others), 1))
        marks = "".join(f"[{number}]" for number in range(1, len(case.passages) + 1))
        found = check_support(f"{case.sentence} {marks}", passages, scorer)
        return max((each.score for each in found), default=0.0)

    @cache
    def once(case: Case) -> float:
        return supported(case)

    def words(case: Case) -> float:
        return overlap(case.sentence, " ".join(case.passages))

    return {
        "words": words,
        "whole passage": lambda case: max(scorer.score(case.sentence, case.passages)),
        "figures, names, words": lambda case: words(case) if once(case) else 0.0,
        "figures, names, nearest sentence": once,
        "figures, names, mean of both": lambda case: (words(case) + once(case)) / 2 if once(case) else 0.0,
    }


def overlap(sentence: str, passage: str) -> float:
    """Share of the stems of the sentence, short words left out, that the passage has."""
    wanted, there = stems(sentence), stems(passage)
    return len(wanted & there) / len(wanted) if wanted else 1.0


def stems(text: str) -> set[str]:
    """The first five letters of each word of four or more."""
    return {word[:5] for word in re.findall(r"[^\W\d_]{4,}", text.lower())}


def statements() -> Iterator[Case]:
    """What was written on the sample documents, each with the passages that hold the evidence."""
    benchmark, embedder = read_benchmark(PROBE), load_embedder()
    documents = {document.name: document for document in benchmark.documents}
    chunks = cache(lambda name: chunk(documents[name], embedder.count_tokens, embedder.max_tokens))
    chance = random.Random(0)
    for row in map(json.loads, STATEMENTS.read_text(encoding="utf-8").splitlines()):
        evidence = benchmark.evidence[row["query"]]
        found = [resolve_evidence(each, chunks(each.document), documents[each.document].text) for each in evidence]
        passages = tuple(dict.fromkeys(each.passage for each in found))
        rest = [each.passage for each in chunks(evidence[0].document) if each.passage not in passages]
        others = tuple(chance.sample(rest, min(_NUM_OTHERS + 1, len(rest))))
        is_foreign = row["language"] != "passages"
        name, kind, false = ("foreign", "foreign", "false foreign") if is_foreign else ("sample", "statement", "false")
        yield Case(name, "test", kind, True, row["said"], passages, others[1:])
        yield Case(name, "test", false, False, row["not_said"], passages, others[1:])
        if others and not is_foreign:
            yield Case(name, "test", "same document", False, row["said"], others[:1], (*others[1:], *passages))


def collect(name: str, num_passages: int) -> Iterator[Case]:
    """Cases of both parts, from as many passages for each."""
    rows = _rows(name)
    chance = random.Random(0)
    chance.shuffle(rows)
    by_subject: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_subject.setdefault(_subject(name, row), []).append(row)
    taken = {"tuning": 0, "test": 0}
    for row in rows:
        part = _part(name, row)
        if taken[part] == num_passages or not (sentences := _usable(row.get("answer") or row["passage"])):
            continue
        taken[part] += 1
        near = [each for each in by_subject[_subject(name, row)] if each["passage"] != row["passage"]]
        others = tuple(_passage(each) for each in chance.sample(rows, _NUM_OTHERS))
        made = changed(chance, chance.choice(sentences), row, others[0], is_conclusion="answer" in row)
        if near:
            made.append(("same subject", False, made[0][2], _passage(chance.choice(near))))
        for kind, said, sentence, passage in made:
            yield Case(name, part, kind, said, sentence, (passage,), others[1:])


def changed(
    chance: random.Random, sentence: str, row: Mapping[str, Any], other: str, *, is_conclusion: bool
) -> list[tuple[str, bool, str, str]]:
    """Kind, whether it is said, sentence and passage: first what is said, then what was made of it and is not."""
    passage = _passage(row)
    if is_conclusion:
        return [("conclusion", True, sentence, passage), ("other subject", False, sentence, other)]
    said = reworded(chance, sentence)
    made = {
        "number": _exchanged(chance, _NUMBER, said, lambda old: _other_number(chance, old, passage)),
        "name": _exchanged(chance, _NAME, said, lambda _: _drawn(chance, _NAME, other, passage)),
        "sense": _VERB.sub(lambda verb: verb[1] if verb[2] else f"{verb[1]} not", said, count=1),
        "two words": _exchanged(chance, _WORD, said, lambda _: _drawn(chance, _WORD, other, passage), times=2),
    }
    return [
        ("reworded", True, said, passage),
        ("other subject", False, said, other),
        *((kind, False, text, passage) for kind, text in made.items() if text != said),
    ]


def reworded(chance: random.Random, sentence: str) -> str:
    """With another beginning, without some words that matter little, and with its clauses turned round."""
    kept = " ".join(
        word for word in sentence.rstrip(".").split() if not _FILLERS.fullmatch(word) or chance.random() < 0.4
    )
    clauses = re.split(r", (?=(?:when|if|because|so|and|but|which|while) )", re.sub(r"\s*\([^)]*\)", "", kept) or kept)
    if len(clauses) == 2 and chance.random() < 0.5:
        clauses.reverse()
    text, lead = ", ".join(clauses), chance.choice(_LEADS)
    return f"{lead}{text[0].lower() + text[1:] if lead else text}."


def print_separation(kind: str, cases: Sequence[Case], scores: Mapping[str, Sequence[float]]) -> None:
    """A line for each score, a column for each kind of what is not said in the same collections."""
    test = [place for place, case in enumerate(cases) if case.part == "test"]
    said = [place for place in test if cases[place].kind == kind]
    collections = {cases[place].collection for place in said}
    against = [place for place in test if not cases[place].said and cases[place].collection in collections]
    kinds = list(dict.fromkeys(cases[place].kind for place in against))
    print(f"\n{f'{kind} ({len(said)})':<38}" + "".join(f"{name:>16}" for name in kinds))
    for name, found in scores.items():
        columns = [
            _auc([found[place] for place in said], [found[place] for place in against if cases[place].kind == other])
            for other in kinds
        ]
        print(f"{name:<38}" + "".join(f"{value:>16.3f}" for value in columns))


def print_shares(chosen: Sequence[Case], part: str, scores: Sequence[float], cases: Sequence[Case]) -> None:
    """Of each kind, how many reach the threshold; and how right it is to mark the others."""
    if not chosen:
        return
    supported = {id(case): score >= MIN_SUPPORT for case, score in zip(cases, scores, strict=True)}
    print(f"\n{part}")
    for kind in dict.fromkeys(case.kind for case in chosen):
        found = [supported[id(case)] for case in chosen if case.kind == kind]
        print(f"  {kind:<20}{np.mean(found):>6.2f} of {len(found)}")
    for name, group in (("training data", COLLECTIONS), ("statements", ("sample",)), ("other languages", ("foreign",))):
        marked = [case.said for case in chosen if case.collection in group and not supported[id(case)]]
        wrong = sum(not case.said for case in chosen if case.collection in group)
        if marked and wrong:
            rightly = len(marked) - sum(marked)
            print(f"  marked, {name}: precision {rightly / len(marked):.2f}, recall {rightly / wrong:.2f}")


def _auc(said: Sequence[float], not_said: Sequence[float]) -> float:
    higher, lower = np.array(said)[:, None], np.array(not_said)[None]
    return float((higher > lower).mean() + (higher == lower).mean() / 2) if higher.size and lower.size else float("nan")


def _exchanged(
    chance: random.Random, what: re.Pattern[str], text: str, new: Callable[[str], str], times: int = 1
) -> str:
    """The text with one or more of its matches, taken at random, replaced; as it is where it has too few."""
    matches = list(what.finditer(text))
    if len(matches) < times:
        return text
    for match in sorted(chance.sample(matches, times), key=lambda each: -each.start()):
        text = text[: match.start()] + new(match[0]) + text[match.end() :]
    return text


def _other_number(chance: random.Random, number: str, passage: str) -> str:
    """As long, with other digits, and not in the passage; itself if none was found."""
    for _ in range(20):
        other = re.sub(r"\d", lambda _: chance.choice("123456789"), number)
        if not re.search(rf"(?<!\d){re.escape(other)}(?!\d)", passage):
            return other
    return number


def _drawn(chance: random.Random, what: re.Pattern[str], source: str, passage: str) -> str:
    new = [match[0] for match in what.finditer(source) if match[0].lower()[:5] not in passage.lower()]
    return chance.choice(new or ["Kerguelen"])


def _usable(text: str) -> list[str]:
    sentences = re.split(r"(?<=[.])\s+", text[:_MAX_CHARACTERS].replace("\n", " "))
    return [each for each in sentences if 6 <= len(each.split()) <= 45 and each[0].isupper() and each[-1] == "."]


def _passage(row: Mapping[str, Any]) -> str:
    return f"{row.get('title') or row.get('focus') or ''}\n{row['passage'][:_MAX_CHARACTERS]}"


def _subject(name: str, row: Mapping[str, Any]) -> str:
    return str(row[COLLECTIONS[name]]).partition("#")[0]


def _part(name: str, row: Mapping[str, Any]) -> Part:
    if name == "docs_faq":
        return "test" if row["source"] in TEST_SOURCES else "tuning"
    return "test" if hashlib.sha256(_subject(name, row).encode()).digest()[0] % 2 else "tuning"


def _rows(name: str) -> list[dict[str, Any]]:
    """The rows of a file, of each passage one."""
    with gzip.open(SHARED_DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return list({row["passage"]: row for row in map(json.loads, lines)}.values())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.citation_support", description=__doc__)
    parser.add_argument("--passages", type=int, default=40, help="how many of each file, for each part")
    return parser.parse_args()


if __name__ == "__main__":
    main()
