from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.language_model.endpoint import (
    Endpoint,
    EndpointError,
    check_endpoint,
    clear_endpoint,
    read_endpoint,
    save_endpoint,
    with_kept_key,
)
from app.settings import Settings

KEY = "sk-secret-0123456789"
OLLAMA = Endpoint("http://localhost:11434/v1", "llama3.2", SecretStr(KEY), context_tokens=4096)


@pytest.fixture(autouse=True)
def _no_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)


def given(settings: Settings, **variables: Any) -> Settings:
    return settings.model_copy(update=variables)


def key_of(endpoint: Endpoint | None) -> str:
    assert endpoint is not None
    return endpoint.key


# where it comes from --------------------------------------------------------------------------------------


def test_without_variables_and_file_there_is_none(settings: Settings) -> None:
    assert read_endpoint(settings) is None


def test_variables_name_an_endpoint(settings: Settings) -> None:
    found = read_endpoint(
        given(settings, openai_base_url="http://h/v1", openai_api_key=SecretStr(f"{KEY}\n"), openai_model="m")
    )
    assert found == Endpoint("http://h/v1", "m", SecretStr(KEY))


def test_a_key_alone_means_openai(settings: Settings) -> None:
    found = read_endpoint(given(settings, openai_api_key=SecretStr(KEY), context_tokens=2048))
    assert found == Endpoint(None, "gpt-4o-mini", SecretStr(KEY), context_tokens=2048)
    assert found.url == "https://api.openai.com/v1"


def test_azure_has_variables_of_its_own(settings: Settings) -> None:
    azure = given(
        settings,
        azure_openai_endpoint="https://ours.openai.azure.com/",
        azure_openai_api_key=SecretStr(KEY),
        openai_api_key=SecretStr("of OpenAI"),
        openai_model="deployed",
    )
    newer = Endpoint("https://ours.openai.azure.com/openai/v1", "deployed", SecretStr(KEY))
    older = Endpoint("https://ours.openai.azure.com/", "deployed", SecretStr(KEY), "2024-10-21")
    assert read_endpoint(azure) == newer
    assert read_endpoint(given(azure, openai_api_version="2024-10-21")) == older
    assert key_of(read_endpoint(given(azure, openai_base_url="http://h/v1"))) == "of OpenAI"


def test_what_was_saved_wins_until_it_is_cleared(settings: Settings) -> None:
    settings = given(settings, openai_base_url="http://h/v1")
    save_endpoint(settings.home, OLLAMA)
    assert read_endpoint(settings) == replace(OLLAMA, saved=True)
    clear_endpoint(settings.home)
    assert read_endpoint(settings) == Endpoint("http://h/v1", "gpt-4o-mini")
    clear_endpoint(settings.home)


# keys -----------------------------------------------------------------------------------------------------


def test_the_key_is_not_shown(settings: Settings) -> None:
    assert KEY not in f"{OLLAMA!r} {OLLAMA}"


def test_the_file_is_for_its_owner_only_and_nothing_else_is_left(home: Path) -> None:
    save_endpoint(home, OLLAMA)
    (path,) = home.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["api_key"] == KEY


def test_a_save_without_a_key_keeps_that_of_the_same_server(settings: Settings) -> None:
    save_endpoint(settings.home, OLLAMA)
    save_endpoint(settings.home, Endpoint("http://LOCALHOST:11434/other/v1", "m"))
    assert key_of(read_endpoint(settings)) == KEY
    save_endpoint(settings.home, replace(OLLAMA, api_key=SecretStr("new")))
    assert key_of(read_endpoint(settings)) == "new"


@pytest.mark.parametrize(
    "url",
    ["https://localhost:11434/v1", "http://localhost:11435/v1", "http://localhost/v1", "http://evil.example/v1", None],
)
def test_a_key_is_not_kept_for_another_server(url: str | None, settings: Settings) -> None:
    save_endpoint(settings.home, OLLAMA)
    save_endpoint(settings.home, Endpoint(url, "m"))
    assert key_of(read_endpoint(settings)) == ""
    assert KEY not in (settings.home / "endpoint.json").read_text()
    save_endpoint(settings.home, OLLAMA)
    assert with_kept_key(settings.home, Endpoint(url, "m")).api_key is None


