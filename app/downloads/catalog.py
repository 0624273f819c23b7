"""catalog.json -> CatalogModel: models that others publish, and what we know about them.

`mb` is about 4 bytes per parameter. `revision` and `files` pin a model. Without them, no revision has been verified
here, and each file is checked against the hub's own list of digests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from app.translation import gettext as _
from ingest import CiteloopError

_FILE = Path(__file__).with_name("catalog.json")
_PERMITTED = ("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0")
"""Licenses that allow companies to use a model."""


class DownloadError(CiteloopError):
    """A model cannot be downloaded, is not what it should be, or may not be used."""


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """A model at the hub.

    license: as its authors name it, '' if unknown here. languages: codes, or `many`. published: what its authors
    measured, '' if unknown here. revision: a commit, None takes the newest. files: path -> SHA-256 in hex.
    """

    id: str
    kind: Literal["late-interaction", "cross-encoder", "embedder"]
    license: str
    languages: tuple[str, ...]
    mb: int
    published: str = ""
    revision: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Short name, and its name in the registry."""
        return self.id.rpartition("/")[2].lower()

    @property
    def refusal(self) -> str:
        """Return why it is not offered, '' if it is."""
        return license_refusal(self.license) if self.license else ""


@cache
def catalog() -> tuple[CatalogModel, ...]:
    """Return all models of the catalog, also those that are refused."""
    return TypeAdapter(tuple[CatalogModel, ...]).validate_json(_FILE.read_bytes())


def find(name: str) -> CatalogModel:
    """Return a model by its id or short name. Raises DownloadError, with the known names."""
    for model in catalog():
        if name.lower() in (model.id.lower(), model.name):
            return model
    known = ", ".join(model.name for model in catalog() if not model.refusal)
    raise DownloadError(f"no model {name!r:.80} in the catalog; known: {known}")


def license_refusal(license: str) -> str:
    """Return why a model with this license is refused, '' if it is not."""
    if license in _PERMITTED:
        return ""
    if "-nc" in license:
        return _("its license, {license}, forbids commercial use", license=license)
    named = license or _("not named")
    return _("its license, {license}, is none of {permitted}", license=named, permitted=", ".join(_PERMITTED))
