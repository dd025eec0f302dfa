"""Simulate many schedules of faults, or replay one. Prints one JSON object at last.

A seed decides everything: the run's shape, what goes wrong, and the order of all that happens.
"""

import argparse
import gc
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.world import Verdict, simulate

_CHUNK = 25


def simulate_all(seeds: range, jobs: int) -> Iterator[Verdict]:
    """The verdicts on all seeds, in order, from `jobs` processes."""
    chunks = [seeds[first : first + _CHUNK] for first in range(0, len(seeds), _CHUNK)]
    if jobs == 1:
        for chunk in chunks:
            yield from _simulate_chunk(chunk)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for verdicts in pool.map(_simulate_chunk, chunks):
            yield from verdicts


def _simulate_chunk(seeds: range) -> list[Verdict]:
    logging.disable(logging.CRITICAL)  # sites say a lot when everything goes wrong
    gc.collect()
    gc.freeze()  # torch alone is so much that looking for garbage takes a tenth of the time
    try:
        return [simulate(seed) for seed in seeds]
    finally:
        gc.unfreeze()
        logging.disable(logging.NOTSET)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many schedules")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="print all that happens in --seed")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 if an invariant was broken."""
    options = _arguments(arguments)
    began = time.monotonic()
    if options.seed is None:
        verdicts = simulate_all(range(options.start, options.start + options.seeds), options.jobs)
    else:
        verdicts = iter([simulate(options.seed, print if options.trace else None)])
    done = broken = operations = commits = 0
    for verdict in verdicts:
        done += 1
        operations += verdict.operations
        commits += verdict.commits
        if verdict.violation:
            broken += 1
            print(f"seed {verdict.seed}: {verdict.violation}")
            print(f"    replay: python -m tests.simulation --seed {verdict.seed} --trace")
        if done % 1000 == 0:
            print(f"{done} schedules, {broken} violations", flush=True)
    seconds = round(time.monotonic() - began, 2)
    figures = {"schedules": done, "violations": broken, "seconds": seconds}
    print(json.dumps(figures | {"operations": operations, "commits": commits}))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
