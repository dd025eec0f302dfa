"""How routes, providers and the models that run here are, as this process sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from archipel.serve.accounts.limits import NANOS
from archipel.serve.admin.recent import MINUTES, Recent
from archipel.serve.dispatch import Dispatcher, TargetState
from archipel.serve.engines import Engines
from archipel.serve.providers import Directory
from archipel.serve.routing import Policy, Price, Target

_WORST = ("closed", "half_open", "open")
_MILLION = 1_000_000


@dataclass(frozen=True)
class Ward:
    """What is looked at."""

    directory: Directory
    recent: Recent
    engines: Engines

    def routes(self, dispatcher: Dispatcher) -> list[dict[str, Any]]:
        """The public names, each with its targets in order."""
        return [
            self._route(name, policy, dispatcher)
            for name, policy in sorted(self.directory.policies.items())
        ]

    def _route(self, name: str, policy: Policy, dispatcher: Dispatcher) -> dict[str, Any]:
        shadow = self.directory.shadows.get(name)
        return {
            "name": name,
            "order": "weighted" if policy.weighted else "listed",
            "sticky": policy.sticky,
            "data_stays_here": policy.data_stays_here,
            "hedge_seconds": policy.hedge_seconds,
            "shadow": asdict(shadow) if shadow else None,
            "targets": [self._target(target, dispatcher) for target in policy.targets],
        }

    def _target(self, target: Target, dispatcher: Dispatcher) -> dict[str, Any]:
        return {
            "provider": target.provider,
            "model": target.model,
            "is_here": target.is_here,
            "weight": target.weight,
            "first_token_seconds": target.first_token_seconds,
            "answer_seconds": target.answer_seconds,
            "price": _price(target.price),
            "drained": target.provider in self.directory.drained,
            "breaker": asdict(dispatcher.state_of(target)),
        }

    def suppliers(self, dispatcher: Dispatcher) -> list[dict[str, Any]]:
        """Each provider with its breakers, and what it gave in the last minutes."""
        targets = {
            target for policy in self.directory.policies.values() for target in policy.targets
        }
        own = {one.name for one in self.engines.seen()}
        minutes = self.recent.minutes()
        return [
            {
                "name": name,
                "runs_here": name in own,
                "drained": name in self.directory.drained,
                **_health(minutes.get(name, [{}] * MINUTES)),
                **_breakers(
                    {
                        (target.model, dispatcher.state_of(target))
                        for target in targets
                        if target.provider == name
                    }
                ),
            }
            for name in sorted(self.directory.providers)
        ]

    def models(self) -> list[dict[str, Any]]:
        """Those that run here."""
        return [asdict(one) for one in self.engines.seen()]


def _breakers(found: set[tuple[str, TargetState]]) -> dict[str, Any]:
    """A provider's breakers, by its model, and the worst state of them."""
    by_model: dict[str, TargetState] = {}
    for model, state in found:
        if model not in by_model or _badness(state) > _badness(by_model[model]):
            by_model[model] = state
    worst = max((_badness(state) for state in by_model.values()), default=0)
    return {
        "state": _WORST[worst],
        "targets": [
            {"model": model, "breaker": asdict(by_model[model])} for model in sorted(by_model)
        ],
    }


def _badness(state: TargetState) -> int:
    return _WORST.index(state.state)


def _health(minutes: Sequence[Mapping[str, int]]) -> dict[str, Any]:
    """Sums over the minutes; who left or was refused says nothing of the provider's health."""
    answered = [minute.get("answered", 0) + minute.get("refused", 0) for minute in minutes]
    failed = [minute.get("failed", 0) for minute in minutes]
    asked = sum(answered) + sum(failed)
    return {
        "answered": sum(answered),
        "failed": sum(failed),
        "failed_share": sum(failed) / asked if asked else None,
        "minutes": [
            {"answered": good, "failed": bad} for good, bad in zip(answered, failed, strict=True)
        ],
    }


def _price(price: Price | None) -> dict[str, float] | None:
    if price is None:
        return None
    return {
        "prompt": price.prompt * _MILLION / NANOS,
        "completion": price.completion * _MILLION / NANOS,
    }
