"""The Training page through a real server and Chromium, with a training that only its row knows of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from app.registry import Registry
from app.training.jobs import TrainingJobStore
from ingest.home.database import now
from ingest.home.job_process import Heart
from tests.app.gate_builder import add_model, add_training, make_gate_report, make_losses
from tests.app.report_builder import make_change, make_place
from tests.ui.browser import CHROMIUM, browsing, expect_still, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # a busy machine loads models for minutes
    pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="no Chromium; apt-get install chromium"),
]


def test_a_training_is_followed_survives_a_reload_and_its_model_is_promoted(home: Path) -> None:
    store = TrainingJobStore(home)
    job = add_training(home, *make_losses(), current="training", step=80, num_steps=120, heartbeat_at=now())
    foreign: list[str] = []
    with Heart(store, job.id), serving(home) as address, browsing() as page:
        page.on("request", lambda request: foreign.append(request.url) if address[7:] not in request.url else None)
        page.goto(f"{address}/training")
        expect(page.get_by_text("Step 80 of 120")).to_be_visible()
        store.update(job.id, step=100)
        expect(page.get_by_text("Step 100 of 120")).to_be_visible()
        page.reload()
        expect(page.get_by_text("Step 100 of 120")).to_be_visible()
        nasty = make_place("![x](http://127.0.0.2:9/a.png)", "<img src=http://127.0.0.2:9/b.png>")
        add_model(home, make_gate_report("reranker-1", changes=[make_change("how?", 0.2, 1.0, nasty)]))
        store.update(job.id, model="reranker-1", verdict="promote")
        store.end(job.id, "done")
        expect(page.get_by_text("reranker-1: better, can go live")).to_be_visible()
        expect_still(page)
        page.get_by_text("+80 points").click()
        page.get_by_role("button", name="Promote reranker-1").first.click()
        page.get_by_label("Reason (optional)").first.fill("better here")
        page.get_by_role("button", name="Promote reranker-1 now").click()
        expect(page.get_by_text("reranker-1 is live").first).to_be_visible()
    assert Registry(home).live() == "reranker-1"
    assert Registry(home).history()[0].why == "better here"
    assert [url for url in foreign if not url.startswith(("data:", "blob:"))] == []
