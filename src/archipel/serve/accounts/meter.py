"""Requests are entered before they are sent and settled in the end; both are durable.

One thread writes for the whole process: all that comes up while it writes goes into its next
transaction. A reservation that its process did not settle, because it was killed, is settled by
another at what it reserved: no request is unbilled, none is billed twice.
"""

import asyncio
import contextlib
import logging
import queue
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from archipel.database import Database
from archipel.errors import DatabaseError
from archipel.serve.accounts import books
from archipel.serve.accounts.books import Asked, OverLimit, Reservation, Took
from archipel.serve.metrics import Metrics

_TOGETHER_SECONDS = 0.05  # that a settlement waits for requests to be entered with it
_HEARTBEAT_SECONDS = 5.0
_Verdict = Reservation | OverLimit | DatabaseError
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Entry:
    """A request that is to be entered, and who waits for that."""

    asked: Asked
    answer: "asyncio.Future[Reservation]"


_Settlement = tuple[Reservation, Took]


@dataclass
class _Batch:
    """What goes into one transaction."""

    entries: list[_Entry] = field(default_factory=list)
    settlements: list[_Settlement] = field(default_factory=list)
    is_last: bool = False

    def add(self, item: "_Entry | _Settlement | None") -> None:
        if item is None:
            self.is_last = True
        elif isinstance(item, _Entry):
            self.entries.append(item)
        else:
            self.settlements.append(item)


class Meter:
    """The books of one process. `clock` gives seconds since the epoch."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float] = time.time,
        *,
        metrics: Metrics | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._metrics = metrics or Metrics()
        self._worker = str(uuid.uuid4())
        self._queue: queue.SimpleQueue[_Entry | _Settlement | None] = queue.SimpleQueue()
        self._heard = float("-inf")

    @property
    def worker(self) -> str:
        """This process, as it is in the table of those that are alive."""
        return self._worker

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write for the time of the block; all that was settled in it is written in the end."""
        thread = threading.Thread(target=self._write, name="meter", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._queue.put(None)
            await asyncio.to_thread(thread.join)

    async def reserve(self, asked: Asked) -> Reservation:
        """Enter a request, durably.

        Raises:
            OverLimit: a limit has no room for it.
            DatabaseError: it can't be entered, and so not be sent.
        """
        answer: asyncio.Future[Reservation] = asyncio.get_running_loop().create_future()
        self._queue.put(_Entry(asked, answer))
        with self._metrics.reserving():
            return await answer

    def settle(self, reservation: Reservation, took: Took) -> None:
        """Say how a request ended; written soon after, or by another process if this is killed."""
        self._queue.put((reservation, took))

    def _tell(self, verdicts: Sequence[tuple[_Entry, _Verdict]]) -> None:
        """From the writing thread: wake those who wait."""
        if verdicts:
            loop = verdicts[0][0].answer.get_loop()
            with contextlib.suppress(RuntimeError):  # it was closed: nobody waits
                loop.call_soon_threadsafe(self._wake, verdicts)

    def _wake(self, verdicts: Sequence[tuple[_Entry, _Verdict]]) -> None:
        for entry, verdict in verdicts:
            if not isinstance(verdict, Reservation):
                if not entry.answer.cancelled():
                    entry.answer.set_exception(verdict)
            elif entry.answer.cancelled():  # who asked has left: it is sent to nobody
                self.settle(verdict, Took("left", 0.0))
            else:
                entry.answer.set_result(verdict)

    def _write(self) -> None:
        batch = _Batch()
        while not batch.is_last:
            self._collect(batch)
            verdicts: list[_Verdict]
            try:
                verdicts = [*self._enter(batch)]
            except DatabaseError as error:
                _log.error("the books can't be written: %s", error)
                self._metrics.books_failed()
                verdicts = [error for _ in batch.entries]
            else:
                batch.settlements.clear()  # else they are for the next transaction
            self._tell([*zip(batch.entries, verdicts, strict=True)])
            batch.entries.clear()

    def _collect(self, batch: _Batch) -> None:
        """Wait until something is to be written, and take all that is there."""
        until = time.monotonic() + _HEARTBEAT_SECONDS
        while not batch.entries and not batch.is_last:
            if batch.settlements:
                until = min(until, time.monotonic() + _TOGETHER_SECONDS)
            try:
                batch.add(self._queue.get(timeout=max(0.0, until - time.monotonic())))
            except queue.Empty:
                break
        with contextlib.suppress(queue.Empty):
            while True:
                batch.add(self._queue.get_nowait())

    def _enter(self, batch: _Batch) -> list[Reservation | OverLimit]:
        now = self._clock()
        beats = now - self._heard >= _HEARTBEAT_SECONDS
        with self._database.writing() as connection:
            if beats:
                books.beat(connection, self._worker, now)
                for id in books.settle_lost(connection, now):
                    _log.warning("request %s was lost with its process: billed as reserved", id)
            books.settle(connection, batch.settlements)
            verdicts = books.reserve(
                connection, [one.asked for one in batch.entries], self._worker, now
            )
        if beats:
            self._heard = now
        return verdicts
