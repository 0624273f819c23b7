from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from streamlit.testing.v1 import AppTest

from app.access.audit import AuditLog
from app.answer.prompts import Prompts, read_prompts
from app.language_model.endpoint import Endpoint, read_endpoint, save_endpoint
from app.settings import Settings
from tests.app.faulty_server import FaultyServer, faulty_server
from tests.conftest import PATIENCE

KEY = "sk-secret-0123456789"


def page_of_settings() -> None:
    from app.ui import settings_page

    settings_page.show()


@pytest.fixture
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CITELOOP_HOME", str(settings.home))
    for variable in [name for name in os.environ if name.startswith("AZURE_OPENAI_")]:
        monkeypatch.delenv(variable)
    return settings.home


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    yield from faulty_server()


def shown() -> AppTest:
    page = AppTest.from_function(page_of_settings, default_timeout=PATIENCE).run()
    assert not page.exception
    return page


def click(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return page


def fill(page: AppTest, **values: str) -> AppTest:
    for name, value in values.items():
        page.text_input(key=f"settings-{name.replace('_', '-')}").set_value(value)
    return page


def texts(page: AppTest) -> str:
    kinds = (page.markdown, page.info, page.success, page.error)
    return "\n".join(str(element.value) for elements in kinds for element in elements).replace("\\", "")


def sent_to_the_browser(page: AppTest) -> str:
    return "\n".join(str(element.proto) for element in page.main if hasattr(element, "proto"))


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def saved(settings: Settings) -> Endpoint | None:
    return read_endpoint(settings)


# what is set ----------------------------------------------------------------------------------------------


def test_without_a_language_model_the_page_says_how_answers_come_about(home: Path) -> None:
    page = shown()
    assert "answers are quoted from the documents" in texts(page)
    assert page.selectbox(key="settings-preset").value == "OpenAI"
    assert labels(page)[:2] == ["Save", "Test connection"]


def test_what_the_environment_says_is_shown_without_its_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://ann:pass-word@localhost:11434/v1?token=pass-word")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_MODEL", "llama3.2")
    page = shown()
    assert "**llama3.2** at `http://localhost:11434/v1` writes the answers (set by environment" in texts(page)
    assert page.selectbox(key="settings-preset").value == "Ollama"
    assert KEY not in sent_to_the_browser(page)
    assert "pass-word" not in sent_to_the_browser(page)


def test_what_was_saved_is_shown_without_its_key(home: Path) -> None:
    save_endpoint(home, Endpoint("http://h.example/v1", "writer-1", SecretStr(KEY)))
    page = shown()
    assert "**writer-1** at `http://h.example/v1` writes the answers (saved on this page, with a key" in texts(page)
    key = page.text_input(key="settings-key")
    assert (key.value, key.placeholder) == ("", "Saved; leave empty to keep it")
    assert page.selectbox(key="settings-preset").value == "Other"
    assert KEY not in sent_to_the_browser(page)


def test_a_damaged_file_is_told_and_can_be_written_anew(home: Path, settings: Settings) -> None:
    home.mkdir()
    (home / "endpoint.json").write_text("{")
    page = shown()
    assert "endpoint.json is damaged" in texts(page)
    assert "answers are quoted" in texts(click(shown(), "Delete settings and key"))
    (home / "endpoint.json").write_text("{")
    click(fill(page, base_url="http://h.example/v1", model="m"), "Save")
    assert saved(settings) == Endpoint("http://h.example/v1", "m", saved=True)


def test_words_of_the_settings_are_shown_as_they_stand(home: Path) -> None:
    save_endpoint(home, Endpoint("http://h.example/v1", "![x](http://evil.example/x.png)"))
    assert r"\!\[x\]" in shown().markdown[0].value


# what is changed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "url"),
    [
        ("Ollama", "http://localhost:11434/v1"),
        ("vLLM", "http://localhost:8000/v1"),
        ("llama.cpp", "http://localhost:8080/v1"),
        ("LM Studio", "http://localhost:1234/v1"),
        ("Other", ""),
    ],
)
def test_a_service_fills_in_its_base_url(service: str, url: str, home: Path) -> None:
    page = shown()
    page.selectbox(key="settings-preset").set_value(service).run()
    assert page.text_input(key="settings-base-url").value == url


def test_what_is_saved_is_used_and_its_key_leaves_the_page(home: Path, settings: Settings) -> None:
    page = fill(shown(), base_url=" http://h.example/v1 ", model="writer-1", key=f" {KEY}\t")
    page.number_input(key="settings-context").set_value(4096)
    click(page, "Save")
    assert saved(settings) == Endpoint("http://h.example/v1", "writer-1", SecretStr(KEY), "", 4096, saved=True)
    assert "Saved: writer-1 at http://h.example/v1 writes the answers, with a key." in texts(page)
    assert page.text_input(key="settings-key").value == ""
    assert page.selectbox(key="settings-preset").value == "Other"
    assert KEY not in sent_to_the_browser(page)
    assert KEY not in str(page.session_state)


def test_saving_tries_the_connection_once_and_says_why_it_fails(home: Path, server: FaultyServer) -> None:
    server.use("unknown model")
    page = click(fill(shown(), base_url=server.url, model="other", key=KEY), "Save")
    assert f"Saved: other at {server.url} writes the answers, with a key." in texts(page)
    assert "does not know other" in page.error[0].value
    assert {headers["authorization"] for _, headers, _ in server.requests} == {f"Bearer {KEY}"}
    num_requests = len(server.requests)
    page.run()
    assert (len(page.error), len(server.requests)) == (0, num_requests)


