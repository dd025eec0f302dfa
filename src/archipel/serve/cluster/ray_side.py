"""The gateway's side of a Ray cluster: starts the process that speaks with Ray, and follows what it
tells of the replicas.

When that process ends, as it does when the cluster's head is lost, the replicas known last are
asked on, and it is started again.
"""

import asyncio
import contextlib
import json
import logging
import sys
import tempfile
import time
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, BinaryIO

from archipel import config
from archipel.errors import ModelError
from archipel.serve.cluster.pool import Pool
from archipel.serve.cluster.replicas import Heard, Replica, known
from archipel.serve.metrics import Metrics
from archipel.serve.setting_tables import ModelTable

_STOP_SECONDS = 30
_AGAIN_SECONDS = 5
_LINE_BYTES = 16 << 20
_LOG_TAIL_BYTES = 2000
_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def on_ray(
    models: Mapping[str, ModelTable], address: str | None, metrics: Metrics
) -> AsyncIterator[dict[str, Pool]]:
    """The models as replicas in a Ray cluster for the time of the block, by name.

    Without `address` the cluster is the one that this machine is part of, or one that is started.

    Raises:
        ModelError: Ray is not installed, no cluster answers, or a model can't be started.
    """
    pools = {name: Pool(name, streams_each(table)) for name, table in models.items()}
    side = RaySide({"address": address, "models": _orders(models)}, pools, metrics)
    await side.start()
    following = asyncio.create_task(side.follow())
    try:
        yield pools
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await side.stop()


def streams_each(table: ModelTable) -> int:
    """That a replica is to have."""
    return table.replicas.streams_each or table.parallel


def _orders(models: Mapping[str, ModelTable]) -> dict[str, Any]:
    return {
        name: {
            "table": table.model_dump(mode="json"),
            "replicas": {**table.replicas.model_dump(), "streams_each": streams_each(table)},
        }
        for name, table in models.items()
    }


class RaySide:
    """The process that speaks with Ray; what it tells goes into the pools."""

    def __init__(
        self,
        order: Mapping[str, Any],
        pools: Mapping[str, Pool],
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._order = {**order, "gateway": uuid.uuid4().hex}
        self._pools = pools
        self._metrics = metrics
        self._clock = clock
        self._known: dict[str, Heard] = {}
        self._listened, self._line_at = 0.0, clock()
        self._process: Process | None = None
        self._errors: BinaryIO | None = None

    async def start(self) -> None:
        """Start it, and wait until each model has a replica.

        Raises:
            ModelError: it ended instead.
        """
        try:
            await self._open()
            while not all(pool.replicas for pool in self._pools.values()):
                await self._next()
        except BaseException:
            await self.stop()
            raise

    async def follow(self) -> None:
        """Follow what it tells for ever; start it again when it ends."""
        while True:
            try:
                if self._process is None:
                    await self._open()
                await self._next()
            except ModelError as error:
                _log.error("%s. The replicas known last are asked on", error)
                await self.stop()
                await asyncio.sleep(_AGAIN_SECONDS)

    async def stop(self) -> None:
        """End it: it takes back what it did to the cluster."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.communicate(), _STOP_SECONDS)
        except (TimeoutError, asyncio.CancelledError):
            _log.error("the process that speaks with Ray does not end; it is killed")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _open(self) -> None:
        address = self._order["address"]  # in the environment it would go before
        found = {"RAY_ADDRESS": address} if address else {}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as the process does)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "archipel.serve.cluster.ray_process"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=self._errors,
            limit=_LINE_BYTES,
            env=config.child_environment(RAY_USAGE_STATS_ENABLED="0", **found),
            start_new_session=True,  # Ctrl-C is the parent's to handle
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._order).encode() + b"\n")

    async def _next(self) -> None:
        """Take its next line.

        Raises:
            ModelError: it said why it ends, or ended.
        """
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise ModelError(f"the process that speaks with Ray ended: {self._last_words()}")
        told = json.loads(line)
        if "error" in told:
            raise ModelError(told["error"])
        if joined := told.get("joined"):
            _log.info("%s", joined)
        if said := told.get("said"):
            _log.warning("Ray: %s", said)
        if "replicas" in told:
            await self._take(told["replicas"])

    async def _take(self, beats: list[tuple[float, dict[str, Any]]]) -> None:
        now = self._clock()
        self._listened += min(now - self._line_at, 1.0)  # nobody ages while nothing is told
        self._line_at = now
        heard = [Heard(Replica(**told), self._listened - age) for age, told in beats]
        before, self._known = self._known, known(self._known, heard, self._listened)
        for id in self._known.keys() - before.keys():
            _log.info("%s: replica %s answers, on node %s", *_names(self._known[id].replica))
        for id in before.keys() - self._known.keys():
            _log.info("%s: replica %s is gone from node %s", *_names(before[id].replica))
        for name, pool in self._pools.items():
            own = [each.replica for each in self._known.values() if each.replica.model == name]
            await pool.change(own)
            self._metrics.replicas.labels(name).set(len(own))
            self._metrics.replica_streams.labels(name).set(sum(each.streams for each in own))

    def _last_words(self) -> str:
        assert self._errors is not None
        self._errors.seek(max(0, self._errors.seek(0, 2) - _LOG_TAIL_BYTES))
        return self._errors.read().decode(errors="replace").strip()


def _names(replica: Replica) -> tuple[str, str, str]:
    return replica.model, replica.id, replica.node
