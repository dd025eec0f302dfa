"""The roll: one small actor in the cluster that knows its replicas and the gateways that use them.

Replicas tell it that they live, gateways ask it. It may be started again at any time: it then
knows nothing until the next beats, a second later.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import ray

NAME, NAMESPACE = "archipel-roll", "archipel"
_FORGET_SECONDS = 60.0
_GATEWAY_SECONDS = 10.0  # without a look: it is gone


class Roll:
    """`serve_was_there`: Serve ran in the cluster before us, and stays when we go."""

    def __init__(self, serve_was_there: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._serve_was_there = serve_was_there
        self._clock = clock
        self._beats: dict[str, tuple[float, Mapping[str, Any]]] = {}
        self._gateways: dict[str, float] = {}
        self._deployed: dict[str, str] = {}

    def beat(self, replica: Mapping[str, Any]) -> None:
        """A replica lives."""
        now = self._clock()
        self._beats[replica["id"]] = (now, replica)
        self._beats = {
            id: told for id, told in self._beats.items() if now - told[0] < _FORGET_SECONDS
        }

    def look(
        self, gateway: str, deployed: Mapping[str, str]
    ) -> list[tuple[float, Mapping[str, Any]]]:
        """The replicas' last beats, each with its age in seconds; this gateway is there, and has
        deployed these."""
        now = self._clock()
        self._gateways[gateway] = now
        self._deployed |= deployed
        return [(now - at, replica) for at, replica in self._beats.values()]

    def deployed(self) -> dict[str, str]:
        """What runs, by application: the digest of what it was deployed from."""
        return self._deployed

    def leave(self, gateway: str) -> tuple[list[str], bool]:
        """A gateway goes. What it is to remove: the applications, none while another gateway is
        there; and whether Serve too."""
        now = self._clock()
        self._gateways.pop(gateway, None)
        if any(now - at < _GATEWAY_SECONDS for at in self._gateways.values()):
            return [], False
        return [*self._deployed], not self._serve_was_there


def start_roll(serve_was_there: bool) -> Any:
    """The cluster's roll, made if there is none."""
    options = {"lifetime": "detached", "num_cpus": 0, "max_restarts": -1, "get_if_exists": True}
    actor = ray.remote(Roll).options(name=NAME, namespace=NAMESPACE, **options)
    return actor.remote(serve_was_there)


def the_roll() -> Any:
    """The cluster's roll, which is there."""
    return ray.get_actor(NAME, namespace=NAMESPACE)
