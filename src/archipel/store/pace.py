"""When the next part may go, and how fast the link is. Pure: knows bytes, and times passed in.

A *part* is a piece of something large. Several may be under way at once and share the link, so
rates are taken over the time in which at least one was: the *busy* time.
"""

import math
from collections import deque
from dataclasses import dataclass

# The share of the time that parts leave the link alone, so that its queues drain.
FREE_SHARE = 0.1
# With several workers there would never be a pause: after so long no part starts before one.
STRETCH_SECONDS = 2.0
# A part that takes so many times as long as the ones under way should is stuck: others go on.
_STUCK_FACTOR = 3
# Rates are those of the last few parts: quick to follow a link that changes, steady enough.
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


class Lane:
    """One direction of the link. All times are seconds of one monotonic clock.

    A busy stretch is followed by a pause, FREE_SHARE of both together. A stretch ends when no part
    is under way; after STRETCH_SECONDS no part joins it, unless one that is under way got stuck.
    """

    def __init__(self, limit_bytes_per_second: float = 0.0) -> None:
        """`limit_bytes_per_second` caps the average rate; 0.0 is no cap."""
        self._limit = limit_bytes_per_second
        self._active = 0
        self._busy_since = 0.0
        self._stretch_since = 0.0
        self._free_at = -math.inf
        self._paid_until = -math.inf
        self._busy_before = 0.0
        # Busy time and bytes moved so far, at the end of each of the last parts.
        self._marks = deque([(0.0, 0)], maxlen=_PARTS_MEASURED + 1)

    def wait_seconds(self, now: float) -> float:
        """How long until a part may start if none ends before; 0.0 is now."""
        if not self._active:
            return max(0.0, self._free_at - now, self._paid_until - now)
        stretch_ends = self._stretch_since + STRETCH_SECONDS
        if now >= stretch_ends:
            stuck_at = stretch_ends + _STUCK_FACTOR * self._active * self._seconds_per_part
            return max(0.0, stuck_at - now, self._paid_until - now)
        return max(0.0, self._paid_until - now)

    def start(self, now: float) -> None:
        """A part starts."""
        if not self._active:
            self._busy_since = self._stretch_since = now
        elif now >= self._stretch_since + STRETCH_SECONDS:
            self._stretch_since = now
        self._active += 1

    def finish(self, now: float, size_bytes: int | None) -> None:
        """A part has ended after moving `size_bytes`; None where it failed."""
        self._active -= 1
        busy = now - self._busy_since
        if size_bytes is not None:
            self._marks.append((self._busy_before + busy, self._marks[-1][1] + size_bytes))
            if self._limit:
                since = max(self._paid_until, self._busy_since)
                self._paid_until = since + size_bytes / self._limit
        if not self._active:
            # What failed since the last part that got through says nothing of the link's rate.
            self._busy_before = self._marks[-1][0]
            stretch = now - self._stretch_since
            self._free_at = now + stretch * FREE_SHARE / (1 - FREE_SHARE)

    @property
    def bytes_per_second(self) -> float:
        """The rate of the last parts together; 0.0 before the first."""
        (busy_first, bytes_first), (busy_last, bytes_last) = self._marks[0], self._marks[-1]
        busy = busy_last - busy_first
        return (bytes_last - bytes_first) / busy if busy > 0 else 0.0

    @property
    def _seconds_per_part(self) -> float:
        parts = len(self._marks) - 1
        return (self._marks[-1][0] - self._marks[0][0]) / parts if parts else 0.0


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
