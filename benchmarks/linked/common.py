"""The sites, the links and the model that all parts of the links benchmark use."""

from collections.abc import Iterator
from contextlib import contextmanager

from archipel.ledger import Ledger
from benchmarks.network import Link, Site
from benchmarks.network.stage import Setting, Stage, all_train, wait_until

SITES = ("athens", "bergen", "cadiz", "delft")
SHARE = 0.45  # of a core, a site
SLOW = Link(megabits_per_second=20, round_trip_ms=100)
SLOWER = Link(megabits_per_second=5, round_trip_ms=200)
SETTLE_SECONDS = 6.0  # after a link has changed
_START_SECONDS = 180.0

Figures = dict[str, float | int | None]


def setting(codec: str) -> Setting:
    """Two million parameters and little compute for each: what makes links matter."""
    return Setting(
        hidden=192,
        layers=4,
        batch=1,
        sequence=64,
        tokens=100_000_000,
        options={"codec": codec, "sync": 30, "fragments": 4},
    )


def equal_shares() -> dict[str, float]:
    """Every site with the same share of a core."""
    return dict.fromkeys(SITES, SHARE)


@contextmanager
def working(stage: Stage, ledger: Ledger, shares: dict[str, float]) -> Iterator[list[Site]]:
    """These sites at work in a run; they get all the CPU that there is until each has begun."""
    sites = [stage.site(ledger, name) for name in shares]
    try:
        for site in sites:
            stage.network.shape(site.name, Link())
            site.start()
        wait_until("all sites train", all_train(ledger, sites), sites, _START_SECONDS)
        for site in sites:
            site.limit(shares[site.name])
        yield sites
    finally:
        for site in sites:
            site.kill()


def shape_all(stage: Stage, link: Link) -> None:
    """Give every site this link."""
    for site in SITES:
        stage.network.shape(site, link)
