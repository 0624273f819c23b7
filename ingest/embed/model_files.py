"""A model's folder -> an error if loading it could run code, read files elsewhere, or take all memory."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from ingest import CiteloopError

_PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}
_MOST = {"layer": 1000, "features": 100_000}
"""Largest number in a configuration, by a part of its name; others may be up to _MOST_OF_ANYTHING."""
_MOST_OF_ANYTHING = 10**8


class UnsafeModelError(CiteloopError):
    """A model's folder has something that no model needs."""


def check_model_files(folder: Path) -> None:
    """Raise UnsafeModelError for pickled modules, modules outside the folder, and sizes that no model has.

    Module folders that are missing are passed over: they may not be downloaded yet. Raises ValueError for damaged JSON.
    """
    _check_sizes(folder)
    listed = folder / "modules.json"
    for row in json.loads(listed.read_text(encoding="utf-8")) if listed.exists() else []:
        place = PurePosixPath(row["path"])
        if place.is_absolute() or ".." in place.parts:
            raise UnsafeModelError(f"{folder} has a module outside its folder ({place}); expected one inside")
        module = folder / place
        if module != folder and module.is_dir():
            _check_sizes(module)
            if pickled := next((path.name for path in module.iterdir() if path.suffix in _PICKLES), ""):
                raise UnsafeModelError(
                    f"{folder} has pickled weights ({pickled}), which can run code; expected safetensors"
                )


def _check_sizes(folder: Path) -> None:
    path = folder / "config.json"
    if not path.exists():
        return
    for name, number in _numbers(json.loads(path.read_text(encoding="utf-8"))):
        most = next((most for part, most in _MOST.items() if part in name), _MOST_OF_ANYTHING)
        if abs(number) > most:
            raise UnsafeModelError(f"{path} says {name}: {number:.3g}, expected at most {most:,}")


def _numbers(config: Any) -> list[tuple[str, int]]:
    """Return each whole number of a configuration with its name, also of configurations in it."""
    rows = config.items() if isinstance(config, dict) else ()
    found = [(str(name), value) for name, value in rows if isinstance(value, int)]
    return found + [each for _, value in rows for each in _numbers(value)]
