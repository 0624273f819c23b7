"""Credential of a request to the API -> Caller: who calls, and their rights and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.access.access import Access
from app.access.identity import Identity
from app.access.keys import PREFIX, ApiKey, KeyStore, UserLimitError
from app.access.limits import Limits
from app.access.rights import Rights
from app.access.tokens import TokenError, TokenVerifier


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. rights.user: api:NAME of a key, or the person of a token. key: None for a token."""

    rights: Rights
    limits: Limits
    key: ApiKey | None = None

    def voter(self, user: str) -> str:
        """Return whose votes those of a user of this caller are: the owner's of a key that asks for itself."""
        owner = self.key.limits.owner if self.key else ""
        return owner if owner and user == self.rights.user else user


class Callers:
    """Knows callers by their key, or by a token of the issuer in access.toml."""

    def __init__(self, keys: KeyStore, access: Access) -> None:
        self.keys, self._access = keys, access
        self._verifier: TokenVerifier | None = None

    def find(self, credential: str) -> Caller | None:
        """Return the owner of a credential, None if it is unknown; blocks.

        Raises TokenError and IssuerError for tokens, NoAccessError for people without a role.
        """
        if key := self.keys.find(credential):
            return Caller(self._rights_of(key), key.limits, key)
        policy = self._access.policy
        if not (policy and policy.tokens) or credential.startswith(PREFIX) or credential.count(".") != 2:
            return None
        if self._verifier is None or self._verifier.tokens != policy.tokens:
            self._verifier = TokenVerifier(policy.tokens)
        return Caller(self._rights_by(self._verifier.claims(credential)), Limits())

    def _rights_of(self, key: ApiKey) -> Rights:
        """Return the owner's rights, cut down to the key's collections.

        Without an owner: a reader's rights, for the key's collections or else for those that everybody may read.
        """
        owner, chosen = key.limits.owner, key.limits.collections
        if owner:
            rights = self._access.rights_of(Identity(owner, owner))
        else:
            rights = Rights("", "reader", self._access.open_collections if chosen is None else None)
        if chosen is not None:
            rights = replace(rights, collections=frozenset(name for name in chosen if rights.may_read(name)))
        return replace(rights, user=f"api:{key.name}")

    def _rights_by(self, claims: Mapping[str, object]) -> Rights:
        identity = self._access.identity_of(claims)
        if identity is None:
            raise TokenError("the bearer token names nobody: it has neither an e-mail address nor a subject")
        return self._access.rights_of(identity)

    def user_of(self, caller: Caller, user: str | None) -> str:
        """Return whose answers and feedback a request is about: the caller's, or api:NAME/USER of a key's user.

        Raises UserLimitError.
        """
        if user is None:
            return caller.rights.user
        if caller.key is None:
            raise UserLimitError("a bearer token speaks for its own person only; omit user")
        self.keys.speak_for(caller.key, user)
        return f"{caller.rights.user}/{user}"
