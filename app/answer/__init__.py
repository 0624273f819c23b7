"""ranking -> Answer: text whose every [n] is a passage of the ranking, quoted or written.

    answer      Answer          the answer to a question, with its sources
    blocks      Block           a passage -> its paragraphs, lists and tables, and their sentences, items and rows
    units       CitedUnit       cited passages -> their units, which can be quoted
    question                    a question -> its parts, its figures and the kind of value it asks for
    about                       which units are about the part numbers, days and years of a question
    ranges      AskedRows       rows by ranges, such as "2 to 4 years", that hold the quantity a question names
    extractive  Extraction      without a language model: the parts of the passages that answer, word for word
    quotes      Quote           chosen parts with what a reader needs around them, and their text
    passages    Passage         text of the citations for a language model, within its token budget
    marks                       citations of any style -> [n]; code stays as it is
    thoughts                    a language model's text without its thoughts and the marks of its chat template
    abstention                  does a text say that the documents hold no answer?
    written     Checked         the messages for it, and its text without citations that it was not given
    curated                     what a curator says of a question -> the text that is shown
    support     CitedSentence   does a passage say what the sentence that cites it says?

None of them knows how the ranking came about.
"""

from app.answer.abstention import ABSTENTION
from app.answer.answer import (
    ALL_STRUCK_OUT,
    CURATED,
    EXTRACTIVE,
    NO_DOCUMENTS,
    NO_QUESTION,
    NOT_CLEAR,
    NOT_CLEAR_ONE,
    NOT_FOUND,
    NOTHING_MATCHES,
    NUMBER,
    Answer,
    Citation,
    cite,
)
from app.answer.blocks import split_sentences
from app.answer.extractive import Extraction, extract
from app.answer.passages import Passage, choose
from app.answer.quotes import Quote, quote
from app.answer.support import CitedSentence, check_support
from app.answer.written import INSTRUCTIONS, Checked, checked, echoes, prompt

__all__ = [
    "ABSTENTION",
    "ALL_STRUCK_OUT",
    "CURATED",
    "EXTRACTIVE",
    "INSTRUCTIONS",
    "NOTHING_MATCHES",
    "NOT_CLEAR",
    "NOT_CLEAR_ONE",
    "NOT_FOUND",
    "NO_DOCUMENTS",
    "NO_QUESTION",
    "NUMBER",
    "Answer",
    "Checked",
    "Citation",
    "CitedSentence",
    "Extraction",
    "Passage",
    "Quote",
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
