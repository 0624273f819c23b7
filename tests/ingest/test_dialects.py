from __future__ import annotations

import random

import pytest

from ingest.parse.html.markup import parse_html, parse_markdown

BOXES = [
    pytest.param('!!! warning "Hot surface"\n    Wait an hour.', "Hot surface: Wait an hour.", id="mkdocs"),
    pytest.param("!!! note\n\n    Wait an hour.", "Note: Wait an hour.", id="mkdocs-blank-line"),
    pytest.param('??? question "How long?"\n    An hour.', "How long? An hour.", id="mkdocs-folded"),
    pytest.param('=== "Linux"\n\n    Run it.', "Linux: Run it.", id="mkdocs-tab"),
    pytest.param(":::warning\n\nWait an hour.\n\n:::", "Warning: Wait an hour.", id="docusaurus"),
    pytest.param(":::tip[Hot surface]\nWait.\n:::", "Hot surface: Wait.", id="docusaurus-title"),
    pytest.param("::: details Hot `surface`\nWait.\n:::", "Hot surface: Wait.", id="vitepress"),
    pytest.param('::: {.callout-note title="Hot"}\nWait.\n:::', "Hot: Wait.", id="quarto"),
    pytest.param("::: columns\nWait.\n:::", "Wait.", id="without-title"),
    pytest.param("```{caution} \n:class: wide\nWait **now**.\n```", "Caution: Wait now.", id="myst-fence"),
    pytest.param(":::{admonition} Hot\nWait.\n:::", "Hot: Wait.", id="myst-colons"),
    pytest.param("> [!NOTE]\n> Wait.", "> Note: Wait.", id="github"),
    pytest.param("> [!faq]- Are dogs allowed?\n> On Fridays.", "> Are dogs allowed? On Fridays.", id="obsidian"),
    pytest.param("!!! tip\n    - a\n    - b", "Tip:\n\n- a\n- b", id="list"),
]
MARKS = [
    pytest.param("# Leave {#annual-leave .big}\n\nText", "# Leave\n\nText", id="heading"),
    pytest.param("## Leave ## {-}\n\nText", "## Leave\n\nText", id="without-number"),
    pytest.param(
        'The [form](https://x.example){:target="_blank" .b} is new.', "The form (https://x.example) is new.", id="link"
    ),
    pytest.param("The *new*{.red} form", "The new form", id="emphasis"),
    pytest.param("A rule.\n{: .note }\n\nNext", "A rule.\n\nNext", id="paragraph"),
    pytest.param("{:toc}\n- a\n{: .list}\n\n[TOC]", "- a", id="contents"),
    pytest.param("Open{::comment}\nnot shown\n{:/comment} late", "Open late", id="comment"),
    pytest.param("See [[Travel#Hotels]] and [[notes|my notes]].", "See Travel > Hotels and my notes.", id="wiki"),
    pytest.param("See {doc}`install` and {ref}`the guide <g>`.", "See install and the guide.", id="roles"),
    pytest.param("Pay ==at once==.", "Pay at once.", id="marked"),
    pytest.param("Apple\n:   Fruit\n\nPear\n: Fruit too", "- Apple: Fruit\n- Pear: Fruit too", id="terms"),
]
KEPT = [
    ("Write `{: .x}` or `[[page]]` or `==x==`", "Write {: .x} or [[page]] or ==x=="),
    ("Set {name} and {:keyword} and {1, 2}, a == b", "Set {name} and {:keyword} and {1, 2}, a == b"),
    ("If [[ -f x ]], then [[1]](https://x.example)", "If [[ -f x ]], then [1] (https://x.example)"),
    ("!!! Attention: wait an hour", "!!! Attention: wait an hour"),
    ("- ???: We could ask", "- ???: We could ask"),
    ("The ratio is ::: of no use", "The ratio is ::: of no use"),
]


@pytest.mark.parametrize(("markdown", "text"), [*BOXES, *MARKS])
def test_markdown_of_other_programs_reads_as_they_show_it(markdown: str, text: str) -> None:
    assert parse_markdown(markdown.encode()).pages[0].text.strip() == text


@pytest.mark.parametrize(("markdown", "text"), KEPT)
def test_what_only_looks_like_such_a_mark_stays(markdown: str, text: str) -> None:
    assert parse_markdown(markdown.encode()).pages[0].text.strip() == text


def test_code_keeps_such_marks() -> None:
    code = "```sh\n::: x\n!!! y\n[[ z ]] {: .a}\n```"
    assert parse_markdown(code.encode()).pages[0].text.strip().splitlines()[1:-1] == code.splitlines()[1:-1]


def test_a_page_of_docusaurus_with_imports_is_mdx() -> None:
    page = b"---\ntitle: Setup\n---\n\nimport Tabs from '@theme/Tabs';\n\nRun it.\n\n<Tabs>\n\nTwice.\n\n</Tabs>\n"
    assert parse_markdown(page).pages[0].text.split() == ["Run", "it.", "Twice."]


def test_the_title_of_a_box_begins_its_first_sentence_in_html() -> None:
    html = """<h1>Oven</h1><div class="admonition note"><p class="admonition-title">Note</p><p>Wait.</p></div>
    <div class="x"><div class="admonitionHeading_G"><span></span>tip</div><div><p>Wait long.</p></div></div>"""
    assert parse_html(html.encode()).pages[0].text.split("\n\n")[1:] == ["Note: Wait.", "tip: Wait long."]


def test_any_mix_of_marks_is_read() -> None:
    chance = random.Random(5)
    pieces = [
        *"{}:[]!?=>`\n ",
        ":::",
        "!!!",
        "{:",
        "[[",
        "]]",
        "==",
        "```",
        "    ",
        "note",
        '"a"',
        "\n\n",
        "- ",
        "::: tip\n",
        "> [!tip]",
    ]
    for _ in range(300):
        text = "".join(chance.choice(pieces) for _ in range(20))
        parse_markdown(text.encode())
