"""environment, or what was saved on the Settings page -> Endpoint: where answers are written, by which model.

The saved endpoint lies in the home folder, in a file that only its owner may read. Its key belongs to the server
for which it was typed: it is not sent to another one, and neither is the environment's key to a saved base URL.
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
    """An endpoint that cannot be used, or a file that holds none; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a language model is, and which one.

    base_url: ends in /v1 as a rule; None: api.openai.com. api_key: None where the server wants none. api_version:
    of Azure's older addresses, whose base URL is that of the resource; '' for all others. context_tokens: how much
    the model reads and writes at once. saved: whether it comes from the Settings page, not from the environment.
    """

    base_url: str | None
    model: str
    api_key: SecretStr | None = None
    api_version: str = ""
    context_tokens: int = DEFAULT_CONTEXT_TOKENS
    saved: bool = False

    @property
    def url(self) -> str:
        """The base URL without a slash at its end."""
        return (self.base_url or OPENAI_URL).rstrip("/")

    @property
    def where(self) -> str:
        """The server as messages name it: nothing of the address that may be secret."""
        return re.sub(r"//[^/]*@", "//", re.split(r"[?#]", self.url)[0])

    @property
    def host(self) -> str:
        """The server's name or number, '' where the base URL is no address."""
        return (urlsplit(self.url).hostname or "") if _is_base_url(self.url) else ""

    @property
    def key(self) -> str:
        """The key itself, '' for none."""
        return self.api_key.get_secret_value() if self.api_key else ""


def read_endpoint(settings: Settings) -> Endpoint | None:
    """The saved endpoint, else the one of the environment's variables; None when there is neither.

    A small file is read, so that it can be asked for at every question. Raises EndpointError when it is damaged.
    """
    return _read_saved(settings.home) or _from_variables(settings)


def save_endpoint(home: Path, endpoint: Endpoint) -> None:
    """Write the endpoint to the disk, to be used from the next question on. One without a key keeps that of its server.

    Raises EndpointError when it cannot be one.
    """
    endpoint = with_kept_key(home, endpoint)
    check_endpoint(endpoint)
    record = {**asdict(endpoint), "api_key": endpoint.key or None}
    del record["saved"]
    write_whole(home / _FILE, json.dumps(record, indent=2).encode())


def clear_endpoint(home: Path) -> None:
    """Forget the saved endpoint with its key."""
    with suppress(FileNotFoundError):
        (home / _FILE).unlink()
        flush_entries(home)


def with_kept_key(home: Path, endpoint: Endpoint) -> Endpoint:
    """The endpoint, if it has no key, with the one that was saved for the same scheme, host and port."""
    kept = None
    with suppress(EndpointError):  # what is damaged is about to be overwritten
        kept = _read_saved(home)
    if endpoint.api_key or kept is None or _origin(kept) is None or _origin(kept) != _origin(endpoint):
        return endpoint
    return replace(endpoint, api_key=kept.api_key)


def check_endpoint(endpoint: Endpoint) -> None:
    """Raises EndpointError when no server can be asked with it; the message never holds the key."""
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
        raise EndpointError("The model's name is missing; Test connection on the Settings page lists what there is.")
    # The client's own error would show a key with a line break in it.
    if not (endpoint.key.isascii() and endpoint.key.isprintable()):
        raise EndpointError("The key holds a character that no key has, such as a line break; copy it once more.")
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
        # Not from the error: it would show what the file holds, the key with it.
        raise EndpointError(
            f"{path} is damaged or cannot be read, so that no language model is asked; save the endpoint again on "
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
            base_url = f"{base_url.rstrip('/')}/openai/v1"  # Azure's newer address, which wants no version
    return Endpoint(base_url, settings.openai_model, _stripped(key), api_version, settings.context_tokens)


def _stripped(key: SecretStr | None) -> SecretStr | None:
    """The key without the line break that came with it from a file."""
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
    except ValueError:  # a port that is no number, an open bracket
        return False


def _origin(endpoint: Endpoint) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for what is no address, which is like no other."""
    if not _is_base_url(endpoint.url):
        return None
    parts = urlsplit(endpoint.url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme]
