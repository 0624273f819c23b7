"""The files of a model's folder: fingerprint, check, verdict, flush."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from typing import get_args

from app.registry.entries import Decision, RegistryError, Verdict
from ingest.home.folder import flush_entries

_WEIGHTS = ("model.safetensors", "blend.json")
_CARDS = ("README.md", "training.json", "gate.json")
"""Files for people and pages: they may change later, and ranking does not need them."""
_REMEDY = "restore it from a copy, or promote another model and remove this one"


def fingerprint(folder: Path) -> str:
    """Return the SHA-256 of the weights and the blend, if any, in hex digits.

    Raises RegistryError when the weights cannot be read.
    """
    weights, blend = (folder / name for name in _WEIGHTS)
    try:
        return _digest([weights, blend] if blend.exists() else [weights])
    except OSError as error:
        raise RegistryError(f"{folder} lacks {weights.name} ({error.strerror}); {_REMEDY}") from error


def loaded_files(folder: Path) -> list[str]:
    """Return the relative paths of all files that a model is loaded from, without those for people and pages."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [name for name in names if name not in _CARDS]


def other_files(folder: Path) -> dict[str, str]:
    """Return relative path -> SHA-256 of every file that a model is loaded from, except weights and blend."""
    return {name: _digest([folder / name]) for name in loaded_files(folder) if name not in _WEIGHTS}


def check_files(folder: Path, expected: str, others: Mapping[str, str]) -> None:
    """Raise RegistryError unless a model's files match this fingerprint and these digests."""
    found = fingerprint(folder)
    if found != expected:
        raise RegistryError(
            f"weights and blend in {folder} have changed since registration: expected sha256 {expected[:12]}, "
            f"found {found[:12]}; {_REMEDY}"
        )
    for name, digest in others.items():
        if not (folder / name).is_file():
            raise RegistryError(f"{folder} lacks {name}; {_REMEDY}")
        if _digest([folder / name]) != digest:
            raise RegistryError(f"{folder / name} has changed since registration; {_REMEDY}")


def read_verdict(folder: Path) -> Verdict | None:
    """Return the verdict in gate.json, or None without the file. Raises RegistryError if it is damaged."""
    path = folder / "gate.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["verdict"] not in get_args(Decision):
            raise ValueError(f"unknown verdict {record['verdict']!r}")
        if record.get("embedder"):  # an older version judged it together with an embedder
            return None
        return Verdict(
            record["verdict"],
            str(record["sentence"]),
            str(record.get("live", "")),
            asked_before=record.get("asked_before"),
            new=record.get("new"),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        known = ", ".join(get_args(Decision))
        raise RegistryError(f"{path} must contain a sentence and a verdict ({known}): {error}") from error


def flush(folder: Path) -> None:
    """Flush a folder with all its files to the disk, so that no power cut leaves a row with empty files."""
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
            file_digest(file, lambda: digest)
    return digest.hexdigest()
