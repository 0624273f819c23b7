from __future__ import annotations

import getpass
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.access.audit import AuditLog
from app.commands import models as registry_commands
from app.registry import Registry
from tests.app.builders import add_model, write_model
from tests.app.conftest import Citeloop

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def registry(home: Path) -> Registry:
    """Two models, of which none is live."""
    for weights in ("one", "two"):
        add_model(home, weights)
    return Registry(home)


def compare(
    registry: Registry, name: str, verdict: str, live: str = "shipped", embedder: str = "", **slices: object
) -> None:
    """Have the gate say this."""
    record = {"verdict": verdict, "sentence": "It is so.", "live": live, "embedder": embedder, **slices}
    (registry.folder(name) / "gate.json").write_text(json.dumps(record))


def history(registry: Registry) -> list[tuple[Any, ...]]:
    return [(line.action, line.model, line.who, line.why, line.verdict) for line in registry.history()]


def test_model_that_the_gate_lets_pass_goes_live(citeloop: Citeloop, registry: Registry) -> None:
    compare(registry, "reranker-1", "promote")
    outcome = citeloop("promote", "reranker-1", "--why", "better on the handbook")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "live: reranker-1, before: shipped\n", "")
    assert history(registry) == [("promote", "reranker-1", getpass.getuser(), "better on the handbook", "promote")]


@pytest.mark.parametrize(
    ("verdict", "why"),
    [
        ("keep", "reranker-1 is not better than shipped, according to the comparison"),
        ("too little data", "too little feedback to tell whether it is better than shipped"),
    ],
)
def test_model_that_the_gate_stops_goes_live_by_force_only(
    citeloop: Citeloop, registry: Registry, verdict: str, why: str
) -> None:
    compare(registry, "reranker-1", verdict)
    refused = citeloop("promote", "reranker-1")
    assert refused.status == 1
    assert f"{why}; use --force to promote anyway" in refused.stderr
    assert registry.live() == "shipped"
    assert citeloop("promote", "reranker-1", "--force").status == 0
    assert history(registry)[0][-1] == verdict


def test_model_that_was_not_compared_goes_live_by_force_only(citeloop: Citeloop, registry: Registry) -> None:
    refused = citeloop("promote", "reranker-1")
    assert refused.status == 1
    assert "reranker-1 was not compared with the live model: it may be worse; use --force" in refused.stderr
    assert citeloop("promote", "reranker-1", "--force", "--json").json["verdict"] == ""


def test_model_that_was_compared_with_another_is_compared_anew(citeloop: Citeloop, registry: Registry) -> None:
    compare(registry, "reranker-1", "promote")
    compare(registry, "reranker-2", "promote")
    assert citeloop("promote", "reranker-1").status == 0
    refused = citeloop("promote", "reranker-2")
    assert refused.status == 1
    assert "reranker-2 was compared with shipped, but reranker-1 is live now" in refused.stderr
    compare(registry, "reranker-2", "promote", live="reranker-1")
    assert citeloop("promote", "reranker-2").status == 0


def test_home_with_models_of_an_older_version_opens(citeloop: Citeloop, registry: Registry, home: Path) -> None:
    with registry.unfinished() as folder:
        folder.rmdir()
        registry.add(write_model(folder), "embedder-1", kind="embedder", base="all-MiniLM-L6-v2")
    for name in ("embedder-1", "reranker-1"):  # judged together
        compare(registry, name, "promote", embedder="embedder-1")
    assert [each["kind"] for each in citeloop("models", "--json").json["trained"]][:1] == ["embedder"]
    assert "reranker-1 was not compared with the live model" in citeloop("promote", "reranker-1").stderr
    assert "only late-interaction or cross-encoder can rank" in citeloop("promote", "embedder-1", "--force").stderr
    assert citeloop("promote", "reranker-1", "--force").status == 0


def test_the_shipped_one_needs_no_gate(citeloop: Citeloop, registry: Registry) -> None:
    citeloop("promote", "reranker-1", "--force")
    assert citeloop("promote", "shipped").stdout == "live: shipped, before: reranker-1\n"


def test_unknown_and_damaged_models_are_refused_even_by_force(citeloop: Citeloop, registry: Registry) -> None:
    (registry.folder("reranker-1") / "model.safetensors").write_text("?")
    for name, why in (("x", "no model 'x'"), ("reranker-1", "have changed since registration")):
        refused = citeloop("promote", name, "--force")
        assert (refused.status, refused.stdout) == (1, "")
        assert why in refused.stderr
    assert registry.history() == []


