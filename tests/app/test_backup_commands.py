from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.conftest import Citeloop

pytestmark = pytest.mark.usefixtures("table")


def test_a_home_is_backed_up_and_restored(citeloop: Citeloop, tmp_path: Path) -> None:
    file, other = tmp_path / "monday.tar", tmp_path / "other"
    searched = citeloop("search", "hotel", "--no-rerank", "--json").json
    assert citeloop("backup", file).stdout.startswith("backed up: ")
    assert citeloop("access", "log", "--json").json[0]["act"] == "home folder backed up"
    restored = citeloop("restore", file, "--home", other, "--json").json
    assert (restored["put_aside"], restored["num_files"] > 3) == (None, True)
    assert citeloop("search", "hotel", "--no-rerank", "--json", "--home", other).json == searched
    newest = citeloop("access", "log", "--json", "--home", other).json[0]
    assert (newest["act"], newest["subject"]) == ("home folder restored", str(file))


def test_a_home_with_content_is_restored_only_by_force(citeloop: Citeloop, tmp_path: Path) -> None:
    file = tmp_path / "monday.tar"
    citeloop("backup", file)
    refused = citeloop("restore", file)
    assert (refused.status, "put its content aside with --force" in refused.stderr) == (1, True)
    assert "the earlier content is in" in citeloop("restore", file, "--force").stdout
    assert citeloop("documents", "list").stdout.count("\n") == 3
