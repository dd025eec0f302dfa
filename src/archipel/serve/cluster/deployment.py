"""One replica: an engine on this node, which tells the roll every second that it lives.

Runs inside a Ray worker. Clients' requests do not come through here: the gateway sends them to
the engine itself.
"""

import asyncio
import logging
from dataclasses import asdict
from typing import Any

import aiohttp
import ray
from ray import serve

from archipel import config
from archipel.errors import ArchipelError, ModelError
from archipel.models.here import resolve_model
from archipel.serve.cluster.replicas import Replica, replicas_wanted, streams_in
from archipel.serve.cluster.roll import the_roll
from archipel.serve.engine import Address, Engine
from archipel.serve.launch import launch
from archipel.serve.setting_tables import ModelTable
from archipel.serve.weights import Weights, find_weights

_BEAT_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
_UNHEARD = 5  # beats in a row that nobody took before the roll is looked for again
_log = logging.getLogger(__name__)


class EngineReplica:
    """What Serve starts, watches, scales and ends. Without `host` the engine listens on the node's
    own address."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, model: str, table: dict[str, Any], host: str | None
    ) -> None:
        context = ray.get_runtime_context()
        here = ray.util.get_node_ip_address()
        self._node = f"{context.get_node_id()[:8]} ({here})"
        self._id = serve.get_replica_context().replica_id.unique_id
        self._model = model
        self._streams, self._beats, self._leaving = 0, 0, False
        try:
            asked = ModelTable.model_validate(table)
            weights = await asyncio.to_thread(_weights, asked.path)
            how = launch(model, asked, weights, config.usable_cores(), host=host or here)
            self._engine = Engine(model, how)
            address = await self._engine.address()
        except (ArchipelError, OSError) as error:
            raise ModelError(f"on node {self._node}: {error}") from error
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS))
        self._roll = the_roll()
        await self._tell(address)
        self._beating = asyncio.create_task(self._beat())

    async def check_health(self) -> None:
        """Serve replaces a replica whose check raises."""
        if self._beating.done():
            self._beating.result()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What `wanted` decides from."""
        return {"streams": self._streams}

    async def __del__(self) -> None:
        """Serve ends the replica: no new questions, and those under way are answered first."""
        self._leaving = True
        self._beating.cancel()
        await asyncio.gather(self._beating, return_exceptions=True)
        address = await self._engine.address()
        await self._tell(address)
        while await self._count(address):
            await asyncio.sleep(_BEAT_SECONDS / 4)
        await self._engine.stop()
        await self._session.close()

    async def _beat(self) -> None:
        """Raises ModelError if the engine ended and can't be started again."""
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            address = await self._engine.address()
            self._streams = await self._count(address)
            await self._tell(address)

    async def _tell(self, address: Address) -> None:
        self._beats += 1
        replica = Replica(
            self._model,
            self._id,
            self._node,
            address.url,
            address.api_key,
            self._streams,
            self._beats,
            self._leaving,
        )
        try:
            await asyncio.wait_for(self._roll.beat.remote(asdict(replica)), _ANSWER_SECONDS)
        except (ray.exceptions.RayError, TimeoutError) as error:
            _log.warning("nobody took the beat of %s: %s", self._id, error)
            self._roll = the_roll()

    async def _count(self, address: Address) -> int:
        """The streams in the engine; those of the last beat if it does not say."""
        headers = {"Authorization": f"Bearer {address.api_key}"}
        try:
            async with self._session.get(f"{address.url}/metrics", headers=headers) as response:
                return streams_in(await response.text())
        except (aiohttp.ClientError, TimeoutError):
            return 0 if self._leaving else self._streams


def wanted(context: Any) -> tuple[float, dict[str, Any]]:
    """Serve's autoscaling policy: by the streams in the engines, of which Serve knows nothing."""
    streams = (context.aggregated_metrics or {}).get("streams", {})
    each = context.config.get_target_ongoing_requests()
    if len(streams) < context.current_num_replicas:  # one has just come and not told yet
        return max(replicas_wanted([*streams.values()], each), context.target_num_replicas), {}
    return replicas_wanted([*streams.values()], each), {}


def _weights(path: str) -> Weights:
    """The model on this node.

    Raises:
        ModelError: it is not here.
    """
    try:
        found = resolve_model(path, config.home())
        return find_weights(found, config.home(), "llama.cpp", projector="none")
    except ArchipelError as error:
        raise ModelError(
            f"{error}. With --ray the model has to be on every node that may run it: under this "
            "path, or pulled there by `archipel pull`"
        ) from error
