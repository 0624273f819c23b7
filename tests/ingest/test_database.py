from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ingest.home.database import transaction


@pytest.mark.parametrize(("code", "times", "passes"), [("BUSY", 2, True), ("ERROR", 1, False)])
def test_who_is_turned_away_while_a_new_file_is_opened_tries_again(
    code: str, times: int, passes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = sqlite3.OperationalError("refused")
    error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{code}")
    refusals = [error] * times

    class Refusing(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if "journal_mode" in sql and refusals:
                raise refusals.pop()
            return super().execute(sql, *parameters)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Refusing))
    if passes:
        with transaction(tmp_path / "rows.sqlite3") as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    else:
        with pytest.raises(sqlite3.OperationalError, match="refused"), transaction(tmp_path / "rows.sqlite3"):
            pass
