"""What one site knows of the others: their heartbeats, and what follows from them."""

import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from datetime import timedelta

from archipel.errors import IntegrityError
from archipel.ledger import Heartbeat, Ledger
from archipel.ledger.duty import Sighting, alive, prompt

log = logging.getLogger(__name__)

_LIST_EVERY = 8  # looks at known sites between two LISTs for new ones


class Neighbours:
    """All sites seen so far, this one among them, each with its last heartbeat."""

    def __init__(self, ledger: Ledger, site: str) -> None:
        self._ledger = ledger
        self._site = site
        self._sightings: dict[str, Sighting] = {}
        self._looks = 0
        self._warned: set[str] = set()

    def look(self, readers: Executor) -> dict[str, Sighting]:
        """Read the heartbeats of the sites that are known, and now and then look for new ones.

        A job: what it finds counts when it is passed to `take`.
        """
        listing = self._looks % _LIST_EVERY == 0
        names = self._ledger.site_names() if listing else list(self._sightings)
        mine = self._read(self._site)  # first: the others are judged by its time
        others = [site for site in names if site != self._site]
        self._looks += 1
        seen = {self._site: mine, **dict(zip(others, readers.map(self._read, others), strict=True))}
        return {site: sighting for site, sighting in seen.items() if sighting}

    def take(self, found: Mapping[str, Sighting]) -> None:
        """Judge by these sightings from now on."""
        self._sightings.update(found)

    def see(self, site: str) -> None:
        """Read one site's heartbeat."""
        seen = self._read(site)
        if seen:
            self._sightings[site] = seen

    def _read(self, site: str) -> Sighting | None:
        try:
            return self._ledger.sighting(site)
        except IntegrityError as error:
            if str(error) not in self._warned:
                self._warned.add(str(error))
                log.warning("%s", error)
            return None

    def knows(self, site: str) -> bool:
        """Whether the site was ever seen."""
        return site in self._sightings

    def mine(self) -> Heartbeat | None:
        """This site's own heartbeat as the store has it, maybe by another process."""
        seen = self._sightings.get(self._site)
        return seen.heartbeat if seen else None

    def beats(self) -> list[Heartbeat]:
        """The last heartbeats of all sites ever seen."""
        return [seen.heartbeat for seen in self._sightings.values()]

    def others(self) -> list[Heartbeat]:
        """The last heartbeats of all other sites ever seen."""
        return [beat for beat in self.beats() if beat.site != self._site]

    def alive(self) -> dict[str, Heartbeat]:
        """The live sites; nobody is judged before this site's own heartbeat is seen."""
        mine = self._sightings.get(self._site)
        if mine is None:
            return {beat.site: beat for beat in self.beats()}
        dead_after = timedelta(seconds=self._ledger.spec.dead_after_seconds)
        found = alive(self._sightings, now=mine.modified, dead_after=dead_after)
        return {**found, self._site: mine.heartbeat}

    def active(self) -> dict[str, Heartbeat]:
        """The live sites that have joined, this one among them."""
        return {
            site: beat
            for site, beat in self.alive().items()
            if beat.state in ("training", "waiting") or site == self._site
        }

    def awaited(self) -> dict[str, Heartbeat]:
        """The active sites that a round waits for, this one among them."""
        mine = self._sightings.get(self._site)
        if mine is None:
            return self.active()
        seconds = self._ledger.spec.heartbeat_seconds
        names = prompt(self._sightings, now=mine.modified, heartbeat_seconds=seconds)
        return {site: beat for site, beat in self.active().items() if site in names}
