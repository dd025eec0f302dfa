"""Asks a batch's line as its client would ask it live, until it has an answer that is kept."""

import asyncio
import contextlib
import json
import logging
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from archipel.errors import DatabaseError
from archipel.serve.accounts.access import AccountAccess, LineAccess, Terms
from archipel.serve.accounts.books import Reservation, Took
from archipel.serve.annex import Ask
from archipel.serve.api_error import ApiError
from archipel.serve.batches import queue
from archipel.serve.batches.lines import Line, answered_line
from archipel.serve.batches.queue import Answer, Batch, GivenBack, HasAnswer

_LONGEST_SECONDS = 60.0  # until a line is tried again: by then a limit may be another
_DATABASE_SECONDS = 2.0
_Bill = tuple[Reservation, Took]
_log = logging.getLogger(__name__)


def wait_seconds(error: ApiError, tries: int) -> float | None:
    """When a line that met the error is to be tried again, after so many tries; None if never."""
    said = float((error.headers or {}).get("Retry-After", 0))
    if error.status == 429:  # without a time, it is more than a limit ever has room for
        return min(said, _LONGEST_SECONDS) or None
    if error.status == 503:
        return min(max(said, 2.0**tries), _LONGEST_SECONDS)
    return None


@dataclass(frozen=True)
class _Reply:
    status: int
    body: bytes
    bill: _Bill | None


@dataclass(frozen=True)
class Asking:
    """What lines are asked with. `places` are those that may be asked at once."""

    ask: Ask
    access: AccountAccess
    batch_price_share: float
    places: asyncio.Semaphore
    executor: Executor

    async def answer(self, batch: Batch, line: Line, stop: asyncio.Event) -> None:
        """Ask until the line has its answer, or nothing more is to be asked.

        Raises:
            TakenOver: the batch is another process's.
        """
        tries = 0
        while not stop.is_set():
            async with self.places:
                reply = None if stop.is_set() else await self._ask(batch, line, tries)
            if isinstance(reply, _Reply) and await self._kept(batch, line, reply):
                return
            tries += 1
            if isinstance(reply, float):
                await _pause(stop, reply)

    async def _ask(self, batch: Batch, line: Line, tries: int) -> _Reply | float:
        """What is to be kept, or the seconds until the next try."""
        bills = list[_Bill]()

        def settle(reservation: Reservation, took: Took) -> None:
            if took.outcome == "left":
                self.access.meter.settle(reservation, took)
            else:
                bills.append((reservation, took))

        terms = Terms(settle, batch.id, self.batch_price_share)
        try:
            access = LineAccess(self.access, batch.key, terms)
            body, status = await self.ask(batch.endpoint, line.body, access), 200
        except ApiError as error:
            seconds = wait_seconds(error, tries)
            if seconds is not None:
                self._give_back(*bills)
                return seconds
            body, status = _told(batch, error), error.status
        except Exception:  # noqa: BLE001 -- as a live request, it is 500 and the others go on
            _log.exception("line %d of %s", line.number, batch.id)
            failed = ApiError(500, "The service failed at this line.", "server_error")
            body, status = _told(batch, failed), failed.status
        return _Reply(status, body, bills[0] if bills else None)

    async def _kept(self, batch: Batch, line: Line, reply: _Reply) -> bool:
        """Whether the line has an answer now; if not, it is to be asked again."""
        work = partial(self._keep, batch, line, reply)
        try:
            while True:
                try:
                    await asyncio.get_running_loop().run_in_executor(self.executor, work)
                    return True
                except DatabaseError as error:  # the answer was paid for: it is not thrown away
                    _log.error("line %d of %s waits: %s", line.number, batch.id, error)
                    await asyncio.sleep(_DATABASE_SECONDS)
        except GivenBack:
            return False
        except HasAnswer:
            self._give_back(reply.bill)
            return True
        except BaseException:  # if it is kept after all, there is nothing to give back
            self._give_back(reply.bill)
            raise

    def _keep(self, batch: Batch, line: Line, reply: _Reply) -> None:
        try:
            written = answered_line(batch.id, line, reply.status, reply.body)
            is_right = reply.status == 200
        except (ValueError, RecursionError):
            error = ApiError(502, "The provider's answer is not JSON.", "provider_error")
            written = answered_line(batch.id, line, error.status, _told(batch, error))
            is_right = False
        answer = Answer(line.number, is_right, written, reply.bill)
        with self.access.database.writing() as connection:
            queue.keep(connection, batch, self.access.meter.worker, answer)

    def _give_back(self, bill: _Bill | None = None) -> None:
        if bill:
            self.access.meter.settle(bill[0], Took("left", bill[1].seconds))


def _told(batch: Batch, error: ApiError) -> bytes:
    return json.dumps(error.body_at(batch.endpoint)).encode()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
