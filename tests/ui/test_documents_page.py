from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from app.models import Models
from app.settings import Settings
from app.ui.documents import page as page_module
from app.ui.documents.uploads import safe_folder, safe_name
from ingest import worker
from ingest.files import find_files
from ingest.jobs import JobStore
from ingest.originals import Originals
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.conftest import DOCUMENTS, PATIENCE, FakeEmbedder
from tests.ui.conftest import Run

pytestmark = pytest.mark.slow


def documents() -> None:
    from app.ui.documents import page as documents_page

    documents_page.show()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The homes for which a worker was started; none really is."""
    homes: list[Path] = []
    monkeypatch.setattr(JobStore, "start_worker", lambda store: homes.append(store.home))
    return homes


def upload(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    page.file_uploader[0].set_value([(name, data, "text/markdown") for name, data in files]).run()
    assert not page.exception
    return page


def test_what_is_in_is_listed(run_page: Run) -> None:
    page = run_page(documents)
    assert not page.exception
    assert sorted(page.dataframe[0].value["Document"]) == ["handbook/leave.md", "handbook/travel.md", "it/vpn.md"]
    assert not page.header  # no jobs


def test_the_list_can_be_searched(run_page: Run) -> None:
    page = run_page(documents)
    page.text_input(key="document-filter").set_value("VPN").run()
    assert list(page.dataframe[0].value["Document"]) == ["it/vpn.md"]


def test_where_another_server_adds_documents_the_page_names_it(run_page: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "writer_elsewhere", lambda _: "docs-1")
    page = run_page(documents)
    assert [info.value for info in page.info] == ["Documents are added on another server, docs-1. This one follows it."]
    assert not page.get("file_uploader")
    assert len(page.dataframe[0].value) == 3


def test_what_the_curator_should_do_is_said_at_the_top(run_page: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Models, "hint", "To use another embedder, run: citeloop reindex")
    assert "citeloop reindex" in run_page(documents).info[0].value


def test_an_upload_becomes_a_job_and_its_files_wait_for_it(
    run_page: Run, settings: Settings, started: list[Path]
) -> None:
    page = upload(run_page(documents), ("pump.md", b"# Pump"), ("../../evil.md", b"# Evil"))
    (job,) = JobStore(settings.home).jobs()
    assert job.kind == "upload"
    folder = worker.uploads_folder(settings.home, job.id)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"pump.md": b"# Pump", "evil.md": b"# Evil"}
    assert started == [settings.home]
    assert "**Upload of evil.md and pump.md**" in [element.value for element in page.markdown]


def test_a_drop_that_the_browser_reports_twice_becomes_one_job(
    run_page: Run, settings: Settings, started: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    add = page_module._add

    def twice(key: str, collection: str) -> None:
        add(key, collection)
        add(key, collection)

    monkeypatch.setattr(page_module, "_add", twice)
    upload(run_page(documents), ("pump.md", b"# Pump"), ("leave.md", b"# Leave"))
    assert len(JobStore(settings.home).jobs()) == 1


def test_a_selected_document_can_be_opened(run_page: Run, table: ChunkTable, monkeypatch: pytest.MonkeyPatch) -> None:
    vpn = next(document for document in table.documents() if document.name == "it/vpn.md")
    monkeypatch.setattr("app.ui.documents.page._choose", lambda documents, wanted: [vpn])
    (link,) = run_page(documents).get("page_link")
    assert link.proto.label == r"Open vpn.md"
    assert (link.proto.page, link.proto.query_string) == ("source", f"document={vpn.id}")


def test_an_upload_goes_to_the_chosen_collection(run_page: Run, settings: Settings, started: list[Path]) -> None:
    page = run_page(documents)
    assert page.selectbox(key="upload-collection").options == ["handbook", "it"]
    page.selectbox(key="upload-collection").set_value("it").run()
    page = upload(page, ("pump.md", b"# Pump"))
    (job,) = JobStore(settings.home).jobs()
    files = find_files([worker.uploads_folder(settings.home, job.id)], uploaded=True)
    assert [(file.name, file.source) for file in files] == [("it/pump.md", "upload:it/pump.md")]
    assert "**Upload of it/pump.md**" in [element.value for element in page.markdown]


@pytest.mark.parametrize(
    ("typed", "folder"),
    [("", "."), ("it", "it"), (" it / pumps ", "it/pumps"), ("../../etc", "etc"), ("/.git\\a", "git/a")],
)
def test_a_folder_cannot_lead_elsewhere(typed: str, folder: str) -> None:
    assert str(safe_folder(typed)) == folder


def test_a_file_that_is_in_already_is_named_at_once_and_not_added_again(
    run_page: Run, settings: Settings, started: list[Path]
) -> None:
    vpn = DOCUMENTS["it/vpn.md"].encode()
    page = upload(run_page(documents), ("copy.md", vpn))
    assert "copy.md is in already, as it/vpn.md. It was not added again." in page.info[0].value
    assert not JobStore(settings.home).jobs()
    upload(page, ("copy.md", vpn), ("pump.md", b"# Pump"))
    (job,) = JobStore(settings.home).jobs()
    assert [path.name for path in worker.uploads_folder(settings.home, job.id).iterdir()] == ["pump.md"]


def test_the_same_file_twice_in_one_drop_is_added_once(run_page: Run, settings: Settings, started: list[Path]) -> None:
    page = upload(run_page(documents), ("pump.md", b"# Pump"), ("pump (1).md", b"# Pump"))
    assert "pump (1).md is in already, as pump.md" in page.info[0].value
    (job,) = JobStore(settings.home).jobs()
    assert [path.name for path in worker.uploads_folder(settings.home, job.id).iterdir()] == ["pump.md"]


def test_each_file_of_a_format_that_cannot_be_read_is_named_and_the_others_are_added(
    run_page: Run, settings: Settings, started: list[Path]
) -> None:
    page = upload(run_page(documents), ("setup.exe", b"MZ"), ("pump.MD", b"# Pump"), ("Makefile", b"all:"))
    assert [error.value.split(" was not added")[0] for error in page.error] == [r"setup.exe", "Makefile"]
    (job,) = JobStore(settings.home).jobs()
    assert [path.name for path in worker.uploads_folder(settings.home, job.id).iterdir()] == ["pump.MD"]


def test_an_archive_is_refused_with_the_advice_to_unpack_it(run_page: Run, settings: Settings) -> None:
    page = upload(run_page(documents), ("all.ZIP", b"PK"))
    assert "unpack it, then add the files in it" in page.error[0].value
    assert not JobStore(settings.home).jobs()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([("a.md", b"1"), ("x/a.md", b"2")], r"two files are called a\.md"),
        ([("x" * 300 + ".md", b"1")], "File name too long"),
    ],
)
def test_an_upload_that_cannot_be_kept_is_refused_as_a_whole(
    run_page: Run, settings: Settings, started: list[Path], files: list[tuple[str, bytes]], message: str
) -> None:
    page = upload(run_page(documents), *files)
    assert "Nothing was added" in page.error[0].value
    assert message.replace("\\", "") in page.error[0].value.replace("\\", "")
    assert_nothing_is_left(settings, started)


def test_a_full_disk_leaves_nothing_behind(
    run_page: Run, settings: Settings, started: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", no_space)
    page = upload(run_page(documents), ("pump.md", b"# Pump"))
    assert "No space left on device" in page.error[0].value
    assert_nothing_is_left(settings, started)


def assert_nothing_is_left(settings: Settings, started: list[Path]) -> None:
    uploads = settings.home / "uploads"
    assert not uploads.exists() or not list(uploads.iterdir())
    assert not JobStore(settings.home).jobs()
    assert not started


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../evil.md", "evil.md"),
        ("..\\..\\evil.md", "evil.md"),
        ("/etc/passwd", "passwd"),
        (".hidden.md", "hidden.md"),
        ("a\nb\x00c\u202e.md", "a_b_c_.md"),
        ("..", "file"),
    ],
)
def test_an_upload_cannot_leave_its_folder_or_hide_in_it(name: str, kept: str) -> None:
    assert safe_name(name) == kept


def remove(*names: str) -> Callable[[], None]:
    """A page that removes documents of the table, as the button does."""

    def page() -> None:
        import streamlit as st

        from app.ui.documents import page as documents_page
        from app.ui.resources import pipeline

        if "removed" not in st.session_state:
            st.session_state["removed"] = True
            wanted = [
                document for document in pipeline().table.documents() if document.name in st.query_params["names"]
            ]
            documents_page._remove(wanted)
        documents_page.show()

    return page


def removing(*names: str) -> AppTest:
    page = AppTest.from_function(remove(), default_timeout=PATIENCE)
    page.query_params["names"] = " ".join(names)
    page.run()
    assert not page.exception
    return page


def test_removing_takes_the_document_and_its_kept_file_out(run_page: Run, table: ChunkTable) -> None:
    vpn = next(document for document in table.documents() if document.name == "it/vpn.md")
    assert Originals(table.home).is_whole(vpn)
    page = removing("it/vpn.md", "handbook/leave.md")
    assert "2 documents removed" in page.success[0].value
    shown = [element.type for element in page.main]
    assert shown.index("success") > shown.index("text_input")  # above the table, where the button was
    assert [document.name for document in table.documents()] == ["handbook/travel.md"]
    assert not Originals(table.home).path(vpn).exists()
    assert Path(vpn.source).exists()


def test_while_an_ingest_is_writing_nothing_is_removed_and_the_page_does_not_wait(
    run_page: Run, table: ChunkTable
) -> None:
    with FileLock(table.home / "table.lock"):
        page = removing("it/vpn.md")
    assert "an ingest is running" in page.error[0].value
    assert len(table.documents()) == 3


def test_versions_are_listed_and_corrected(
    run_page: Run, table: ChunkTable, embedder: FakeEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for year in (2024, 2026):
        text = f"# Travel policy {year}\n\n## Hotels\n\nA hotel costs {year} euros.\n"
        (tmp_path / f"travel-{year}.md").write_text(text)
    list(ingest(sorted(tmp_path.glob("*.md")), table, embedder))
    monkeypatch.setattr("app.ui.documents.page._choose", lambda documents, wanted: [documents[-2]])
    page = run_page(documents)
    lines = [element.value for element in page.markdown]
    assert "- **Travel policy 2026**: 2026 (newest), 2024" in lines
    assert "**Travel policy 2026**: 2026 (newest), 2024" in lines

    button(page, "Not a version of Travel policy 2026").click().run()
    assert not page.exception
    assert "No other version of it was found." in [element.value for element in page.markdown]
    page.selectbox(key="newer").select_index(0).run()
    button(page, "Save version").click().run()
    assert "**Leave**: leave.md (newest), Travel policy 2024" in [element.value for element in page.markdown]
    button(page, "Remove corrections").click().run()
    assert "**Travel policy 2026**: 2026 (newest), 2024" in [element.value for element in page.markdown]


def test_versions_with_the_same_title_are_told_apart_by_the_names_of_their_files(
    run_page: Run, table: ChunkTable, embedder: FakeEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, year in (("travel", 2024), ("travel-copy", 2024), ("travel-policy", 2026)):
        (tmp_path / f"{name}.md").write_text(f"# Travel policy {year}\n\n## Hotels\n\nA hotel costs {name} euros.\n")
    list(ingest(sorted(tmp_path.glob("*.md")), table, embedder))
    monkeypatch.setattr(
        "app.ui.documents.page._choose",
        lambda documents, wanted: [each for each in documents if each.name == "travel.md"],
    )
    page = run_page(documents)
    assert "**Travel policy 2026**: 2026 (newest), 2024 (travel-copy.md), 2024 (travel.md)" in [
        each.value for each in page.markdown
    ]
    assert button(page, "Not a version of Travel policy 2026, Travel policy 2024 (travel-copy.md)")


def button(page: AppTest, label: str) -> Button:
    return next(each for each in page.button if each.label == label)
