"""What can liars win through votes, which act without a gate? python -m tests.benchmarks.poisoned_votes BEIR_DIR

Honest people ask and judge half of the needs, two of them each question. An attacker has a share of these questions
under one, two or three names, all of which click the same on each: they strike out what is right, praise one document
whatever was asked, or click at random. Measured for somebody else: questions of needs that nobody asked, which must
not lose more than .2 points; other wordings of the attacked needs; and the attacked questions themselves.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from app.feedback import FeedbackStore
from ingest.chunk import Chunk
from tests.benchmarks.asked_again import World, click, compare, make_world, remember, split_needs
from tests.benchmarks.curator import Clicks, strike_at_random, strike_right, strike_wrong

ATTACKS = ("strikes out what is right", "praises one document", "clicks at random")
VICTIM = "eve"


def main() -> None:
    """Print a line for each campaign."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        world = make_world(options.folder, options.cache, Path(scratch), options.max_queries)
        campaigns = product((0.5, 0.3, 0.1), (1, 2, 3), ATTACKS)
        for seed, (share, num_names, attack) in enumerate(campaigns):
            found = run(world, attack, share, num_names, seed, Path(scratch) / str(seed))
            print(json.dumps({"attack": attack, "share": share, "names": num_names, **found}), flush=True)


def run(world: World, attack: str, share: float, num_names: int, seed: int, home: Path) -> dict[str, Any]:
    """One log of honest people and an attacker; the changes in nDCG@10 by votes, in points."""
    chance = random.Random(seed)
    split = split_needs(world, 1, chance)
    asked = split.asked
    attacked = asked[: round(share * len(asked))]
    hit = {world.needs[query_id] for query_id in attacked}
    store = FeedbackStore(home)
    click(world, store, asked[len(attacked) :], ("ann", "bob"), strike_wrong(0.1), chance)
    clicks, favourite = _attack(world, attack, attacked)
    names = [f"attacker {number}" for number in range(num_names)]
    click(world, store, attacked, names, clicks, chance, is_right=favourite)
    memory = remember(world, store)
    parts = {
        "never_asked": split.never,
        "attacked_in_other_words": [query_id for query_id in split.again if world.needs[query_id] in hit],
        "attacked": attacked,
    }
    return {name: _points(world, memory, query_ids) for name, query_ids in parts.items()}


def _points(world: World, memory: Any, query_ids: Sequence[str]) -> float | None:
    if not query_ids:
        return None
    found: Any = compare(world, memory, VICTIM, query_ids, {})
    return float(found["nDCG@10"]["gain_points"])


def _attack(world: World, attack: str, attacked: Sequence[str]) -> tuple[Clicks, Any]:
    """What the attackers click on, and what they take for right."""
    if attack == "strikes out what is right":
        return strike_right(), None
    if attack == "clicks at random":
        return strike_at_random(), None
    shown = Counter(citation.chunk.document for each in attacked for citation in world.answers[each].citations)
    favourite = shown.most_common(1)[0][0]

    def is_favourite(_query_id: str, chunk: Chunk) -> bool:
        return chunk.document == favourite

    return strike_wrong(0.0), is_favourite


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="in BEIR layout")
    parser.add_argument("--max-queries", type=int)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "citeloop-benchmarks")
    return parser.parse_args()


if __name__ == "__main__":
    main()
