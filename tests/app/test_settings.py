from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings
from ingest.home.folder import DEFAULT_HOME

VARIABLES = {
    "CITELOOP_HOME": "/srv/citeloop",
    "CITELOOP_EMBEDDER": "/srv/models/ours",
    "CITELOOP_RERANKER": "late-interaction",
    "CITELOOP_RERANK_BUDGET_MS": "1500",
    "CITELOOP_NUM_CANDIDATES": "30",
    "CITELOOP_NUM_CITATIONS": "3",
    "CITELOOP_MIN_AGREEING": "4",
    "OPENAI_API_KEY": "key one",
    "OPENAI_BASE_URL": "http://127.0.0.1:11434/v1",
    "OPENAI_MODEL": "writer-1",
    "OPENAI_API_VERSION": "2024-10-21",
    "AZURE_OPENAI_ENDPOINT": "https://ours.openai.azure.com",
    "AZURE_OPENAI_API_KEY": "key three",
    "CITELOOP_CONTEXT_TOKENS": "4096",
    "CITELOOP_VISION_MODEL": "seer-1",
    "CITELOOP_LOCK_SETTINGS": "1",
    "CITELOOP_LANGUAGE": "de",
    "CITELOOP_RERANK_URL": "http://127.0.0.1:8080",
    "CITELOOP_RERANK_MODEL": "reranker-1",
    "CITELOOP_RERANK_API_KEY": "key two",
    "CITELOOP_RERANK_SHAPE": "tei",
}


@pytest.fixture(autouse=True)
def _no_variables(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixture `settings` has cleared the environment, but for what is read here alone."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_without_variables_everything_has_a_default() -> None:
    settings = Settings()
    assert (settings.home, settings.reranker) == (DEFAULT_HOME, "live")
    assert (settings.num_candidates, settings.num_citations, settings.rerank_budget_ms) == (50, 5, 3000)
    assert (settings.openai_api_key, settings.openai_base_url, settings.openai_model) == (None, None, "gpt-4o-mini")
    assert (settings.rerank_url, settings.rerank_model, settings.rerank_api_key) == (None, "default", None)
    assert (settings.azure_openai_endpoint, settings.azure_openai_api_key, settings.openai_api_version) == (
        None,
        None,
        "",
    )
    assert (settings.context_tokens, settings.lock_settings) == (8192, False)
    assert settings.writes_answers is False


def test_every_variable_reaches_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.model_dump(exclude={"openai_api_key", "azure_openai_api_key", "rerank_api_key"}) == {
        "home": Path("/srv/citeloop"),
        "embedder": "/srv/models/ours",
        "reranker": "late-interaction",
        "rerank_budget_ms": 1500.0,
        "num_candidates": 30,
        "num_citations": 3,
        "min_agreeing": 4,
        "openai_base_url": "http://127.0.0.1:11434/v1",
        "openai_model": "writer-1",
        "openai_api_version": "2024-10-21",
        "azure_openai_endpoint": "https://ours.openai.azure.com",
        "context_tokens": 4096,
        "vision_model": "seer-1",
        "lock_settings": True,
        "language": "de",
        "rerank_url": "http://127.0.0.1:8080",
        "rerank_shape": "tei",
        "rerank_model": "reranker-1",
    }
    assert settings.openai_api_key is not None
    assert settings.azure_openai_api_key is not None
    assert settings.rerank_api_key is not None
    assert settings.openai_api_key.get_secret_value() == "key one"
    assert settings.azure_openai_api_key.get_secret_value() == "key three"
    assert settings.rerank_api_key.get_secret_value() == "key two"


def test_variables_of_other_programs_do_not_reach_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name.removeprefix("CITELOOP_") + ("" if name.startswith("CITELOOP") else "_"), "7")
    assert Settings() == Settings.model_construct()


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    empty = Settings()
    for name in VARIABLES:
        monkeypatch.delenv(name)
    assert empty == Settings()


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"])
def test_a_key_or_an_address_alone_lets_a_model_write(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, VARIABLES[name])
    assert Settings().writes_answers is True


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CITELOOP_NUM_CANDIDATES", "0"),
        ("CITELOOP_NUM_CANDIDATES", "1001"),
        ("CITELOOP_NUM_CANDIDATES", "many"),
        ("CITELOOP_NUM_CITATIONS", "0"),
        ("CITELOOP_NUM_CITATIONS", "21"),
        ("CITELOOP_RERANK_BUDGET_MS", "0"),
        ("CITELOOP_CONTEXT_TOKENS", "1023"),
        ("CITELOOP_LOCK_SETTINGS", "perhaps"),
    ],
)
def test_a_number_out_of_range_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.removeprefix("CITELOOP_").lower()):
        Settings()


def test_keys_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    shown = f"{Settings()!r} {Settings()} {Settings().model_dump_json()}"
    assert not [key for key in ("key one", "key two", "key three") if key in shown]
