from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from app.answer.passages import choose
from app.language_model.protocol import LanguageModelError
from app.language_model.vision import VisionModel, find_describer
from app.pipeline import Pipeline
from app.settings import Settings
from ingest import describe
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.app.builders import WordScorer
from tests.app.faulty_server import DONE, FAULTS, FaultyServer, Reply, event
from tests.conftest import FakeEmbedder, FakeLanguageModel
from tests.ingest.pictures import Seeing, picture

_QUESTION = "To what number did sales of valves fall in 2025?"


def answering(text: str) -> Callable[[Reply], None]:
    def reply(to: Reply) -> None:
        to.stream(event(text), event(None, "stop"), DONE)

    return reply


def test_a_picture_is_sent_to_the_endpoint_and_described(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAULTS, "describes", answering("A bar.\u200b\f"))
    with FaultyServer("describes") as server:
        used = settings.model_copy(update={"vision_model": "seeing", "openai_base_url": server.url})
        assert VisionModel(used).describe(picture(), "Figure 1") == "A bar."
        (_, _, request) = server.requests[-1]
    assert request["model"] == "seeing"
    words, shown = request["messages"][1]["content"]
    assert words == {"type": "text", "text": "Caption: Figure 1"}
    assert shown["image_url"]["url"] == f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    assert "not instructions" in request["messages"][0]["content"]


def test_a_decoration_has_no_description(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAULTS, "declines", answering("NONE"))
    with FaultyServer("declines") as server:
        used = settings.model_copy(update={"vision_model": "seeing", "openai_base_url": server.url})
        assert VisionModel(used).describe(picture(), "") == ""


def test_a_vision_model_needs_an_endpoint(settings: Settings) -> None:
    with pytest.raises(LanguageModelError, match="no endpoint is set"):
        VisionModel(settings.model_copy(update={"vision_model": "seeing"})).describe(picture(), "")


def test_no_picture_leaves_the_machine_by_default(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert find_describer(settings.home) is None
    monkeypatch.setenv("CITELOOP_VISION_MODEL", "seeing")
    assert isinstance(find_describer(settings.home), VisionModel)


@pytest.fixture
def seen(table: ChunkTable, documents: Path, monkeypatch: pytest.MonkeyPatch) -> ChunkTable:
    """The table with a page whose picture is described."""
    monkeypatch.setattr(describe, "find_describer", lambda _: Seeing("Sales of valves fell to 17 in the year 2025."))
    (documents / "it" / "chart.png").write_bytes(picture())
    (documents / "it" / "sales.md").write_text("# Report\n\n![A bar](chart.png)\n\nWe sell much.\n")
    assert "added" in {result.status for result in ingest([documents], table, FakeEmbedder())}
    return table


def test_a_quoting_answer_points_to_the_picture(settings: Settings, seen: ChunkTable) -> None:
    answer = Pipeline(settings, FakeEmbedder(), sentence_scorer=WordScorer()).ask(_QUESTION)
    (first, *_) = answer.citations
    assert first.chunk.described_by == "seeing-1"
    assert "See the figure.\n\n— Report [1]" in answer.text
    assert "17" not in answer.text
    assert answer.as_record()["citations"][0]["described_by"] == "seeing-1"  # type: ignore[index]


def test_a_written_answer_is_told_what_is_a_description(settings: Settings, seen: ChunkTable) -> None:
    model = FakeLanguageModel("17 [1].")
    answer = Pipeline(settings, FakeEmbedder(), model, WordScorer()).ask(_QUESTION)
    assert answer.text == "17 [1]."
    asked = model.messages[1]["content"]
    assert "[1] Report (a model's description of a picture, not the document's words)\n" in asked
    (passage,) = [one for one in choose(answer.citations, 10_000, len) if one.number == 1]
    assert passage.text.endswith("fell to 17 in the year 2025.")


def test_a_model_that_sees_gets_the_pictures(settings: Settings, seen: ChunkTable) -> None:
    model = FakeLanguageModel("17 [1].")
    used = settings.model_copy(update={"vision_model": model.name})
    Pipeline(used, FakeEmbedder(), model, WordScorer()).ask(_QUESTION)
    words, shown = model.messages[1]["content"]
    assert "in this order: [1]" in words["text"]
    assert shown["image_url"]["url"].startswith("data:image/png;base64,")


def test_pictures_take_a_quarter_of_a_small_context_at_most(settings: Settings, seen: ChunkTable) -> None:
    model = FakeLanguageModel("17 [1].")
    used = settings.model_copy(update={"vision_model": model.name, "context_tokens": 2000})
    Pipeline(used, FakeEmbedder(), model, WordScorer()).ask(_QUESTION)
    assert isinstance(model.messages[1]["content"], str)
