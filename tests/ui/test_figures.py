from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.access.rights import Rights
from app.feedback import FeedbackStore
from app.pipeline import Pipeline
from app.settings import Settings
from ingest import describe
from ingest.chunk import Chunk
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.conftest import PATIENCE, FakeEmbedder
from tests.ingest.pictures import Seeing, picture
from tests.ui.conftest import Run

pytestmark = pytest.mark.slow


def source() -> None:
    from app.ui.source import page as source_page

    source_page.show()


def cards() -> None:
    from app.ui.ask import source_cards
    from app.ui.resources import feedback_store

    (turn,) = feedback_store().conversation("talk", "ann")
    source_cards.show_sources(turn, {})


def bring(table: ChunkTable, documents: Path) -> list[Chunk]:
    (documents / "it" / "bar.png").write_bytes(picture())
    words = "# Sales\n\nWe sold 17 valves last year.\n\n![Figure 1: $Valves$](bar.png)\n\n## Staff\n\nWe are 30 now."
    (documents / "it" / "sales.md").write_text(words)
    assert "added" in {result.status for result in ingest([documents], table, FakeEmbedder())}
    (stored,) = [document for document in table.documents() if document.name == "it/sales.md"]
    return table.chunks_of(stored.id)


@pytest.fixture
def plain(table: ChunkTable, documents: Path) -> list[Chunk]:
    """The chunks of a page with a picture that nothing described."""
    return bring(table, documents)


@pytest.fixture
def described(table: ChunkTable, documents: Path, monkeypatch: pytest.MonkeyPatch) -> Chunk:
    """The description of the picture."""
    monkeypatch.setattr(describe, "find_describer", lambda _: Seeing("A red [bar](x) of 99 meters."))
    return next(chunk for chunk in bring(table, documents) if chunk.described_by)


def shown(page: AppTest) -> list[str]:
    """The alternative texts of the pictures."""
    assert not page.exception
    return [image.alt for element in page.get("image") for image in element.proto.imgs]


def open_source(**parameters: str) -> AppTest:
    page = AppTest.from_function(source, default_timeout=PATIENCE)
    for name, value in parameters.items():
        page.query_params[name] = value
    return page.run()


def captions(page: AppTest) -> list[str]:
    return [caption.value for caption in page.caption]


def test_the_source_page_shows_pictures_where_they_stand(run_page: Run, plain: list[Chunk]) -> None:
    page = open_source(document=plain[0].document_id)
    assert shown(page) == ["Figure 1: $Valves$"]
    assert r"Figure 1\: \$Valves\$" in captions(page)
    texts = [element.value for element in page.markdown]
    assert any("17 valves" in text for text in texts)
    assert not any("17 valves" in text and "30 now" in text for text in texts)  # the picture is between them


def test_a_described_picture_is_opened_as_the_picture(run_page: Run, described: Chunk) -> None:
    page = open_source(chunk=described.id)
    assert shown(page) == ["Figure 1: $Valves$"]
    assert [each.label for each in page.expander] == ["Described by seeing-1"]
    assert r"A red \[bar\](x) of 99 meters." in [element.value for element in page.markdown]


def ask(pipeline: Pipeline, settings: Settings, question: str) -> None:
    FeedbackStore(settings.home).save_answer(pipeline.ask(question), "talk", "ann")


def test_a_card_shows_the_picture_beside_its_passage(
    run_page: Run, pipeline: Pipeline, settings: Settings, plain: list[Chunk]
) -> None:
    ask(pipeline, settings, "How many valves were sold last year?")
    assert shown(run_page(cards)) == ["Figure 1: $Valves$"]


def test_a_card_of_a_description_says_who_wrote_it(
    run_page: Run, pipeline: Pipeline, settings: Settings, described: Chunk
) -> None:
    ask(pipeline, settings, "red bar of 99 meters")
    page = run_page(cards)
    assert shown(page)[0] == "Figure 1: $Valves$"
    assert "Described by seeing-1" in [each.label for each in page.expander]


def test_nobody_sees_a_picture_of_a_document_that_they_may_not_read(
    run_page: Run, described: Chunk, become: Callable[[Rights], None]
) -> None:
    become(Rights(user="ann", role="reader", collections=frozenset({"handbook"})))
    for address in ({"chunk": described.id}, {"document": described.document_id}):
        page = open_source(**address)
        assert shown(page) == []
        assert "Source not found" in page.info[0].value


def test_figures_of_a_chunk_follow_the_rights(
    run_page: Run, described: Chunk, become: Callable[[Rights], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.ui.resources import figures_of

    assert len(figures_of(described)) == 1
    become(Rights(user="ann", role="reader", collections=frozenset({"handbook"})))
    assert figures_of(described) == []
