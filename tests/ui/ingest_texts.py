"""Code of `ingest/` -> the messages about files and sources that pages show, as texts with {} for each value."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_INGEST = Path(__file__).parents[2] / "ingest"
_MODULES = (
    *("parse", "sources", "table", "pipeline.py", "isolation.py", "originals.py", "figures.py", "files.py"),
    *("describe.py", "removal.py", "worker.py", "home/job_store.py", "home/job_process.py", "home/folder.py"),
    *("home/sharing.py", "home/shared_folder.py"),
    "languages.py",
)
"""Others speak to the terminal alone."""
_CALLS = ("Error", "_failed", "_error", ".end", ".wait")
_ARGUMENTS = ("note", "problem", "reason")
_NAMES = (
    *("note", "gap", "reason", "limit", "over", "unread", "problem", "no_value"),
    *("LOCKED", "_OLD", "_PICTURES_FAILED", "_LEADS_OUT", "_ELSEWHERE"),
)
_FUNCTIONS = ("note", "why", "no_text", "_write_out", "hint")


def messages() -> set[str]:
    """Return each message, with {} for each value."""
    paths = [path for name in _MODULES for path in sorted((_INGEST / name).rglob("*.py")) or [_INGEST / name]]
    found = {text for path in paths for text in messages_in(path.read_text(encoding="utf-8"))}
    return {text for text in found if " " in text.replace("{}", "").strip() and "<" not in text}


def messages_in(code: str) -> Iterator[str]:
    """Yield the texts of errors, notes and reasons, with {} for each value."""
    for node in ast.walk(ast.parse(code)):
        for expression in _expressions(node):
            yield from _texts(expression)


def _expressions(node: ast.AST) -> list[ast.expr]:
    """Return the expressions below a node that are messages."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(_CALLS):
        return node.args
    if isinstance(node, ast.keyword):
        return [node.value] if node.arg in _ARGUMENTS else []
    if isinstance(node, ast.Dict):
        return [
            value for key, value in zip(node.keys, node.values, strict=True) if key and ast.unparse(key) == "'error'"
        ]
    if isinstance(node, ast.Assign):
        return [node.value] if ast.unparse(node.targets[0]).endswith(_NAMES) else []
    if isinstance(node, ast.FunctionDef) and any(part in node.name for part in _FUNCTIONS):
        return [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value]
    return []


def _texts(node: ast.expr) -> Iterator[str]:
    """Yield what the expression can be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values)
    elif isinstance(node, ast.IfExp):
        yield from (text for branch in (node.body, node.orelse) for text in _texts(branch))
    elif isinstance(node, ast.BoolOp | ast.Tuple):
        parts = node.values if isinstance(node, ast.BoolOp) else node.elts
        yield from (text for part in parts for text in _texts(part))
