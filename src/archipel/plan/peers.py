"""The busy share of other ways to train over several sites, for comparison. Pure formulas.

Bandwidth is that of one direction of a site's link; a ring all-reduce moves 2·(M-1)/M times its
data each way, and its round trips follow each other.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """How a way of training exchanges: bits a parameter, how often, and what it waits for."""

    bits: float
    every_steps: float
    overlap_steps: float = 0.0  # steps during which the exchange may be under way
    fragments: int = 1  # that exchange in turn, each as often
    trips: float = 0.0  # round trips, one after the other, of one exchange; 0: not counted


def exchange_seconds(
    way: Way, *, parameters: float, sites: int, gigabits: float, rtt_seconds: float = 0.0
) -> float:
    """One exchange of one fragment."""
    bits = 2 * (sites - 1) / sites * way.bits * parameters / way.fragments
    return bits / (1e9 * gigabits) + way.trips * rtt_seconds


def busy_share(
    way: Way,
    *,
    parameters: float,
    sites: int,
    step_seconds: float,
    gigabits: float,
    rtt_seconds: float = 0.0,
) -> float:
    """The share of time in which sites compute; what does not fit beside steps is waited for."""
    one = exchange_seconds(
        way, parameters=parameters, sites=sites, gigabits=gigabits, rtt_seconds=rtt_seconds
    )
    waits = max(0.0, one - way.overlap_steps * step_seconds) * way.fragments
    training = way.every_steps * step_seconds
    return training / (training + waits)


def gigabits_for(
    way: Way, busy: float, *, parameters: float, sites: int, step_seconds: float
) -> float:
    """The bandwidth at which sites are so busy, round trips not counted."""
    training = way.every_steps * step_seconds
    waits = training * (1 / busy - 1) / way.fragments + way.overlap_steps * step_seconds
    bits = 2 * (sites - 1) / sites * way.bits * parameters / way.fragments
    return bits / waits / 1e9
