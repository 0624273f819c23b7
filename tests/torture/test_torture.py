from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.torture.__main__ import torture
from tests.torture.faults import dead_language_model, full_disk, kill_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

SEED = int(os.environ.get("CITELOOP_TEST_SEED", "20"))


def test_what_was_acknowledged_survives_a_kill_and_a_full_disk(tmp_path: Path) -> None:
    said: list[str] = []
    failures = torture(tmp_path, 0, SEED, (kill_server, full_disk, dead_language_model), said.append)
    assert failures == [], said
    assert sum(": ok" in line for line in said) == 3
