"""How often a site can sync: the shortest interval that its link and its cores can bear; and how
often a run is put down whole. Pure.

Knows nothing about rounds; counters and times are passed in.
"""

from collections import deque
from dataclasses import dataclass

_LINK_SHARE = 0.8  # of the measured rate; the rest is for heartbeats, shards and luck
_CORE_SHARE = 0.04  # of the training cores, so that inner steps keep 95 % and a little to spare
_WINDOW_SECONDS = 60.0
_SMALLEST_STEPS = 2

# A cycle is one round of every fragment. After so many, the commits weigh about as much as a
# snapshot (64 bits a parameter): snapshots cost no more than the exchange, and joining is near.
SNAPSHOT_CYCLES = {"none": 4, "int8": 8, "int4": 16, "sparse": 64}


@dataclass(frozen=True)
class Counters:
    """What a site has used since it started."""

    bytes_out: int
    bytes_in: int
    cpu_seconds: float  # of all threads but training's
    cycles: float  # syncs of the whole model: rounds over fragments


@dataclass(frozen=True)
class LinkRates:
    """Measured rates in bytes per second; 0 where nothing is known yet."""

    up: float
    down: float


class Tempo:
    """Counters over the last minute."""

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._seen: deque[tuple[float, Counters]] = deque()

    def note(self, now: float, counters: Counters) -> None:
        """Take note of the counters at time `now`, in seconds."""
        self._seen.append((now, counters))
        while len(self._seen) > 2 and now - self._seen[1][0] > _WINDOW_SECONDS:
            self._seen.popleft()

    def sync_seconds(self, link: LinkRates) -> float:
        """The shortest interval between syncs of the same fragment that this site can bear.

        0.0 until a whole sync was seen.
        """
        if not self._seen:
            return 0.0
        first, last = self._seen[0][1], self._seen[-1][1]
        cycles = last.cycles - first.cycles
        if cycles < 1:
            return 0.0
        return shortest_interval(
            up=(last.bytes_out - first.bytes_out) / cycles,
            down=(last.bytes_in - first.bytes_in) / cycles,
            cpu_seconds=(last.cpu_seconds - first.cpu_seconds) / cycles,
            link=link,
            cores=self._cores,
        )


def shortest_interval(
    *, up: float, down: float, cpu_seconds: float, link: LinkRates, cores: float
) -> float:
    """Seconds between syncs of the whole model that a link and cores can bear, which take so many
    bytes each way and so much of a core."""
    return max(
        up / (_LINK_SHARE * link.up) if link.up else 0.0,
        down / (_LINK_SHARE * link.down) if link.down else 0.0,
        cpu_seconds / (_CORE_SHARE * cores),
    )


def sync_steps(fixed: int | None, slowest_seconds: float, step_seconds: float) -> int:
    """H: the run's own, or the inner steps that fill the slowest site's shortest interval."""
    if fixed:
        return fixed
    if not step_seconds:
        return _SMALLEST_STEPS
    return max(_SMALLEST_STEPS, -int(-slowest_seconds // step_seconds))
