from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.conftest import Citeloop

pytestmark = pytest.mark.usefixtures("fake_models")


@pytest.mark.integration
def test_a_collection_is_chosen_shown_and_changed(citeloop: Citeloop, documents: Path) -> None:
    assert citeloop("documents", "list").stdout == "no documents yet\n"
    citeloop("ingest", str(documents / "it"), "--collection", "secret")
    assert citeloop("documents", "list").stdout == "secret  vpn.md  VPN\n"
    assert citeloop("documents", "move", "vpn.md", "--to", " open ").stdout == "moved to open: vpn.md\n"
    (listed,) = citeloop("documents", "list", "--json").json["documents"]
    assert (listed["name"], listed["collection"]) == ("vpn.md", "open")
    newest = citeloop("access", "log", "--json").json[0]
    assert (newest["act"], newest["subject"]) == ("documents moved to open", "vpn.md")


def test_a_document_that_is_not_there_cannot_be_moved(citeloop: Citeloop) -> None:
    outcome = citeloop("documents", "move", "other.md", "--to", "open")
    assert outcome.status == 1
    assert "there is no document 'other.md'; for their names, run: citeloop documents list" in outcome.stderr
