from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ingest.__main__ import run
from ingest.commands import ingest_command
from ingest.progress_bar import ProgressBar
from ingest.table import ChunkTable, TableError
from tests.conftest import PATIENCE, FakeEmbedder

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
APP = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
APP.command()(ingest_command)


@pytest.fixture(autouse=True)
def fake_embedder(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """No model is loaded, and the home is the test's own wherever the option is left out."""
    monkeypatch.setattr("ingest.worker.embedder_for", lambda *_: FakeEmbedder())
    monkeypatch.setenv("CITELOOP_HOME", str(home))


def call(*arguments: str | Path, status: int = 0) -> str:
    """The command's standard output."""
    result = CliRunner().invoke(APP, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.stdout


def test_each_file_and_the_sums_are_shown(documents: Path) -> None:
    assert call(documents).splitlines() == [
        "added     handbook/leave.md  2 passages",
        "added     handbook/travel.md  1 passage",
        "added     it/vpn.md  1 passage",
        "3 added",
        "3 documents, 4 passages in the table",
    ]


def test_unchanged_files_are_only_counted(documents: Path) -> None:
    call(documents)
    (documents / "it" / "vpn.md").write_text("Call 5500.")
    assert call(documents).splitlines() == [
        "replaced  it/vpn.md  1 passage",
        "1 replaced, 2 unchanged",
        "3 documents, 4 passages in the table",
    ]


def test_address_of_a_cluster_needs_its_engine(documents: Path) -> None:
    result = CliRunner().invoke(APP, [str(documents), "--address", "10.0.0.5:6379"])
    assert result.exit_code == 2
    assert "--address needs --engine ray" in result.output


def test_folder_without_files_is_nothing_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert call(tmp_path / "empty").splitlines() == ["nothing to do", "0 documents, 0 passages in the table"]


def test_failed_file_is_shown_with_its_reason_and_makes_the_status_one(documents: Path) -> None:
    (documents / "a.docx").write_bytes(b"no zip")
    lines = call(documents, status=1).splitlines()
    assert lines[0].startswith("failed    a.docx  the file is damaged")
    assert lines[-2:] == ["3 added, 1 failed", "3 documents, 4 passages in the table"]


def test_files_that_were_read_with_gaps_are_named_at_the_end(documents: Path) -> None:
    mail = "Subject: Photos\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nHello\n--x\n"
    part = "Content-Disposition: attachment; filename={}\nContent-Type: application/zip\n\nPK\n--x--\n"
    for name in ("a", "b"):
        (documents / f"{name}.eml").write_text(mail + part.format(f"{name}.zip"))
    lines = call(documents).splitlines()
    assert "added     a.eml  1 passage; attachments not read: a.zip" in lines
    assert lines[-3:] == [
        "read with gaps: 2",
        "  a.eml: attachments not read: a.zip",
        "  b.eml: attachments not read: b.zip",
    ]


def test_skipped_file_is_shown_and_no_failure(documents: Path) -> None:
    (documents / "photo.xyz").write_bytes(b"")
    lines = call(documents).splitlines()
    assert "skipped   photo.xyz  this format cannot be read: .xyz" in lines
    assert "3 added, 1 skipped" in lines


def test_prune_is_done_only_when_asked_for(documents: Path) -> None:
    call(documents)
    (documents / "it" / "vpn.md").unlink()
    assert "3 documents, 4 passages in the table" in call(documents)
    assert call(documents, "--prune").splitlines() == [
        "removed   it/vpn.md",
        "2 unchanged, 1 removed",
        "2 documents, 3 passages in the table",
    ]


def test_json_is_all_that_is_printed_and_names_every_file(documents: Path) -> None:
    call(documents)
    (documents / "a.docx").write_bytes(b"no zip")
    (documents / "it" / "vpn.md").unlink()
    report = json.loads(call(documents, "--json", "--prune", status=1))
    assert [(file["name"], file["status"]) for file in report["files"]] == [
        ("handbook/leave.md", "unchanged"),
        ("handbook/travel.md", "unchanged"),
        ("a.docx", "failed"),
        ("it/vpn.md", "removed"),
    ]
    assert set(report["files"][2]) == {"name", "source", "status", "num_chunks", "reason"}
    assert "damaged" in report["files"][2]["reason"]
    assert report["files"][3]["source"] == str((documents / "it" / "vpn.md").resolve())
    assert report["num_chunks"] == 3


def test_several_paths_go_in_together(documents: Path) -> None:
    assert "3 added" in call(documents / "handbook", documents / "it" / "vpn.md")


def test_home_comes_from_the_option_before_the_variable(documents: Path, home: Path, tmp_path: Path) -> None:
    call(documents, "--home", tmp_path / "chosen")
    assert ChunkTable(tmp_path / "chosen", FakeEmbedder()).num_chunks() == 4
    assert ChunkTable(home, FakeEmbedder()).num_chunks() == 0


def test_home_comes_from_the_variable_where_there_is_no_option(documents: Path, home: Path) -> None:
    call(documents)
    assert ChunkTable(home, FakeEmbedder()).num_chunks() == 4


def test_waiting_for_another_writer_is_said_on_stderr(
    documents: Path, table: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds, release = threading.Event(), threading.Event()
    say = ProgressBar.wait

    def wait(bar: ProgressBar) -> None:
        say(bar)
        release.set()

    def hold() -> None:
        with table.writing():
            holds.set()
            release.wait(PATIENCE)

    holder = threading.Thread(target=hold)
    holder.start()
    assert holds.wait(PATIENCE)
    monkeypatch.setattr(ProgressBar, "wait", wait)
    result = CliRunner().invoke(APP, [str(documents), "--json"])
    holder.join(PATIENCE)
    assert "another process is writing" in result.stderr
    assert {file["status"] for file in json.loads(result.stdout)["files"]} == {"unchanged"}


def test_mistyped_path_is_said_before_a_model_is_loaded(
    documents: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("embedder", "deferred"):
        monkeypatch.setattr(f"ingest.embed.{module}.load_embedder", lambda _: pytest.fail("a model was loaded"))
    result = CliRunner().invoke(APP, [str(documents), str(documents / "nowhere")])
    assert "no such file or folder" in str(result.exception)
    assert not home.exists()


def test_error_for_the_user_is_one_line_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def fail() -> None:
        raise TableError("the table was made with another embedder")

    monkeypatch.setattr(sys, "argv", ["citeloop"])
    with pytest.raises(SystemExit) as caught:
        run(app)
    assert caught.value.code == 1
    assert capsys.readouterr() == ("", "error: the table was made with another embedder\n")


def test_module_runs_as_a_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ingest", str(tmp_path / "nowhere"), "--home", str(tmp_path / "home")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: no such file or folder: {tmp_path / 'nowhere'}\n"