def test_rollback_goes_back_and_says_when_it_cannot(citeloop: Citeloop, registry: Registry) -> None:
    for name in ("reranker-1", "reranker-2"):
        citeloop("promote", name, "--force")
    done = citeloop("rollback", "--why", "too many struck out", "--json")
    assert (done.status, done.json["model"], done.json["previous"]) == (0, "reranker-1", "reranker-2")
    assert (done.json["action"], done.json["why"]) == ("rollback", "too many struck out")
    assert citeloop("rollback").stdout == "live: shipped, before: reranker-1\n"
    refused = citeloop("rollback")
    assert refused.status == 1
    assert "nothing to go back to: shipped is live" in refused.stderr


def test_user_without_a_name_is_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("no such user")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert registry_commands.user_name().startswith("user ")


def test_models_shows_what_is_trained_and_live(citeloop: Citeloop, registry: Registry) -> None:
    compare(registry, "reranker-1", "promote", new={"num_questions": 3})
    (registry.folder("reranker-2") / "gate.json").write_text("damaged")
    citeloop("promote", "reranker-1")
    shown = citeloop("models").stdout
    assert "\nlive: reranker-1\n" in shown
    lines = [line.split() for line in shown.split("live: reranker-1\n")[1].splitlines()]
    assert [(line[0], line[1]) if line[0] == "*" else line[0] for line in lines] == [
        "reranker-2",
        ("*", "reranker-1"),
    ]
    record = citeloop("models", "--json").json
    assert list(record) == ["rerankers", "live", "trained", "trial"]
    assert [(each["name"], each["live"], each["verdict"]) for each in record["trained"]] == [
        ("reranker-2", False, ""),
        ("reranker-1", True, "promote"),
    ]
    assert "must contain a sentence" in record["trained"][0]["sentence"]
    assert [each["new"] for each in record["trained"]] == [None, {"num_questions": 3}]


def test_a_model_is_put_on_trial_and_its_tally_is_shown(citeloop: Citeloop, registry: Registry, home: Path) -> None:
    assert citeloop("models", "--json").json["trial"] is None
    assert citeloop("models", "trial", "reranker-2").stdout == "reranker-2 is on trial against shipped.\n"
    assert (
        "\nAnswers with a strike-out so far: 0. The trial ends after 200 at the latest.\n" in citeloop("models").stdout
    )
    assert citeloop("models", "--json").json["trial"]["trial"]["model"] == "reranker-2"
    assert "stop that trial first" in citeloop("models", "trial", "reranker-1").stderr
    assert citeloop("models", "trial", "stop").stdout == "The trial has been stopped.\n"
    assert registry.trial() is None
    assert "no model is on trial" in citeloop("models", "trial", "stop").stderr
    what = [(entry.act, entry.subject) for entry in AuditLog(home).entries()]
    assert what.count(("trial changed", "reranker-2")) == 1


def test_history_is_shown_newest_first(citeloop: Citeloop, registry: Registry) -> None:
    assert citeloop("models", "--history").stdout.endswith("\nno promotions yet\n")
    compare(registry, "reranker-1", "keep")
    citeloop("promote", "reranker-1", "--force", "--why", "on trial")
    registry.note_fallback("reranker-1", "shipped", "its hash is wrong")
    *_, fallback, promotion = citeloop("models", "--history").stdout.splitlines()
    assert fallback.endswith("fallback  reranker-1 -> shipped: its hash is wrong")
    assert promotion.endswith(f"promote   shipped -> reranker-1 by {getpass.getuser()} (gate: keep): on trial")
    lines = citeloop("models", "--history", "--json").json["history"]
    assert [line["action"] for line in lines] == ["fallback", "promote"]


@pytest.mark.slow
def test_rollback_loads_no_library_that_takes_seconds(registry: Registry, home: Path) -> None:
    registry.promote("reranker-1", "ann", "", override=True)
    check = (
        "import sys; sys.argv = ['citeloop', 'rollback', '--home', sys.argv[1]]\n"
        "from app.commands.main import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'lancedb', 'numpy', 'streamlit'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", check, str(home)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "live: shipped, before: reranker-1\n[]\n", done.stderr
