"""A run as one sees it from outside, from its heartbeats: for screens, not for decisions."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from archipel.errors import IntegrityError
from archipel.ledger.duty import Sighting, alive, merge_order
from archipel.ledger.record import Ledger
from archipel.ledger.schema import Heartbeat


@dataclass(frozen=True)
class SiteView:
    """One site: its last heartbeat, whether it is alive, the fragments it merges."""

    heartbeat: Heartbeat
    alive: bool
    duty: tuple[int, ...]


@dataclass(frozen=True)
class RunView:
    """All sites of a run, and how far the run has come."""

    sites: tuple[SiteView, ...]
    tokens: int
    budget_tokens: int
    rounds: int


def look(ledger: Ledger, now: datetime) -> RunView:
    """Read the run's heartbeats once. `now` is judged against the store's times."""
    sightings: dict[str, Sighting] = {}
    for name in ledger.site_names():
        try:
            seen = ledger.sighting(name)
        except IntegrityError:
            continue  # one torn heartbeat must not blind the screen; the next one is seconds away
        if seen:
            sightings[name] = seen
    spec = ledger.spec
    live = alive(sightings, now=now, dead_after=timedelta(seconds=spec.dead_after_seconds))
    duty = {f: merge_order(live, f)[0] for f in range(spec.fragments) if live}
    beats = [seen.heartbeat for seen in sightings.values()]
    applied = [
        max((b.applied.get(f, -1) for b in beats), default=-1) for f in range(spec.fragments)
    ]
    return RunView(
        sites=tuple(
            SiteView(
                heartbeat=seen.heartbeat,
                alive=name in live,
                duty=tuple(f for f, on_duty in duty.items() if on_duty == name),
            )
            for name, seen in sorted(sightings.items())
        ),
        tokens=max((b.global_tokens for b in beats), default=0),
        budget_tokens=spec.budget_tokens,
        rounds=sum(last // spec.fragments + 1 for last in applied),
    )
