"""Who is alive, and who merges a round. Pure: times are the store's, passed in.

Knows nothing about the store itself.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from archipel.ledger.schema import Heartbeat


@dataclass(frozen=True)
class Sighting:
    """A heartbeat and when the store last saw it written."""

    heartbeat: Heartbeat
    modified: datetime


def alive(
    sightings: Mapping[str, Sighting], *, now: datetime, dead_after: timedelta
) -> dict[str, Heartbeat]:
    """The sites that still take part: heartbeat not older than `dead_after`, not left.

    `now` is the store's time of one's own last heartbeat. So a wrong clock does not matter, and a
    site that can't write judges nobody dead.
    """
    return {
        site: seen.heartbeat
        for site, seen in sightings.items()
        if now - seen.modified < dead_after and seen.heartbeat.state != "left"
    }


def prompt(
    sightings: Mapping[str, Sighting], *, now: datetime, heartbeat_seconds: float
) -> set[str]:
    """The sites that a round waits for: none of their last three heartbeats is missing.

    To suspect a site wrongly costs it one round, to wait for one that is gone costs all; so this
    is quicker than `alive`, after which a site's data goes to others.
    """
    late_after = timedelta(seconds=3 * heartbeat_seconds)
    return {site for site, seen in sightings.items() if now - seen.modified < late_after}


def merge_order(sites: Iterable[str], fragment: int) -> list[str]:
    """The sites in the order in which merge duty for `fragment` falls to them.

    Rendezvous hashing: the same for every reader, and a site that comes or goes moves only its own
    duties, so that the first one keeps its error feedback.
    """
    return sorted(sites, key=lambda site: hashlib.sha256(f"{fragment}/{site}".encode()).digest())


def grace_seconds(heartbeats: Iterable[Heartbeat], heartbeat_seconds: float) -> float:
    """How long merge duty waits for the contributions of live sites once a round is open."""
    slowest = max((beat.step_seconds + beat.exchange_seconds for beat in heartbeats), default=0.0)
    return grace_of(slowest, heartbeat_seconds)


def grace_of(slowest_seconds: float, heartbeat_seconds: float) -> float:
    """Twice what the slowest site needs to see the round, and to end its step and bring its bytes,
    which takes `slowest_seconds`."""
    return 2 * (slowest_seconds + 2 * heartbeat_seconds)
