from __future__ import annotations

from app.access.rates import Rates


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_minutes_requests_may_come_at_once_and_then_as_they_fill_again() -> None:
    clock = Clock()
    rates = Rates(clock)
    assert [rates.take("wiki", 3) for _ in range(3)] == [0, 0, 0]
    assert rates.take("wiki", 3) == 20
    clock.seconds += 15
    assert rates.take("wiki", 3) == 5  # a refused request does not cost one
    clock.seconds += 5
    assert [rates.take("wiki", 3) for _ in range(2)] == [0, 20]
    clock.seconds += 3600
    assert [rates.take("wiki", 3) for _ in range(4)] == [0, 0, 0, 20]


def test_each_key_has_its_own_requests() -> None:
    rates = Rates(Clock())
    assert [rates.take(name, 1) for name in ("wiki", "helpdesk", "wiki")] == [0, 0, 60]


def test_a_rate_that_was_lowered_holds_at_once() -> None:
    rates = Rates(Clock())
    rates.take("wiki", 100)
    assert [rates.take("wiki", 2) for _ in range(3)] == [0, 0, 30]
