"""Two app servers over one S3 bucket and one PostgreSQL database, all on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from app.access.keys import KeyStore
from app.access.limits import Limits
from tests.api.conftest import wait_until
from tests.conftest import PATIENCE
from tests.servers import running_cluster, s3_bucket
from tests.ui.browser import serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def post(address: str, key: str, **body: object) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urlopen(Request(address, json.dumps(body).encode(), headers), timeout=10 * PATIENCE) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.commands.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_one_server_learns_the_other_knows(
    tmp_path: Path, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, follower = tmp_path / "writer", tmp_path / "follower"
    with running_cluster() as cluster, s3_bucket(monkeypatch) as bucket:
        monkeypatch.setenv("CITELOOP_DATABASE_URL", cluster.new_database("citeloop"))
        monkeypatch.setenv("CITELOOP_TABLE_URI", bucket)
        assert run("ingest", documents, "--home", writer).returncode == 0
        key = KeyStore(writer).create("helpdesk", Limits(num_users=20))
        with (
            serving(writer, options=["--api"]) as first,
            serving(follower, options=["--api"]) as second,
        ):
            question = {"question": "What may a hotel cost a night?", "user": "ann", "stream": False}
            answer = post(f"{second}/v1/ask", key, **question)
            struck = answer["citations"][0]
            assert struck["document"] == "handbook/travel.md"
            feedback = {"answer_id": answer["answer_id"], "number": struck["number"], "action": "deleted"}
            post(f"{first}/v1/feedback", key, **feedback, user="ann")  # on the other server
            again = post(f"{second}/v1/ask", key, **question)
            assert struck["chunk_id"] not in [citation["chunk_id"] for citation in again["citations"]]

            (documents / "it" / "printer.md").write_text("# Printer\n\nThe code of the printer is ZX-7788.\n")
            assert run("ingest", documents, "--home", writer).returncode == 0

            def is_found() -> bool:
                ranking = post(f"{second}/v1/search", key, query="ZX-7788")["ranking"]
                return any(result["document"] == "it/printer.md" for result in ranking)

            wait_until(is_found)
            refused = run("ingest", documents, "--home", follower)
            assert refused.returncode == 1
            assert "citeloop share --take-over" in refused.stdout + refused.stderr
            with pytest.raises(HTTPError, match="401"):
                post(f"{second}/v1/search", "wrong", query="ZX-7788")
