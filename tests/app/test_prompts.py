from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from app.answer import ABSTENTION, INSTRUCTIONS
from app.answer.prompts import Prompts, read_prompts, save_prompts
from app.pipeline import Pipeline
from app.search.follow_up import INSTRUCTIONS as FOLLOW_UP
from app.settings import Settings
from ingest import CiteloopError
from ingest.table import ChunkTable
from tests.conftest import FakeEmbedder, FakeLanguageModel

OURS = Prompts(f"Be brief; where they do not say, reply {ABSTENTION}.\nAuf Deutsch: später.", "Say it in full.")


def names(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir())


def test_a_home_without_prompts_has_those_of_the_program(home: Path) -> None:
    assert read_prompts(home) == Prompts(INSTRUCTIONS, FOLLOW_UP) == Prompts()
    assert not home.exists()


def test_what_is_saved_is_read(home: Path) -> None:
    save_prompts(home, OURS)
    assert read_prompts(home) == OURS
    assert names(home) == ["prompts.json"]
    save_prompts(home, Prompts())
    assert read_prompts(home) == Prompts()


def test_the_defaults_can_be_saved(home: Path) -> None:
    save_prompts(home, Prompts())
    assert read_prompts(home) == Prompts()


def test_what_a_file_does_not_say_is_as_the_program_has_it(home: Path) -> None:
    home.mkdir()
    (home / "prompts.json").write_text(json.dumps({"answer": OURS.answer, "of a later version": 1}))
    assert read_prompts(home) == Prompts(OURS.answer, FOLLOW_UP)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"answer": 1}', b'{"answer": null}', b"\xff\xfe", b'"text"'])
def test_a_damaged_file_is_named_with_what_to_do(home: Path, content: bytes) -> None:
    home.mkdir()
    (home / "prompts.json").write_bytes(content)
    with pytest.raises(CiteloopError, match=r"prompts\.json cannot be read; save .* again on the Settings page"):
        read_prompts(home)
    save_prompts(home, OURS)
    assert read_prompts(home) == OURS


def test_a_file_that_cannot_be_opened_is_named(home: Path) -> None:
    (home / "prompts.json").mkdir(parents=True)
    with pytest.raises(CiteloopError, match=r"prompts\.json cannot be read"):
        read_prompts(home)


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        (replace(OURS, answer=""), r"\(answer\) must have 1 to 8,000 characters"),
        (replace(OURS, answer=" \n\t"), r"\(answer\) must have 1 to 8,000"),
        (replace(OURS, follow_up=" "), r"\(follow_up\) must have 1 to 8,000"),
        (replace(OURS, answer=ABSTENTION + "a" * (8001 - len(ABSTENTION))), r"\(answer\) must have 1 to 8,000"),
        (replace(OURS, follow_up="a" * 8001), r"\(follow_up\) must have 1 to 8,000"),
        (replace(OURS, answer="Answer everything."), f"must say when to reply {ABSTENTION}"),
        (replace(OURS, answer=ABSTENTION.lower()), f"must say when to reply {ABSTENTION}"),
    ],
)
def test_what_cannot_be_used_is_refused_and_changes_nothing(home: Path, prompts: Prompts, words: str) -> None:
    save_prompts(home, OURS)
    with pytest.raises(CiteloopError, match=words):
        save_prompts(home, prompts)
    assert read_prompts(home) == OURS
    assert names(home) == ["prompts.json"]


def test_the_longest_that_may_be_is_saved(home: Path) -> None:
    longest = Prompts(ABSTENTION + "a" * (8000 - len(ABSTENTION)), "a" * 8000)
    save_prompts(home, longest)
    assert read_prompts(home) == longest


@pytest.mark.parametrize("act", ["fsync", "replace"])
def test_a_disk_that_is_full_leaves_what_was_there_and_nothing_else(
    home: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    save_prompts(home, OURS)

    def fail(*_: object) -> None:
        raise OSError("no space left on the device")

    with monkeypatch.context() as patch:
        patch.setattr(os, act, fail)
        with pytest.raises(OSError, match="no space left"):
            save_prompts(home, Prompts())
    assert read_prompts(home) == OURS
    assert names(home) == ["prompts.json"]


def test_the_next_answer_is_written_by_what_was_saved(
    settings: Settings, table: ChunkTable, embedder: FakeEmbedder
) -> None:
    writer = FakeLanguageModel("Thirty days [1].")
    pipeline = Pipeline(settings, embedder, writer)
    for prompts in (Prompts(), OURS):
        save_prompts(settings.home, prompts)
        pipeline.ask("How many days of leave a year?")
        assert writer.messages[0]["content"] == prompts.answer
