"""`make screenshots`: the README's pictures, from this version, over the sample documents."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect

from app.evaluation.benchmark import read_benchmark
from app.evaluation.report import evaluate_table
from app.evaluation.report_files import write_report
from app.evaluation.tables import judged_table
from app.language_model.endpoint import Endpoint, clear_endpoint, save_endpoint
from app.reranking.names import load_reranker
from app.settings import Settings
from app.training.jobs import TrainingJobStore
from ingest.embed.embedder import load_embedder
from ingest.home.job_process import Heart
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.app.faulty_server import DONE, FAULTS, FaultyServer, event, streams
from tests.ui.browser import browsing, expect_still, serving
from tests.ui.training_home import begin_training, fill

DATA = Path(__file__).resolve().parents[2] / "data"
QUESTION = "How many days a week can I work from home?"
WRITTEN = "written for the picture"
FAULTS[WRITTEN] = streams(
    event("In Germany and other countries with the euro a hotel may cost 150 EUR a night, without breakfast [2]. "),
    event("In capital cities such as Berlin it may cost 190 EUR [2]; in Munich the cap is 260 EUR [1][9]."),
    event(None, "stop"),
    DONE,
)


def shoot(page: Page, path: Path) -> None:
    """Take a picture once the page is complete and still."""
    expect_still(page)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    page.wait_for_timeout(1500)  # scrolling and fading in
    page.screenshot(path=path)


def take(page: Page, address: str, folder: Path, suffix: str) -> None:
    """Ask, look at the ranking, strike out, and take a picture of each."""
    page.goto(address)
    expect(page.get_by_role("heading", name="Ask your documents")).to_be_visible()
    shoot(page, folder / f"welcome{suffix}.png")
    page.get_by_placeholder("Ask about your documents").fill(QUESTION)
    page.keyboard.press("Enter")
    drawer = page.get_by_role("button", name="Before and after reranking")
    expect(drawer).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    page.wait_for_timeout(1500)
    page.get_by_test_id("stChatMessage").first.scroll_into_view_if_needed()
    shoot(page, folder / f"answer{suffix}.png")
    drawer.click()
    expect(page.locator(".after li").first).to_be_visible()
    shoot(page, folder / f"ranking{suffix}.png")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Strike out [1]").click()
    expect(page.get_by_role("button", name="Undo [1]")).to_be_visible()
    page.get_by_role("button", name="Undo [1]").scroll_into_view_if_needed()
    page.wait_for_timeout(6000)  # the toast has gone
    shoot(page, folder / f"struck-out{suffix}.png")


def take_written(page: Page, address: str, folder: Path, home: Path) -> None:
    """An answer that a stand-in for a language model writes, with a wrong figure and a made-up citation; Settings."""
    with FaultyServer(WRITTEN) as server:
        save_endpoint(home, Endpoint(server.url, "stand-in"))
        page.goto(address)
        page.get_by_placeholder("Ask about your documents").fill("How much may a hotel in Berlin cost a night?")
        page.keyboard.press("Enter")
        expect(page.get_by_text("not found in the sources")).to_be_visible()
        shoot(page, folder / "written.png")
        page.goto(f"{address}/settings")
        expect(page.get_by_role("heading", name="Language model")).to_be_visible()
        shoot(page, folder / "settings.png")
    clear_endpoint(home)


def take_source(page: Page, address: str, folder: Path) -> None:
    """Open a citation on the page that it stands on."""
    page.goto(address)
    page.get_by_placeholder("Ask about your documents").fill("What may a hotel cost a night in London?")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Open [1]").click()
    expect(page.get_by_role("img", name="the part with the passage")).to_be_visible()
    shoot(page, folder / "source.png")


def take_documents(page: Page, address: str, folder: Path, uploads: Path) -> None:
    """Upload a file that can be read and one that cannot."""
    (uploads / "pump-maintenance.md").write_text("# Pump maintenance\n\nThe pump is opened once a year.")
    (uploads / "scan-0417.pdf").write_bytes(b"%PDF-1.4 cut off")
    page.goto(f"{address}/documents")
    page.locator("input[type=file]").set_input_files([*uploads.iterdir()])
    expect(page.get_by_text("1 added, 1 failed")).to_be_visible()
    shoot(page, folder / "documents.png")


def take_quality(page: Page, address: str, folder: Path) -> None:
    """The report that was made before."""
    page.goto(f"{address}/quality")
    expect(page.get_by_role("heading", name="Quality against time")).to_be_visible()
    shoot(page, folder / "quality.png")


def take_feedback(page: Page, address: str, folder: Path, suffix: str = "") -> None:
    """What people say of passages, conflicts first."""
    page.goto(f"{address}/feedback")
    page.get_by_text("By question", exact=True).click()
    expect(page.get_by_role("button", name="Add answering passage").first).to_be_visible()
    shoot(page, folder / f"feedback{suffix}.png")


def take_training(page: Page, address: str, folder: Path, home: Path, suffix: str = "") -> None:
    """A training that is at work, and the comparison of the last one."""
    store, job_id = TrainingJobStore(home), begin_training(home)
    with Heart(store, job_id):
        page.goto(f"{address}/training")
        progress = page.get_by_text("Current training")
        expect(progress).to_be_visible()
        shoot(page, folder / f"training{suffix}.png")
        progress.evaluate("heading => heading.scrollIntoView()")
        shoot(page, folder / f"training-progress{suffix}.png")
        page.get_by_role("heading", name="Comparison").evaluate("heading => heading.scrollIntoView()")
        shoot(page, folder / f"comparison{suffix}.png")
    store.end(job_id, "cancelled")


def evaluate_sample(home: Path) -> None:
    """Leave a report for the Quality page."""
    settings = Settings(home=home)
    rerankers = {name: load_reranker(name, settings) for name in ("none", "late-interaction", "shipped")}
    embedder = load_embedder()
    judged = judged_table(read_benchmark(DATA / "eval" / "sample"), home, embedder)
    write_report(evaluate_table(judged, embedder, rerankers), home)


def main() -> None:
    """Take the pictures at 1280 pixels in light and 390 pixels in dark."""
    folder = DATA / "screenshots"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as uploads:
        embedder = load_embedder()
        list(ingest([DATA / "sample"], ChunkTable(Path(home), embedder), embedder))
        evaluate_sample(Path(home))
        with serving(Path(home)) as address:
            with browsing(1280, "light") as page:
                take(page, address, folder, "")
                take_source(page, address, folder)
                take_written(page, address, folder, Path(home))
                take_quality(page, address, folder)
                take_documents(page, address, folder, Path(uploads))
            with browsing(390, "dark") as page:
                take(page, address, folder, "-phone")
            fill(Path(home))
            with browsing(1280, "light") as page:
                take_feedback(page, address, folder)
                take_training(page, address, folder, Path(home))
            with browsing(390, "dark") as page:
                take_feedback(page, address, folder, "-phone")
                take_training(page, address, folder, Path(home), "-phone")
    print(f"screenshots in {folder}", file=sys.stderr)


if __name__ == "__main__":
    main()
