"""How language models really write: citations of any style, code, thoughts, chat templates, "there is no answer"."""

from __future__ import annotations

import pytest

from app.answer import NOT_FOUND, check_support, checked
from tests.app.builders import make_answer
from tests.app.test_support import WordScorer

GIVEN = {1, 2, 3, 4, 5}
SAID = "There are 27 days of annual leave"
ANSWER = f"{SAID} [1]."
PASSAGES = dict.fromkeys(GIVEN, f"Leave\n{SAID}.")


def shown_while_growing(text: str) -> list[str]:
    """What is shown after each letter."""
    return [checked(text[:length], GIVEN, grows=True).text for length in range(len(text) + 1)]


# Citations -------------------------------------------------------------------------------------------

STYLES = {
    " [1-3]": "[1][2][3]",
    " [1–3]": "[1][2][3]",  # noqa: RUF001
    " [1, 3-4]": "[1][3][4]",
    " [3-1]": "[1][2][3]",
    " [1 to 3]": "[1][2][3]",
    " [1]-[3]": "[1][2][3]",
    " [1 and 2]": "[1][2]",
    " [1, 2, and 4]": "[1][2][4]",
    " [1 & 2]": "[1][2]",
    " [1; 2]": "[1][2]",
    " [ 1 ]": "[1]",
    " [#1]": "[1]",
    " [Source 1]": "[1]",
    " [Source 1, Source 3]": "[1][3]",
    " [Sources 1-3]": "[1][2][3]",
    " [Source 1: Leave rules]": "[1]",
    " [Passage 1]": "[1]",
    " [Quelle 1]": "[1]",
    " [doc1][doc2]": "[1][2]",
    " [citation:1]": "[1]",
    " [citation:1][citation:2]": "[1][2]",
    " [[citation:1]]": "[1]",
    " ［1］": "[1]",  # noqa: RUF001
    " [１]": "[1]",  # noqa: RUF001
    " <sup>1</sup>": "[1]",
    " <sup>[1]</sup>": "[1]",
    "<sup>1,2</sup>": "[1][2]",
    " (1)": "[1]",
    " (1, 2)": "[1][2]",
    " (Source 1)": "[1]",
    " (see passages 1 and 2)": "[1][2]",
    "[^1]": "[1]",
    "[^1][^2]": "[1][2]",
    " [^1^]": "[1]",
    "¹": "[1]",
    "【1, 2】": "[1][2]",
    "【1-2】": "[1][2]",
    "【1†L2-L4】": "[1]",
    "【1:0†source】": "[1]",
    " [[1]]": "[1]",
    " [1](https://x.example/doc)": "[1]",
    "[1]": "[1]",
}


@pytest.mark.parametrize("style", STYLES)
def test_a_citation_of_any_style_becomes_a_number_in_brackets(style: str) -> None:
    text, num_dropped, found = checked(f"{SAID}{style}.", GIVEN)
    assert text.replace("leave[", "leave [") == f"{SAID} {STYLES[style]}."
    assert (num_dropped, found) == (0, True)


@pytest.mark.parametrize("style", STYLES)
def test_a_true_sentence_is_supported_whatever_the_style_of_its_citation(style: str) -> None:
    text, *_ = checked(f"{SAID}{style}.", GIVEN)
    (sentence,) = check_support(text, PASSAGES, WordScorer())
    assert sentence.is_supported
    assert sentence.numbers == tuple(sorted(make_answer(text).used))


@pytest.mark.parametrize("style", STYLES)
def test_of_a_citation_of_any_style_no_half_is_shown(style: str) -> None:
    text = f"Yes: {SAID}{style}, plus two."
    end = checked(text, GIVEN).text
    for shown in shown_while_growing(text):
        assert end.startswith(shown) or shown.rstrip("1234567890[] ") == f"Yes: {SAID}"
        assert "[" not in shown.replace("[1]", "").replace("[2]", "").replace("[3]", "").replace("[4]", "")


@pytest.mark.parametrize(
    ("text", "kept", "num_dropped"),
    [
        ("Thirty days [1-9].", "Thirty days [1][2].", 7),
        ("Thirty days [7-9].", "Thirty days.", 3),
        ("Thirty days [Source 9].", "Thirty days.", 1),
        ("Thirty days【9】 or so【2】.", "Thirty days or so [2].", 1),
        ("Thirty days (9).", "Thirty days (9).", 0),
        ("Thirty days [^9].", "Thirty days.", 1),
    ],
)
def test_numbers_that_were_not_given_are_dropped_in_any_style(text: str, kept: str, num_dropped: int) -> None:
    assert checked(text, {1, 2}) == (kept, num_dropped, True)


