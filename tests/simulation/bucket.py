"""A simulated object store, and the way to it: both as bad as the fault plan says.

`Bucket` is the server: atomic objects with the store's own times. `Client` is what a process holds
in place of `archipel.store.Store`; each of its requests may be lost, late, doubled or cut short,
and every one lets other tasks run.
"""

from bisect import bisect, insort
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Protocol

from greenlet import GreenletExit

from archipel.errors import StoreError
from archipel.store import Object, ObjectInfo
from archipel.store.pace import Link
from tests.simulation.clock import Clock, Process
from tests.simulation.faults import Fate, Weather


class Witness(Protocol):
    """Sees every change of the bucket."""

    def written(self, key: str, old: bytes | None, new: bytes, by: "Client") -> None: ...

    def deleted(self, key: str, by: "Client") -> None: ...


class Bucket:
    """The objects, and when the store says that they were written."""

    def __init__(self, clock: Clock, witness: Witness, resolution_seconds: float) -> None:
        self.objects: dict[str, Object] = {}
        self._sorted: list[str] = []
        self._clock = clock
        self._witness = witness
        self._resolution = resolution_seconds
        self._epoch = datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)

    def _time(self) -> datetime:
        now = self._clock.now
        if self._resolution:
            now -= now % self._resolution
        return self._epoch + timedelta(seconds=now)

    def put(self, key: str, data: bytes, by: "Client") -> None:
        old = self.objects.get(key)
        if old is None:
            insort(self._sorted, key)
        self.objects[key] = Object(data, self._time())
        self._witness.written(key, old.data if old else None, data, by)

    def create(self, key: str, data: bytes, by: "Client") -> bool:
        if key in self.objects:
            return False
        self.put(key, data, by)
        return True

    def list(self, prefix: str) -> list[ObjectInfo]:
        start = bisect(self._sorted, prefix + "/")
        stop = bisect(self._sorted, prefix + "0")  # the character after the slash
        keys = self._sorted[start:stop]
        found = [(key, self.objects[key]) for key in keys]
        return [ObjectInfo(key, len(held.data), held.modified) for key, held in found]

    def delete(self, key: str, by: "Client") -> None:
        if self.objects.pop(key, None):
            self._sorted.pop(bisect(self._sorted, key) - 1)
            self._witness.deleted(key, by)


class Client:
    """One process's way to the bucket: what `archipel.ledger` needs of a store."""

    url = "simulated://run"

    def __init__(
        self, bucket: Bucket, weather: Weather, process: Process, random: Random, number: int
    ) -> None:
        self.process = process
        self.number = number  # of the session, unique in a simulation
        self.bytes_out = 0
        self.bytes_in = 0
        rate = weather.plan.link_bytes_per_second
        self.link = Link(rate, rate, 0.1 if rate else 0.0)
        self._bucket = bucket
        self._weather = weather
        self._random = random

    # What archipel.store.Store offers

    def put(self, key: str, data: bytes) -> None:
        self._operate("put", key, lambda: self._bucket.put(key, data, self))
        self.bytes_out += len(data)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        if not self._operate("create", key, lambda: self._bucket.create(key, data, self)):
            return self.get(key) == data
        self.bytes_out += len(data)
        return True

    def get(self, key: str) -> bytes | None:
        found = self.read(key)
        return found.data if found else None

    def read(self, key: str) -> Object | None:
        found: Object | None = self._operate("get", key, lambda: self._bucket.objects.get(key))
        if found:
            self.bytes_in += len(found.data)
        return found

    def list(self, prefix: str) -> list[ObjectInfo]:
        found: list[ObjectInfo] = self._operate("list", prefix, lambda: self._bucket.list(prefix))
        return found

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._operate("delete", key, partial(self._bucket.delete, key, self))

    def put_part(self, key: str, data: bytes) -> None:
        self.put(key, data)

    def get_part(self, key: str) -> bytes | None:
        return self.get(key)

    # How a request travels

    def _operate(self, verb: str, key: str, effect: Callable[[], Any]) -> Any:
        """Send a request and wait for its reply."""
        process, weather, clock = self.process, self._weather, self.process.clock
        if not process.alive:
            raise GreenletExit
        fate = weather.fate(process, verb, key)
        if fate.dies == "before":
            process.die()
        task = process.current
        wake = task.ticket()
        request = Request(self, (verb, key), effect, fate, wake)
        for seconds in fate.effects:
            clock.at(clock.now + seconds, request.arrive)
        if fate.error_after is not None:
            error = StoreError(f"can't {verb} {key!r}: {fate.name}")
            task.resume_at(clock.now + fate.error_after, wake, error)
        return task.wait()


class Request:
    """One request on its way, from being sent to its answer."""

    __slots__ = ("_answered", "_client", "_effect", "_fate", "_task", "_wake", "_what")

    def __init__(
        self,
        client: Client,
        what: tuple[str, str],
        effect: Callable[[], Any],
        fate: Fate,
        wake: int,
    ) -> None:
        """`wake` is the number of the wait of the task that runs now."""
        self._client = client
        self._what = what
        self._effect = effect
        self._fate = fate
        self._task, self._wake = client.process.current, wake
        self._answered = False

    def arrive(self) -> None:
        """The request takes effect at the bucket."""
        process, fate = self._client.process, self._fate
        clock = process.clock
        if fate.unsent_while_away:  # the bytes had not left the machine
            if not process.alive:
                return
            if process.frozen_until > clock.now:
                clock.at(process.frozen_until, self.arrive)
                return
        if self._client._weather.is_down():
            self._answer(StoreError(f"can't {' '.join(self._what)}: the store went down"))
            return
        value = self._effect()
        if fate.dies == "after":
            process.kill()
            return
        if fate.truncated is not None and isinstance(value, Object):
            value = Object(value.data[: int(fate.truncated * len(value.data))], value.modified)
        self._answer(value)

    def _answer(self, value: object) -> None:
        """What comes back, once, unless the caller gives up on it anyway."""
        if not self._answered and self._fate.error_after is None:
            self._answered = True
            when = self._client.process.clock.now + self._fate.reply_after
            self._task.resume_at(when, self._wake, value)
