"""Keys with owners and collections, and bearer tokens of an OpenID provider."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from starlette.testclient import TestClient

from app.access.access import Access
from app.access.callers import Callers
from app.access.keys import KeyStore
from app.access.limits import Limits
from app.access.rights import Rights, Role
from app.settings import Settings
from tests.api.conftest import Api
from tests.app.conftest import Citeloop, citeloop, fake_models
from tests.oidc import CLIENT_ID, Provider, new_key, provider_running

__all__ = ["citeloop", "fake_models"]

ROLES = '[roles]\nadmin = ["adm@example.org"]\nreader = ["@example.org", "group:staff"]\n'
COLLECTIONS = '[collections.handbook]\nreaders = ["*"]\n[collections.it]\nreaders = ["ann@example.org"]\n'


def write_policy(home: Path, text: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "access.toml").write_text(text)


# Keys ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "chosen", "readable"),
    [
        ("", None, {"handbook"}),
        ("", ("it",), {"it"}),
        ("bob@example.org", None, {"handbook"}),
        ("bob@example.org", ("it", "handbook"), {"handbook"}),
        ("bob@example.org", ("it",), set()),
        ("ann@example.org", ("it",), {"it"}),
        ("adm@example.org", ("it",), {"it"}),
        ("adm@example.org", None, None),
    ],
)
def test_a_key_reads_what_its_owner_may_and_no_more_than_it_was_made_for(
    owner: str, chosen: tuple[str, ...] | None, readable: set[str] | None, home: Path
) -> None:
    write_policy(home, ROLES + COLLECTIONS)
    keys = KeyStore(home)
    key = keys.create("portal", Limits(owner=owner, collections=chosen))
    caller = Callers(keys, Access(home)).find(key)
    assert caller
    role: Role = "admin" if owner.startswith("adm") else "reader"
    assert caller.rights == Rights("api:portal", role, None if readable is None else frozenset(readable))


@pytest.mark.parametrize(
    ("owner", "user", "voter"),
    [
        ("ann@example.org", None, "ann@example.org"),
        ("ann@example.org", "bob", "api:portal/bob"),
        ("", None, "api:portal"),
    ],
)
def test_who_owns_a_key_is_one_voter_with_it(owner: str, user: str | None, voter: str, home: Path) -> None:
    write_policy(home, ROLES + COLLECTIONS)
    keys = KeyStore(home)
    callers = Callers(keys, Access(home))
    caller = callers.find(keys.create("portal", Limits(owner=owner, num_users=2)))
    assert caller
    assert caller.voter(callers.user_of(caller, user)) == voter


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/citeloop", "/v1/chat/completions", "/v1/ask/"])
def test_a_scope_holds_for_all_paths_below_it(path: str, client: TestClient, api: Api) -> None:
    key = api.keys.create("search-only", Limits(scopes=("search",)))
    assert client.get(path, headers={"Authorization": f"Bearer {key}"}).status_code == 403


def test_a_key_without_an_owner_reads_everything_where_no_collection_is_restricted(home: Path) -> None:
    write_policy(home, ROLES)
    keys = KeyStore(home)
    caller = Callers(keys, Access(home)).find(keys.create("portal"))
    assert caller
    assert caller.rights.collections is None


def test_a_key_ends_with_the_access_of_its_owner(client: TestClient, api: Api, settings: Settings) -> None:
    write_policy(settings.home, ROLES)
    key = api.keys.create("portal", Limits(owner="ann@example.org"))
    headers = {"Authorization": f"Bearer {key}"}
    assert client.post("/v1/search", json={"query": "hotel"}, headers=headers).status_code == 200
    write_policy(settings.home, ROLES.replace('"@example.org", ', ""))
    refused = client.post("/v1/search", json={"query": "hotel"}, headers=headers)
    assert refused.status_code == 403
    assert refused.json()["error"]["message"].startswith("ann@example.org has no access")


def test_owner_and_collections_are_said_and_kept(citeloop: Citeloop, home: Path) -> None:
    write_policy(home, ROLES + COLLECTIONS)
    made = citeloop("keys", "add", "portal", "--owner", "Ann@example.org", "--collections", "it, handbook", "--json")
    assert made.json["limits"]["owner"] == "ann@example.org"
    assert citeloop("keys", "change", "portal", "--rate", "60").stdout.endswith(
        "without end; in it, handbook; owner ann@example.org\n"
    )
    assert citeloop("keys", "change", "portal", "--collections", "*", "--json").json["limits"]["collections"] is None
    unknown = citeloop("keys", "add", "other", "--owner", "eve@elsewhere.net")
    assert unknown.status == 1
    assert "eve@elsewhere.net has no access" in unknown.stderr
    assert citeloop("keys", "add", "other", "--owner", "eve").status == 2


# Tokens ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with provider_running() as provider:
        yield provider


@pytest.fixture
def policy(provider: Provider, settings: Settings) -> str:
    text = f'{ROLES}[tokens]\nissuer = "{provider.issuer}"\naudience = "{CLIENT_ID}"\n'
    write_policy(settings.home, text)
    return text


def search(client: TestClient, token: str) -> Any:
    return client.post("/v1/search", json={"query": "hotel"}, headers={"Authorization": f"Bearer {token}"})


def test_a_person_searches_and_asks_with_a_token(policy: str, provider: Provider, client: TestClient, api: Api) -> None:
    fetched = provider.num_fetches
    assert search(client, provider.token()).status_code == 200
    body = {"question": "How many days of leave?", "stream": False}
    asked = client.post("/v1/ask", json=body, headers={"Authorization": f"Bearer {provider.token()}"}).json()
    assert api.store.answer(asked["answer_id"], "ann@example.org")  # the same person as on the pages
    assert provider.num_fetches == fetched + 1


def test_a_token_without_an_address_counts_by_its_groups(policy: str, provider: Provider, client: TestClient) -> None:
    assert search(client, provider.token(email=None, groups=["staff"])).status_code == 200
    assert search(client, provider.token(email=None)).status_code == 403
    assert search(client, provider.token(email_verified=False)).status_code == 403
    assert search(client, provider.token(email="eve@elsewhere.net")).status_code == 403
    assert search(client, provider.token(email=None, sub=None)).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "http://127.0.0.1:9"},
        {"iss": None},
        {"exp": time.time() - 3600},
        {"exp": None},
        {"nbf": time.time() + 3600},
    ],
)
def test_a_token_for_others_or_another_time_is_refused(
    claims: dict[str, Any], policy: str, provider: Provider, client: TestClient
) -> None:
    refused = search(client, provider.token(**claims))
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert "ann@" not in refused.text


def test_a_token_with_a_wrong_signature_is_refused(policy: str, provider: Provider, client: TestClient) -> None:
    public = provider.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head, body, sign = provider.token().split(".")
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "first"}).encode()).decode().rstrip("=")
    told = base64.urlsafe_b64encode(
        json.dumps({"alg": "RS256", "kid": "first", "jku": "http://127.0.0.1:9/keys"}).encode()
    ).decode()
    forged = {
        "by another key": provider.token(new_key()),
        "without a signature": f"{unsigned}.{body}.",
        "with another signature": f"{head}.{body}.{sign[:-8]}AAAAAAAA",
        "with keys from elsewhere": f"{told.rstrip('=')}.{body}.{sign}",
        "by the public key as a secret": _signed_by_secret(body, public),
        "nothing": "a.b.c",
    }
    assert {name: search(client, token).status_code for name, token in forged.items()} == dict.fromkeys(forged, 401)


def _signed_by_secret(body: str, secret: bytes) -> str:
    import hashlib
    import hmac

    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "first"}).encode()).decode().rstrip("=")
    sign = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{base64.urlsafe_b64encode(sign).decode().rstrip('=')}"


def test_a_token_speaks_for_its_own_person_only(policy: str, provider: Provider, client: TestClient) -> None:
    body = {"question": "How many days of leave?", "stream": False, "user": "bob@example.org"}
    refused = client.post("/v1/ask", json=body, headers={"Authorization": f"Bearer {provider.token()}"})
    assert refused.status_code == 403
    assert "omit user" in refused.json()["error"]["message"]


def test_without_an_issuer_in_the_file_a_token_is_no_key(
    provider: Provider, client: TestClient, settings: Settings
) -> None:
    write_policy(settings.home, ROLES)
    assert search(client, provider.token()).status_code == 401


def test_an_issuer_that_cannot_be_reached_is_said_and_left_alone_for_a_while(
    policy: str, provider: Provider, client: TestClient, settings: Settings
) -> None:
    write_policy(settings.home, policy.replace(provider.issuer, "http://127.0.0.1:9/nobody"))
    for said in ("cannot be fetched", "could not be reached a moment ago"):
        refused = search(client, provider.token())
        assert (refused.status_code, said in refused.text) == (503, True)


def test_an_issuer_that_calls_itself_otherwise_is_refused(
    policy: str, provider: Provider, client: TestClient, settings: Settings
) -> None:
    write_policy(settings.home, policy.replace(provider.issuer, provider.issuer.replace("127.0.0.1", "localhost")))
    assert "it calls itself" in search(client, provider.token()).json()["error"]["message"]


# Strangers -------------------------------------------------------------------------------------------


def test_what_is_not_theirs_looks_as_if_it_did_not_exist(policy: str, provider: Provider, client: TestClient) -> None:
    """Every id of one person, in every place where another one can write it."""

    def post(path: str, email: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {provider.token(email=email)}"}
        return client.post(f"/v1/{path}", json=body, headers=headers)

    own = post("ask", "ann@example.org", question="How many days of leave?", stream=False).json()
    answer, conversation = own["answer_id"], own["conversation_id"]
    chunk = own["citations"][0]["chunk_id"]
    unknown = "0" * 32

    def refusals(answer_id: str, conversation_id: str, email: str) -> list[tuple[int, str]]:
        sent = [
            post("ask", email, question="And in Germany?", conversation_id=conversation_id, stream=False),
            post("ask", email, question="And in Germany?", conversation_id=conversation_id),
            post("feedback", email, answer_id=answer_id, number=1, action="deleted"),
            post("feedback", email, answer_id=answer_id, chunk_id=chunk, action="kept"),
        ]
        return [(each.status_code, each.text.replace(answer_id, "ID")) for each in sent]

    assert refusals(answer, conversation, "bob@example.org") == refusals(unknown, unknown, "bob@example.org")
    assert {status for status, _ in refusals(answer, conversation, "bob@example.org")} == {404}
    assert {status for status, _ in refusals(answer, conversation, "ann@example.org")} == {200}
