"""This program beside others: python -m tests.benchmarks.peers

Ours, plain sentence-transformers with LanceDB, LanceDB's own embedding function and reranker, and LlamaIndex, each in a
process of its own with the same weights, on the same passages. All embed those of the folder; the rest is drawn like
them with given vectors (see index_size), so that storing and searching are timed at any size. Known passages have
token vectors on disk, which only we keep. The sides take turns. Nothing is asserted: a time is a fact about a machine.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from ingest.embed.embedder import default_embedder_path
from tests.benchmarks.peers.environments import ENVIRONMENTS, make_python
from tests.benchmarks.peers.measure import Found, Stand, measure_all
from tests.benchmarks.peers.report import as_markdown, draw_plot
from tests.benchmarks.peers.workers import started
from tests.benchmarks.rerank_speed import untrained_cross_encoder
from tests.benchmarks.timing import machine


def main() -> None:
    """Print the table, or with --json everything that was measured."""
    options = _options()
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder:
        found = _measure(options, Path(folder))
    load.append(os.getloadavg()[0])
    if options.plot:
        draw_plot(found, options.plot)
    record = {"machine": machine(), "load": load, **asdict(found)}
    print(json.dumps(record) if options.json else f"{as_markdown(found)}\n\n{machine()}, load {load}")


def _measure(options: argparse.Namespace, folder: Path) -> Found:
    pythons = {side: make_python(side, options.environments) for side in ENVIRONMENTS}
    untrained_cross_encoder(folder / "cross-encoder")
    stand = Stand({}, pythons, folder, default_embedder_path(), options.folder, options.rounds)
    with ExitStack() as stack:
        for side, python in pythons.items():
            stand.workers[side] = stack.enter_context(started(side, python, stand.folders(side)))
        return measure_all(stand, options.sizes, options.asked)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, nargs="?", default=Path("data/sample"), help="documents to ingest")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000], help="chunks, ascending")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side")
    parser.add_argument("--asked", type=int, default=8, help="questions that are also reranked, at each size")
    usual = Path(tempfile.gettempdir(), "citeloop-peers")
    parser.add_argument("--environments", type=Path, default=usual, help="where the others are installed, once")
    parser.add_argument("--plot", type=Path, help="also draw the ratios, as SVG")
    parser.add_argument("--json", action="store_true", help="print a record instead of a table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
