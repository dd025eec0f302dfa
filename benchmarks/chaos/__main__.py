"""`python -m benchmarks.chaos`: run it, print and write the figures."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from archipel.cli.provenance import provenance
from archipel.errors import ArchipelError
from archipel.files import write_json
from benchmarks.chaos.experiment import Options, experiment
from benchmarks.network import interrupt_on_terminate


def main() -> int:
    """Parse, run, print, write."""
    options, json_file = _parse()
    interrupt_on_terminate()
    try:
        with tempfile.TemporaryDirectory(prefix="archipel-chaos-") as folder:
            figures = experiment(options, Path(folder))
    except KeyboardInterrupt:
        print("ended: everything is taken down", file=sys.stderr)
        return 130
    except ArchipelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    result = {"name": "chaos", **provenance(), "seed": options.seed, "figures": figures}
    if json_file:
        write_json(json_file, result)
    print(json.dumps(result, indent=2))
    return 0


def _parse() -> tuple[Options, Path | None]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long faults come")
    parser.add_argument("--per-hour", type=float, default=60.0, help="faults an hour")
    parser.add_argument("--seed", type=int, default=0, help="of the run and of the faults")
    parser.add_argument("--share", type=float, default=0.2, help="of a core, a site")
    parser.add_argument("--tokens", type=int, help="the budget; without it, measured first")
    parser.add_argument("--logs", type=Path, help="keep the sites' logs in this folder")
    parser.add_argument("--json", type=Path, help="write the figures here")
    found = parser.parse_args()
    options = Options(
        minutes=found.minutes,
        per_hour=found.per_hour,
        seed=found.seed,
        share=found.share,
        tokens=found.tokens,
        logs=found.logs,
    )
    return options, found.json


if __name__ == "__main__":
    sys.exit(main())
