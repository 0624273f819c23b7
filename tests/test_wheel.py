"""The wheel holds what the program needs outside a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    pytest.importorskip("hatchling", reason="no hatchling; make install-dev")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=200)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def test_code_pages_model_and_samples_are_in_it_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    git = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if git.returncode:
        pytest.skip("not a Git checkout")
    listed = git.stdout.splitlines()
    code = {name for name in listed if name.startswith(("app/", "ingest/"))}
    kept = ("data/models/", "data/sample/", "data/eval/sample/", ".streamlit/config.toml")
    files = {f"app/files/{name}" for name in listed if name.startswith(kept)}
    assert {name for name in names if ".dist-info/" not in name} == code | files


def test_installed_it_finds_its_files_and_keeps_what_it_makes_out_of_them(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    pytest.importorskip("platformdirs")
    wheel.extractall(tmp_path / "site")
    print_all = (
        "from app.reranking.names import MODELS_FOLDER; from app.training.candidate import PROBE;"
        "from app.ui.streamlit_options import set_options; from ingest.home.folder import DEFAULT_HOME, ROOT;"
        "set_options(); print(MODELS_FOLDER, PROBE, ROOT / 'data' / 'sample', DEFAULT_HOME, sep='\\n')"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "XDG_DATA_HOME": str(tmp_path / "share")}
    command = [sys.executable, "-c", print_all]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *folders, home = map(Path, done.stdout.splitlines())
    for folder in folders:
        assert folder.is_relative_to(tmp_path / "site")
        assert any(folder.iterdir())
    assert not home.is_relative_to(tmp_path / "site")
    assert home.name == "citeloop"
