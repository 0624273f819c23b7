"""Bearer token of an OpenID provider -> its claims, after its signature, issuer, audience and times were checked."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from app.access.policy import AccessError, Tokens

if TYPE_CHECKING:
    from jwt import PyJWKClient

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures with public keys only: with a shared secret, anybody who checks a token could also make one."""
_LEEWAY_SECONDS = 30
"""How far the clocks may differ."""
_TIMEOUT_SECONDS = 5.0
_PAUSE_SECONDS = 30.0
"""After a failure, the issuer is not asked again for this long."""


class TokenError(AccessError):
    """A token is not valid; its message names no key and no claim."""


class IssuerError(AccessError):
    """The keys of the issuer cannot be fetched."""


class TokenVerifier:
    """Checks tokens of one issuer, whose keys are kept for five minutes; issuers named in a token are never asked."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self._lock = threading.Lock()
        self._keys: PyJWKClient | None = None
        self._not_before = 0.0

    def claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a valid token. Raises TokenError, IssuerError; blocks while keys are fetched."""
        import jwt  # takes a tenth of a second to import

        try:
            key = self._issuer_keys().get_signing_key_from_jwt(token)
            return dict(
                jwt.decode(
                    token,
                    key,
                    algorithms=_ALGORITHMS,
                    audience=self.tokens.audience,
                    issuer=self.tokens.issuer,
                    leeway=_LEEWAY_SECONDS,
                    options={"require": ["exp", "iss", "aud"]},
                )
            )
        except jwt.PyJWKClientConnectionError as error:
            self._not_before = time.monotonic() + _PAUSE_SECONDS
            raise self._unreachable(error) from error
        except jwt.ExpiredSignatureError as error:
            raise TokenError("the bearer token has expired; get a new one") from error
        except jwt.PyJWTError as error:
            raise TokenError("the bearer token is not valid here") from error

    def _issuer_keys(self) -> PyJWKClient:
        """Return the issuer's keys by the address in its OpenID configuration."""
        import httpx2
        import jwt

        with self._lock:
            if time.monotonic() < self._not_before:
                raise self._unreachable("it could not be reached a moment ago")
            if self._keys is None:
                address = f"{self.tokens.issuer.rstrip('/')}/.well-known/openid-configuration"
                try:
                    found = httpx2.get(address, timeout=_TIMEOUT_SECONDS).raise_for_status().json()
                    if found["issuer"] != self.tokens.issuer:
                        raise ValueError(f"it calls itself {found['issuer']!r:.200}")
                    self._keys = jwt.PyJWKClient(found["jwks_uri"], timeout=_TIMEOUT_SECONDS)
                except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
                    self._not_before = time.monotonic() + _PAUSE_SECONDS
                    raise self._unreachable(error) from error
            return self._keys

    def _unreachable(self, why: object) -> IssuerError:
        return IssuerError(f"the keys of {self.tokens.issuer} cannot be fetched: {why}")
