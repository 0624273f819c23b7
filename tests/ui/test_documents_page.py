from __future__ import annotations

from pathlib import Path

import pytest

from app.settings import Settings
from app.ui import documents_page
from ingest.table import ChunkTable
from tests.ui.conftest import Run


def documents() -> None:
    from app.ui import documents_page

    documents_page.show()


def test_what_is_in_is_listed(run_page: Run) -> None:
    page = run_page(documents)
    assert not page.exception
    assert sorted(page.dataframe[0].value["Document"]) == ["handbook/leave.md", "handbook/travel.md", "it/vpn.md"]


def test_the_list_can_be_searched(run_page: Run) -> None:
    page = run_page(documents)
    page.text_input[0].set_value("VPN").run()
    assert list(page.dataframe[0].value["Document"]) == ["it/vpn.md"]


def test_removing_takes_the_document_and_its_upload_out(run_page: Run, table: ChunkTable, settings: Settings) -> None:
    run_page(documents)
    upload = settings.home / "uploads" / "note.md"
    upload.parent.mkdir()
    upload.write_text("# Note\n\nSomething short and true.")
    kept = next(document for document in table.documents() if document.name == "it/vpn.md")
    from ingest.pipeline import ingest
    from tests.conftest import FakeEmbedder

    list(ingest([upload], table, FakeEmbedder()))
    documents_page._remove([document for document in table.documents() if document.name in ("note.md", kept.name)])
    assert [document.name for document in table.documents()] == ["handbook/leave.md", "handbook/travel.md"]
    assert not upload.exists()
    assert Path(kept.source).exists()


class Upload:
    """What streamlit hands over, as far as the page uses it."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self._data = data

    def getbuffer(self) -> memoryview:
        return memoryview(self._data)


def test_an_upload_cannot_leave_its_folder(run_page: Run, settings: Settings) -> None:
    run_page(documents)
    paths = documents_page._save([Upload("../../evil.md", b"x")])  # type: ignore[list-item]
    assert paths == [settings.home / "uploads" / "evil.md"]


@pytest.mark.slow
def test_uploads_go_in_through_a_process_of_their_own(run_page: Run, settings: Settings, tmp_path: Path) -> None:
    run_page(documents)
    good, bad = tmp_path / "pump.md", tmp_path / "broken.pdf"
    good.write_text("# Pump\n\nThe pump has two valves.")
    bad.write_bytes(b"%PDF-1.4 nothing more")
    settings.home.joinpath("table").rename(settings.home / "table-of-fakes")  # the process uses the real embedder
    messages = documents_page._ingest([good, bad])
    assert ("success", "pump.md added") in messages
    assert [kind for kind, _ in messages] == ["error", "success"]
