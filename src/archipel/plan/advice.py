"""What to change: H, fragments and codec that suit the links; and what if things went otherwise.

Pure.
"""

from collections.abc import Iterator
from typing import Any

from archipel.errors import ConfigError
from archipel.plan.forecast import Forecast, forecast
from archipel.plan.inputs import Plan, Site, make_plan

_BUSY = 0.95
_MANY_ROUNDS = 500  # of a fragment, which `sparse` needs (docs/decisions/0006)
_LONG = 100  # steps between syncs beyond which `int4` costs more loss than `sparse` may
_FRAGMENTS = (2, 4, 8, 16)


def recommend(plan: Plan) -> tuple[Plan, str]:
    """The plan with the codec and fragments that let its links carry the fewest steps between
    syncs, H left to the sites; and why."""
    if len(plan.sites) == 1:
        return plan, "one site exchanges with nobody: H, codec and fragments do not matter"
    dense = [_with(plan, codec="int4", sync_steps=None, fragments=f) for f in _FRAGMENTS]
    best, found = min(((p, forecast(p)) for p in dense), key=lambda pair: pair[1].sync_steps)
    if found.sync_steps > _LONG:
        sparse = _with(best, codec="sparse")
        other = forecast(sparse)
        rounds = other.rounds / sparse.fragments
        if rounds >= _MANY_ROUNDS and other.sync_steps < found.sync_steps:
            return sparse, (
                f"int4 would sync every {found.sync_steps:,.0f} steps on these links, sparse every "
                f"{other.sync_steps:,.0f}, {rounds:,.0f} times in the run; what sparse costs in "
                "loss is measured on small models only"
            )
    return best, (
        f"int4 in {best.fragments} fragments syncs every {found.sync_steps:,.0f} steps and keeps "
        f"sites {100 * found.busy_share:.0f} % busy"
        + ("" if found.busy_share >= _BUSY else ": cores, not links, are what they lack")
    )


def what_if(plan: Plan, words: str) -> Plan:
    """The plan as it would be if `words` came true: `lost:SITE:HOURS`, `slower:SITE:FACTOR`,
    `more:SITE:COUNT` or `spot:SITE:PRICE_SHARE:PREEMPTIONS_A_DAY`.

    Raises:
        ConfigError: that can't be understood, or can't be.
    """
    kind, *rest = words.split(":")
    try:
        if kind == "lost":
            name, hours = rest
            return _change(plan, name, away_from_hour=0.0, away_hours=float(hours))
        if kind == "slower":
            name, factor = rest
            link = _site(plan, name).link
            changed = {"up": link.up * float(factor), "down": link.down * float(factor)}
            return _change(plan, name, link=link.model_dump() | changed)
        if kind == "more":
            name, count = rest
            like = _site(plan, name).model_dump()
            more = [like | {"name": f"{name}-{n + 2}"} for n in range(int(count))]
            return _with(plan, sites=[*(s.model_dump() for s in plan.sites), *more])
        if kind == "spot":
            name, share, preemptions = rest
            price = _site(plan, name).price * float(share)
            return _change(plan, name, price=price, preemptions_per_day=float(preemptions))
    except ValueError as error:
        raise ConfigError(f"what if {words!r}? It does not have the form of --help") from error
    raise ConfigError(f"what if {words!r}? Say lost, slower, more or spot, as in --help")


def compare(plan: Plan, questions: tuple[str, ...]) -> Iterator[tuple[str, Forecast]]:
    """The plan as it is, and as it would be."""
    yield "as planned", forecast(plan)
    for words in questions:
        yield words, forecast(what_if(plan, words))


def _site(plan: Plan, name: str) -> Site:
    for site in plan.sites:
        if site.name == name:
            return site
    raise ConfigError(f"the plan has no site {name!r}: {', '.join(s.name for s in plan.sites)}")


def _change(plan: Plan, name: str, **changes: Any) -> Plan:
    _site(plan, name)
    sites = [site.model_dump() | (changes if site.name == name else {}) for site in plan.sites]
    return _with(plan, sites=sites)


def _with(plan: Plan, **changes: Any) -> Plan:
    return make_plan(plan.model_dump() | changes)