@pytest.mark.parametrize(
    "below",
    [
        "[^1]: Leave rules",
        "[^1]: Leave rules\n[^2]: Script guide",
        "[1]: Leave rules",
        "**Sources:**\n[1] Leave rules\n[2] Script guide",
        "## References\n\n- [1] Leave rules\n- [2] Script guide",
    ],
)
def test_a_list_of_the_sources_below_is_left_out(below: str) -> None:
    text = f"{SAID} [1].\n\n{below}"
    assert checked(text, GIVEN) == (ANSWER, 0, True)
    assert all(ANSWER.startswith(shown.rstrip("\n*#")) for shown in shown_while_growing(text))


def test_a_list_of_sources_that_holds_the_only_citations_stays() -> None:
    text = f"{SAID}.\n\nSources:\n[1] Leave rules"
    assert checked(text, GIVEN).text == text


def test_passages_named_in_a_sentence_are_no_figures() -> None:
    for named in ("Passage 1 says", "According to sources 1 and 2"):
        (sentence,) = check_support(f"{named}: {SAID.lower()} [1].", PASSAGES, WordScorer())
        assert sentence.score > 0


# No citations ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("Use this [1]:\n```python\nfirst = queue[0]\nsecond = queue[1]\n```", {1}),
        ("Use this [1]:\n~~~\nrows = [2]\npairs = [1, 2]\n~~~\nand that [3].", {1, 3}),
        ("Call `args[1]` with `[2]`, then wait [3].", {3}),
        ("The first is queue[0], the last is queue[-1]; x[2] is the third [1].", {1}),
        ("names[1] is the second [3].", {3}),
        ("names[1] is the second.", set()),
        ("See rows[1:2] and cells[1, 2] [3].", {3}),
        ("It takes [0, 1] or [1, 2024] [3].", {3}),
        ("In [2024] there were 27 days [1].", {1}),
        ("From [2020-2024] on, or at [9:00], there were 27 days [1].", {1}),
        ("It covers 5 m² and 10<sup>3</sup> bolts [1].", {1}),
        ("There are twelve (12) months: (1) short ones and (2) long ones.", set()),
        ("Call open(1). It works.", set()),
        ("Read [the rules](https://x.example/1) and [note] [1].", {1}),
    ],
)
def test_brackets_that_are_no_citations_stay(text: str, used: set[int]) -> None:
    assert checked(text, GIVEN) == (text, 0, True)
    assert make_answer(text).used == used


@pytest.mark.parametrize("name", ["`rows = [7, 8]`", "```\nrows = [7, 8]\n```", "rows[7]"])
def test_code_is_never_changed_while_it_grows(name: str) -> None:
    text = f"Write [1] {name} now [2]."
    for shown in shown_while_growing(text):
        assert text.startswith(shown)


def test_code_states_nothing() -> None:
    text = f"{ANSWER}\n```\nsecond = queue[1]\n```"
    assert [sentence.text for sentence in check_support(text, PASSAGES, WordScorer())] == [ANSWER]


# Thoughts --------------------------------------------------------------------------------------------

THOUGHT = "the user asks for leave. Passage [1] says 27. Maybe 30?"
WRAPPED = [
    f"Okay, {THOUGHT}\n</think>\n\n{{}}",
    f"Let me look: {THOUGHT}</think>{{}}",
    f"Hmm, {THOUGHT}\n</thinking>\n{{}}",
    f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{{}}",
    f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{{}}<|return|>",
    "<|channel|>final<|message|>{}",
    f"analysis{THOUGHT.capitalize()}assistantfinal{{}}",
    f"<|channel>thought\n{THOUGHT}<channel|>{{}}",
    f"<think>{THOUGHT}</think>{{}}",
    f"<think>{THOUGHT}</think><think>{THOUGHT}</think>\n{{}}",
    f'<think time="3">{THOUGHT}</think>{{}}',
    f"<thinking>{THOUGHT}</thinking>\n{{}}",
    f"<thought>{THOUGHT}</thought>{{}}",
    f"<reasoning>{THOUGHT}</reasoning>{{}}",
    f"<seed:think>{THOUGHT}</seed:think>{{}}",
    f"<|begin_of_thought|>{THOUGHT}<|end_of_thought|>{{}}",
    f"<|START_THINKING|>{THOUGHT}<|END_THINKING|><|START_RESPONSE|>{{}}<|END_RESPONSE|>",
    f"[THINK]{THOUGHT}[/THINK]{{}}",
    f"◁think▷{THOUGHT}◁/think▷{{}}",
    f"Let me see. <think>{THOUGHT}</think>{{}}",
    f"{{}}\n<think>{THOUGHT}</think>",
    f"{{}}\n<think>{THOUGHT}",
    "{}<|im_end|>",
    "{}</s>",
    "{}<|eot_id|>assistant\n\nAnything else?",
    "{}<end_of_turn>\n<start_of_turn>user\nMore?",
    "<|start_header_id|>assistant<|end_header_id|>\n\n{}<|eot_id|>",
    "<s>{}</s>",
    f"<think>{THOUGHT}</think>\n<answer>{{}}</answer>",
]


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_thoughts_and_marks_of_chat_templates_are_left_out(wrapped: str) -> None:
    assert checked(wrapped.format(ANSWER), GIVEN) == (ANSWER, 0, True)


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_no_thought_is_shown_while_the_text_grows(wrapped: str) -> None:
    assert all(ANSWER.startswith(shown) for shown in shown_while_growing(wrapped.format(ANSWER)))


