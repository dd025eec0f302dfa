"""Figures for a plan from the real world: a run that is there, and a link that is measured."""

import os
from typing import Any
from uuid import uuid4

from archipel.errors import RunError
from archipel.ledger import Ledger
from archipel.plan.inputs import Link
from archipel.store import Store

_SMALL, _LARGE = 5, 6  # objects that a probe puts and gets
_LARGE_BYTES = 2 << 20


def of_run(ledger: Ledger, parameters: float) -> dict[str, Any]:
    """The values of a plan that goes on as a run does: its spec, its sites' speeds and links.

    Raises:
        RunError: no site has trained there yet.
    """
    spec = ledger.spec
    sites = []
    for name in ledger.site_names():
        seen = ledger.sighting(name)
        if seen and seen.heartbeat.tokens_per_second > 0:
            beat = seen.heartbeat
            up, down = beat.up_bytes_per_second, beat.down_bytes_per_second
            link = {"up": 8e-6 * up, "down": 8e-6 * down, "rtt": 1000 * beat.round_trip_seconds}
            known = {key: value for key, value in link.items() if value}
            speed = {"tokens_per_second": beat.tokens_per_second}
            sites.append({"name": name, "link": known, **speed})
    if not sites:
        raise RunError(f"no site has trained in {ledger.store.url} yet: nothing to take from it")
    return {
        "parameters": parameters,
        "tokens": spec.budget_tokens,
        "sites": sites,
        "batch_tokens": spec.inner.batch_tokens,
        "codec": spec.codec,
        "sync_steps": spec.sync_steps,
        "fragments": spec.fragments,
        "heartbeat_seconds": spec.heartbeat_seconds,
        "snapshot_every_cycles": spec.snapshot_every_cycles,
    }


def probe(url: str) -> Link:
    """Measure this machine's link to a store with some 24 MB, which are deleted again.

    Raises:
        StoreError: the store can't be reached, read or written.
    """
    store = Store(url)
    folder = f"archipel-probe-{uuid4().hex}"
    keys = [f"{folder}/{number}" for number in range(_SMALL + _LARGE)]
    try:
        for key in keys[:_SMALL]:
            store.put(key, b"probe")
            store.get(key)
        for key in keys[_SMALL:]:
            store.put_part(key, os.urandom(_LARGE_BYTES))
            store.get_part(key)
    finally:
        store.delete(keys)
    link = store.link
    return Link(
        up=8e-6 * link.up_bytes_per_second,
        down=8e-6 * link.down_bytes_per_second,
        rtt=1000 * link.round_trip_seconds,
    )
