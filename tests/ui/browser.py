"""A real server and a real browser, for the smoke test and the screenshots."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_MS = 180_000
"""The first question loads the models, and a busy machine is slow."""
_FLAGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]


@contextmanager
def serving(home: Path, port: int = 0, folder: Path = ROOT, options: Sequence[str] = ()) -> Iterator[str]:
    """The address of a server over this home folder; folder: where Streamlit looks for its secrets."""
    command = [sys.executable, "-m", "app.commands.main", "serve", "--home", str(home), "--port", str(port), *options]
    variables = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder, env=variables)
    assert process.stdout is not None
    try:
        address = re.search(r"http://\S+", process.stdout.readline())
        assert address is not None, "the server did not say where it is"
        yield address[0]
    finally:
        process.terminate()
        process.wait(timeout=60)


@contextmanager
def browsing(width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Iterator[Page]:
    """A page of Debian's Chromium, 900 pixels high; narrow ones are touched, as a phone is."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, has_touch=width < 640)
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        yield page
        browser.close()


def expect_still(page: Page) -> None:
    """Wait until the page is drawn: a click before that can get lost."""
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible()


def type_question(page: Page, question: str) -> None:
    """Type a question and send it, once the page is drawn."""
    field = page.get_by_placeholder("Ask about your documents")
    expect(field).to_be_enabled()
    expect_still(page)
    field.fill(question)
    field.press("Enter")
