"""One run of four sites, with faults or without: started, kept going, watched, ended."""

import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from archipel.errors import RunError, StoreError
from archipel.ledger import Ledger
from archipel.ledger.duty import grace_seconds
from benchmarks.chaos.acts import Acts
from benchmarks.chaos.figures import Sample
from benchmarks.chaos.schedule import Fault
from benchmarks.network import Site

_SAMPLE_SECONDS = 1.0
_LINE_SECONDS = 15.0
_FRESH_BEATS = 3  # heartbeats that may be missing from a site that takes part


@dataclass
class Trial:
    """What was seen while a run went on."""

    samples: list[Sample] = field(default_factory=list)
    graces: list[float] = field(default_factory=list)
    ended_by_themselves: list[str] = field(default_factory=list)
    seconds: float = 0.0
    tokens: int = 0


class Watch:
    """Keeps a run's sites going and looks at them every second, until it is told enough."""

    def __init__(
        self, ledger: Ledger, sites: Sequence[Site], share: float, pace_seconds: float | None = None
    ) -> None:
        """`share`: of a core, for each site once it trains; half of it while the run is ahead of
        using up its budget in `pace_seconds`."""
        self.trial = Trial()
        self.stop = threading.Event()
        self._ledger = ledger
        self._sites = sites
        self._share = share
        self._pace_seconds = pace_seconds
        self._limited: dict[str, tuple[int, float]] = {}
        self._began = time.monotonic()
        self._next_line = 0.0

    def run(self, seconds: float, acts: Acts | None, faults: Sequence[Fault]) -> Trial:
        """Go on until the run is finished, `stop` is set or `seconds` are over.

        Faults come when they are due; those that have begun are brought to their end.
        """
        began = self._began = time.monotonic()
        waiting = list(faults)
        with ThreadPoolExecutor(max_workers=16) as pool:
            try:
                while not self._over(began + seconds):
                    while waiting and waiting[0].at_seconds <= time.monotonic() - began:
                        fault = waiting.pop(0)
                        self._say(f"{fault.kind} {fault.site} {fault.seconds:.0f} s")
                        assert acts
                        pool.submit(acts.act, fault)
                    self._look(acts)
                    time.sleep(_SAMPLE_SECONDS)
            finally:
                if acts:
                    acts.stop.set()
        self.trial.seconds = time.monotonic() - began
        return self.trial

    def _over(self, end: float) -> bool:
        ended = all(site.exit_code == 0 for site in self._sites)
        return ended or self.stop.is_set() or time.monotonic() > end

    def _look(self, acts: Acts | None) -> None:
        try:
            seen = {site.name: self._ledger.sighting(site.name) for site in self._sites}
        except StoreError as error:
            raise RunError(f"the store itself is gone: {error}") from error
        now = time.time()
        live = set()
        for site in self._sites:
            sighting = seen[site.name]
            self._keep_up(site, acts)
            if sighting is None:
                continue
            beat, age = sighting.heartbeat, now - sighting.modified.timestamp()
            fresh = age < _FRESH_BEATS * self._ledger.spec.heartbeat_seconds + 1  # whole seconds
            if beat.state in ("training", "waiting") and fresh and site.running:
                live.add(site.name)
                limit = (beat.session, self._share_now())
                if beat.step > 0 and self._limited.get(site.name) != limit:
                    site.limit(limit[1])
                    self._limited[site.name] = limit
        found = [sighting.heartbeat for sighting in seen.values() if sighting]
        self.trial.tokens = max((beat.global_tokens for beat in found), default=0)
        self.trial.samples.append(Sample(now, frozenset(live)))
        awaited = [beat for beat in found if beat.site in live]
        if awaited:
            grace = grace_seconds(awaited, self._ledger.spec.heartbeat_seconds)
            self.trial.graces.append(grace)
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_SECONDS
            share = self.trial.tokens / self._ledger.spec.budget_tokens
            self._say(f"{share:6.1%} of the budget, live: {', '.join(sorted(live)) or 'nobody'}")

    def _share_now(self) -> float:
        if self._pace_seconds is None:
            return self._share
        planned = (time.monotonic() - self._began) / self._pace_seconds
        ahead = self.trial.tokens / self._ledger.spec.budget_tokens > planned
        return self._share / 2 if ahead else self._share

    def _keep_up(self, site: Site, acts: Acts | None) -> None:
        """Start a site again that ended without being told to, and note it."""
        if site.running or site.exit_code == 0:
            return
        if acts and acts.keeps_down(site.name):
            return
        if not (acts and acts.disturbs(site.name)):
            tail = site.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            said = f"{site.name} ({site.exit_code}): {''.join(tail)}"
            self.trial.ended_by_themselves.append(said)
            self._say(said)
        site.start()

    def _say(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)
