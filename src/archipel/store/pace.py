"""When the next part may go, and how fast the link is. Pure: knows bytes, and times passed in.

A *part* is a piece of something large. Several may be under way at once and share the link. A
*stretch* is a time in which at least one is: the link is given a pause, and measured, by stretches.
"""

import math
from collections import deque
from dataclasses import dataclass

# The share of the time that parts leave the link alone, so that its queues drain.
FREE_SHARE = 0.1
# With several workers a stretch would have no end: after so long no part joins it.
STRETCH_SECONDS = 4.0
# A part that takes so many times as long as the ones under way should is stuck: others go on.
_STUCK_FACTOR = 3
# Rates are those of the last stretches that make so many parts: quick to follow a link that
# changes, and steady enough.
_PARTS_MEASURED = 8
_ROUND_TRIPS_KEPT = 32


@dataclass(frozen=True)
class Link:
    """A site's link to the store as measured; 0.0 is unknown.

    The rates are those of parts, latency and the store's own time included. The round trip is that
    of the quickest of the last small operations.
    """

    up_bytes_per_second: float = 0.0
    down_bytes_per_second: float = 0.0
    round_trip_seconds: float = 0.0


@dataclass(frozen=True)
class _Stretch:
    parts: int
    size_bytes: int
    seconds: float


class Lane:
    """One direction of the link. All times are seconds of one monotonic clock.

    A stretch is followed by a pause, FREE_SHARE of both together. STRETCH_SECONDS after it began no
    part joins a stretch, unless one that is under way got stuck.
    """

    def __init__(self, limit_bytes_per_second: float = 0.0) -> None:
        """`limit_bytes_per_second` caps the average rate; 0.0 is no cap."""
        self._limit = limit_bytes_per_second
        self._active = 0
        self._began = self._open_since = 0.0
        self._free_at = self._paid_until = -math.inf
        self._moved = _Stretch(0, 0, 0.0)
        self._last: deque[_Stretch] = deque()

    def wait_seconds(self, now: float) -> float:
        """How long until a part may start if none ends before; 0.0 is now."""
        opens_at = self._free_at
        if self._active and now >= self._open_since + STRETCH_SECONDS:
            expected = self._active * self._seconds_per_part
            opens_at = self._open_since + STRETCH_SECONDS + _STUCK_FACTOR * expected
        return max(0.0, opens_at - now, self._paid_until - now)

    def start(self, now: float) -> None:
        """A part starts."""
        if not self._active:
            self._began = self._open_since = now
        elif now >= self._open_since + STRETCH_SECONDS:
            self._open_since = now
        self._active += 1

    def finish(self, now: float, size_bytes: int | None) -> None:
        """A part has ended after moving `size_bytes`; None where it failed."""
        self._active -= 1
        if size_bytes is not None:
            # Only up to here: what fails afterwards says nothing of the link's rate.
            self._moved = _Stretch(
                self._moved.parts + 1, self._moved.size_bytes + size_bytes, now - self._began
            )
            if self._limit:
                since = max(self._paid_until, self._began)
                self._paid_until = since + size_bytes / self._limit
        if not self._active:
            self._free_at = now + (now - self._began) * FREE_SHARE / (1 - FREE_SHARE)
            if self._moved.parts:
                self._keep()

    def _keep(self) -> None:
        self._last.append(self._moved)
        self._moved = _Stretch(0, 0, 0.0)
        while sum(each.parts for each in self._last) - self._last[0].parts >= _PARTS_MEASURED:
            self._last.popleft()

    @property
    def bytes_per_second(self) -> float:
        """The rate of the last parts together; 0.0 before the first stretch has ended."""
        seconds = sum(each.seconds for each in self._last)
        return sum(each.size_bytes for each in self._last) / seconds if seconds > 0 else 0.0

    @property
    def _seconds_per_part(self) -> float:
        parts = sum(each.parts for each in self._last)
        return sum(each.seconds for each in self._last) / parts if parts else 0.0


class RoundTrips:
    """How long small operations took. The quickest of the last is nearest to the link's own."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_ROUND_TRIPS_KEPT)

    def add(self, seconds: float) -> None:
        """A small operation took so long."""
        self._seconds.append(seconds)

    @property
    def seconds(self) -> float:
        """The round trip; 0.0 before the first operation."""
        return min(self._seconds, default=0.0)
