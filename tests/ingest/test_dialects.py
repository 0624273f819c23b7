from __future__ import annotations

import random

import pytest

from ingest.parse.html.markup import parse_html, parse_markdown
from ingest.parse.rst import parse_rst

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
    pytest.param(":::warning\nWait.\n\n```\nls\n```\n\n:::", "Warning: Wait.\n\n```\nls\n```", id="box-with-code"),
    pytest.param("- One\n\n  :::tip Hot\n  Wait.\n  :::", "- One\n\n  Hot: Wait.", id="box-in-a-list"),
    pytest.param("::::{grid} 2\n:gutter: 3\n\n:::{card} Hot\nWait.\n:::\n::::", "Hot: Wait.", id="myst-options"),
    pytest.param("````{note}\n```{tip}\nWait.\n```\n````", "Note: Tip: Wait.", id="myst-box-in-a-box"),
    pytest.param("```{figure} a.png\n:name: oven\n\nThe **oven**\n```", "The oven", id="myst-caption"),
    pytest.param("A\n\n```{toctree}\n:hidden:\nb\n```", "A", id="myst-navigation"),
    pytest.param("```{deprecated} 2.1\nUse steam.\n```", "Deprecated since version 2.1: Use steam.", id="myst-version"),
    pytest.param(
        "```{list-table} Prices\n:header-rows: 1\n\n* - Seat\n  - Price\n* - A|B\n  - 2\n```",
        "Prices:\n\n| Seat | Price |\n| --- | --- |\n| A\\|B | 2 |",
        id="myst-table",
    ),
    pytest.param('::callout{icon="x"}\nWait.\n::\n\n::note\nHot\n::', "Wait.\n\nNote: Hot", id="nuxt"),
    pytest.param("::card\n---\ntitle: Hot\nicon: x\n---\n#text\nWait.\n::", "Hot: Wait.", id="nuxt-title"),
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
    pytest.param("(leave)=\n# Leave\n\n{.lead}\nText\n\nMore\n{#more .x}\n", "# Leave\n\nText\n\nMore", id="names"),
    pytest.param("# Leave{#leave}\n\nA [new]{.red} form", "# Leave\n\nA new form", id="without-space"),
    pytest.param("- :material-clock:{ .big } __Open__ :octicons-tag-16:", "- Open", id="icons"),
    pytest.param(
        "| Tea | :material-check: |\n|-|-|\n| Ale | :x: |", "| Tea | ✓ |\n| --- | --- |\n| Ale | ✗ |", id="check-marks"
    ),
    pytest.param("Open %%check this%% late ^hours-1\n\n%%\nmore\n%%\n\nEnd", "Open late\n\nEnd", id="obsidian"),
    pytest.param(
        "A[^1] b[^x]\n\n[^1]: One.\n[^x]: Two.\n\n    Three.\n\nEnd",
        "A[^1] b[^x]\n\n[^1]: One.\n\n[^x]: Two.\n\nThree.\n\nEnd",
        id="footnotes",
    ),
    pytest.param("Apple\n:   Fruit\n\nPear\n: Fruit too", "- Apple: Fruit\n- Pear: Fruit too", id="terms"),
]
KEPT = [
    ("Write `{: .x}` or `[[page]]` or `==x==`", "Write {: .x} or [[page]] or ==x=="),
    ("Set {name} and {:keyword} and {1, 2}, a == b", "Set {name} and {:keyword} and {1, 2}, a == b"),
    ("If [[ -f x ]], then [[1]](https://x.example)", "If [[ -f x ]], then [1] (https://x.example)"),
    ("!!! Attention: wait an hour", "!!! Attention: wait an hour"),
    ("- ???: We could ask", "- ???: We could ask"),
    ("The ratio is ::: of no use", "The ratio is ::: of no use"),
    ("Use std::sort, 5%% of 10%%, at 10:x:20 (a)= 2", "Use std::sort, 5%% of 10%%, at 10:x:20 (a)= 2"),
]


INDENTED_HTML = [
    pytest.param(
        '<div class="a">\n  <div>\n    <p>One.</p>\n\n    <ul>\n      <li>Two</li>\n    </ul>\n\n    <p>Three.</p>\n'
        "  </div>\n</div>\n\nFour.",
        "One.\n\n- Two\n\nThree.\n\nFour.",
        id="goes-on-below-an-empty-line",
    ),
    pytest.param("<p>One.</p>\n\n    <b>code</b>", "One.\n\n```\n<b>code</b>\n```", id="code-below-whole-html"),
    pytest.param("<div>\n\n    <b>code</b>\n\n</div>", "```\n<b>code</b>\n```", id="code-in-a-box"),
]


