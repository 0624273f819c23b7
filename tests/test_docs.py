"""The documentation names what there is: variables, files, commands, options, benchmarks."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
import typer.main
from pydantic_settings import BaseSettings

from app.commands.main import cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
"""CHANGELOG.md is among them: its links have to lead somewhere, too."""
CURRENT_PAGES = [page for page in PAGES if page.name != "CHANGELOG.md"]

MAX_README_WORDS = 1200
OF_TORCHRUN = {"RANK"}
"""Set by torchrun for its processes, not by people."""

_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ROW = re.compile(r"^\| `([A-Z][A-Z_]+)` \|", re.MULTILINE)
_ASSIGNMENT = re.compile(r"[A-Z][A-Z_]*=")
_READERS = ("os.getenv", "os.environ.get", "os.environ.setdefault", "os.environ.pop")
_BENCHMARK = re.compile(r"python -m ([\w.]+)")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


# variables ------------------------------------------------------------------------------------------------


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Return each module of the program and its syntax tree."""
    for path in [*ROOT.glob("app/**/*.py"), *ROOT.glob("ingest/**/*.py")]:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield module, ast.parse(path.read_text(encoding="utf-8"))


def variables_of(kind: type[BaseSettings]) -> set[str]:
    """Return the variables that fill the fields of a class of settings."""
    prefix = str(kind.model_config["env_prefix"])
    aliases = {name: field.validation_alias for name, field in kind.model_fields.items()}
    return {str(alias) if alias else f"{prefix}{name}".upper() for name, alias in aliases.items()}


def named_in(module: ast.Module) -> set[str]:
    """Return the variables that options (envvar=) and os.environ name, as a string or as a constant of the module."""
    constants = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    named: list[ast.expr] = []
    for node in ast.walk(module):
        if isinstance(node, ast.keyword) and node.arg == "envvar":
            named.append(node.value)
        elif isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in _READERS:
            named.append(node.args[0])
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            named.append(node.slice)
    values = [constants.get(each.id, each) if isinstance(each, ast.Name) else each for each in named]
    return {each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str)}


@cache
def variables_of_the_program() -> set[str]:
    """Return every variable that people can set."""
    found: set[str] = set()
    for name, module in sources():
        found |= named_in(module)
        for node in module.body:
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "BaseSettings" for base in node.bases):
                found |= variables_of(getattr(import_module(name), node.name))
    return found - OF_TORCHRUN


def test_variables_are_found_however_the_code_reads_them() -> None:
    lines = (
        "KEY = 'A'",
        "os.environ.get(KEY)",
        "os.environ['B']",
        "os.environ.setdefault('C', '')",
        "Option(envvar='D')",
        "os.getenv('E')",
    )
    module = ast.parse("\n".join(lines))
    assert named_in(module) == set("ABCDE")
    assert {"CITELOOP_HOME", "OPENAI_API_KEY", "CITELOOP_FILE_PAGES", "PORT"} <= variables_of_the_program()


def test_the_table_of_variables_is_complete_and_names_no_other() -> None:
    documented = _ROW.findall((ROOT / "docs" / "configuration.md").read_text(encoding="utf-8"))
    assert len(documented) == len(set(documented))
    assert set(documented) == variables_of_the_program()


@pytest.mark.parametrize("page", CURRENT_PAGES, ids=name_of)
def test_every_variable_that_a_page_names_is_known(page: Path) -> None:
    named = set(re.findall(r"\b(?:CITELOOP|OPENAI|AZURE_OPENAI)_[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8")))
    assert {name for name in named if not name.startswith("CITELOOP_TEST_")} <= variables_of_the_program()


# links ----------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_and_picture_leads_somewhere(page: Path) -> None:
    wrong = []
    for link in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


# commands -------------------------------------------------------------------------------------------------


def commands_on(page: Path) -> list[list[str]]:
    """Return the words behind `citeloop` of each command of a page, in blocks and in sentences."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in _FENCE.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    lines += _INLINE.findall(_FENCE.sub("", text))
    return [words for line in lines if (words := words_of(line))]


def words_of(line: str) -> list[str]:
    """Return the words behind `citeloop`; none if the line is no such command."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # a part of a text or of another command that goes on
        return []
    while words and (_ASSIGNMENT.match(words[0]) or words[0] == "export"):
        words = words[1:]
    if words[:1] == ["claude"]:  # an agent's command, with ours behind two hyphens
        words = words[words.index("--") + 1 :] if "--" in words else []
    return words[1:] if words and Path(words[0]).name == "citeloop" else []


def complaint(words: list[str]) -> str:
    """Return what a command names that there is not; '' for nothing."""
    command: Any = typer.main.get_command(cli)
    left = iter(words)
    for word in left:
        commands = getattr(command, "commands", {})
        options = {name: option for option in command.params for name in (*option.opts, *option.secondary_opts)}
        name, _, value = word.partition("=")
        if name in options and name.startswith("-"):
            if not value and not options[name].is_flag:
                next(left, None)
        elif name.startswith("-") and name != "--help":
            return f"no option {name} in: citeloop {' '.join(words)}"
        elif word in commands:
            command = commands[word]
        elif commands:
            return f"no command {word} in: citeloop {' '.join(words)}"
    return ""


@pytest.mark.parametrize("page", CURRENT_PAGES, ids=name_of)
def test_every_command_and_option_exists(page: Path) -> None:
    assert [said for words in commands_on(page) if (said := complaint(words))] == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (".venv/bin/citeloop ask 'How long?' --json   # as JSON", ""),
        ("PORT=1 citeloop jobs cancel ID", ""),
        ("citeloop keys add NAME --scope ask", ""),
        ("citeloop jobs --last 5", ""),
        ("citeloop aks 'How long?'", "no command aks"),
        ("citeloop keys ad NAME", "no command ad"),
        ("citeloop ask 'How long?' --as-json", "no option --as-json"),
        ("claude mcp add citeloop -- citeloop mcp --port 1", "no option --port"),
    ],
)
def test_a_wrong_command_is_noticed(line: str, wrong: str) -> None:
    words = words_of(line)
    assert words
    assert complaint(words).partition(" in: ")[0] == wrong


@pytest.mark.parametrize("page", CURRENT_PAGES, ids=name_of)
def test_every_module_that_is_run_exists(page: Path) -> None:
    modules = _BENCHMARK.findall(page.read_text(encoding="utf-8"))
    paths = [ROOT.joinpath(*module.split(".")) for module in modules if module.split(".")[0] in ("app", "tests")]
    assert [path for path in paths if not (path.with_suffix(".py").exists() or (path / "__main__.py").exists())] == []


# the README -----------------------------------------------------------------------------------------------


def test_the_readme_is_short_and_says_how_to_start() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.split()) <= MAX_README_WORDS
    assert all(words in readme for words in ("make run", "make test", "Python 3.11", "GB of disk"))


@pytest.mark.parametrize("package", ["app", "app.commands", "ingest"])
def test_a_package_says_what_each_of_its_modules_is_for(package: str) -> None:
    named = re.findall(r"^ *(\w+)  ?", str(import_module(package).__doc__), re.MULTILINE)
    modules = {module.name for module in iter_modules(import_module(package).__path__)} - {"__main__"}
    assert modules <= {*named}, f"not in the docstring of {package}: {sorted(modules - {*named})}"
