"""The name of an uploaded file -> a name under which it can be kept."""

from __future__ import annotations

from pathlib import PurePosixPath


def safe_name(name: str) -> str:
    """A file name that leads nowhere else, cannot hide its file and shows all its characters."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(each if each.isprintable() else "_" for each in last).lstrip(".") or "file"
