"""What an API key may do."""

from __future__ import annotations

from dataclasses import dataclass

from ingest import CiteloopError

SCOPES = ("search", "ask", "rerank", "feedback")
"""Permissions of keys: each is a path below /v1."""
DEFAULT_RATE = 300


class KeyStoreError(CiteloopError):
    """A name is invalid or unknown, or the database of keys cannot be read or written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a key. Raises KeyStoreError for an unknown scope.

    scopes: some of SCOPES. expires_at: ISO 8601 in UTC, None: never. rate: requests per minute. num_users: users that
    it may name, including the program itself. owner: e-mail address of the person whose rights it has, '' for none.
    collections: which it may read, if its owner may too; None: the owner's, or those open to everybody.
    """

    scopes: tuple[str, ...] = SCOPES
    expires_at: str | None = None
    rate: int = DEFAULT_RATE
    num_users: int = 1
    owner: str = ""
    collections: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if unknown := [scope for scope in self.scopes if scope not in SCOPES]:
            raise KeyStoreError(f"expected scopes among {', '.join(SCOPES)}; got {unknown[0]!r:.80}")
