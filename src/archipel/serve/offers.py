"""What is told of each public model beside its name, as fields of `GET /v1/models`: how long its
context is, where it runs, what it can do and what it costs. What the settings don't say is null.
Pure.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from archipel.serve.setting_tables import Ability, AccountsTable, RouteTable, TargetTable
from archipel.serve.settings import Settings

Place = Literal["machine", "house", "supplier"]  # the service's, the organisation, outside
_NOTHING: Mapping[str, Sequence[Ability]] = MappingProxyType({})
_NEAREST: Sequence[Place] = ("machine", "house", "supplier")


def offers(
    settings: Settings, *, in_cluster: bool, further: Mapping[str, Sequence[Ability]] = _NOTHING
) -> Mapping[str, Mapping[str, Any]]:
    """The fields by public name. `in_cluster`: the settings' models run on a cluster's nodes;
    `further`: what some of them can do beside chatting, by their names."""
    here: Place = "house" if in_cluster else "machine"
    own = {
        name: RouteTable(targets=(TargetTable(model=name),))
        for owner, table in settings.models.items()
        for name in (owner, *table.adapters)
    }
    routes = own | settings.routes
    return {name: _offer(settings, route, here, further) for name, route in routes.items()}


def _offer(
    settings: Settings, route: RouteTable, here: Place, further: Mapping[str, Sequence[Ability]]
) -> dict[str, Any]:
    accounts = settings.accounts or AccountsTable()
    contexts = [_context(settings, target) for target in route.targets]
    context = None if None in contexts else min(one for one in contexts if one is not None)
    providers = [
        {
            "name": target.provider or _owner(settings, target.model),
            "place": _place(settings, target, here),
            "price": _price(target, accounts.currency),
        }
        for target in route.targets
    ]
    outside = [one["name"] for one in providers if one["place"] == "supplier"]
    return {
        "context_length": context,
        "max_model_len": context,
        "place": max((one["place"] for one in providers), key=_NEAREST.index),
        "supplier": outside[0] if outside else None,
        "price": providers[0]["price"],
        "abilities": _abilities(settings, route, further),
        "tasks": _made_for(settings, route, "tasks"),
        "languages": _made_for(settings, route, "languages"),
        "providers": providers,
    }


def _owner(settings: Settings, name: str) -> str:
    """The model that has this name, or an adapter of this name."""
    return next(
        owner for owner, table in settings.models.items() if name in (owner, *table.adapters)
    )


def _context(settings: Settings, target: TargetTable) -> int | None:
    if target.provider is not None:
        return target.context
    table = settings.models[_owner(settings, target.model)]
    return None if table.engine == "pictures" else table.context


def _place(settings: Settings, target: TargetTable, here: Place) -> Place:
    if target.provider is None:
        return here
    return "house" if settings.providers[target.provider].is_here else "supplier"


def _price(target: TargetTable, currency: str) -> dict[str, Any] | None:
    """Of a million tokens."""
    if target.prompt_price is not None and target.completion_price is not None:
        prompt, completion = target.prompt_price, target.completion_price
    elif target.provider is None:
        prompt, completion = 0.0, 0.0
    else:
        return None
    return {"prompt": prompt, "completion": completion, "currency": currency}


def _made_for(
    settings: Settings, route: RouteTable, what: Literal["tasks", "languages"]
) -> list[str] | None:
    """What the route says, or else its first target's own table; of an adapter that says nothing,
    for what its base is made for it need not be."""
    first = route.targets[0]
    own = settings.models.get(first.model) if first.provider is None else None
    said = getattr(route, what) or (getattr(own, what) if own else None)
    return None if said is None else [*said]


def _abilities(
    settings: Settings, route: RouteTable, further: Mapping[str, Sequence[Ability]]
) -> list[Ability] | None:
    if route.abilities is not None:
        return [*route.abilities]
    first = route.targets[0]
    if first.provider is not None:
        return None
    owner = _owner(settings, first.model)
    if settings.models[owner].engine == "pictures":
        return ["pictures"]
    if settings.models[owner].pooling is not None:
        return ["embeddings"]
    return ["chat", *further.get(owner, ())]
