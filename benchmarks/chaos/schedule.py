"""When which fault befalls whom: drawn once from a seed, before anything starts. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

# Each kind with the shortest and the longest time that it lasts, in seconds. Poison has no duration
# of its own: the hostile member takes part until the round that it poisoned is decided.
SECONDS: dict[str, tuple[float, float]] = {
    "kill": (2, 20),
    "kill on merge duty": (2, 20),
    "kill all": (2, 5),
    "freeze": (5, 60),
    "cut": (10, 120),
    "wrong clock": (30, 60),
    "same name": (30, 30),
    "full disk": (20, 60),
    "slow store": (10, 40),
    "store down": (10, 60),
    "errors": (10, 30),
    "truncated replies": (10, 30),
    "lost replies": (10, 30),
    "poison: nan": (0, 0),
    "poison: times 100": (0, 0),
    "poison: random": (0, 0),
    "poison: replayed": (0, 0),
    "poison: stolen": (0, 0),
    "poison: forged": (0, 0),
}
ONE_SITE = ("kill", "freeze", "cut", "wrong clock", "same name", "full disk")
STORE_WIDE = ("slow store", "store down", "errors", "truncated replies", "lost replies")
_RECOVERY_SECONDS = 30.0  # a site that was hit is left alone so long


@dataclass(frozen=True)
class Fault:
    """One fault; `site` is empty where it befalls the store, all sites or whoever is on duty."""

    at_seconds: float
    kind: str
    site: str
    seconds: float


def draw(
    sites: Sequence[str], kinds: Sequence[str], *, minutes: float, per_hour: float, seed: int
) -> list[Fault]:
    """The faults of a run, in order: one in each equal stretch of the time.

    Every kind comes once before any comes again. A site that is down or has just come back is not
    hit again, and what befalls the store does not overlap.
    """
    chance = random.Random(seed)
    count = max(1, round(minutes * per_hour / 60))
    stretch = 60 * minutes / count
    free_at = dict.fromkeys([*sites, ""], 0.0)
    deck: list[str] = []
    faults = []
    for number in range(count):
        at = (number + chance.uniform(0.1, 0.9)) * stretch
        if not deck:
            deck = chance.sample(list(kinds), len(kinds))
        kind = next((k for k in deck if k not in STORE_WIDE or free_at[""] <= at), deck[0])
        deck.remove(kind)
        seconds = chance.uniform(*SECONDS[kind])
        site = ""
        if kind in ONE_SITE:
            rested = [name for name in sites if free_at[name] <= at]
            site = chance.choice(rested or [min(sites, key=free_at.__getitem__)])
            free_at[site] = at + seconds + _RECOVERY_SECONDS
        elif kind in STORE_WIDE:
            free_at[""] = at + seconds
        faults.append(Fault(round(at, 1), kind, site, round(seconds, 1)))
    return faults
