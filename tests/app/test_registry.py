from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.registry import Registry, RegistryError, Verdict, fingerprint
from tests.app.builders import add_model, write_model

ROOT = Path(__file__).resolve().parents[2]
NUM_KILLS = int(os.environ.get("CITELOOP_TEST_KILLS", "30"))  # 500: at every line, in a minute


@pytest.fixture
def registry(home: Path) -> Registry:
    return Registry(home)


@pytest.fixture
def three(home: Path) -> list[str]:
    """Three models, none of them live."""
    return [add_model(home, weights) for weights in ("one", "two", "three")]


def folders(registry: Registry) -> list[str]:
    """What lies among the models, hidden folders and all."""
    return sorted(path.name for path in registry.models_folder.iterdir())


# which there are -------------------------------------------------------------------------------------


def test_a_home_without_models_has_the_shipped_one_live_and_reading_makes_no_files(
    home: Path, registry: Registry
) -> None:
    assert (registry.models(), registry.live(), registry.standing(), registry.history()) == (
        [],
        "shipped",
        ["shipped"],
        [],
    )
    registry.check("shipped")
    assert registry.new_name() == "reranker-1"
    assert not home.exists()


def test_a_model_that_is_added_moves_to_its_place_with_its_row(registry: Registry) -> None:
    with registry.unfinished() as folder:
        folder.rmdir()
        digest = fingerprint(write_model(folder))
        model = registry.add(folder, "ours", kind="cross-encoder", base="some/base", job_id="0123", note="a try")
    assert registry.models() == [registry.model("ours")] == [model]
    assert (model.kind, model.base, model.fingerprint) == ("cross-encoder", "some/base", digest)
    assert (model.job_id, model.note) == ("0123", "a try")
    registry.check("ours")
    assert folders(registry) == ["ours"]
    assert registry.live() == "shipped"


def test_models_are_named_by_number_and_listed_newest_first(registry: Registry, three: list[str]) -> None:
    assert three == ["reranker-1", "reranker-2", "reranker-3"]
    assert [model.name for model in registry.models()] == three[::-1]
    assert registry.new_name() == "reranker-4"


@pytest.mark.parametrize("name", ["shipped", "none", "live", "../ours", "a/b", ".ours", "Ours", "x" * 65])
def test_names_that_would_be_mistaken_are_refused(registry: Registry, name: str) -> None:
    with registry.unfinished() as folder:
        write_model(folder)
        with pytest.raises(RegistryError, match="is not a valid model name"):
            registry.add(folder, name, kind="late-interaction", base="b")


def test_a_name_is_used_once_even_when_its_model_is_removed(registry: Registry, three: list[str]) -> None:
    registry.remove("reranker-3")
    assert [model.name for model in registry.models()] == ["reranker-2", "reranker-1"]
    assert registry.new_name() == "reranker-4"
    with registry.unfinished() as folder:
        folder.rmdir()
        write_model(folder)
        with pytest.raises(RegistryError, match=r"the name .* has been used; the next free name is reranker-4"):
            registry.add(folder, "reranker-3", kind="late-interaction", base="b")
    assert folders(registry) == ["reranker-1", "reranker-2"]


def test_an_unknown_model_is_said_with_those_that_there_are(registry: Registry, three: list[str]) -> None:
    for ask in (
        registry.model,
        registry.check,
        registry.remove,
        lambda name: registry.promote(name, "ann", "", override=True),
    ):
        with pytest.raises(RegistryError, match="no model 'x'; known: reranker-1, reranker-2, reranker-3"):
            ask("x")


def test_folder_without_a_row_is_no_model_and_goes_with_the_next_one(registry: Registry, three: list[str]) -> None:
    write_model(registry.folder("stray"))
    write_model(registry.models_folder / ".unfinished-other")
    assert "stray" not in {model.name for model in registry.models()}
    add_model(registry.models_folder.parent)
    assert folders(registry) == [".unfinished-other", *three, "reranker-4"]