@pytest.mark.parametrize(
    "text",
    [
        "The tag `</think>` ends a thought [1].",
        "Write `<think>` before it [1].",
        "Use <b>bold</b> where a < b, as <i>they</i> think [1].",
        "The price was <s>30</s> 27 euros [1].",
        "Okay, there are 27 days [1].",
    ],
)
def test_what_only_looks_like_a_thought_stays(text: str) -> None:
    assert checked(text, GIVEN) == (text, 0, True)


@pytest.mark.parametrize("text", [f"<think>{THOUGHT}", f"<thinking>{THOUGHT}</thinking>", "<|im_end|>"])
def test_thoughts_alone_are_no_answer(text: str) -> None:
    assert checked(text, GIVEN) == (NOT_FOUND, 0, False)


# No answer -------------------------------------------------------------------------------------------


ABSTENTIONS = [
    "Not in the documents.",
    "**NOT IN THE DOCUMENTS**",
    "Not in the documents. [1]",
    "NICHT IN DEN DOKUMENTEN",
    "The passages do not contain information about this.",
    "The provided documents don't mention parking.",
    "Unfortunately, the passages do not say how many days there are [1].",
    "Based on the provided passages, there is no information about parking.",
    "None of the passages mention parking.",
    "The number of days is not mentioned in the passages.",
    "The question cannot be answered from the passages.",
    "I'm sorry, but I cannot answer this question.",
    "I am sorry. The documents do not answer this.",
    "I don't know.",
    "I could not find this in the passages. They are only about leave.",
    "Die Passagen enthalten keine Angaben dazu.",
    "Dazu steht nichts in den Dokumenten.",
    "Les passages ne contiennent pas cette information.",
    "Los documentos no mencionan el aparcamiento.",
    "I documenti non menzionano il parcheggio.",
    "Non ci sono informazioni sul parcheggio.",
    "De documenten vermelden niets over parkeren.",
    "Dit staat niet in de documenten.",
    "Os documentos não mencionam o estacionamento.",
    "Não há informações sobre estacionamento.",
    "Dokumenty nie zawierają informacji o parkowaniu.",
    "Nie ma tego w dokumentach.",
    "文件中没有提到停车。",
    "没有找到相关信息。",
    "抱歉，无法回答这个问题。",  # noqa: RUF001
    "文書には駐車場について記載されていません。",
    "この情報は資料に見つかりません。",
    "لا تذكر المستندات شيئاً عن المواقف.",
    "لا توجد معلومات عن المواقف.",
]


@pytest.mark.parametrize("text", ABSTENTIONS)
def test_any_way_to_say_that_there_is_no_answer_becomes_our_own_words(text: str) -> None:
    assert checked(text, GIVEN)[::2] == (NOT_FOUND, False)


@pytest.mark.parametrize("text", ABSTENTIONS)
def test_the_words_for_finding_nothing_are_not_shown_while_they_grow(text: str) -> None:
    assert set(shown_while_growing(text)) == {""}


@pytest.mark.parametrize(
    "text",
    [
        "The documents must not be printed [1].",
        "The documents do not expire [1].",
        "No receipts are needed below 20 euros [1].",
        "No information may be passed on [1].",
        "No, parking is not free [2].",
        "There is no limit [1].",
        "It is not allowed [1].",
        "Leave is not paid out in cash.",
        "There are 27 days [1]. The passages do not mention part-time staff.",
        "The passages do not mention Hamburg. In Bremen it is 150 euros [2].",
        "Die Unterlagen dürfen nicht kopiert werden [1].",
        "I documenti non si stampano [1].",
        "De documenten mogen niet worden gekopieerd [1].",
        "Os documentos não caducam [1].",
        "文件不得复印 [1]。",
        "没有上限 [1]。",
        "文書は印刷できません [1]。",
        "لا تُصرف الإجازة نقداً [1].",
    ],
)
def test_an_answer_with_a_no_in_it_is_an_answer(text: str) -> None:
    assert checked(text, GIVEN) == (text, 0, True)


@pytest.mark.parametrize(
    "text",
    [
        "(1" * 50_000,
        "`" * 100_000,
        "<think" * 16_000,
        "[1," * 33_000,
        "the passages " * 8_000,
        "¹" * 100_000,
        "\n[1]:" * 20_000,
    ],
)
def test_a_model_that_repeats_itself_takes_no_minutes(text: str) -> None:
    for grows in (True, False):
        checked(text, GIVEN, grows=grows)
