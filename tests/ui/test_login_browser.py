"""Login by an OpenID provider, through a real server and Chromium."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.access.audit import AuditLog
from tests.oidc import CLIENT_ID, Provider, provider_running
from tests.ui.browser import CHROMIUM, browsing, expect_still, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # a busy machine loads models for minutes
    pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="no Chromium; apt-get install chromium"),
]


@pytest.fixture
def provider() -> Iterator[Provider]:
    with provider_running() as provider:
        yield provider


@pytest.fixture
def site(provider: Provider, home: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a server with this login; Ann is admin, others of her company read."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = tmp_path / ".streamlit" / "secrets.toml"
    settings.parent.mkdir()
    settings.write_text(
        f"""[auth]
redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
cookie_secret = "{secrets.token_hex()}"
client_id = "{CLIENT_ID}"
client_secret = "{secrets.token_hex()}"
server_metadata_url = "{provider.issuer}/.well-known/openid-configuration"
"""
    )
    home.mkdir()
    (home / "access.toml").write_text('[roles]\nadmin = ["ann@example.org"]\nreader = ["@example.org"]\n')
    with serving(home, port, tmp_path) as address:
        yield address


@pytest.fixture
def page() -> Iterator[Page]:
    with browsing() as page:
        yield page


def log_in(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Log in").click()


def sign_out(page: Page) -> None:
    # "Log in" is shown before the browser has gone the way out; leaving the page then would keep the cookie.
    with page.expect_event("load"):
        page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_who_logs_in_sees_the_name_the_pages_of_the_role_and_the_way_out(
    site: str, provider: Provider, page: Page, home: Path
) -> None:
    page.goto(f"{site}/settings")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    expect(page.get_by_text("Language model")).to_have_count(0)

    log_in(page, site)
    expect(page.get_by_text("ann@example.org (admin)")).to_be_visible()
    expect(page.locator("a[href^=mailto]")).to_have_count(0)
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    expect_still(page)
    page.get_by_role("button", name="Restore defaults").click()
    page.get_by_role("button", name="Replace instructions").click()
    expect(page.get_by_text("Restored. Used from the next question on.")).to_be_visible()
    assert [(entry.user, entry.act) for entry in AuditLog(home).entries()] == [
        ("ann@example.org", "instructions changed")
    ]
    sign_out(page)

    provider.person = {"email": "Bob@Example.org", "email_verified": True}
    log_in(page, site)
    expect(page.get_by_text("bob@example.org (reader)")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("Documents|Settings"))).to_have_count(0)
    page.goto(f"{site}/settings")
    expect(page.get_by_text("Page not found")).to_be_visible()
    expect(page.get_by_text("Language model")).to_have_count(0)
    page.goto(site)
    sign_out(page)

    provider.person = {"email": "ann@example.org", "email_verified": False}
    log_in(page, site)
    expect(page.get_by_text("has no access")).to_be_visible()
