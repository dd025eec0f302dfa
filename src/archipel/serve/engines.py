"""The models that run here: started when asked for, stopped when idle, within a memory budget."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Self

from archipel.errors import ModelError
from archipel.serve.engine import Address, Engine
from archipel.serve.memory import Held, idle, to_unload
from archipel.serve.weights import Kind

_LOOK_SECONDS = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stay:
    """When a model is in memory."""

    from_start: bool = True
    idle_seconds: float | None = None  # without a question, after which it leaves; None: it stays
    pinned: bool = False  # it never leaves for another


@dataclass(frozen=True)
class Seen:
    """A model that runs here, as it is now."""

    name: str
    engine: Kind
    in_memory: bool
    answering: int  # requests under way
    memory_bytes: int  # a guess before it has run
    pinned: bool
    idle_seconds: float | None  # without a question, after which it leaves


@dataclass
class Lease:
    """A running engine that stays until `end` is called."""

    address: Address
    kind: Kind  # what runs it
    adapters: tuple[str, ...]  # that its requests name by number, in this order
    _give_back: Callable[[], None]
    sees: bool = False  # pictures
    tells_logprobs: bool = True
    _ended: bool = False

    def end(self) -> None:
        """The answer is over. A second call does nothing."""
        if not self._ended:
            self._ended = True
            self._give_back()


class Engines:
    """Engines by name, each with its stay. `async with` starts those that are there from the start
    and, at the end, stops all. `budget` is in bytes; `clock` is monotonic, in seconds."""

    def __init__(
        self,
        engines: Mapping[str, tuple[Engine, Stay]],
        budget: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engines = engines
        self._budget = budget
        self._clock = clock
        self._leases: Counter[str] = Counter()
        self._used = dict.fromkeys(engines, clock())
        self._moving = asyncio.Lock()  # engines into memory and out of it, one at a time
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            for name, (engine, stay) in self._engines.items():
                if not stay.from_start:
                    continue
                if to_unload(self._held(), engine.memory_bytes, self._budget) != []:
                    _log.warning("%s waits for its first question: no memory for it", name)
                    continue
                await engine.address()
        except BaseException:  # cancelled too: no engine may outlive a start that failed
            await self._stop_all()
            raise
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._looking is not None
        self._looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._looking
        await self._stop_all()

    async def lend(self, name: str) -> Lease:
        """An engine for one answer; it is started, and room made for it, if it is not running.

        Raises:
            ModelError: it can't load its model, or there is no memory for it now.
        """
        engine, _ = self._engines[name]
        self._leases[name] += 1  # before the first wait: it may not leave from now on
        try:
            if not engine.is_running:
                async with self._moving:
                    await self._make_room(engine)
                    address = await engine.address()
            else:
                address = await engine.address()
        except BaseException:  # cancelled too: it may leave again
            self._give_back(name)
            raise
        give_back = partial(self._give_back, name)
        return Lease(
            address,
            engine.kind,
            engine.adapters,
            give_back,
            sees=engine.sees,
            tells_logprobs=engine.tells_logprobs,
        )

    def seen(self) -> list[Seen]:
        """All models, in the order of the settings."""
        return [
            Seen(
                name,
                engine.kind,
                engine.is_running,
                self._leases[name],
                engine.memory_bytes,
                stay.pinned,
                stay.idle_seconds,
            )
            for name, (engine, stay) in self._engines.items()
        ]

    def _give_back(self, name: str) -> None:
        self._leases[name] -= 1
        self._used[name] = self._clock()

    async def _make_room(self, engine: Engine) -> None:
        if engine.is_running:  # another question has started it meanwhile
            return
        # One at a time: while one stops, another that was to leave may be asked.
        while leaving := to_unload(self._held(), engine.memory_bytes, self._budget):
            await self._engines[leaving[0]][0].stop()
            _log.info("%s has left memory for %s", leaving[0], engine.name)
        if leaving is None:
            assert self._budget is not None
            raise ModelError(
                f"{engine.name} needs about {engine.memory_bytes / 1e9:.1f} GB, and the models "
                f"that are busy or pinned leave less of {self._budget / 1e9:.1f} GB. Ask later, or "
                "raise [engines] memory_gigabytes"
            )

    def _held(self) -> list[Held]:
        return [
            Held(
                name,
                engine.memory_bytes,
                self._used[name],
                busy=self._leases[name] > 0 or engine.is_starting,
                pinned=stay.pinned,
                idle_seconds=stay.idle_seconds,
            )
            for name, (engine, stay) in self._engines.items()
            if engine.is_running
        ]

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if not idle(self._held(), self._clock()):
                continue
            async with self._moving:
                while leaving := idle(self._held(), self._clock()):
                    await self._engines[leaving[0]][0].stop()
                    _log.info("%s has left memory: nobody asked it", leaving[0])

    async def _stop_all(self) -> None:
        for engine, _ in self._engines.values():
            await engine.stop()
