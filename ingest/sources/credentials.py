"""sources.toml of the home folder -> options of an address: keys, user names, passwords, server addresses.

Each section is named after the address that it is for, so that a secret goes only where it was entered for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from ingest.sources.source import SourceError

FILE_NAME = "sources.toml"


def read_options(home: Path, address: str) -> Mapping[str, object]:
    """Return the options for an address, of the longest section that it begins with; {} if there is none.

    Raises SourceError if others may read the file, or it is damaged; the message never has its content.
    """
    path = home / FILE_NAME
    try:
        if path.stat().st_mode & 0o077:
            raise SourceError(
                f"{path} holds secrets, but other users of this machine may read it; run: chmod 600 {path}"
            )
        sections = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise SourceError(f'{path} cannot be read; expected sections such as ["s3://bucket"] with options') from None
    fitting = [name for name in sections if f"{address}/".startswith(f"{name.rstrip('/')}/")]
    options = sections[max(fitting, key=len)] if fitting else {}
    return options if isinstance(options, dict) else {}
