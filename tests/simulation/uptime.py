"""Who was up when: where a site and the store were up for long enough, a commit must have come.

The bound is made of what the protocol may wait for: steps until a sync is due, a site that has gone
to be given up, the grace of a round, and a site's own pause before it tries to join again.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from tests.simulation.faults import HEARTBEAT_SECONDS, Plan, SitePlan

_JOINING_SECONDS = 24.0  # twice the longest pause before the next try, and the join
_EXCHANGE_SECONDS = 3.0  # as measured with the store up

Interval = tuple[float, float]


@dataclass
class Uptime:
    """When each site's processes ran; a frozen one doesn't."""

    plan: Plan
    intervals: dict[str, list[Interval]] = field(default_factory=lambda: defaultdict(list))
    _since: dict[object, tuple[str, float]] = field(default_factory=dict)

    def up(self, process: object, site: str, now: float) -> None:
        """A process begins to run, or goes on."""
        self._since[process] = site, now

    def down(self, process: object, now: float) -> None:
        """A process ends or freezes."""
        if process in self._since:
            site, since = self._since.pop(process)
            self.intervals[site].append((since, now))

    def longest_lull(self, commits: list[float], end: float) -> str | None:
        """What to complain about, or None: a time without a commit that is too long for a site
        that was up, with the store up, until `end`, when all was trained."""
        for process in list(self._since):
            self.down(process, end)
        paced_by_link = not self.plan.sync_steps and self.plan.link_bytes_per_second > 0
        if self.plan.noise.error_rate > 0.05 or paced_by_link:
            return None
        for site in self.plan.sites:
            for start, stop in self._undisturbed(site):
                bound = self._bound(site)
                times = [start, *(t for t in commits if start < t < stop), min(stop, end)]
                for before, after in pairwise(times):
                    if after - before > bound:
                        return (
                            f"{site.name} and the store were up from {start:.1f} to {stop:.1f}, "
                            f"without a commit from {before:.1f} to {after:.1f} (> {bound:.0f} s)"
                        )
        return None

    def _bound(self, site: SitePlan) -> float:
        slowest = max(plan.step_seconds / plan.clock_rate for plan in self.plan.sites)
        steps = max(2, self.plan.sync_steps) * site.step_seconds / site.clock_rate
        grace = 2 * (slowest + _EXCHANGE_SECONDS + 2 * HEARTBEAT_SECONDS)
        return _JOINING_SECONDS + steps + self.plan.dead_after + grace

    def _undisturbed(self, site: SitePlan) -> list[Interval]:
        """When the site ran, nothing was cut off by halves, and the store was up."""
        clouds = [(storm.start, storm.stop) for storm in self.plan.storms]
        for cut in self.plan.cuts:
            # A site that can write but not read seems alive and holds what it has claimed.
            if self.plan.sites[cut.site] is site or cut.kind in ("replies", "reads"):
                clouds.append((cut.start, cut.stop))
        found = sorted(self.intervals[site.name])
        for cloud in clouds:
            found = [rest for interval in found for rest in _without(interval, cloud)]
        return found


def _without(interval: Interval, cloud: Interval) -> list[Interval]:
    (start, stop), (begin, end) = interval, cloud
    if end <= start or stop <= begin:
        return [interval]
    return [part for part in ((start, begin), (end, stop)) if part[0] < part[1]]
