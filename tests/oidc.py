"""A small OpenID provider on this machine: it logs in whoever the test names, without asking."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from tests.api.conftest import serving

CLIENT_ID = "citeloop"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Provider:
    """issuer: its address. person: the claims of whoever logs in next. num_fetches: of its keys."""

    issuer: str = ""
    person: dict[str, Any] = field(default_factory=lambda: {"email": "ann@example.org", "email_verified": True})
    key: rsa.RSAPrivateKey = field(default_factory=new_key)
    num_fetches: int = 0
    nonces: dict[str, str] = field(default_factory=dict)

    def token(self, key: Any = None, algorithm: str = "RS256", **claims: Any) -> str:
        """A token; a claim that is None is left out."""
        usual = {"iss": self.issuer, "aud": CLIENT_ID, "sub": "7", "iat": int(time.time()), "exp": time.time() + 600}
        given = {name: value for name, value in (usual | self.person | claims).items() if value is not None}
        return jwt.encode(given, key or self.key, algorithm, headers={"kid": "first"})

    def site(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    def _configuration(self, _request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}/keys",
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    def _keys(self, _request: Request) -> JSONResponse:
        self.num_fetches += 1
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return JSONResponse({"keys": [{**public, "kid": "first", "use": "sig", "alg": "RS256"}]})

    def _authorize(self, request: Request) -> RedirectResponse:
        asked = request.query_params
        self.nonces["code"] = asked.get("nonce", "")
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': 'code', 'state': asked['state']})}")

    def _token(self, _request: Request) -> JSONResponse:
        token = self.token(nonce=self.nonces["code"])
        return JSONResponse({"access_token": "opaque", "token_type": "Bearer", "expires_in": 600, "id_token": token})


@contextmanager
def provider_running() -> Iterator[Provider]:
    """A provider behind a real server."""
    provider = Provider()
    with serving(provider.site()) as address:
        provider.issuer = address
        yield provider