TAGS = [
    pytest.param('{% tab title="Linux" %}\nRun it.\n{% endtab %}', "Linux: Run it.", id="tab"),
    pytest.param('{{< tab "Linux" >}}\nRun it.\n{{< /tab >}}', "Linux: Run it.", id="tab-of-hugo"),
    pytest.param("{{% alert title='Hot' color='red' %}}\nWait.\n{{% /alert %}}", "Hot: Wait.", id="box"),
    pytest.param('A {{< term text="hot oven" id="a" >}} and {{< tooltip "pan" >}}.', "A hot oven and pan.", id="words"),
    pytest.param('{{< figure src="a.png" caption="An oven" >}}\n\nWait.', "An oven\n\nWait.", id="caption"),
    pytest.param(
        'Ask in {% channel "help" %} or\n{% channel "it" "IT help" %} first.',
        "Ask in help or IT help first.",
        id="label",
    ),
    pytest.param('- {% channel "help" %}\n- B', "- help\n- B", id="label-in-a-list"),
    pytest.param('[A]({% page "b" %}) {% include "c" %}, {% image "d/e.png" "F" %} g', "A , g", id="address-no-label"),
    pytest.param('{% embed url="https://x.example/a" %}\n\nB', "https://x.example/a\n\nB", id="address"),
    pytest.param('{% if page.a and title="x" %}\nA\n{% endif %}', "A", id="condition"),
]


@pytest.mark.parametrize(("markdown", "text"), [*BOXES, *MARKS, *TAGS, *INDENTED_HTML])
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


def test_imports_may_stand_below_the_first_words_and_components_may_have_nested_values() -> None:
    page = b"""## Setup\n\nimport Tabs from '@theme/Tabs';\n
<Tabs values={[{label: 'Linux', value: 'a'}]} onOpen={() => { open() }} {...all}>
<TabItem value="a">\n\nRun it.\n\n</TabItem>\n<TabItem value="Mac" default>Twice.</TabItem>\n</Tabs>\n"""
    assert parse_markdown(page).pages[0].text.split() == ["##", "Setup", "Linux:", "Run", "it.", "Mac:", "Twice."]


def test_a_script_with_imports_loses_no_text() -> None:
    page = b"<script setup>\nimport A from './a'\n</script>\n\nRun it.\n"
    assert parse_markdown(page).pages[0].text.strip() == "Run it."


def test_an_example_of_a_box_in_code_stays() -> None:
    page = b"````md\n```{toctree}\nintro\n```\n````"
    assert "```{toctree}\nintro\n```" in parse_markdown(page).pages[0].text


@pytest.mark.parametrize(
    ("metadata", "body", "text"),
    [
        ("description: When we <bake> & rest", "# Oven\n\nText", "# Oven\n\nWhen we <bake> & rest\n\nText"),
        ("subtitle: Rest\ndescription: For robots", "Text", "Rest\n\nText"),
        ("description: We bake.", "**We** bake. And rest.", "We bake. And rest."),
        ("description: null", "Text", "Text"),
    ],
)
def test_the_line_below_the_title_is_read_once(metadata: str, body: str, text: str) -> None:
    parsed = parse_markdown(f"---\ntitle: A &amp; B\n{metadata}\n---\n\n{body}\n".encode())
    assert (parsed.title, parsed.pages[0].text.strip()) == ("A & B", text)


def test_references_to_numbered_documents_and_captions_of_code_show_their_words_in_rst() -> None:
    text = (
        b"By :pep:`the style <8#names>`, :rfc:`822` and :pep:`8#x`.\n\n.. code::\n   :caption: In :file:`a.c`\n\n   x\n"
    )
    assert parse_rst(text).pages[0].text.split("\n\n")[:2] == [
        "By the style, RFC 822 (https://tools.ietf.org/html/rfc822.html) and PEP 8#x.",
        "In a.c",
    ]


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
        "```{list-table}\n",
        "* - ",
        "  - ",
        "::",
        "---\n",
        "{{< tab ",
        ">}}",
        "{% a title='b' %}",
        "[^a]: ",
        ":x:",
        "%%",
    ]
    for _ in range(300):
        text = "".join(chance.choice(pieces) for _ in range(20))
        parse_markdown(text.encode())
