"""text as a language model writes it -> what people read, without its thoughts and the marks of its chat template."""

from __future__ import annotations

import re

_NAME = r"(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|scratchpad)"
_OPEN = re.compile(
    rf"<\|?(?:\w{{1,20}}:)?(?:begin_of_|start_)?{_NAME}(?:\s[^<>]{{0,80}})?\|?>"
    r"|\[think(?:ing)?\]|◁think▷|<\|channel\|?>\s*(?:analysis|commentary|thought)|\Aanalysis(?=[A-Z])",
    re.IGNORECASE,
)
_CLOSE = re.compile(
    rf"<\|?/(?:\w{{1,20}}:)?{_NAME}\s*\|?>|<\|end_(?:of_)?{_NAME}\|>|\[/think(?:ing)?\]|◁/think▷"
    r"|<channel\|>|<\|channel\|>\s*final[^<]{0,80}<\|message\|>|(?<=\S)assistantfinal",
    re.IGNORECASE,
)
_SPECIAL = r"<[|｜](?!channel)[\w▁]{1,40}[|｜]>"  # noqa: RUF001
_BEGIN = re.compile(
    rf"(?:\s*(?:{_SPECIAL}(?:assistant\b)?|assistant\n|<s>|<bos>|<start_of_turn>(?:model\b)?|<answer>))+"
)
_END = re.compile(rf"{_SPECIAL}|<\|channel\|>|<(?:eos|end_of_turn|/answer)>|</s>(?=\s*(?:\Z|<s>|\[INST\]))|\[/?INST\]")
_HALF = re.compile(
    r"(?:<(?:[/|｜a-z][^<>\n]{0,40})?|<\|channel\|?>\s?[a-z]{0,12}|◁[^▷\n]{0,20}|\[/?[a-z]{0,10})\Z",  # noqa: RUF001
    re.IGNORECASE,
)
_CODE = re.compile(r"`[^`\n]+`")
_MUSINGS = (
    "okay", "ok,", "ok ", "alright", "all right", "hm", "well,", "wait", "so ", "so,", "let me ", "let's ", "let us ",
    "the user ", "the question ", "first, i ", "now, i ", "i need ", "i should ", "i have ", "i must ", "i will ",
    "i'll ", "i think ", "we need ", "we have to ", "we should ", "we must ", "we are asked", "looking at ",
    "to answer ", "thinking", "maybe ", "analysis", "assistant", "der nutzer ", "der benutzer ", "die frage ",
    "ich muss ", "ich soll",
)  # fmt: skip
"""How thoughts begin whose opening mark stands in the chat template, so that only their end is written."""


def without_thoughts(text: str, *, grows: bool = False) -> str:
    """Return the text without thoughts and marks of a chat template.

    Words before a thought belong to it, unless nothing follows. grows: more is to come, so half a mark at the end is
    held back, and so is a text that begins as thoughts do: their end may still come.
    """
    opened, closed = _outside_code(_OPEN, text), _outside_code(_CLOSE, text)
    answer = _unwrapped(text[closed[-1].end() :]) if closed else ""
    is_sure = bool(answer) or bool(closed and not opened)
    if not is_sure:
        answer = _unwrapped(text[: opened[0].start()] if opened else text)
    elif again := _OPEN.search(answer):
        answer = answer[: again.start()]
    if not grows:
        return answer
    return "" if not is_sure and _muses(answer) else _HALF.sub("", answer)


def _muses(text: str) -> bool:
    """Whether a growing text begins as thoughts do, or may do so with its next words."""
    begun = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return any(begun.startswith(words) or words.startswith(begun) for words in _MUSINGS)


def _outside_code(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    code = [match.span() for match in _CODE.finditer(text)]
    return [each for each in pattern.finditer(text) if not any(start < each.start() < end for start, end in code)]


def _unwrapped(text: str) -> str:
    """What stands between the marks of a chat template that begin and end a text."""
    begin = _BEGIN.match(text)
    text = text[begin.end() :] if begin else text
    end = _END.search(text)
    return (text[: end.start()] if end else text).strip()
