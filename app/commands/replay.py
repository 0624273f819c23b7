"""`citeloop replay`: what people said of passages -> what it was worth to later questions."""

from __future__ import annotations

import json
import sys

from ingest.commands import HomeOption, JsonOption, printable


def replay_command(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show what votes were worth: each judged question, ranked with earlier votes and without.

    Example: citeloop replay --json
    """
    from tqdm import tqdm

    from app.evaluation.replay import ReplayedSlice, replay
    from app.feedback import FeedbackStore
    from app.feedback.recall import Memory
    from app.pipeline import Pipeline
    from app.settings import read_settings

    settings = read_settings(home)
    pipeline = Pipeline(settings)

    with tqdm(desc="replay", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        memory = Memory(pipeline.models.embedder, settings.min_agreeing)
        found = replay(FeedbackStore(settings.home), memory, pipeline.find_passages, show)
    if as_json:
        print(json.dumps(found.as_record(), ensure_ascii=False))
        return
    print(found.sentence)

    def show_slice(name: str, part: ReplayedSlice) -> None:
        print(f"{name}: {part.sentence}")
        for one in (*part.won, *part.lost):
            print(printable(f"  {100 * one.gain:+6.1f}  {one.question}"))

    show_slice("Asked before in other words", found.asked_before)
    show_slice("New", found.new)
    if found.num_left_out:
        print(f"{found.num_left_out} more tell nothing: nothing was struck out or left standing, or they were removed.")