def test_what_a_killed_process_left_unfinished_is_deleted_and_what_is_being_made_is_not(registry: Registry) -> None:
    with registry.unfinished() as being_made:
        write_model(registry.models_folder / ".unfinished-dead")
        (registry.models_folder / ".unfinished-dead.lock").touch()
        with registry.unfinished() as second:
            assert being_made.is_dir()
            assert second.is_dir()
        assert not second.exists()
        assert folders(registry) == [being_made.name, f"{being_made.name}.lock"]
    assert folders(registry) == []


def test_folder_without_weights_is_not_added(registry: Registry) -> None:
    with registry.unfinished() as folder, pytest.raises(RegistryError, match=r"lacks model\.safetensors"):
        registry.add(folder, kind="late-interaction", base="b")
    assert registry.models() == []


# whole or not ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model.safetensors", "blend.json", "tokenizer.json", "1_Dense/model.safetensors"])
def test_a_file_that_is_gone_or_changed_is_found(registry: Registry, three: list[str], name: str) -> None:
    path = registry.folder("reranker-2") / name
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(RegistryError, match=r"changed since registration.*restore it"):
        registry.check("reranker-2")
    path.unlink()
    with pytest.raises(RegistryError, match=r"lacks|have changed since"):
        registry.check("reranker-2")
    registry.check("reranker-1")


def test_cards_may_change_and_come_later(registry: Registry, three: list[str]) -> None:
    folder = registry.folder("reranker-1")
    (folder / "README.md").unlink()
    (folder / "gate.json").write_text("{}")
    registry.check("reranker-1")


def test_folder_that_is_gone_is_found(registry: Registry, three: list[str]) -> None:
    shutil.rmtree(registry.folder("reranker-1"))
    with pytest.raises(RegistryError, match=r"reranker-1 lacks model\.safetensors"):
        registry.check("reranker-1")


