"""The progress bar of an ingest on the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from ingest.pipeline import Progress


class ProgressBar:
    """A progress bar on stderr, if that is a terminal."""

    def __enter__(self) -> ProgressBar:
        from tqdm import tqdm

        self._bar = tqdm(unit="file", desc="Ingesting", leave=False, disable=None)
        self._waits = False
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, progress: Progress) -> None:
        """Show the job's progress."""
        self._bar.total, self._bar.n = progress.num_files, progress.num_files_done
        self._bar.set_postfix(passages=progress.num_chunks_done, refresh=False)
        self._bar.update(0)

    def wait(self) -> None:
        """Report, once, that another process is writing."""
        if not self._waits:
            self.write("another process is writing to this table; waiting for it", sys.stderr)
        self._waits = True

    def write(self, line: str, file: TextIO) -> None:
        """Print a line above the bar."""
        self._bar.write(line, file=file)
