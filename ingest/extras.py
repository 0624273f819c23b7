"""Parts of the program that an installation may leave out: the extras of pyproject.toml."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ingest import CiteloopError


@contextmanager
def needs_extra(extra: str, part: str) -> Iterator[None]:
    """Import the libraries of a part inside. Raises CiteloopError that names the extra if one is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise CiteloopError(
            f"{part} needs {error.name}, which is not installed: pip install 'citeloop[{extra}]'"
        ) from error
