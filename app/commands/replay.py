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

    from app.evaluation.replay import Slice, replay
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

        memory = Memory(pipeline.embedder, settings.min_agreeing)
        found = replay(FeedbackStore(settings.home), memory, pipeline.find_passages, show)
    if as_json:
        print(json.dumps(found.as_record(), ensure_ascii=False))
        return
    print(found.sentence)

    def line(name: str, part: Slice) -> None:
        gain = part.gain
        if gain:
            points = f"{100 * gain.mean:+.1f} points nDCG@10 ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
            print(f"{name}: {part.num_questions} questions, {points}; {part.num_won} gained, {part.num_lost} lost")
            for one in (*part.won, *part.lost):
                print(printable(f"  {100 * one.gain:+6.1f}  {one.question}"))
        else:
            print(f"{name}: none yet")

    line("Asked before in other words", found.asked_before)
    line("New", found.new)
    if found.num_left_out:
        print(f"{found.num_left_out} more tell nothing: nothing was struck out or left standing, or they were removed.")
