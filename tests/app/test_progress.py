from __future__ import annotations

import sys

import pytest

from app.evaluation.progress import track


class Clock:
    """Stands at the seconds that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("app.evaluation.progress.time.monotonic", clock)
    return clock


def test_without_a_terminal_a_long_step_prints_a_line_every_10_seconds(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []
    for number in track(range(10), "rerank (hybrid, 50, shipped)"):
        seen.append(number)
        clock.seconds += 4
    assert seen == list(range(10))
    assert capsys.readouterr() == (
        "",
        "rerank (hybrid, 50, shipped): 3 of 10, 1 min left\n"
        "rerank (hybrid, 50, shipped): 6 of 10, 1 min left\n"
        "rerank (hybrid, 50, shipped): 9 of 10, 1 min left\n"
        "rerank (hybrid, 50, shipped): 10 of 10 in 40 s\n",
    )


def test_the_minutes_left_go_by_the_speed_so_far(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    for number in track(range(500), "search"):
        clock.seconds += 120 if number == 0 else 0
    assert capsys.readouterr().err.splitlines()[0] == f"search: 1 of 500, {499 * 2} min left"


def test_a_quick_step_prints_one_line(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track({"a": 1, "b": 2}, "search")) == ["a", "b"]
    assert capsys.readouterr().err == "search: 2 of 2 in 0 s\n"


def test_a_step_that_ends_early_is_not_said_to_be_done(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in track([1, 2], "search"):
        break
    assert capsys.readouterr().err == ""


def test_in_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(track([1, 2], "search")) == [1, 2]
    shown = capsys.readouterr().err
    assert "search:" in shown
    assert "2 of 2" not in shown
