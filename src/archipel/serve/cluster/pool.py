"""A model whose engines are replicas on a cluster: the gateway asks each of them itself."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from archipel.errors import ModelError
from archipel.serve.cluster.replicas import Replica, in_order
from archipel.serve.engine import Address
from archipel.serve.engines import Lease
from archipel.serve.gap import marked
from archipel.serve.providers import Call, Provider, engine_call
from archipel.serve.question import Question
from archipel.serve.routing import Target


class Pool:
    """The replicas of one model. As a provider it is asked when all of them have failed, or there
    is none: it waits for one that lives."""

    def __init__(self, model: str, streams_each: int) -> None:
        self.model = model
        self._streams_each = streams_each
        self._replicas: dict[str, Replica] = {}
        self._under_way: Counter[str] = Counter()  # of our own
        self._changed = asyncio.Condition()

    @property
    def replicas(self) -> list[Replica]:
        """Those that are asked now."""
        return [*self._replicas.values()]

    async def change(self, replicas: Iterable[Replica]) -> None:
        """These live now."""
        self._replicas = {replica.id: replica for replica in replicas}
        for gone in self._under_way.keys() - self._replicas.keys():
            if not self._under_way[gone]:
                del self._under_way[gone]
        async with self._changed:
            self._changed.notify_all()

    def targets(self, target: Target, draw: bytes, *, sticky: bool) -> list[Target]:
        """The replicas that may answer for a target, in their order, and last the pool itself."""
        full = self._streams_each if sticky else None
        ids = in_order({id: self._load(id) for id in self._replicas}, draw, full=full)
        return [*(replace(target, replica=id) for id in ids), target]

    def replica(self, id: str) -> Provider:
        """One of them."""
        return _OneReplica(self, id)

    async def call(self, question: Question, model: str) -> Call:
        """To the least busy replica that has given a sign of life since now; waits for one."""
        before = {id: replica.beat for id, replica in self._replicas.items()}
        async with self._changed:
            while not (alive := self._beaten_since(before)):
                await self._changed.wait()
        return await self.call_to(min(alive, key=self._load), question, model)

    def _beaten_since(self, before: dict[str, int]) -> list[str]:
        return [id for id, each in self._replicas.items() if each.beat > before.get(id, -1)]

    async def call_to(self, id: str, question: Question, model: str) -> Call:
        """What to send to one replica.

        Raises:
            ModelError: it is gone.
            Unmappable: the engine would fetch what the question names, or is to fill a gap.
        """
        replica = self._replicas.get(id)
        if replica is None:
            raise ModelError(f"its replica {id} is gone")
        asked = marked(question, None)
        self._under_way[id] += 1
        address = Address(replica.url, replica.api_key)
        lease = Lease(address, "llama.cpp", (), lambda: self._give_back(id))
        return await engine_call(lease, asked, model)

    def _give_back(self, id: str) -> None:
        self._under_way[id] -= 1

    def _load(self, id: str) -> int:
        """What we asked of it, or what it last said if others ask it too."""
        return max(self._under_way[id], self._replicas[id].streams)


@dataclass(frozen=True)
class _OneReplica:
    """As a provider; it may be gone when it is asked."""

    pool: Pool
    id: str

    async def call(self, question: Question, model: str) -> Call:
        return await self.pool.call_to(self.id, question, model)
