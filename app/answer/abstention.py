"""text of a language model -> does it say that the documents hold no answer? In English, German, French and Spanish."""

from __future__ import annotations

import re

from app.answer.marks import MARK

ABSTENTION = "NOT IN THE DOCUMENTS"
"""Reply of a language model if the passages do not answer."""

_MAX_CHARACTERS = 400
"""Number of characters of a sentence to check."""

_OURS = r"(?:passage|excerpt|snippet|context|passagen|auszüge|textstellen|extrait|pasaje|fragmento)\w*"
_TEXTS = rf"(?:{_OURS}|(?:document|source|text|material|dokument|quelle|unterlage|fuente)\w*)"
_SILENT = (
    rf"\b{_TEXTS}(?: \w+){{0,2}} (?:(?:do|does|did) ?(?:not|n\Wt)|cannot|fails?|lacks?|\w+s? (?:no|nothing|any)"
    rf"|nichts?|kein\w*|\w+ (?:[\w ]+ )?(?:nicht|nichts|kein\w*)|ne|n\W\w+|no)\b"
    rf"|\b(?:none of|nothing in|neither of|keine? der|nichts in|aucun\w* des|ningun\w* de)\b.{{0,20}} {_TEXTS}"
)
_MISSING = (
    r"\b(?:not|cannot|nicht|nichts|pas|no|n\Wt)\b(?: (?!be\b)\w+){0,3} (?:in|by|from|dans|en|den) "
    rf"(?:\w+ ){{0,2}}{_TEXTS}\W*$"
)
_NO_INFORMATION = (
    r"\b(?:no|any|enough|insufficient|keine?|aucune?|ninguna|hay|sufficient)(?: \w+)? "
    r"(?:information|mention|detail|answer|data|reference|angabe|hinweis|antwort|réponse|información|mención|respuesta)"
    r"\w*\W*(?:$|about|on|regarding|for|of|to|that|in|is (?:given|found|available|provided)|zu|über|sur|sobre)"
)
_UNABLE = (
    r"^(?:i|we|ich|je|no)\b.{0,12}(?:unable|not able|not|n\Wt|cannot|nicht|nichts|keine|ne|puedo|encuentro|sé)\b"
    r"|\bcannot be (?:answered|determined|found)\b"
    r"|^(?:this|that|it|das|dies)(?: \w+){1,2} (?:not|nicht)(?: be)? "
    r"(?:mentioned|specified|stated|found|given|provided|covered|answered|beantwort\w+|erwähnt|enthalten|angegeben)\b"
)
_ABSTAINS = re.compile("|".join((_SILENT, _MISSING, _NO_INFORMATION, _UNABLE)), re.IGNORECASE)
_NAMES_OURS = re.compile(rf"\b{_OURS}|\b(?:provided|given|the) {_TEXTS}\W*$", re.IGNORECASE)
_COURTESY = re.compile(
    r"\A(?:unfortunately|(?:i\Wm |i am )?(?:sorry|afraid)|leider|désolé|malheureusement|lo siento"
    rf"|(?:based on|according to|from|in) the (?:\w+ )?{_TEXTS}|answer)\b[,:.;]?\s*(?:but|that)?\s*",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?。])\s+(?!\[)|\n+")
_SAID = re.compile(r"\[\d{1,3}\]|[.!?。]\W*\Z")
_BEGINNINGS = (
    "the", "these", "this", "that", "it", "there", "i", "i'm", "we", "none", "no", "not", "based", "according",
    "unfortunately", "sorry", "answer", "die", "das", "dies", "in", "dazu", "hierzu", "es", "leider", "keine", "ich",
    "nicht", "les", "cette", "aucune", "il", "je", "pas", "los", "las", "esta", "ninguna", "lo",
)  # fmt: skip
"""First words of such sentences."""


def abstains(text: str) -> bool:
    """Whether a text with marks says that there is no answer, and cites nothing in any other sentence."""
    before, phrase, _ = text.partition(ABSTENTION)
    if phrase:
        return not MARK.search(before)
    first, *others = _statements(text)
    return _says_nothing(first) and not any(MARK.search(sentence) for sentence in others)


def may_abstain(text: str) -> bool:
    """Whether a growing text may become such a text: its first sentence begins like one, without a mark or an end."""
    first, *others = _statements(text)
    word, *more = _stripped(first).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split() or [""]
    word = word.rstrip(",:")
    begins = word in _BEGINNINGS if more else any(each.startswith(word) for each in _BEGINNINGS)
    return begins and not others and (len(more) < 3 or not _SAID.search(first))


def _statements(text: str) -> list[str]:
    """The sentences of a text without an "I am sorry." before them; at least one, which may be empty."""
    first, *others = _SENTENCE_END.split(text.strip())
    return others if others and len(first.split()) < 4 and not _says_nothing(first) else [first, *others]


def _says_nothing(sentence: str) -> bool:
    plain = _COURTESY.sub("", _stripped(MARK.sub("", sentence[:_MAX_CHARACTERS])), count=1)
    if not _ABSTAINS.search(plain):
        return False
    return not MARK.search(sentence) or bool(_NAMES_OURS.search(plain))  # "The documents do not expire [1]" answers


def _stripped(text: str) -> str:
    return " ".join(re.sub(r"[*_#\"“”„«»]", "", text).split())
