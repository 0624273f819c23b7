"""What the files in docs/docker say; no test builds them."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

import pytest
import yaml

from app.commands.main import cli
from tests.test_docs import ROOT

FOLDER = ROOT / "docs" / "docker"
INSTRUCTIONS = re.findall(r"^([A-Z]+) ((?:.*\\\n)*.*)$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
OURS = ["citeloop", "citeloop-with-login"]


def last(instruction: str) -> str:
    return str([rest for name, rest in INSTRUCTIONS if name == instruction][-1])


def copied() -> set[str]:
    """What the build takes from the repository."""
    sources = [rest.split()[:-1] for name, rest in INSTRUCTIONS if name == "COPY" and "--from" not in rest]
    return {path for paths in sources for path in paths}


def test_the_image_holds_what_a_wheel_needs_and_nothing_else() -> None:
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == copied()
    assert "*" in ignored
    assert all((ROOT / path).exists() for path in copied())
    pyproject = (ROOT / "pyproject.toml").read_text()
    included = re.findall(r'^"([^"]+)" = "app/files', pyproject, re.MULTILINE)
    assert {*included, "app", "ingest", "pyproject.toml", "README.md", "LICENSE", "NOTICE"} <= copied()


def test_the_image_runs_as_nobody_in_particular_with_one_volume() -> None:
    assert last("USER").isdigit()
    assert int(last("USER")) > 0
    assert [rest for name, rest in INSTRUCTIONS if name == "VOLUME"] == ["/data"]
    assert "CITELOOP_HOME=/data" in last("ENV")
    assert "/ready" in last("HEALTHCHECK")


@pytest.mark.parametrize("command", [last("CMD"), *(json.dumps(COMPOSE["services"][name]["command"]) for name in OURS)])
def test_commands_are_of_this_version(command: str) -> None:
    from typer.main import get_command

    name, *options = json.loads(command)
    context = get_command(cli).make_context("citeloop", [name, *options], resilient_parsing=True)
    serve = get_command(cli).get_command(context, name)  # type: ignore[attr-defined]
    serve.make_context(name, options)


@pytest.mark.parametrize("name", [*OURS, "proxy"])
def test_services_may_write_nothing_but_their_volume(name: str) -> None:
    service = COMPOSE["services"][name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("volumes", ["home:/data"]) == ["home:/data"]


def test_only_this_machine_reaches_the_services() -> None:
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert service["profiles"]  # nothing starts unless it is chosen


def test_with_a_login_only_the_proxy_is_a_neighbor() -> None:
    services, address = COMPOSE["services"], COMPOSE["services"]["proxy"]["networks"]["login"]["ipv4_address"]
    assert "ports" not in services["citeloop-with-login"]
    assert "--without-login" not in services["citeloop-with-login"]["command"]
    assert [name for name, service in services.items() if "login" in service["networks"]] == [
        "citeloop-with-login",
        "proxy",
    ]
    subnet = COMPOSE["networks"]["login"]["ipam"]["config"][0]["subnet"]
    assert ipaddress.ip_address(address) in ipaddress.ip_network(subnet)
    assert f'addresses = ["{address}"]' in (ROOT / "docs" / "operations.md").read_text()
