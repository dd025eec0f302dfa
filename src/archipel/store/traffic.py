"""Lets parts through one by one, never in front of small operations. Threads wait here."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from archipel.store.pace import Lane, Link, RoundTrips

# A part that may go waits no longer than so many round trips for small operations to end, nor than
# so many seconds: a dead link holds one up for a time-out, and a busy site nearly always has one
# under way.
_PATIENCE_TRIPS = 2
PATIENCE_SECONDS = 0.5


@dataclass
class Moved:
    """What an operation moved; None until it has, and where it failed."""

    size_bytes: int | None = None


class Traffic:
    """The traffic between one process and the store, in both directions."""

    def __init__(self, clock: Callable[[], float], up: Lane, down: Lane) -> None:
        self.up = up
        self.down = down
        self._clock = clock
        self._changed = threading.Condition()
        self._small = 0
        self._round_trips = RoundTrips()

    @contextmanager
    def small(self, lane: Lane | None = None) -> Iterator[Moved]:
        """Around a small operation: it goes at once, and no part starts while it lasts.

        Measures what it moves by `lane`.
        """
        moved = Moved()
        began = ended = self._clock()
        with self._changed:
            self._small += 1
            if lane:
                lane.meter.start(began)
        try:
            yield moved
            ended = self._clock()
        finally:
            with self._changed:
                self._small -= 1
                if lane:
                    lane.meter.finish(self._clock(), moved.size_bytes)
                if ended > began:
                    self._round_trips.add(ended - began)
                if not self._small:
                    self._changed.notify_all()

    @contextmanager
    def part(self, lane: Lane) -> Iterator[Moved]:
        """Around a part that goes by `lane`: waits for its turn, then measures it."""
        moved = Moved()
        with self._changed:
            self._await_turn(lane)
            lane.start(self._clock())
        try:
            yield moved
        finally:
            with self._changed:
                lane.finish(self._clock(), moved.size_bytes)
                self._changed.notify_all()

    def _await_turn(self, lane: Lane) -> None:
        trip = self._round_trips.seconds
        patience = min(PATIENCE_SECONDS, _PATIENCE_TRIPS * trip) if trip else PATIENCE_SECONDS
        while True:
            wait = lane.wait_seconds(self._clock())
            if wait > 0:
                self._changed.wait(wait)
            elif self._small and patience > 0:
                began = self._clock()
                self._changed.wait(patience)
                patience -= self._clock() - began
            else:
                return

    @property
    def link(self) -> Link:
        """The link as measured."""
        with self._changed:
            trip = self._round_trips.seconds
            return Link(self.up.bytes_per_second(trip), self.down.bytes_per_second(trip), trip)
