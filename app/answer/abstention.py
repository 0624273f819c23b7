"""text of a language model -> does it say that the documents hold no answer?

In English, German, French, Spanish, Italian, Dutch, Portuguese, Polish, Chinese, Japanese and Arabic.
"""

from __future__ import annotations

import re

from app.answer.marks import MARK

ABSTENTION = "NOT IN THE DOCUMENTS"
"""Reply of a language model if the passages do not answer."""

_MAX_CHARACTERS = 400
"""Number of characters of a sentence to check."""

_OURS = (
    r"(?:passag|excerpt|snippet|context|auszüge|textstellen|extrait|pasaje|fragment|estratt|bran[io]\b"
    r"|trecho|excerto)\w*"
)
_TEXTS = rf"(?:{_OURS}|(?:document|source|text|material|dokument|quelle|unterlage|fuente|fonti\b|bronnen|źródł)\w*)"
_SILENT = (
    rf"\b{_TEXTS}(?: \w+){{0,2}} (?:(?:do|does|did) ?(?:not|n\Wt)|cannot|fails?|lacks?|\w+s? (?:no|nothing|any)"
    rf"|nichts?|kein\w*|\w+ (?:[\w ]+ )?(?:nicht|nichts|kein\w*|niet|niets|geen)|niets?|geen|ne|n\W\w+|no|non|não"
    rf"|nie (?:zawier|podaj|wspomin|mówi|odpowiad|określ)\w*)\b"
    rf"|\b(?:none of|nothing in|neither of|keine? der|nichts in|aucun\w* des|ningun\w* de)\b.{{0,20}} {_TEXTS}"
)
_MISSING = (
    r"\b(?:not|cannot|nicht|nichts|pas|no|n\Wt|non|niet|niets|não|nie|brak)\b(?: (?!be\b)\w+){0,3} "
    r"(?:in|by|from|dans|en|den|nei|negli|nelle|nos|nas|w) "
    rf"(?:\w+ ){{0,2}}{_TEXTS}\W*$"
)
_NO_INFORMATION = (
    r"\b(?:no|any|enough|insufficient|keine?|aucune?|ninguna|hay|sufficient|nessuna|non (?:ci sono|c\Wè)"
    r"|geen|nenhuma|não há|brak|nie ma)(?: \w+)? "
    r"(?:information|mention|detail|answer|data|reference|angabe|hinweis|antwort|réponse|información|mención|respuesta"
    r"|informazion|rispost|informatie|antwoord|informaç|resposta|informacj|odpowiedzi)"
    r"\w*\W*(?:$|about|on|regarding|for|of|to|that|in|is (?:given|found|available|provided)|zu|über|sur"
    r"|sobre|su[il]?\b|over|o\b|na\b)"
)
_UNABLE = (
    r"^(?:i|we|ich|je|no|ik|non|não|nie)\b.{0,12}"
    r"(?:unable|not able|not|n\Wt|cannot|nicht|nichts|keine|ne|puedo|encuentro|sé|niet|geen|posso|wiem|mogę)\b"
    r"|^non so\b|^não sei\b"
    r"|\bcannot be (?:answered|determined|found)\b"
    r"|^(?:this|that|it|das|dies)(?: \w+){1,2} (?:not|nicht)(?: be)? "
    r"(?:mentioned|specified|stated|found|given|provided|covered|answered|beantwort\w+|erwähnt|enthalten|angegeben)\b"
)
_OTHER_SCRIPTS = (
    r"(?:文档|文件|资料|材料|段落|片段|原文|内容)[^。,，]{0,8}(?:没有|没提|未|不包含|找不到|无法)"  # noqa: RUF001
    r"|(?:没有|找不到|缺少)[^。]{0,8}(?:信息|内容|答案)"
    r"|^(?:抱歉|对不起)?[^。]{0,6}(?:无法回答|不知道)"
    r"|(?:文書|資料|文章|抜粋|記述|情報|回答|ドキュメント|パッセージ)[^。]{0,30}"
    r"(?:ありません|いません|いない|見つかりません|できません|ない)|分かりません|わかりません"
    r"|(?:لا|لم) (?:ت|ي)\w+ (?:ال)?(?:مستند|وثائق|مقاطع|نصوص|معلومات|إجابة)\w*"
    r"|(?:المستندات|الوثائق|المقاطع|النصوص)(?: \w+){0,2} (?:لا|لم) |لا أعرف|لا يمكن(?:ني)? الإجابة"
)
_ABSTAINS = re.compile("|".join((_SILENT, _MISSING, _NO_INFORMATION, _UNABLE, _OTHER_SCRIPTS)), re.IGNORECASE)
_NAMES_OURS = re.compile(
    rf"\b{_OURS}|\b(?:provided|given|the) {_TEXTS}\W*$|段落|片段|抜粋|パッセージ|المقاطع", re.IGNORECASE
)
_COURTESY = re.compile(
    r"\A(?:unfortunately|(?:i\Wm |i am )?(?:sorry|afraid)|leider|désolé|malheureusement|lo siento"
    r"|purtroppo|helaas|infelizmente|niestety"
    rf"|(?:based on|according to|from|in) the (?:\w+ )?{_TEXTS}|answer)\b[,:.;]?\s*(?:but|that)?\s*",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?؟])\s+(?!\[)|(?<=[。！？])\s*(?=[^\s\[])|\n+")  # noqa: RUF001
_SAID = re.compile(r"\[\d{1,3}\]|[.!?。]\W*\Z")
_BEGINNINGS = (
    "the", "these", "this", "that", "it", "there", "i", "i'm", "we", "none", "no", "not", "based", "according",
    "unfortunately", "sorry", "answer", "die", "das", "dies", "in", "dazu", "hierzu", "es", "leider", "keine", "ich",
    "nicht", "les", "cette", "aucune", "il", "je", "pas", "los", "las", "esta", "ninguna", "lo", "gli", "nessuna",
    "non", "nei", "purtroppo", "de", "het", "dit", "deze", "er", "geen", "niet", "ik", "helaas", "os", "as", "não",
    "nenhuma", "nos", "infelizmente", "w", "nie", "brak", "niestety", "dokumenty", "fragmenty", "podane", "لا", "لم",
    "المستندات", "الوثائق", "المقاطع",
)  # fmt: skip
"""First words of such sentences."""
_BEGINNINGS_WITHOUT_SPACES = (
    "文", "资料", "材料", "段落", "片段", "根据", "提供", "没有", "找不到", "无法", "抱歉", "对不起", "不知道",
    "資料", "抜粋", "情報", "申し訳", "この", "該当", "ドキュメント", "パッセージ", "わかり", "分かり",
)  # fmt: skip


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
    begins = begins or any(word.startswith(each) or each.startswith(word) for each in _BEGINNINGS_WITHOUT_SPACES)
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
