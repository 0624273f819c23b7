from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.access.admission import Admission, BusyError, expect_waiting, usual_admission
from ingest.home.job_store import StoppedError
from tests.api.conftest import wait_until
from tests.conftest import PATIENCE


def num_waiting(admission: Admission) -> int:
    return len(admission._queue)


def test_no_more_run_at_once_than_there_are_slots() -> None:
    admission, two = Admission(2, 10), threading.Barrier(2, timeout=PATIENCE)
    running, seen = set[int](), list[int]()

    def work(number: int) -> None:
        with admission.slot():
            running.add(number)
            two.wait()
            seen.append(len(running))
            two.wait()
            running.discard(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert seen == [2] * 8


def test_who_came_first_is_served_first() -> None:
    admission, served = Admission(1, 10), list[int]()

    def work(number: int) -> None:
        with admission.slot():
            served.append(number)

    with ThreadPoolExecutor(5) as pool, admission.slot():
        for number in range(5):
            pool.submit(work, number)
            wait_until(lambda number=number: num_waiting(admission) == number + 1)  # type: ignore[misc]
    assert served == [0, 1, 2, 3, 4]


def test_who_finds_the_queue_full_is_told_at_once_when_to_come_back() -> None:
    admission = Admission(1, 0)
    with admission.slot(), pytest.raises(BusyError, match="ask again in about 1 seconds") as caught, admission.slot():
        pass
    assert caught.value.retry_seconds == 1
    with admission.slot():
        pass


def test_who_gives_up_makes_room_for_the_next() -> None:
    admission, stop, served = Admission(1, 2), threading.Event(), list[str]()

    def give_up() -> None:
        with pytest.raises(StoppedError), admission.slot(lambda: expect_waiting(stop)):
            served.append("who gave up")

    def wait() -> None:
        with admission.slot():
            served.append("who waited")

    with ThreadPoolExecutor(2) as pool:
        with admission.slot():
            first = pool.submit(give_up)
            wait_until(lambda: num_waiting(admission) == 1)
            second = pool.submit(wait)
            wait_until(lambda: num_waiting(admission) == 2)
            stop.set()
            first.result()
            assert num_waiting(admission) == 1
        second.result()
    assert served == ["who waited"]


def test_a_failure_gives_the_slot_back() -> None:
    admission = Admission(1, 0)
    with pytest.raises(ZeroDivisionError), admission.slot():
        _ = 1 / 0
    with admission.slot():
        pass


@pytest.mark.parametrize(("num_cores", "expected"), [(None, 2), (2, 2), (8, 4), (256, 16)])
def test_slots_go_by_the_cores(num_cores: int | None, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: num_cores)
    assert usual_admission()._max_running == expected
