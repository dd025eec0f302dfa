"""Sites on slow, shaped links: bytes per token, busy share, kills, unequal speeds. Linux, root.

Real sites with a share of a core each, on an emulated network; the store is an S3 server.
"""

import tempfile
from pathlib import Path

from benchmarks.linked.common import SHARE, SITES, SLOW, SLOWER, Figures
from benchmarks.linked.exchange import exchange
from benchmarks.linked.kills import kills
from benchmarks.linked.speeds import ALONE, speeds
from benchmarks.network import Network, interrupt_on_terminate
from benchmarks.network.stage import Stage


def run(quick: bool) -> Figures:
    """Measure all of it on one network and return the figures."""
    interrupt_on_terminate()
    seconds, turns = (20.0, 2) if quick else (40.0, 3)
    with (
        tempfile.TemporaryDirectory() as folder,
        Network((*SITES, *ALONE.values()), Path(folder) / "store.log") as network,
    ):
        stage = Stage(network, Path(folder))
        figures: Figures = {"sites": len(SITES), "processor_share": SHARE}
        for codec, link in (("int4", SLOW), ("sparse", SLOWER)):
            figures |= exchange(stage, codec, link, seconds, turns)
        figures |= kills(stage, 1 if quick else 3)
        figures |= speeds(stage, seconds)
    return figures
