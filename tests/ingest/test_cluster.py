"""Reading and embedding on a Ray cluster, whose machines are processes here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest import CiteloopError
from ingest.cluster import RayParsers
from ingest.embed.embedder import DEFAULT_EMBEDDER, load_embedder
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.conftest import PATIENCE

NUM_FILES = 200
_MEMORY = 100 << 20


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a cluster of a head without cores, and two machines with one core."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # else they wait for the tests beside them
    monkeypatch.setenv("RAY_health_check_period_ms", "1000")  # a killed machine is missed after five of them
    utils = pytest.importorskip("ray.cluster_utils")
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": _MEMORY}
    try:
        cluster = utils.Cluster(initialize_head=True, head_node_args=head)
        for _ in range(2):
            cluster.add_node(num_cpus=1, object_store_memory=_MEMORY)
    except Exception as error:
        skip_if_slow(str(error))
        raise
    yield cluster
    cluster.shutdown()


def skip_if_slow(error: str) -> None:
    """Skip a test if this machine was too busy: Ray gives a machine 30 seconds to start."""
    if "timed out during startup" in error:
        pytest.skip("Ray did not start in time")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with documents, one of them damaged, too many for one batch."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(NUM_FILES - 1):
        text = f"# Machine {number}\n\n" + f"Machine {number} is oiled by the night shift. " * 20
        (folder / f"{number:03}.md").write_text(text)
    (folder / "damaged.pdf").write_bytes(b"%PDF-1.7\nnothing")
    return folder


def table(home: Path) -> ChunkTable:
    return ChunkTable(home, load_embedder(DEFAULT_EMBEDDER))


def passages(home: Path) -> dict[str, list[float]]:
    """Return passage -> vector of everything stored."""
    stored = table(home)
    vectors = stored.vectors_of([document.id for document in stored.documents()])
    return {passage: [round(float(x), 3) for x in vector] for passage, vector in vectors.items()}


@pytest.mark.slow
@pytest.mark.timeout(10 * PATIENCE)
def test_a_killed_ingest_and_a_killed_machine_lose_nothing(
    cluster: Any, folder: Path, home: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "ingest", str(folder), "--home", str(home), "--engine", "ray"]
    with subprocess.Popen([*command, "--address", cluster.address], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert any(line.startswith("added") for line in process.stdout)
        process.kill()
    before = {document.name for document in table(home).documents()}
    parsers = RayParsers(DEFAULT_EMBEDDER, cluster.address)
    statuses: dict[str, str] = {}
    for result in ingest([folder], table(home), load_embedder(DEFAULT_EMBEDDER), parsers=parsers):
        if result.status == "added" and "added" not in statuses.values():
            cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
        statuses[result.name] = result.status
    assert statuses.pop("damaged.pdf") == "failed"
    assert {name for name, status in statuses.items() if status == "unchanged"} == before
    assert len(table(home).documents()) == len(statuses) == NUM_FILES - 1
    list(ingest([folder], table(alone := tmp_path / "alone"), load_embedder(DEFAULT_EMBEDDER)))
    assert passages(home) == passages(alone)


@pytest.mark.slow
@pytest.mark.timeout(10 * PATIENCE)
def test_a_cluster_of_one_machine_listens_on_it_only() -> None:
    pytest.importorskip("ray")
    script = """
from ingest.cluster import RayParsers
with RayParsers(""):
    import ray
    print(ray.util.get_node_ip_address(), ray.get_runtime_context().gcs_address)
"""
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    skip_if_slow(outcome.stderr)
    assert outcome.returncode == 0, outcome.stderr
    node, head = outcome.stdout.split()
    assert (node, head.partition(":")[0]) == ("127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize(
    ("address", "reason"),
    [("127.0.0.1:9", "127.0.0.1:9 cannot be used: .*refused"), ("head", "such as 10.0.0.5:6379, not 'head'")],
)
def test_a_cluster_that_cannot_be_used_is_said(address: str, reason: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(CiteloopError, match=reason), RayParsers("", address):
        pass


def test_ray_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(CiteloopError, match=r"pip install 'citeloop\[ray\]'"):
        RayParsers(DEFAULT_EMBEDDER, "10.0.0.5:6379")
