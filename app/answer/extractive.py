"""question, citations -> Sentences: the best of the passages, word for word, with no language model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.answer.answer import NOT_FOUND, NUMBER, Citation
from app.answer.sentences import split_sentences
from app.reranking.rerank import Reranker

MIN_SIMILARITY = 0.44
"""Below this similarity of question and best sentence, the documents do not say: a floor for what is off the topic.

19 of 20 general questions (SQuAD, 50 of them) asked of an employee handbook are below it, and less than one in
fifty of 277 questions that their documents answer. Near misses are above it: similarity cannot tell them.
"""
_RANK_COST = 0.04
"""A place further down in the ranking costs a sentence this much similarity, chosen on those 277 training questions."""
_SIMILARITY_MARGIN = 0.05
"""A second and third sentence are quoted if they are at most this much behind the best."""
_MAX_SENTENCES = 3


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a shown passage, word for word, and how similar it is to the question, at most 1."""

    text: str
    number: int
    similarity: float


def extract(question: str, citations: Sequence[Citation], scorer: Reranker) -> list[Sentence]:
    """The one to three sentences nearest to the question, in the order of their citations.

    scorer: late interaction. A sentence's similarity is the mean of two: alone, and below its title and
    headings, which say what "it" is but are alike for all sentences of a passage. Empty when not even the
    best sentence is near: the documents do not say.
    """
    sentences = [(sentence, citation) for citation in citations for sentence in split_sentences(citation.chunk.text)]
    if not sentences:
        return []
    alone = [sentence for sentence, _ in sentences]
    in_place = [f"{citation.chunk.title} {citation.chunk.heading}\n{sentence}" for sentence, citation in sentences]
    scores = scorer.score(question, alone + in_place)
    scored = [
        Sentence(text, citation.number, (own + placed) / 2)
        for (text, citation), own, placed in zip(sentences, scores, scores[len(alone) :], strict=False)
    ]
    scored = [sentence for sentence in scored if sentence.similarity >= MIN_SIMILARITY]
    scored.sort(key=_value, reverse=True)
    distinct = {sentence.text: sentence for sentence in reversed(scored)}  # the best of equal sentences stays
    near = [sentence for sentence in scored if _value(sentence) >= _value(scored[0]) - _SIMILARITY_MARGIN]
    kept = [sentence for sentence in near if distinct[sentence.text] is sentence][:_MAX_SENTENCES]
    return sorted(kept, key=lambda sentence: (sentence.number, -sentence.similarity))


def _value(sentence: Sentence) -> float:
    return sentence.similarity - _RANK_COST * (sentence.number - 1)


def quote(sentences: Sequence[Sentence]) -> str:
    """Extracted sentences as the text of an answer, or the words for finding none.

    A footnote mark such as [2] in a sentence becomes (2): in an answer it would be a citation.
    """
    quoted = [NUMBER.sub(r"(\1)", sentence.text) + f" [{sentence.number}]" for sentence in sentences]
    return "\n\n".join(quoted) or NOT_FOUND
