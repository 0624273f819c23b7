from __future__ import annotations

import shutil

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.api.health import health_routes
from app.pipeline import Pipeline


def test_ready_once_the_models_are_loaded_and_as_long_as_the_table_opens(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    warm = [False]
    client = TestClient(Starlette(routes=list(health_routes(lambda: pipeline, lambda: warm[0]))))

    def state() -> tuple[int, str]:
        response = client.get("/ready")
        return response.status_code, response.json()["status"]

    assert client.get("/health").json() == {"status": "alive"}
    assert state() == (503, "loading the models")
    warm[0] = True
    assert state() == (200, "ready")
    shutil.rmtree(pipeline.settings.home / "table")
    assert state() == (503, "not ready; see the server log")
    assert "not ready" in caplog.text
    assert client.get("/health").status_code == 200


def test_ready_without_documents(pipeline: Pipeline) -> None:
    shutil.rmtree(pipeline.settings.home)
    client = TestClient(Starlette(routes=list(health_routes(lambda: pipeline, lambda: True))))
    assert client.get("/ready").status_code == 200
