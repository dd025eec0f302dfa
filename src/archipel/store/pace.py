"""When the next part may go, and how fast the link is. Pure: knows bytes, and times passed in.

A *part* is a piece of something large. Several transfers may be under way at once and share the
link: a *stretch* is a time in which at least one is. Pauses and rates go by stretches.
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
# What is shorter tells of the round trip, not of the rate.
MEASURED_BYTES = 16 << 10
# Rates are those of the last stretches that make so many transfers: quick to follow a link that
# changes, and steady enough.
_TRANSFERS_MEASURED = 8
_ROUND_TRIPS_KEPT = 32


@dataclass(frozen=True)
class Link:
    """A site's link to the store as measured; 0.0 is unknown.

    The rates are those of the last transfers of 16 KiB and more, the store's own time included and
    the round trip not, and not above the limit for parts. The round trip is that of the quickest of
    the last small operations.
    """

    up_bytes_per_second: float = 0.0
    down_bytes_per_second: float = 0.0
    round_trip_seconds: float = 0.0


@dataclass(frozen=True)
class _Stretch:
    transfers: int = 0
    size_bytes: int = 0
    seconds: float = 0.0


class Meter:
    """The rate in one direction. All times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._active = 0
        self._began = 0.0
        self._moved = _Stretch()
        self._last: deque[_Stretch] = deque()

    def start(self, now: float) -> None:
        """A transfer starts."""
        if not self._active:
            self._began = now
        self._active += 1

    def finish(self, now: float, size_bytes: int | None) -> None:
        """A transfer has ended after moving `size_bytes`; None where it failed."""
        self._active -= 1
        if size_bytes is not None and size_bytes >= MEASURED_BYTES:
            # Only up to here: what fails afterwards says nothing of the rate.
            moved = self._moved
            self._moved = _Stretch(
                moved.transfers + 1, moved.size_bytes + size_bytes, now - self._began
            )
        if not self._active and self._moved.transfers:
            self._keep()

    def _keep(self) -> None:
        self._last.append(self._moved)
        self._moved = _Stretch()
        transfers = sum(each.transfers for each in self._last)
        while transfers - self._last[0].transfers >= _TRANSFERS_MEASURED:
            transfers -= self._last.popleft().transfers

    def bytes_per_second(self, round_trip_seconds: float) -> float:
        """The rate of the last stretches without a round trip each; 0.0 before the first has ended.

        A round trip that is most of a stretch is taken off in part: what remains would be noise.
        """
        seconds = sum(
            max(each.seconds - round_trip_seconds, each.seconds / 4) for each in self._last
        )
        return sum(each.size_bytes for each in self._last) / seconds if seconds > 0 else 0.0


class Lane:
    """One direction of the link: when parts go. All times are seconds of one monotonic clock.

    A stretch of parts is followed by a pause, FREE_SHARE of both together. STRETCH_SECONDS after it
    began no part joins a stretch, unless one that is under way got stuck.
    """

    def __init__(self, limit_bytes_per_second: float = 0.0) -> None:
        """`limit_bytes_per_second` caps the average rate; 0.0 is no cap."""
        self.meter = Meter()
        self._limit = limit_bytes_per_second
        self._active = 0
        self._parts = 0
        self._began = self._open_since = 0.0
        self._free_at = self._paid_until = -math.inf
        self._seconds_per_part = 0.0

    def bytes_per_second(self, round_trip_seconds: float) -> float:
        """What parts can have of the link: its rate or, if that is lower, the limit."""
        rate = self.meter.bytes_per_second(round_trip_seconds)
        return min(rate, self._limit) if self._limit else rate

    def wait_seconds(self, now: float) -> float:
        """How long until a part may start if none ends before; 0.0 is now."""
        opens_at = self._free_at
        if self._active and now >= self._open_since + STRETCH_SECONDS:
            expected = self._active * self._seconds_per_part
            opens_at = self._open_since + STRETCH_SECONDS + _STUCK_FACTOR * expected
        return max(0.0, opens_at - now, self._paid_until - now)

    def start(self, now: float) -> None:
        """A part starts."""
        self.meter.start(now)
        if not self._active:
            self._began = self._open_since = now
            self._parts = 0
        elif now >= self._open_since + STRETCH_SECONDS:
            self._open_since = now
        self._active += 1
        self._parts += 1

    def finish(self, now: float, size_bytes: int | None) -> None:
        """A part has ended after moving `size_bytes`; None where it failed."""
        self.meter.finish(now, size_bytes)
        self._active -= 1
        if self._limit and size_bytes is not None:
            self._paid_until = max(self._paid_until, self._began) + size_bytes / self._limit
        if not self._active:
            stretch = now - self._began
            self._free_at = now + stretch * FREE_SHARE / (1 - FREE_SHARE)
            self._seconds_per_part = stretch / self._parts


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
