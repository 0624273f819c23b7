"""The files of a model's folder: are they there, as they were, and on the disk?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import get_args

from app.registry.entries import Decision, RegistryError, Verdict
from ingest.home.folder import flush_entries

_WEIGHTS = ("model.safetensors", "blend.json")
_CARDS = ("README.md", "training.json", "gate.json")
"""What is read by people and pages: it may be written later, and a model ranks without it."""
_REMEDY = "put it back from a copy, or promote another model and remove this one"


def fingerprint(folder: Path) -> str:
    """SHA-256 over the weights and, if there is one, the blend, in hex digits.

    Not over the memory, by which models of one fingerprint may rank otherwise. Raises RegistryError when the weights
    are not there, or cannot be read.
    """
    weights, blend = (folder / name for name in _WEIGHTS)
    try:
        return _digest([weights, blend] if blend.exists() else [weights])
    except OSError as error:
        raise RegistryError(f"{folder} lacks {weights.name} ({error.strerror}); {_REMEDY}") from error


def other_files(folder: Path) -> dict[str, str]:
    """Path below the folder -> SHA-256 of every file that a model is loaded from, but for weights and blend."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name: _digest([folder / name]) for name in names if name not in (*_WEIGHTS, *_CARDS)}


def check_files(folder: Path, expected: str, others: Mapping[str, str]) -> None:
    """Raise RegistryError when the files of a model are not those with this fingerprint and these other files."""
    found = fingerprint(folder)
    if found != expected:
        raise RegistryError(
            f"weights and blend in {folder} are not as they were registered: expected sha256 {expected[:12]}, "
            f"found {found[:12]}; {_REMEDY}"
        )
    for name, digest in others.items():
        if not (folder / name).is_file():
            raise RegistryError(f"{folder} lacks {name}; {_REMEDY}")
        if _digest([folder / name]) != digest:
            raise RegistryError(f"{folder / name} is not as it was registered; {_REMEDY}")


def read_verdict(folder: Path) -> Verdict | None:
    """What gate.json says, None where there is none. Raises RegistryError when it does not hold a verdict."""
    path = folder / "gate.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["verdict"] not in get_args(Decision):
            raise ValueError(f"unknown verdict {record['verdict']!r}")
        told = {name: str(record.get(name, "")) for name in ("live", "embedder")}
        return Verdict(record["verdict"], str(record["sentence"]), **told)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        known = ", ".join(get_args(Decision))
        raise RegistryError(f"{path} must hold a sentence and a verdict ({known}): {error}") from error


def flush(folder: Path) -> None:
    """Have a folder with all below it on the disk, so that no power cut leaves a row with empty files."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        elif path.is_dir():
            flush_entries(path)
    flush_entries(folder)


def _digest(paths: Iterable[Path]) -> str:
    digest = sha256()
    for path in paths:
        with path.open("rb") as file:
            while piece := file.read(2**20):
                digest.update(piece)
    return digest.hexdigest()