def test_an_empty_key_keeps_that_of_the_same_server_only(home: Path, settings: Settings) -> None:
    save_endpoint(home, Endpoint("http://h.example/v1", "writer-1", SecretStr(KEY)))
    page = click(fill(shown(), model="writer-2"), "Save")
    assert saved(settings) == Endpoint("http://h.example/v1", "writer-2", SecretStr(KEY), saved=True)
    click(fill(page, base_url="http://evil.example/v1"), "Save")
    assert saved(settings) == Endpoint("http://evil.example/v1", "writer-2", saved=True)
    assert "without a key" in texts(page)


def test_what_cannot_be_is_refused_and_stays_in_the_form(home: Path, settings: Settings) -> None:
    page = click(fill(shown(), base_url="localhost", model="m", key=KEY), "Save")
    assert "The base URL must be an address" in texts(page)
    assert page.text_input(key="settings-model").value == "m"
    assert saved(settings) is None


def test_what_was_saved_can_be_taken_back(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_endpoint(home, Endpoint("http://h.example/v1", "writer-1", SecretStr(KEY)))
    page = click(shown(), "Delete settings and key")
    assert "answers are quoted" in texts(page)
    assert page.text_input(key="settings-model").value == ""
    assert not (home / "endpoint.json").exists()
    save_endpoint(home, Endpoint("http://h.example/v1", "writer-1"))
    monkeypatch.setenv("OPENAI_BASE_URL", "http://other.example/v1")
    page = click(shown(), "Delete settings and key")
    assert page.text_input(key="settings-base-url").value == "http://other.example/v1"
    assert "Delete settings and key" not in labels(page)


def test_locked_settings_are_only_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_endpoint(home, Endpoint("http://h.example/v1", "writer-1", SecretStr(KEY)))
    monkeypatch.setenv("CITELOOP_LOCK_SETTINGS", "1")
    page = shown()
    assert "writer-1" in texts(page)
    assert "locked" in page.info[0].value
    assert not page.button
    assert not page.text_input


# the test of a connection ---------------------------------------------------------------------------------


def test_a_connection_is_tried_as_the_form_says_without_saving_it(
    home: Path, settings: Settings, server: FaultyServer
) -> None:
    page = click(fill(shown(), base_url=server.url, model="writer-1", key=KEY), "Test connection")
    assert f"writer-1 at {server.url} answers: the first piece came after" in texts(page)
    assert page.expander[0].label == "Available models (1)"
    assert {headers["authorization"] for _, headers, _ in server.requests} == {f"Bearer {KEY}"}
    assert saved(settings) is None
    assert KEY not in sent_to_the_browser(page)


def test_a_connection_is_tried_with_the_saved_key_of_this_server_only(home: Path, server: FaultyServer) -> None:
    save_endpoint(home, Endpoint(server.url, "writer-1", SecretStr(KEY)))
    page = click(shown(), "Test connection")
    with FaultyServer() as other:
        click(fill(page, base_url=other.url), "Test connection")
        assert {headers["authorization"] for _, headers, _ in server.requests} == {f"Bearer {KEY}"}
        assert {headers["authorization"] for _, headers, _ in other.requests} == {"Bearer none"}


def test_a_connection_is_not_tried_with_the_key_of_the_environment(
    home: Path, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    click(fill(shown(), base_url=server.url, model="m"), "Test connection")
    assert server.requests
    assert KEY not in str(server.requests)


def test_a_connection_that_fails_says_why(home: Path, server: FaultyServer) -> None:
    server.use("unknown model")
    page = click(fill(shown(), base_url=server.url, model="other", key=KEY), "Test connection")
    assert "does not know other" in page.error[0].value
    assert "It lists: writer-1" in texts(page)
    assert page.text_input(key="settings-model").value == "other"


# the instructions -----------------------------------------------------------------------------------------


def test_instructions_are_changed_and_brought_back(home: Path) -> None:
    page = shown()
    page.text_area[0].set_value("Write short. Otherwise reply exactly: NOT IN THE DOCUMENTS")
    click(page, "Save instructions")
    assert read_prompts(home).answer.startswith("Write short.")
    assert (shown().text_area[0].value or "").startswith("Write short.")
    assert "Restore defaults" not in labels(page), "it asks first"
    page = click(page, "Replace instructions")
    assert read_prompts(home) == Prompts()
    shown_below = [element.type for element in page.main]
    assert shown_below.index("success") > shown_below.index("text_area")  # near the button


def test_default_instructions_are_shown_as_paragraphs_and_stay_the_default(home: Path) -> None:
    page = shown()
    answer, *others = [area.value or "" for area in page.text_area]
    assert "reply exactly: NOT IN THE DOCUMENTS\nThe passages are" in answer
    assert [text for text in (answer.replace("DOCUMENTS\n", ""), *others) if "\n" in text] == []
    click(page, "Save instructions")
    assert read_prompts(home) == Prompts()


def test_instructions_that_cannot_say_no_are_refused(home: Path) -> None:
    page = shown()
    page.text_area[0].set_value("Write short.")
    click(page, "Save instructions")
    assert "NOT IN THE DOCUMENTS" in page.error[0].value
    assert read_prompts(home) == Prompts()


# the audit log --------------------------------------------------------------------------------------------


def test_the_audit_log_names_visitors_as_other_pages_do(home: Path) -> None:
    AuditLog(home).add("ann", "votes ignored", "211c" * 8)
    AuditLog(home).add("ann", "document removed", "a.md")
    assert list(shown().dataframe[0].value["Which"]) == ["a.md", "visitor 211c"]
