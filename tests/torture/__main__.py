"""`python -m tests.torture`: break an installation in every way, again and again, and check that it keeps its promises.

Nothing acknowledged is lost, nothing is stuck, and the server is back within seconds. Prints what it does; the same
seed does the same, as far as processes allow. A broken installation is kept, and a new one takes its place.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.app.faulty_server import FaultyServer
from tests.torture.faults import FAULTS, Fault, UnavailableError
from tests.torture.installation import Installation


def torture(
    root: Path, seconds: float, seed: int, faults: tuple[Fault, ...] = FAULTS, say: Callable[[str], None] = print
) -> list[str]:
    """Break installations below root for so many seconds, each fault at least once; return what failed."""
    chance, failures, until = random.Random(seed), list[str](), time.monotonic() + seconds
    left = _in_rounds(faults, chance)
    num_left = len(faults)
    with FaultyServer("none") as language_model:
        while num_left > 0 or time.monotonic() < until:
            here = Installation(root / str(len(failures)), chance, language_model.url)
            try:
                here.begin()
                while num_left > 0 or time.monotonic() < until:
                    num_left -= 1
                    _break(here, next(left), language_model, say)
            except AssertionError as error:
                if not here.back_seconds:  # it never ran
                    raise
                failures.append(f"{error} (in {here.root}, seed {seed})")
                say(f"FAILED: {failures[-1]}")
            finally:
                here.close()
            kept = (
                f"{len(here.answers)} answers, {len(here.votes)} votes and {len(here.allowed)} documents acknowledged"
            )
            back = here.back_seconds
            say(f"{kept}; {len(back)} starts, back in {statistics.median(back):.1f} s, at most {max(back):.1f} s")
    return failures


def _in_rounds(faults: tuple[Fault, ...], chance: random.Random) -> Iterator[Fault]:
    while True:
        yield from chance.sample(faults, len(faults))


def _break(here: Installation, fault: Fault, language_model: FaultyServer, say: Callable[[str], None]) -> None:
    begun = time.monotonic()
    try:
        fault(here, language_model)
    except UnavailableError as reason:
        say(f"{fault.__name__}: left out, {reason}")
        return
    here.check()
    say(f"{fault.__name__}: ok, {time.monotonic() - begun:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--only", nargs="*", default=[], metavar="FAULT", help="default: all of them")
    wanted = parser.parse_args()
    faults = tuple(fault for fault in FAULTS if not wanted.only or fault.__name__ in wanted.only)
    root = Path(tempfile.mkdtemp(prefix="citeloop-torture-"))
    print(f"seed {wanted.seed}, {wanted.minutes:g} minutes, in {root}", flush=True)
    failures = torture(root, wanted.minutes * 60, wanted.seed, faults, lambda line: print(line, flush=True))
    print("\n".join(failures) or "nothing was lost and nothing was stuck")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
