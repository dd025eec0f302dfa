"""The rounds of a run in virtual time, one event each; arithmetic over all sites at once. Pure.

Merge duty, grace and the tempo of syncs are the ledger's own functions, as sites call them. What is
modelled beside them: each link carries one thing after the other; sites look at the run twice per
heartbeat and ask for what a round waits for more often; nobody waits but for what the protocol
waits for.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archipel.ledger.cover import UNIT_STEPS
from archipel.ledger.duty import grace_of, merge_order
from archipel.ledger.tempo import SNAPSHOT_CYCLES, LinkRates, sync_steps
from archipel.ledger.tempo import shortest_interval as bearable
from archipel.plan.inputs import Plan
from archipel.plan.wire import (
    CLAIM_BYTES,
    HEARTBEAT_BYTES,
    METRICS_BYTES,
    REQUEST_BYTES,
    REQUEST_CORE_SECONDS,
    Round,
    a_round,
    snapshot_bytes,
)

Values = npt.NDArray[np.float64]  # one of each site
_Who = slice | int | npt.NDArray[np.bool_]  # some of them

_PACE = 1 / 0.9  # bulk pauses for a tenth of the time that it keeps the link busy
_LOOKS_PER_HEARTBEAT = 2
_LISTS_SHARE = 1 / 8  # of the looks
_TRIPS_OF_A_LOOK = 2  # a site's own heartbeat, then the others' side by side
_ASKS_PER_SYNC = 16
_ASKS_PER_HEARTBEAT = 8
_NEWS_PER_ROUND = 2  # heartbeats at once: it is open, it is decided
_REQUESTS_PER_ROUND = 5  # of a site: what it puts, fetches and asks for in vain


@dataclass
class Timeline:
    """What happened in so many rounds; bytes and requests of each site since the beginning, without
    snapshots."""

    seconds: float
    rounds: int
    sync_steps: float  # H as planned
    steps_between_syncs: float  # H as it came about, a mean over fragments and sites
    busy: Values  # share of the time that a site's inner steps get
    tokens_per_second: Values
    bytes_up: Values
    bytes_down: Values
    puts: float
    gets: float
    late: float  # share of the contributions that missed their round
    commit_seconds: float  # from a round's opening to its commit, a mean


_Phase = Callable[[float, int], None]  # of a fragment's round: when, which fragment


class _Way:
    """One direction of the sites' links: what it carries, one thing after the other. What is sent
    later may be told first; what comes before it goes before it, where it fits."""

    def __init__(self, rates: Values) -> None:
        self.rates = rates  # bytes a second
        self.total = rates * 0  # bytes
        self._before = rates * 0  # until then it is busy with what goes before the last block
        self._begins = rates * 0  # of the last block of things without a gap, and its end
        self._ends = rates * 0

    def carry(self, at: Values | float, size: float, who: _Who) -> Values:
        """When what these sites have to carry from `at` on is through."""
        takes = size / self.rates[who]
        start = np.maximum(at, self._before[who])
        fits = start + takes <= self._begins[who]
        start = np.where(fits, start, np.maximum(at, self._ends[who]))
        busy = start + _PACE * takes
        alone = ~fits & (start > self._ends[who])
        before = np.where(alone, self._ends[who], self._before[who])
        self._before[who] = np.where(fits, busy, before)
        self._begins[who] = np.where(alone, start, self._begins[who])
        self._ends[who] = np.where(fits, self._ends[who], busy)
        self.total[who] += size
        end: Values = start + takes
        return end


class _Links:
    """The sites' links, both ways."""

    def __init__(self, plan: Plan) -> None:
        links = [site.link for site in plan.sites]
        self.up = _Way(125_000 * np.array([link.up for link in links], np.float64))
        self.down = _Way(125_000 * np.array([link.down for link in links], np.float64))
        self.rtt = np.array([link.rtt / 1000 for link in links], np.float64)

    def send(self, at: Values | float, size: float, who: _Who) -> Values:
        """When what these sites put at `at` is in the store."""
        end: Values = self.up.carry(at, size, who) + self.rtt[who]
        return end

    def fetch(self, at: Values | float, size: float, who: _Who) -> Values:
        """When what these sites ask for at `at` is theirs."""
        return self.down.carry(at + self.rtt[who], size, who)


