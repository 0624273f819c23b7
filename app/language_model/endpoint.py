"""environment or Settings page -> Endpoint: the server and model that write answers.

The saved endpoint is a file in the home folder that only its owner may read. A saved key is sent only to the server
that it was entered for, and the environment's key never to a saved base URL.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr, TypeAdapter, ValidationError

from app.settings import DEFAULT_CONTEXT_TOKENS, MIN_CONTEXT_TOKENS, Settings
from ingest import CiteloopError
from ingest.home.folder import flush_entries, write_whole

OPENAI_URL = "https://api.openai.com/v1"
_FILE = "endpoint.json"


class EndpointError(CiteloopError):
    """An endpoint or its file is invalid; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a language model.

    base_url: ends in /v1, usually; None: OpenAI's. api_key: None if not needed. api_version: of Azure's older API,
    with the resource's base URL; else ''. context_tokens: input and output together. saved: on the Settings page, not
    from the environment.
    """

    base_url: str | None
    model: str
    api_key: SecretStr | None = None
    api_version: str = ""
    context_tokens: int = DEFAULT_CONTEXT_TOKENS
    saved: bool = False

    @property
    def url(self) -> str:
        """Return the base URL without a slash at its end."""
        return (self.base_url or OPENAI_URL).rstrip("/")

    @property
    def where(self) -> str:
        """Return the server's address for messages, without secret parts."""
        return re.sub(r"//[^/]*@", "//", re.split(r"[?#]", self.url)[0])

    @property
    def key(self) -> str:
        """Return the plain key, '' for none."""
        return self.api_key.get_secret_value() if self.api_key else ""


def read_endpoint(settings: Settings) -> Endpoint | None:
    """Return the saved endpoint, else that of the environment variables, else None.

    It only reads a small file, so call it for every question. Raises EndpointError when the file is damaged.
    """
    return _read_saved(settings.home) or _from_variables(settings)


def save_endpoint(home: Path, endpoint: Endpoint) -> None:
    """Save the endpoint, used from the next question on. Without a key, the saved key for this server is kept.

    Raises EndpointError when it is invalid.
    """
    endpoint = with_kept_key(home, endpoint)
    check_endpoint(endpoint)
    record = {**asdict(endpoint), "api_key": endpoint.key or None}
    del record["saved"]
    write_whole(home / _FILE, json.dumps(record, indent=2).encode())


def clear_endpoint(home: Path) -> None:
    """Delete the saved endpoint and its key."""
    with suppress(FileNotFoundError):
        (home / _FILE).unlink()
        flush_entries(home)


def with_kept_key(home: Path, endpoint: Endpoint) -> Endpoint:
    """Return the endpoint; if it lacks a key, with the one saved for the same scheme, host and port."""
    kept = None
    with suppress(EndpointError):  # a damaged file is about to be overwritten
        kept = _read_saved(home)
    if endpoint.api_key or kept is None or _origin(kept) is None or _origin(kept) != _origin(endpoint):
        return endpoint
    return replace(endpoint, api_key=kept.api_key)


def check_endpoint(endpoint: Endpoint) -> None:
    """Raise EndpointError if the endpoint is invalid; the message never contains the key."""
    if endpoint.base_url is not None and not _is_base_url(endpoint.base_url):
        raise EndpointError(
            "The base URL must be an address such as http://localhost:11434/v1, without name, password or "
            f"question mark, but is {endpoint.where!r}; correct it on the Settings page or in OPENAI_BASE_URL."
        )
    if endpoint.api_version and endpoint.base_url is None:
        raise EndpointError("An API version belongs to Azure: give the base URL of the resource too, or leave it out.")
    if not re.fullmatch(r"[\w.-]*", endpoint.api_version):
        raise EndpointError("The API version must be one such as 2024-10-21; correct it or leave it out.")
    if not endpoint.model.strip() or not endpoint.model.isprintable():
        raise EndpointError("The model's name is missing; Test connection in Settings lists the models.")
    # The client's error would show a key with a line break.
    if not (endpoint.key.isascii() and endpoint.key.isprintable()):
        raise EndpointError("The key has an invalid character, such as a line break; copy it again.")
    if endpoint.context_tokens < MIN_CONTEXT_TOKENS:
        raise EndpointError(
            f"The context size must be at least {MIN_CONTEXT_TOKENS} tokens, but is {endpoint.context_tokens}."
        )


def _read_saved(home: Path) -> Endpoint | None:
    path = home / _FILE
    try:
        endpoint = TypeAdapter(Endpoint).validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        # `from None`, because the error would show the key.
        raise EndpointError(
            f"{path} is damaged or cannot be read, so no language model is used; save the endpoint again on "
            "the Settings page, or delete the file."
        ) from None
    return replace(endpoint, saved=True)


def _from_variables(settings: Settings) -> Endpoint | None:
    if not settings.writes_answers:
        return None
    base_url, key, api_version = settings.openai_base_url, settings.openai_api_key, ""
    if base_url is None and settings.azure_openai_endpoint:
        base_url, key, api_version = (
            settings.azure_openai_endpoint,
            settings.azure_openai_api_key,
            settings.openai_api_version,
        )
        if not api_version and "/openai/v1" not in base_url:
            base_url = f"{base_url.rstrip('/')}/openai/v1"  # Azure's newer API, without versions
    return Endpoint(base_url, settings.openai_model, _stripped(key), api_version, settings.context_tokens)


def _stripped(key: SecretStr | None) -> SecretStr | None:
    """Return the key without a line break copied from a file."""
    return SecretStr(key.get_secret_value().strip()) if key else None


def _is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and not re.search(r"[\s@?#\\]", url)
            and url.isprintable()
        )
    except ValueError:  # invalid port, open bracket
        return False


def _origin(endpoint: Endpoint) -> tuple[str, str, int] | None:
    """Return scheme, host and port, or None for an invalid address."""
    if not _is_base_url(endpoint.url):
        return None
    parts = urlsplit(endpoint.url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme]
