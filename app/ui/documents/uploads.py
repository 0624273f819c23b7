"""Name of an uploaded file -> safe file name."""

from __future__ import annotations

from pathlib import PurePosixPath


def safe_name(name: str) -> str:
    """Return the name without folders, leading dots and unprintable characters."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(each if each.isprintable() else "_" for each in last).lstrip(".") or "file"
