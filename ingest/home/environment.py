"""Environment variables -> settings, or an error that names each invalid variable."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from ingest import CiteloopError

S = TypeVar("S", bound=BaseSettings)


def read_environment(kind: type[S]) -> S:
    """Return the settings of this kind. Raises CiteloopError."""
    try:
        return kind()
    except ValidationError as error:
        prefix = str(kind.model_config["env_prefix"])
        wrong = [
            f"{prefix + str(item['loc'][0]).upper() if str(item['loc'][0]).islower() else item['loc'][0]}: "
            f"{item['msg']}, got {item['input']!r}"
            for item in error.errors()
        ]
        raise CiteloopError(f"an environment variable is invalid: {'; '.join(wrong)}") from error
