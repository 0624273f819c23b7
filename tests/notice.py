"""`python -m tests.notice`: write NOTICE, with the licenses of everything that Citeloop installs here."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
NOTICE = ROOT / "NOTICE"

_HEAD = """\
Citeloop
Licensed under the Apache License, Version 2.0 (see LICENSE).

data/models/shipped was trained for Citeloop, from sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0) on the data that
its README.md names. The sample documents in data/sample were written for Citeloop.

Citeloop contains none of the following packages, but installs them, with the extras api, train, ocr, otel, postgres and
ray, as they name their licenses. Written by: make notice
"""


def licenses() -> dict[str, str]:
    """Return package -> license, of all that Citeloop needs and that is installed; other platforms may need others."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *chain.from_iterable(extras[name] for name in ("api", "train", "ocr", "otel", "postgres", "ray")),
    ]
    found = {_name(each): _license(each) for each in _needed(map(Requirement, wanted), ("",), set())}
    return dict(sorted(found.items()))


def text() -> str:
    """Return what NOTICE should say."""
    return f"{_HEAD}\n" + "".join(f"{name}: {license}\n" for name, license in licenses().items())


def _needed(
    requirements: Iterable[Requirement], extras: tuple[str, ...], seen: set[tuple[str, tuple[str, ...]]]
) -> Iterator[Distribution]:
    """Yield the installed packages of these requirements, for these extras of their package, and what they need."""
    for wanted in requirements:
        applies = not wanted.marker or any(wanted.marker.evaluate({"extra": each}) for each in extras)
        key = wanted.name, ("", *sorted(wanted.extras))
        if not applies or key in seen:
            continue
        seen.add(key)
        with suppress(PackageNotFoundError):
            package = distribution(wanted.name)
            yield package
            yield from _needed(map(Requirement, package.requires or ()), key[1], seen)


def _name(package: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower()


def _license(package: Distribution) -> str:
    """Return the license as the package names it: an SPDX expression, classifiers, or the first line of a text."""
    metadata = package.metadata
    classifiers = [each.rpartition(" :: ")[2] for each in metadata.get_all("Classifier") or () if "License ::" in each]
    named = metadata["License-Expression"] or ", ".join(classifiers) or metadata["License"] or "not named"
    return str(named).strip().splitlines()[0]


if __name__ == "__main__":
    NOTICE.write_text(text(), encoding="utf-8")
