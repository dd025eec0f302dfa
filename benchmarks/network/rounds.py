"""Rounds in progress, as the sites' heartbeats show them, and who has to merge them."""

import time
from collections.abc import Sequence

from archipel.errors import RunError
from archipel.ledger import Ledger
from archipel.ledger.duty import merge_order
from benchmarks.network.stage import beats

_POLL_SECONDS = 0.02


def open_rounds(ledger: Ledger, names: Sequence[str]) -> dict[int, str]:
    """Rounds that a site has contributed to and nobody has applied, each with such a site."""
    found = beats(ledger, names).values()
    applied = {f: max(b.applied.get(f, -1) for b in found) for f in range(ledger.spec.fragments)}
    return {
        round_: beat.site
        for beat in found
        for fragment, round_ in beat.contributed.items()
        if round_ > applied[fragment]
    }


def on_duty(ledger: Ledger, names: Sequence[str], round_: int) -> str:
    """The site that merges the round first, where all of these are alive."""
    return merge_order(names, round_ % ledger.spec.fragments)[0]


def just_opened(ledger: Ledger, names: Sequence[str], seconds: float) -> int:
    """The next round that a site other than its merge duty opens.

    Raises:
        RunError: none opened in that time.
    """
    known = open_rounds(ledger, names).keys()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for round_, by in open_rounds(ledger, names).items():
            fresh = round_ not in known and by != on_duty(ledger, names, round_)
            if fresh and not ledger.commit_header(round_):
                return round_
        time.sleep(_POLL_SECONDS)
    raise RunError(f"no round opened in {seconds:.0f} s")