def test_the_usual_port_may_be_left_out(home: Path) -> None:
    save_endpoint(home, Endpoint("https://h.example:443/v1", "m", SecretStr(KEY)))
    assert with_kept_key(home, Endpoint("https://h.example/v1", "m")).key == KEY


def test_a_key_of_the_environment_does_not_reach_a_saved_server(settings: Settings) -> None:
    settings = given(settings, openai_api_key=SecretStr("of the environment"), openai_base_url="http://h/v1")
    save_endpoint(settings.home, Endpoint("http://h/v1", "m"))
    assert key_of(read_endpoint(settings)) == ""


def test_a_save_that_fails_leaves_what_was(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    save_endpoint(settings.home, OLLAMA)
    monkeypatch.setattr("ingest.home.folder.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_endpoint(settings.home, replace(OLLAMA, model="other"))
    assert read_endpoint(settings) == replace(OLLAMA, saved=True)
    assert len(list(settings.home.iterdir())) == 1


# what cannot be one ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"model": "m"}',
        b"\xff\xfe",
        b'{"base_url": 5, "model": "m"}',
        b'{"base_url": null, "model": "m", "api_key": ["sk-secret-0123456789"]}',
    ],
)
def test_a_damaged_file_is_named_with_what_to_do(content: bytes, settings: Settings) -> None:
    settings.home.mkdir()
    path = settings.home / "endpoint.json"
    path.write_bytes(content)
    with pytest.raises(EndpointError, match="is damaged or cannot be read") as caught:
        read_endpoint(settings)
    assert str(path) in str(caught.value)
    assert KEY not in f"{caught.value!r} {caught.value.__cause__!r}"
    save_endpoint(settings.home, OLLAMA)
    assert key_of(read_endpoint(settings)) == KEY


def test_a_file_that_says_it_was_not_saved_is_not_believed(settings: Settings) -> None:
    settings.home.mkdir()
    (settings.home / "endpoint.json").write_text('{"base_url": null, "model": "m", "saved": false}')
    found = read_endpoint(settings)
    assert found is not None
    assert found.saved


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_url": "localhost:11434"}, "base URL"),
        ({"base_url": "ftp://localhost/v1"}, "base URL"),
        ({"base_url": "http://"}, "base URL"),
        ({"base_url": "http://localhost:no/v1"}, "base URL"),
        ({"base_url": "http://[/v1"}, "base URL"),
        ({"base_url": "http://local host/v1"}, "base URL"),
        ({"base_url": "http://ann:pass-word@localhost/v1"}, "base URL"),
        ({"base_url": "http://localhost/v1?key=pass-word"}, "base URL"),
        ({"base_url": "http://localhost\\@evil.example/v1"}, "base URL"),
        ({"base_url": ""}, "base URL"),
        ({"model": " "}, "model's name is missing"),
        ({"model": "a\nb"}, "model's name"),
        ({"api_key": SecretStr("pass-word\n")}, "key has an invalid character"),
        ({"api_key": SecretStr("pass-wörd")}, "key has an invalid character"),
        ({"api_version": "2024/10"}, "API version"),
        ({"base_url": None, "api_version": "2024-10-21"}, "belongs to Azure"),
        ({"context_tokens": 100}, "at least 1024 tokens, but is 100"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_it_is_saved(
    changes: dict[str, Any], message: str, settings: Settings
) -> None:
    with pytest.raises(EndpointError, match=message) as caught:
        save_endpoint(settings.home, replace(OLLAMA, **changes))
    assert "pass-w" not in str(caught.value)
    assert read_endpoint(settings) is None


@pytest.mark.parametrize("url", [None, "https://h.example/openai/v1/", "http://[::1]:8080/v1", "http://10.0.0.1"])
def test_what_can_be_asked_is_not_refused(url: str | None) -> None:
    check_endpoint(replace(OLLAMA, base_url=url))
