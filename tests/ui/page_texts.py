"""Code of the pages -> texts that people read but that no catalog can translate."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PAGES = Path(__file__).parents[2] / "app" / "ui"

_NO_PAGE = {"server.py", "own_site.py", "upload_limit.py", "proxy.py", "streamlit_options.py", "style.py", "scroll.py"}
"""They write to the log and the terminal, or make questions in the language of the documents."""
_TRANSLATE = {"_": 1, "N_": 1, "ngettext": 2, "pgettext": 2}
"""Function of `app.translation` -> its number of texts."""
_NOT_SHOWN = re.compile(
    r"act_as|_act|_write|listed|re\.\w+|cast|TypeVar|.*\.(html|warning|removeprefix|replace|form|chat_message|rank|add"
    r"|set_page_config|session_state\.\w+|query_params\.\w+|component)"
)
"""Functions whose texts no page shows: of the audit log, the log, styles, scripts and Streamlit itself."""
_HIDDEN_ARGUMENTS = {
    "key", "icon", "type", "url_path", "mime", "file_name", "width", "height", "vertical_alignment", "gap", "language",
    "horizontal_alignment", "selection_mode", "alignment", "label_visibility", "default", "position", "layout", "kind",
    "autocomplete", "delta_color", "delta_arrow",
}  # fmt: skip
_SHOWN_ARGUMENTS = {"help", "placeholder", "alt", "label", "text", "caption"}
_STABLE = {
    "not relevant", "left out", "too little data", "no reason given", "wrong page", "not used", "does not answer",
    "decided by a curator", "kept by people", "struck out by people", "struck out as ", "none given",
    "votes counted again", "votes ignored", "sharing stopped", "conversation shared", "source removed",
    "https://docs.example.com/", "Citeloop", " and \0 more",
}  # fmt: skip
"""Names in the database and the audit log, and of the product."""
_TEXT = re.compile(r"(?:[A-Za-z]{2,}|\0)[,.:;]? [A-Za-z]{2,}|[A-Za-z]{2,}[,.:;]? \0|^[A-Z][a-z]+")
_DIRECTIVE = re.compile(r":material/\w*:?|:[\w-]+\[|&\w+;")


def untranslated() -> list[str]:
    """Return file, line and text of each text on a page outside the functions of `app.translation`."""
    return [
        f"{path.relative_to(PAGES)}:{line}: {text}"
        for path in sorted(PAGES.rglob("*.py"))
        if path.name not in _NO_PAGE
        for line, text in untranslated_in(path.read_text(encoding="utf-8"))
    ]


def untranslated_in(code: str) -> list[tuple[int, str]]:
    """Return line and text of each text that people read, outside the functions of `app.translation`."""
    return list(_look(ast.parse(code), is_shown=False))


def _look(node: ast.AST, *, is_shown: bool) -> Iterator[tuple[int, str]]:
    """Yield the texts below a node; is_shown: whether it is what Streamlit shows, so that any word counts."""
    text = _text_of(node)
    pattern = r"[A-Za-z]" if is_shown else _TEXT
    if text not in _STABLE and "{ " not in text and re.search(pattern, _DIRECTIVE.sub("", text)):
        yield getattr(node, "lineno", 0), text
    if isinstance(node, ast.Call):
        yield from _look_at_call(node, is_shown=is_shown)
        return
    for child in ast.iter_child_nodes(node):
        if not _is_hidden(node, child):
            yield from _look(child, is_shown=is_shown)


def _look_at_call(call: ast.Call, *, is_shown: bool) -> Iterator[tuple[int, str]]:
    name = ast.unparse(call.func)
    if _NOT_SHOWN.fullmatch(name):
        return
    is_streamlit = re.fullmatch(r"(st|links|column|left|right)\.\w+|_button|_figure|_metric", name) is not None
    for index, each in enumerate(call.args):
        if index >= _TRANSLATE.get(name, 0):
            yield from _look(each, is_shown=is_streamlit and index == 0)
    for keyword in call.keywords:
        if keyword.arg not in _HIDDEN_ARGUMENTS:
            yield from _look(keyword.value, is_shown=keyword.arg in _SHOWN_ARGUMENTS and name not in _TRANSLATE)
    if isinstance(call.func, ast.Attribute) and not is_shown:  # such as "text".join(...)
        yield from _look(call.func.value, is_shown=False)


def _text_of(node: ast.AST) -> str:
    """Return a text in the code; of one with values, all but the values."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text_of(each) or "\0" for each in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_hidden(node: ast.AST, child: ast.AST) -> bool:
    """Return whether a text is a docstring, an annotation, a key, compared, or a part of one that was looked at."""
    if isinstance(node, ast.Expr | ast.Compare | ast.JoinedStr) and isinstance(child, ast.Constant):
        return True
    if isinstance(node, ast.Dict):
        return child in node.keys
    return isinstance(node, ast.Subscript) or child in (
        getattr(node, "annotation", None),
        getattr(node, "returns", None),
    )
