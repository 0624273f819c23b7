"""What a sync costs when one file of many has changed, next to the first ingest: python -m tests.benchmarks.sync_cost

Both go through the command line in a process of its own, start-up included, on files made for it. Beside the seconds
that pass stand those of the processor, which say the same on a machine that is busy otherwise. Nothing is asserted: a
time is a fact about a machine.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Print what a first ingest takes, one with nothing changed and one with a file changed."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        folder, home = Path(scratch, "documents"), Path(scratch, "home")
        write_documents(folder, options.files, options.pages)
        command = _command(folder, home, as_source=options.source)
        taken = {"first": sync(command), "unchanged": sync(command)}
        (folder / "0" / "0.md").write_text("# Changed\n\nThis text is new.")
        taken["one changed"] = sync(command)
    rows = {name: {"seconds": each[0], "cpu_seconds": each[1]} for name, each in taken.items()}
    first = rows["first"]
    for row in rows.values():
        row.update({f"share_of_{name}": row[name] / first[name] for name in ("seconds", "cpu_seconds")})
    if options.json:
        print(json.dumps({"files": options.files, "pages": options.pages, **rows}))
        return
    print(f"{options.files} files of {options.pages} pages: seconds and their share of the first; of the processor")
    for name, row in rows.items():
        print(
            f"{name:<12}{row['seconds']:>8.1f} {row['share_of_seconds']:>8.2%}"
            f"{row['cpu_seconds']:>10.1f} {row['share_of_cpu_seconds']:>8.2%}"
        )


def write_documents(folder: Path, num_files: int, num_pages: int) -> None:
    """Markdown files of so many times 240 to 560 made-up words, which is a page or so."""
    chance = random.Random(0)  # text, not a secret
    words = [
        f"{chance.choice('bdfgklmnprst')}{vowel}{end}" for vowel in "aeiou" for end in ("", "n", "rt", "sk", "lly")
    ]
    for number in range(num_files):
        path = folder / str(number % 100) / f"{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        num_parts = sum(chance.randint(3, 7) for _ in range(num_pages))
        parts = (f"## Part {part}\n\n{' '.join(chance.choices(words, k=80))}." for part in range(num_parts))
        path.write_text(f"# Document {number}\n\n" + "\n\n".join(parts))


def sync(command: list[str]) -> tuple[float, float]:
    """Seconds of the command, and those of the processor for all the processes that it is."""
    started, before = time.perf_counter(), _cpu_seconds()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # our own module
    return time.perf_counter() - started, _cpu_seconds() - before


def _command(folder: Path, home: Path, *, as_source: bool) -> list[str]:
    """Return `citeloop ingest FOLDER --prune`, or the sync of a source with this folder, which is added first."""
    citeloop = [sys.executable, "-m", "app.commands.main"]
    where = ["--home", str(home)]
    if not as_source:
        return [*citeloop, "ingest", str(folder), "--prune", *where]
    add = [*citeloop, "sources", "add", str(folder), "--name", "documents", *where]
    subprocess.run(add, check=True, stdout=subprocess.DEVNULL)
    return [*citeloop, "sources", "sync", "documents", *where]


def _cpu_seconds() -> float:
    """Of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sync_cost", description=__doc__)
    parser.add_argument("--files", type=int, default=10_000, help="how many documents")
    parser.add_argument("--pages", type=int, default=1, help="how long each is; those of the sample have three or so")
    parser.add_argument("--source", action="store_true", help="sync the folder as a source instead of ingesting it")
    parser.add_argument("--json", action="store_true", help="print a record instead of a table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