def step_seconds(plan: Plan) -> Values:
    """An inner step of each site when nothing disturbs it."""
    speeds = [site.speed(plan.parameters) for site in plan.sites]
    return plan.batch_tokens / np.array(speeds, np.float64)


def shortest_interval(plan: Plan) -> float:
    """Seconds between two syncs of a fragment that the slowest site can bear."""
    part = a_round(plan.codec, plan.parameters / plan.fragments, len(plan.sites))
    return _bearable(plan, part, _core_seconds(plan, part))


def _bearable(plan: Plan, part: Round, cpu_seconds: Values) -> float:
    """The same, where the whole model's exchange takes so much of one core at each site."""
    count = len(plan.sites)
    merges = _merges(plan)
    keeper = snapshot_keeper(plan)
    snapshot = snapshot_bytes(plan.parameters) / snapshot_cycles(plan)
    return max(
        bearable(
            up=plan.fragments * part.contribution
            + merges[number] * part.commit
            + (snapshot if number == keeper else 0.0),
            down=plan.fragments * part.commit + merges[number] * (count - 1) * part.contribution,
            cpu_seconds=cpu_seconds[number],
            link=LinkRates(125_000 * site.link.up, 125_000 * site.link.down),
            cores=site.cores or np.inf,
        )
        for number, site in enumerate(plan.sites)
    )


def snapshot_cycles(plan: Plan) -> int:
    """Cycles between two snapshots: the plan's own, or what `archipel run create` takes."""
    return plan.snapshot_every_cycles or SNAPSHOT_CYCLES[plan.codec]


def snapshot_keeper(plan: Plan) -> int:
    """The site that puts snapshots: it is on merge duty for a cycle's last round."""
    names = [site.name for site in plan.sites]
    return names.index(merge_order(names, plan.fragments - 1)[0])


def _merges(plan: Plan) -> Values:
    """How many rounds of a cycle fall to each site's merge duty while all are there."""
    names = [site.name for site in plan.sites]
    first = [names.index(merge_order(names, number)[0]) for number in range(plan.fragments)]
    return np.bincount(first, minlength=len(names)).astype(np.float64)


def _core_seconds(plan: Plan, part: Round) -> Values:
    """What the exchange of the whole model takes of one core of each site."""
    requests = _REQUESTS_PER_ROUND * REQUEST_CORE_SECONDS
    each = plan.fragments * (part.encode_seconds + part.apply_seconds + requests)
    seconds: Values = each + _merges(plan) * part.merge_seconds
    return seconds


def planned_steps(plan: Plan) -> int:
    """H: the plan's own, or the steps of the fastest site in the interval that all can bear."""
    fastest = float(np.min(step_seconds(plan)))
    return sync_steps(plan.sync_steps, shortest_interval(plan), fastest)


def simulate(plan: Plan, rounds: int, seed: int = 0) -> Timeline:
    """Play so many rounds of the run, from its beginning."""
    return _Play(plan, seed).play(rounds)


