"""What an installation leaves out is named by the command that needs it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.commands.keys import mcp_command
from app.telemetry import open_telemetry
from app.training.candidate import make_candidate
from app.training.fit.trainer import Recipe
from app.training.from_pairs import PairsPlan, train_from_pairs
from app.ui.server import create_app
from ingest import CiteloopError
from ingest.extras import needs_extra

NOTHING = cast(Any, SimpleNamespace())


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that makes packages, and what imports them here, look as if they were not installed."""

    def leave_out(*packages: str) -> None:
        for name in [*sys.modules]:
            if name.startswith(packages) or name in ("app.api.web", "app.api.agents"):
                monkeypatch.delitem(sys.modules, name)
        for package in packages:
            monkeypatch.setitem(sys.modules, package, None)

    return leave_out


def expect(extra: str) -> Any:
    return pytest.raises(CiteloopError, match=re.escape(f"pip install 'citeloop[{extra}]'"))


def test_api_and_agents(without: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITELOOP_HOME", str(tmp_path))
    without("fastapi", "mcp")
    with expect("api"):
        create_app(api=True)
    with expect("api"):
        mcp_command(tmp_path)


def test_training_says_so_before_it_begins(without: Any, tmp_path: Path) -> None:
    without("datasets")
    with expect("train"):
        make_candidate(NOTHING, NOTHING, "ada", "1", NOTHING)
    with expect("train"):
        train_from_pairs(PairsPlan([], Recipe()), tmp_path / "model", tmp_path, NOTHING)
    assert not (tmp_path / "model").exists()


def test_telemetry(without: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:1")
    without("opentelemetry")
    with expect("otel"):
        open_telemetry.start()


def test_an_error_inside_a_library_is_not_taken_for_a_missing_one() -> None:
    with pytest.raises(ImportError, match="cannot import name"), needs_extra("api", "anything"):
        from json import does_not_exist  # type: ignore[attr-defined]  # noqa: F401
