"""Many seeds, or the trace of one: `python -m tests.simulation --help`."""

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.world import Verdict, simulate

_CHUNK = 50


def _simulate_chunk(seeds: range) -> list[Verdict]:
    return [simulate(seed) for seed in seeds]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many schedules")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="print all that happens in --seed")
    return parser.parse_args()


def _run_all(start: int, count: int, jobs: int) -> tuple[int, list[Verdict]]:
    chunks = [
        range(first, min(first + _CHUNK, start + count))
        for first in range(start, start + count, _CHUNK)
    ]
    done, broken = 0, []
    with ProcessPoolExecutor(jobs) as pool:
        for verdicts in pool.map(_simulate_chunk, chunks):
            for verdict in verdicts:
                if verdict.violation:
                    broken.append(verdict)
                    print(f"seed {verdict.seed}: {verdict.violation}", flush=True)
            done += len(verdicts)
            if done % (20 * _CHUNK) == 0:
                print(f"{done} schedules, {len(broken)} violations", flush=True)
    return done, broken


def main() -> int:
    """The exit status: 1 if an invariant was broken."""
    options = _arguments()
    began = time.monotonic()
    if options.seed is not None:
        verdict = simulate(options.seed, print if options.trace else None)
        done, broken = 1, [verdict] if verdict.violation else []
        print(verdict)
    else:
        done, broken = _run_all(options.start, options.seeds, options.jobs)
    for verdict in broken:
        print(f"python -m tests.simulation --seed {verdict.seed} --trace   # replays it")
    seconds = round(time.monotonic() - began, 2)
    print(json.dumps({"schedules": done, "violations": len(broken), "seconds": seconds}))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
