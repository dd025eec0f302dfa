"""From a timeline to what people ask: how busy, how long, how many bytes, what it costs. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from archipel.plan.engine import Timeline, simulate, snapshot_cycles, snapshot_keeper
from archipel.plan.gap import Gap, expected_gap
from archipel.plan.inputs import Plan, Site
from archipel.plan.wire import snapshot_bytes

_ROUNDS = 400  # that are played; a run repeats them
_DAY = 86_400.0


@dataclass(frozen=True)
class SiteForecast:
    """One site's share of the run; rates in Mbit/s, averages over the run."""

    name: str
    busy_share: float
    tokens_per_second: float
    tokens: float
    bytes_up: float
    bytes_down: float
    mean_up: float
    mean_down: float
    compute_cost: float


@dataclass(frozen=True)
class Forecast:
    """The whole run, but for its beginning and its end, when all is fetched and put once.

    `busy_share` weighs sites by their speed; `sync_steps` is H as it comes about for the mean
    site, which is more than what was planned where links or the protocol are slower.
    """

    days: float
    busy_share: float
    tokens_per_second: float
    planned_sync_steps: float
    sync_steps: float
    rounds: float
    wan_bytes: float
    wan_bytes_per_token: float
    peak_rate: float  # Mbit/s, the busiest direction of a link while a round is under way
    late_share: float
    compute_cost: float
    requests_cost: float
    egress_cost: float
    gap: Gap
    sites: tuple[SiteForecast, ...]

    @property
    def cost(self) -> float:
        """All of it."""
        return self.compute_cost + self.requests_cost + self.egress_cost


def forecast(plan: Plan, rounds: int = _ROUNDS, seed: int = 0) -> Forecast:
    """What will become of the plan."""
    line = simulate(plan, rounds, seed)
    rates = line.tokens_per_second * np.array([site.available for site in plan.sites])
    seconds = _seconds(plan, rates)
    tokens = rates * (seconds - np.array([_away(site, seconds) for site in plan.sites]))
    times = float(tokens.sum() / (line.tokens_per_second.sum() * line.seconds))
    sites = tuple(_sites(plan, line, rates, tokens, times, seconds))
    down = sum(site.bytes_down for site in sites)
    wan = down + sum(site.bytes_up for site in sites)
    prices = plan.prices
    requests = line.puts * prices.thousand_puts + line.gets * prices.thousand_gets
    return Forecast(
        days=seconds / _DAY,
        busy_share=float(np.average(line.busy, weights=line.tokens_per_second)),
        tokens_per_second=float(rates.sum()),
        planned_sync_steps=line.sync_steps,
        sync_steps=line.steps_between_syncs,
        rounds=line.rounds * times,
        wan_bytes=wan,
        wan_bytes_per_token=wan / float(tokens.sum()),
        peak_rate=max(max(site.link.up, site.link.down) for site in plan.sites),
        late_share=line.late,
        compute_cost=sum(site.compute_cost for site in sites),
        requests_cost=requests * times / 1000,
        egress_cost=down / 1e9 * prices.egress_gb,
        gap=expected_gap(plan.codec, plan.parameters, line.steps_between_syncs),
        sites=sites,
    )


def _sites(
    plan: Plan,
    line: Timeline,
    rates: np.ndarray,
    tokens: np.ndarray,
    times: float,
    seconds: float,
) -> Iterator[SiteForecast]:
    keeper = snapshot_keeper(plan)
    snapshots = round(line.rounds * times / plan.fragments / snapshot_cycles(plan))
    kept = snapshots * snapshot_bytes(plan.parameters)
    for number, site in enumerate(plan.sites):
        up, down = line.bytes_up[number] * times, line.bytes_down[number] * times
        up += kept if number == keeper else 0.0
        yield SiteForecast(
            name=site.name,
            busy_share=float(line.busy[number]),
            tokens_per_second=float(rates[number]),
            tokens=float(tokens[number]),
            bytes_up=float(up),
            bytes_down=float(down),
            mean_up=float(8e-6 * up / (line.seconds * times)),
            mean_down=float(8e-6 * down / (line.seconds * times)),
            compute_cost=site.price * site.available * (seconds - _away(site, seconds)) / 3600,
        )


def _away(site: Site, seconds: float) -> float:
    """Seconds of the run that a site is away as planned."""
    since = 3600 * site.away_from_hour
    return max(0.0, min(seconds, since + 3600 * site.away_hours) - min(seconds, since))


def _seconds(plan: Plan, rates: np.ndarray) -> float:
    """When the sites have trained the budget between them, their absences allowed for."""
    moments = {0.0}
    for site in plan.sites:
        since = 3600 * site.away_from_hour
        moments |= {since, since + 3600 * site.away_hours}
    trained, ordered = 0.0, sorted(moments)
    for begin, end in zip(ordered, [*ordered[1:], np.inf], strict=True):
        there = [_is_there(site, begin) for site in plan.sites]
        rate = float(rates[there].sum())
        if rate > 0 and trained + rate * (end - begin) >= plan.tokens:
            return begin + (plan.tokens - trained) / rate
        trained += rate * (end - begin)
    return float("inf")


def _is_there(site: Site, second: float) -> bool:
    since = 3600 * site.away_from_hour
    return not since <= second < since + 3600 * site.away_hours
