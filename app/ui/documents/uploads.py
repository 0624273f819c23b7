"""Names of an uploaded file and its folder -> safe names."""

from __future__ import annotations

from pathlib import PurePosixPath


def safe_name(name: str) -> str:
    """Return the name without folders, leading dots and unprintable characters."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(each if each.isprintable() else "_" for each in last).lstrip(".") or "file"


def safe_folder(folder: str) -> PurePosixPath:
    """Return a folder that people typed as a relative path that cannot lead elsewhere; `.` if it is empty."""
    parts = folder.replace("\\", "/").split("/")
    return PurePosixPath(*(safe_name(part.strip()) for part in parts if part.strip(" .")))
