"""Set Streamlit's options from our .streamlit/config.toml, regardless of the current folder.

Streamlit reads that file only in the current folder. Without it, Streamlit sends telemetry, shows tracebacks and looks
different.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping

from streamlit import config

from ingest import CiteloopError
from ingest.home.folder import ROOT

OPTIONS_FILE = ROOT / ".streamlit" / "config.toml"


def set_options() -> None:
    """Set every option in the file, overriding other files. Raises CiteloopError."""
    try:
        sections = tomllib.loads(OPTIONS_FILE.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CiteloopError(
            f"cannot read the options of the pages in {OPTIONS_FILE}: {error}; restore it or install Citeloop again"
        ) from error
    for name, value in _options(sections):
        config.set_option(name, value, str(OPTIONS_FILE))


def trust_headers(names: Mapping[str, str]) -> None:
    """Let these headers, name -> key in st.user, say who the visitor is; none: no header."""
    config.set_option("server.trustedUserHeaders", dict(names), "Citeloop")


def _options(section: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield options by full name, such as theme.light.primaryColor."""
    for name, value in section.items():
        if isinstance(value, Mapping):
            yield from _options(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