def test_the_fingerprint_tells_weights_and_blends_apart(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    digests = [fingerprint(folder)]
    (folder / "blend.json").write_text("another")
    digests.append(fingerprint(folder))
    (folder / "blend.json").unlink()
    digests.append(fingerprint(folder))
    assert len(set(digests)) == 3


def test_the_verdict_is_what_the_gate_wrote(registry: Registry, three: list[str]) -> None:
    gate = registry.folder("reranker-1") / "gate.json"
    assert registry.verdict("reranker-1") is None
    gate.write_text(json.dumps({"verdict": "keep", "sentence": "No better.", "live": "shipped", "more": 1}))
    assert registry.verdict("reranker-1") == Verdict("keep", "No better.", "shipped")
    for damaged in ("", "[]", "{}", '{"verdict": "perhaps", "sentence": ""}'):
        gate.write_text(damaged)
        with pytest.raises(RegistryError, match=r"gate\.json must contain a sentence and a verdict"):
            registry.verdict("reranker-1")


def compare(registry: Registry, name: str, verdict: str, live: str = "shipped") -> None:
    record = {"verdict": verdict, "sentence": "It is so.", "live": live}
    (registry.folder(name) / "gate.json").write_text(json.dumps(record))


# live and back ---------------------------------------------------------------------------------------


def test_promotion_is_in_force_for_every_registry_at_once_and_in_the_history(
    registry: Registry, three: list[str], home: Path
) -> None:
    other = Registry(home)
    compare(registry, "reranker-2", "promote")
    done = registry.promote("reranker-2", "ann", "it is better")
    assert (other.live(), other.history()) == ("reranker-2", [done])
    assert (done.model, done.previous, done.action, done.who) == ("reranker-2", "shipped", "promote", "ann")
    assert (done.why, done.verdict) == ("it is better", "promote")


@pytest.mark.parametrize(
    ("verdict", "live", "objection"),
    [
        ("promote", "shipped", ""),
        ("promote", "", ""),  # an older version did not say which model was live
        ("promote", "reranker-1", "was compared with reranker-1, but shipped is live now; train again"),
        ("keep", "shipped", "reranker-2 is not better than shipped"),
        ("too little data", "shipped", "too little feedback to tell whether it is better than shipped"),
        (None, "", "was not compared with the live model"),
    ],
)
def test_one_rule_says_what_may_go_live(
    registry: Registry, three: list[str], verdict: str | None, live: str, objection: str
) -> None:
    if verdict:
        compare(registry, "reranker-2", verdict, live)
    assert objection in registry.objection("reranker-2")
    assert bool(objection) == bool(registry.objection("reranker-2"))
    if objection:
        with pytest.raises(RegistryError, match=objection):
            registry.promote("reranker-2", "ann", "")
        assert registry.live() == "shipped"
    assert registry.promote("reranker-2", "ann", "", override=bool(objection)).verdict == (verdict or "")


def test_rollbacks_lead_back_step_by_step(registry: Registry, three: list[str]) -> None:
    for name in three:
        registry.promote(name, "ann", "", override=True)
    assert registry.standing() == ["reranker-3", "reranker-2", "reranker-1", "shipped"]
    for expected in ("reranker-2", "reranker-1", "shipped"):
        done = registry.rollback("bob", "worse")
        assert (done.model, done.action, registry.live()) == (expected, "rollback", expected)
    with pytest.raises(RegistryError, match="nothing to go back to: shipped is live"):
        registry.rollback("bob", "worse")
    assert [line.model for line in registry.history()] == ["shipped", "reranker-1", "reranker-2", *three[::-1]]


def test_what_was_rolled_back_is_not_what_a_later_rollback_leads_to(registry: Registry, three: list[str]) -> None:
    registry.promote("reranker-1", "ann", "", override=True)
    registry.promote("reranker-2", "ann", "", override=True)
    registry.rollback("ann", "")
    registry.promote("reranker-3", "ann", "", override=True)
    assert registry.standing() == ["reranker-3", "reranker-1", "shipped"]
    registry.promote("shipped", "ann", "")
    assert registry.rollback("ann", "").model == "reranker-3"


def test_model_that_is_live_or_not_whole_or_no_reranker_is_not_promoted(
    registry: Registry, three: list[str], home: Path
) -> None:
    registry.promote("reranker-1", "ann", "", override=True)
    embedder = add_model(home, kind="embedder")
    (registry.folder("reranker-2") / "model.safetensors").write_text("damaged")
    for name, why in (
        ("reranker-1", "is live already"),
        ("reranker-2", "have changed since registration"),
        (embedder, "of kind embedder; only late-interaction or cross-encoder can rank"),
    ):
        with pytest.raises(RegistryError, match=why):
            registry.promote(name, "ann", "", override=True)
    assert (registry.live(), len(registry.history())) == ("reranker-1", 1)


def test_rollback_passes_over_what_is_not_whole(registry: Registry, three: list[str]) -> None:
    for name in three:
        registry.promote(name, "ann", "", override=True)
    shutil.rmtree(registry.folder("reranker-2"))
    assert registry.rollback("ann", "").model == "reranker-1"
    assert registry.rollback("ann", "").model == "shipped"


def test_the_live_model_and_the_one_behind_it_are_not_removed(registry: Registry, three: list[str]) -> None:
    for name in three:
        registry.promote(name, "ann", "", override=True)
    with pytest.raises(RegistryError, match="reranker-3 is live"):
        registry.remove("reranker-3")
    with pytest.raises(RegistryError, match="reranker-2 is the target of a rollback"):
        registry.remove("reranker-2")
    registry.remove("reranker-1")
    assert folders(registry) == ["reranker-2", "reranker-3"]
    assert registry.standing() == ["reranker-3", "reranker-2", "shipped"]
    assert [registry.rollback("ann", "").model for _ in range(2)] == ["reranker-2", "shipped"]


def test_fallback_is_noted_once_for_each_model_and_reason_and_changes_nothing(
    registry: Registry, three: list[str]
) -> None:
    registry.promote("reranker-1", "ann", "", override=True)
    for model, why in (("reranker-1", "slow"), ("reranker-1", "slow"), ("reranker-1", "gone"), ("shipped", "slow")):
        registry.note_fallback(model, "none", why)
    assert [(line.previous, line.model, line.why) for line in registry.history()[:-1]] == [
        ("shipped", "none", "slow"),
        ("reranker-1", "none", "gone"),
        ("reranker-1", "none", "slow"),
    ]
    assert registry.standing() == ["reranker-1", "shipped"]
    registry.promote("reranker-2", "ann", "", override=True)
    registry.note_fallback("reranker-1", "none", "slow")
    assert registry.history()[0].why == "slow"


def test_promoting_by_itself_is_off_until_it_is_switched_on(registry: Registry, home: Path) -> None:
    assert not registry.promotes_by_itself
    registry.set_promotes_by_itself(True)
    assert Registry(home).promotes_by_itself
    registry.set_promotes_by_itself(False)
    assert not Registry(home).promotes_by_itself


def test_promotions_at_once_come_one_after_the_other(registry: Registry, three: list[str], home: Path) -> None:
    with ThreadPoolExecutor(3) as threads:
        done = list(threads.map(lambda name: Registry(home).promote(name, "ann", "", override=True), three))
    done.sort(key=lambda line: line.sequence)
    assert [line.previous for line in done] == ["shipped", *(line.model for line in done[:-1])]


def test_models_added_at_once_get_names_of_their_own(home: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        names = list(threads.map(lambda number: add_model(home, str(number)), range(6)))
    assert sorted(names) == [f"reranker-{number}" for number in range(1, 7)]


def test_models_whose_rows_are_lost_with_a_damaged_database_stay_on_the_disk(home: Path) -> None:
    add_model(home)
    for path in home.glob("citeloop.sqlite3*"):
        path.unlink()
    (home / "citeloop.sqlite3").write_text("this is no database " * 100)
    assert Registry(home).live() == "shipped"
    assert add_model(home, "others") == "reranker-2"
    assert sorted(path.name for path in (home / "models").iterdir()) == ["reranker-1", "reranker-2"]


# killed at every step --------------------------------------------------------------------------------

KILLED = """
import json, os, shutil, signal, sys, time
from pathlib import Path
from app.registry import Registry

homes, action, num_kills = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
ACTIONS = {
    "promote": lambda registry: registry.promote("reranker-2", "ann", "", override=True),
    "rollback": lambda registry: registry.rollback("ann", ""),
    "add": lambda registry: registry.add(
        registry.models_folder / ".unfinished-new", kind="late-interaction", base="b"
    ),
    "remove": lambda registry: registry.remove("reranker-3"),
}

def act(home, kill_at):
    # counts the lines of the registry that run, and dies before this one
    num_lines = 0
    def count(frame, event, _):
        nonlocal num_lines
        if not any(part in frame.f_code.co_filename for part in ("app/registry", "ingest/home/")):
            return None
        num_lines += event == "line"
        if event == "line" and num_lines == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return count
    sys.settrace(count)
    ACTIONS[action](Registry(home))
    sys.settrace(None)
    return num_lines

def copy(name):
    return Path(shutil.copytree(homes / "home", homes / name))

act(copy("warm"), 0)  # fills what is computed once in a process
num_lines = act(copy("counted"), 0)
moments = sorted({1 + round(step * (num_lines - 1) / max(num_kills - 1, 1)) for step in range(num_kills)})
for moment in moments:
    home = copy(f"killed-{moment}")
    process = os.fork()
    if process == 0:
        act(home, moment)
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(process, 0)[1]), f"not killed at {moment} of {num_lines}"
print(json.dumps({"num_lines": num_lines, "moments": moments}))
"""


def killed(homes: Path, action: str) -> list[Path]:
    """Copies of homes/home in which a process was killed, each at another line of what it was doing."""
    command = [sys.executable, "-c", KILLED, str(homes), action, str(NUM_KILLS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    moments = json.loads(done.stdout)["moments"]
    assert len(moments) >= min(NUM_KILLS, 10)
    return [homes / f"killed-{moment}" for moment in moments]


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    """A folder with a home: three models, the first is live, a fourth is about to be added."""
    home = tmp_path / "home"
    for weights in ("one", "two", "three"):
        add_model(home, weights)
    Registry(home).promote("reranker-1", "ann", "", override=True)
    write_model(home / "models" / ".unfinished-new", "four")
    return tmp_path


def check_all(home: Path, live: set[str]) -> Registry:
    """A working model is live, and every model that there is is whole."""
    registry = Registry(home)
    assert registry.live() in live
    for name in (*registry.standing(), *(model.name for model in registry.models())):
        registry.check(name)
    return registry


@pytest.mark.slow
@pytest.mark.parametrize("action", ["promote", "rollback"])
def test_killed_promotion_leaves_a_working_model_live(homes: Path, action: str) -> None:
    after = {"promote": "reranker-2", "rollback": "shipped"}[action]
    found = set()
    for home in killed(homes, action):
        registry = check_all(home, {"reranker-1", after})
        found.add(registry.live())
        assert registry.history()[0].model == registry.live()
        if registry.live() == "reranker-1":
            registry.promote("reranker-2", "ann", "", override=True) if action == "promote" else registry.rollback(
                "ann", ""
            )
        assert check_all(home, {after}).live() == after
    assert found == {"reranker-1", after}  # kills before and after the one moment


@pytest.mark.slow
def test_killed_addition_leaves_a_model_with_all_its_files_or_none(homes: Path) -> None:
    numbers = set()
    for home in killed(homes, "add"):
        registry = check_all(home, {"reranker-1"})
        numbers.add(len(registry.models()))
        new = add_model(home, "five")
        names = {model.name for model in check_all(home, {"reranker-1"}).models()}
        assert new in names
        assert {name for name in folders(registry) if not name.startswith(".")} == names
    assert numbers == {3, 4}


@pytest.mark.slow
def test_killed_removal_leaves_the_others_and_the_next_addition_tidies_up(homes: Path) -> None:
    for home in killed(homes, "remove"):
        registry = check_all(home, {"reranker-1"})
        add_model(home, "five")
        names = {model.name for model in check_all(home, {"reranker-1"}).models()}
        assert names >= {"reranker-1", "reranker-2", "reranker-4"}
        assert {name for name in folders(registry) if not name.startswith(".")} == names


KILLED_ANY_TIME = """
import os, random, signal, sys, time
from pathlib import Path
from app.registry import Registry, RegistryError

home, num_kills = Path(sys.argv[1]), int(sys.argv[2])
chance = random.Random(7)
for _ in range(num_kills):
    process = os.fork()
    if process == 0:
        registry = Registry(home)
        while True:
            registry.promote("reranker-2", "ann", "", override=True)
            registry.rollback("ann", "")
    time.sleep(chance.uniform(0.002, 0.05))
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    registry = Registry(home)
    live = registry.live()
    assert live in ("reranker-1", "reranker-2"), live
    registry.check(live)
    assert registry.history()[0].model == live
    if live == "reranker-2":
        registry.rollback("ann", "")
print("done")
"""


@pytest.mark.slow
def test_promotion_that_is_killed_at_any_time_leaves_a_working_model_live(homes: Path) -> None:
    command = [sys.executable, "-c", KILLED_ANY_TIME, str(homes / "home"), str(NUM_KILLS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    check_all(homes / "home", {"reranker-1"})


def test_full_disk_is_said_and_nothing_changes(registry: Registry, three: list[str], home: Path) -> None:
    registry.promote("reranker-1", "ann", "", override=True)
    with sqlite3.connect(home / "citeloop.sqlite3") as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON promotions BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    with pytest.raises(RegistryError, match=r"disk full.*free space"):
        registry.promote("reranker-2", "ann", "", override=True)
    assert registry.live() == "reranker-1"
