"""A real server and a real browser, for the smoke test and the screenshots."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]


@contextmanager
def serving(home: Path, port: int = 0, **variables: str) -> Iterator[str]:
    """The address of a server over this home folder."""
    command = [sys.executable, "-m", "app.commands.main", "serve", "--home", str(home), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | variables)
    assert process.stdout is not None
    try:
        address = re.search(r"http://\S+", process.stdout.readline())
        assert address is not None, "the server did not say where it is"
        yield address[0]
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def browsing(width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Iterator[Page]:
    """A page of Debian's Chromium, 900 pixels high."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.set_default_timeout(180_000)  # the first question loads the models
        yield page
        browser.close()