class _Play:
    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan = plan
        self.count = count = len(plan.sites)
        self.part = a_round(plan.codec, plan.parameters / plan.fragments, count)
        self.links = _Links(plan)
        self.steps = planned_steps(plan)
        self.look = plan.heartbeat_seconds / _LOOKS_PER_HEARTBEAT
        self.step = step_seconds(plan) / self._busy()
        self.slower = np.array([2 / site.cores if site.cores else 1.0 for site in plan.sites])
        self.phase = np.random.default_rng(seed).random(count) * self.look
        self.orders = [
            [self._index()[name] for name in merge_order(self._index(), fragment)]
            for fragment in range(plan.fragments)
        ]
        self.captured = np.zeros((plan.fragments, count))
        self.applied = np.zeros((plan.fragments, count))
        self.exchange = np.zeros((plan.fragments, count))  # from capture until it is in the store
        self.opened = np.zeros(plan.fragments)
        self.put = np.zeros((plan.fragments, count))  # when contributions are in the store
        self.others = np.zeros(plan.fragments)  # contributions that merge duty has to fetch
        self.events: list[tuple[float, int, _Phase, int]] = []  # a heap
        self.numbers = itertools.count()  # of the events: at the same time the first goes first
        self.intervals: list[float] = []
        self.opened_to_commit: list[float] = []
        self.late = 0
        self.asks = self.step * 0  # of each site, that found nothing

    def _index(self) -> dict[str, int]:
        return {site.name: number for number, site in enumerate(self.plan.sites)}

    def _busy(self) -> Values:
        """What the exchange leaves to inner steps of the cores that train. A run's own H is kept
        whatever it takes of the cores; what links can't bear does not happen more often."""
        cpu = _core_seconds(self.plan, self.part)
        step = step_seconds(self.plan)
        interval = max(self.steps * float(step.min()), _bearable(self.plan, self.part, 0 * cpu))
        cores = np.array([site.cores or np.inf for site in self.plan.sites])
        looking = self.count * REQUEST_CORE_SECONDS / self._look_period()
        busy: Values = 1 / (1 + (cpu / interval + looking) / cores)
        return busy

    def play(self, rounds: int) -> Timeline:
        """What happens, in its order, until so many rounds were applied."""
        plan, links = self.plan, self.links
        for fragment in range(plan.fragments):  # at first after its share of H, so rounds spread
            first = self.steps * (fragment + 1) / plan.fragments - self.steps
            self.captured[fragment] = first * self.step
            self._then(float(self._due(fragment).min()), self._open, fragment)
        while len(self.opened_to_commit) < rounds:
            now, _, happen, fragment = heapq.heappop(self.events)
            happen(now, fragment)
        seconds = float(self.applied.max())
        self._small_traffic(seconds, rounds)
        looks = seconds / self._look_period()
        return Timeline(
            seconds=seconds,
            rounds=rounds,
            sync_steps=self.steps,
            steps_between_syncs=float(np.mean(self.intervals[plan.fragments :] or self.intervals)),
            busy=self._busy(),
            tokens_per_second=plan.batch_tokens / self.step,
            bytes_up=links.up.total,
            bytes_down=links.down.total,
            puts=rounds * (self.count + 1.0) + float(self._heartbeats(seconds, rounds).sum()),
            gets=float(
                rounds * 2.0 * (self.count - 1) + self.asks.sum() + looks.sum() * self.count
            ),
            late=self.late / max(1, rounds * self.count),
            commit_seconds=float(np.mean(self.opened_to_commit)),
        )

    def _then(self, at: float, phase: "_Phase", fragment: int) -> None:
        """Let the next phase of a fragment's round happen at a time."""
        heapq.heappush(self.events, (at, next(self.numbers), phase, fragment))

    def _due(self, fragment: int) -> Values:
        """When each site would contribute the fragment by itself."""
        own = self.captured[fragment] + self.steps * self.step
        due: Values = np.maximum(own, self.applied[fragment])
        return due

    def _look_period(self) -> Values:
        period: Values = self.look + _TRIPS_OF_A_LOOK * self.links.rtt
        return period

    def _sees(self, at: float) -> Values:
        """When the sites notice what the heartbeats tell from `at` on: at their next look."""
        period = self._look_period()
        turn = np.ceil((at - self.phase) / period)
        sees: Values = self.phase + turn * period + _TRIPS_OF_A_LOOK * self.links.rtt
        return sees

    def _asks(self, since: Values, at: float, who: _Who) -> Values:
        """When these sites, which ask from `since` on, ask for the first time for what is in the
        store from `at` on."""
        beat = self.plan.heartbeat_seconds
        often = np.maximum(beat / _ASKS_PER_HEARTBEAT, self.steps * self.step[who] / _ASKS_PER_SYNC)
        period = np.maximum(np.minimum(beat / _LOOKS_PER_HEARTBEAT, often), self.links.rtt[who])
        turns = np.maximum(0.0, np.ceil((at - since) / period))
        self.asks[who] += turns
        asks: Values = since + turns * period
        return asks

    def _open(self, opened: float, fragment: int) -> None:
        """The first site that is due contributes, the others when they see it."""
        links, part = self.links, self.part
        due = self._due(fragment)
        opener = int(np.argmin(due))
        there = opened + part.contribution / links.up.rates[opener] + 2 * links.rtt[opener]
        asked = np.maximum(self._sees(there), self.applied[fragment]) + 0.5 * self.step
        captured = np.minimum(np.maximum(asked, opened), np.maximum(due, opened))
        encoded = captured + part.encode_seconds * self.slower
        put = links.send(encoded, part.contribution, slice(None))
        slowest = float(np.max(self.step + self.exchange.max(axis=0)))
        grace = grace_of(slowest, self.plan.heartbeat_seconds)
        self.exchange[fragment] = put - captured
        begin = min(float(put.max()), opened + grace)
        in_time = put <= begin
        others = max(0, int(in_time.sum()) - 1)
        ready = np.max(put[in_time], initial=begin if others < self.count - 1 else 0.0)
        self.intervals.append(float(np.mean((captured - self.captured[fragment]) / self.step)))
        self.captured[fragment] = np.where(in_time, captured, self.captured[fragment])
        self.late += self.count - int(in_time.sum())
        self.opened[fragment], self.put[fragment], self.others[fragment] = opened, put, others
        merger = self.orders[fragment][0]
        asks = float(self._asks(put[merger], ready, merger))
        self._then(asks, self._merge, fragment)

    def _merge(self, asked: float, fragment: int) -> None:
        """The site on merge duty fetches the other contributions."""
        merger = self.orders[fragment][0]
        size = self.others[fragment] * self.part.contribution
        fetched = self.links.fetch(asked, size, merger)
        merged = fetched + self.part.merge_seconds * self.slower[merger]
        self._then(float(merged), self._commit, fragment)

    def _commit(self, merged: float, fragment: int) -> None:
        """It puts what it made of them."""
        merger = self.orders[fragment][0]
        committed = self.links.send(merged, self.part.commit, merger)
        self._then(float(committed), self._apply, fragment)

    def _apply(self, committed: float, fragment: int) -> None:
        """All the others fetch that; then the fragment's next round is due some time."""
        links, part, merger = self.links, self.part, self.orders[fragment][0]
        others = np.arange(self.count) != merger
        asked = np.full(self.count, committed)
        asked[others] = self._asks(self.put[fragment][others], committed, others)
        has = links.fetch(asked, part.commit, slice(None))
        has[merger] = committed  # it has what it made
        links.down.total[merger] -= part.commit
        self.applied[fragment] = has + part.apply_seconds * self.slower
        self.opened_to_commit.append(committed - self.opened[fragment])
        self._then(float(self._due(fragment).min()), self._open, fragment)

    def _heartbeats(self, seconds: float, rounds: int) -> Values:
        """How many each site puts: in time, and at once when it has news."""
        news = rounds / self.count * _NEWS_PER_ROUND
        beats: Values = seconds / self.plan.heartbeat_seconds + news + self.links.rtt * 0
        return beats

    def _small_traffic(self, seconds: float, rounds: int) -> None:
        """Heartbeats, written and read, claims, and what is asked for in vain."""
        looks = seconds / self._look_period() * (1 + _LISTS_SHARE)
        reading = looks * self.count * (HEARTBEAT_BYTES + REQUEST_BYTES / 2)
        writing = self._heartbeats(seconds, rounds) * (HEARTBEAT_BYTES + REQUEST_BYTES / 2)
        asking = self.asks * REQUEST_BYTES / 2
        self.links.down.total += reading + asking
        self.links.up.total += writing + looks * self.count * REQUEST_BYTES / 2 + asking
        self.links.up.total += METRICS_BYTES * seconds
        claims = seconds / self.step / UNIT_STEPS
        checked = (_merges(self.plan) > 0) * (claims.sum() - claims)  # by whoever merges
        self.links.up.total += claims * CLAIM_BYTES + (claims + checked) * REQUEST_BYTES / 2
        self.links.down.total += checked * CLAIM_BYTES + (claims + checked) * REQUEST_BYTES / 2
        if self.plan.corpus_from_store:
            self.links.down.total += 2 * seconds * self.plan.batch_tokens / self.step
