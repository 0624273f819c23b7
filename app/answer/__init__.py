"""ranking -> Answer: text whose every [n] is a passage of the ranking, quoted or written.

    answer      Answer          what is shown for a question, with all that it rests on
    sentences                   a passage -> its sentences, list items and table rows
    extractive  Sentence        without a language model: the best sentences of the passages, word for word
    passages    Passage         what of the citations a language model is given to read, within its budget
    marks                       citations of any style -> [n]; code stays as it is
    thoughts                    a language model's text without its thoughts and the marks of its chat template
    abstention                  does a text say that the documents hold no answer?
    written     Checked         the messages for it, and its text without citations that it was not given
    support     CitedSentence   does a passage say what the sentence that cites it says?

None of them knows how the ranking came about.
"""

from app.answer.abstention import ABSTENTION
from app.answer.answer import (
    ALL_STRUCK_OUT,
    EXTRACTIVE,
    NO_DOCUMENTS,
    NOT_FOUND,
    NOTHING_MATCHES,
    NUMBER,
    Answer,
    Citation,
    cite,
)
from app.answer.extractive import MIN_SIMILARITY, Sentence, extract, quote
from app.answer.passages import Passage, choose
from app.answer.sentences import split_sentences
from app.answer.support import CitedSentence, check_support
from app.answer.written import INSTRUCTIONS, Checked, checked, echoes, prompt

__all__ = [
    "ABSTENTION",
    "ALL_STRUCK_OUT",
    "EXTRACTIVE",
    "INSTRUCTIONS",
    "MIN_SIMILARITY",
    "NOTHING_MATCHES",
    "NOT_FOUND",
    "NO_DOCUMENTS",
    "NUMBER",
    "Answer",
    "Checked",
    "Citation",
    "CitedSentence",
    "Passage",
    "Sentence",
    "check_support",
    "checked",
    "choose",
    "cite",
    "echoes",
    "extract",
    "prompt",
    "quote",
    "split_sentences",
]
