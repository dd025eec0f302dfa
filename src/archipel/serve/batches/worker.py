"""Works through batches: takes those that nobody works on, and has each line asked.

What is durable, and in which order, is `queue.py`'s.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from archipel.errors import ArchipelError, DatabaseError, IntegrityError
from archipel.serve.accounts.access import AccountAccess
from archipel.serve.annex import Ask
from archipel.serve.api_error import ApiError
from archipel.serve.batches import queue
from archipel.serve.batches.asking import Asking
from archipel.serve.batches.files import Files
from archipel.serve.batches.finishing import Finishing, lines_of
from archipel.serve.batches.lines import Checked, Line, Problem, check, split
from archipel.serve.batches.queue import Batch, TakenOver

_LOOK_SECONDS = 1.0
_AT_ONCE = 32  # batches, in a process: one that waits for a limit does not hold up the others
_SWEEP_SECONDS = 600.0
_AGAIN_SECONDS = 5.0  # after what went wrong with a batch
_THREADS = 4
_Result = TypeVar("_Result")
_Off = Callable[[Callable[[], Line | None]], Awaitable[Line | None]]
_log = logging.getLogger(__name__)


@dataclass
class _Course:
    """A batch on its way. `stop`: no more lines are asked."""

    task: asyncio.Task[None]
    stop: asyncio.Event


@dataclass
class Worker:
    """Works through the batches of one process, `parallel` lines at once."""

    files: Files
    access: AccountAccess
    parallel: int
    batch_price_share: float
    _courses: dict[str, _Course] = field(default_factory=dict)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _executor: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_THREADS, "batches")
    )

    def __post_init__(self) -> None:
        access = self.access
        self._finishing = Finishing(access.database, self.files, access.meter.worker, access.clock)

    def wake(self) -> None:
        """There may be something to do: do not wait for the next look."""
        self._woken.set()

    def stop(self, id: str) -> None:
        """A batch was cancelled: if it is this process's, no more of its lines are asked."""
        if id in self._courses:
            self._courses[id].stop.set()
        self.wake()

    @contextlib.asynccontextmanager
    async def working(self, ask: Ask) -> AsyncIterator[None]:
        """Work for the time of the block. What is not done then is others' to take."""
        places = asyncio.Semaphore(self.parallel)
        asking = Asking(ask, self.access, self.batch_price_share, places, self._executor)
        tasks = [asyncio.create_task(self._look(asking)), asyncio.create_task(self._sweep())]
        try:
            yield
        finally:
            tasks += [course.task for course in self._courses.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            try:
                await self._off(self._leave)
            except DatabaseError as error:
                _log.error("batches are taken up a minute late: %s", error)
            self._executor.shutdown(wait=False, cancel_futures=True)

    async def _look(self, asking: Asking) -> None:
        while True:
            self._woken.clear()
            try:
                self._follow(await self._off(self._taken), asking)
            except DatabaseError as error:
                _log.error("can't see which batches there are: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), _LOOK_SECONDS)

    def _taken(self) -> list[Batch]:
        database, worker = self.access.database, self.access.meter.worker
        with database.reading() as connection:
            mine, some_wait = queue.taken(connection, worker), queue.some_wait(connection)
        room = _AT_ONCE - len(mine)
        if not some_wait or room <= 0:
            return mine
        with database.writing() as connection:
            queue.take(connection, worker, room, self.access.clock())
            return queue.taken(connection, worker)

    def _leave(self) -> None:
        with self.access.database.writing() as connection:
            queue.leave(connection, self.access.meter.worker)

    def _follow(self, mine: list[Batch], asking: Asking) -> None:
        """Begin what is new, end what is no longer to be asked or no longer this process's."""
        for batch in mine:
            if batch.id not in self._courses:
                self._begin(batch, asking)
            stop = self._courses[batch.id].stop
            if batch.status == "cancelling" or self._is_over(batch, stop):
                stop.set()
        for id in self._courses.keys() - {batch.id for batch in mine}:
            self._courses[id].task.cancel()

    def _begin(self, batch: Batch, asking: Asking) -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(self._course(batch, stop, asking))
        self._courses[batch.id] = _Course(task, stop)

        def ended(_: object) -> None:
            del self._courses[batch.id]
            self.wake()

        task.add_done_callback(ended)

    async def _course(self, batch: Batch, stop: asyncio.Event, asking: Asking) -> None:
        """One stage of a batch; the next look begins the next one."""
        await asyncio.sleep(0)  # until who began it has said whether it is to stop
        try:
            if batch.status == "validating" and not stop.is_set():
                await self._off(partial(self._check, batch))
            elif batch.status in ("validating", "in_progress"):
                await self._ask_lines(batch, stop, asking)
            else:
                await self._off(partial(self._finishing.finish, batch))
        except TakenOver as error:
            _log.info("%s", error)
        except ArchipelError as error:
            _log.error("%s is tried again: %s", batch.id, error)
            await asyncio.sleep(_AGAIN_SECONDS)
        except Exception:  # noqa: BLE001 -- of one batch; the others go on
            _log.exception("%s is tried again", batch.id)
            await asyncio.sleep(_AGAIN_SECONDS)

    def _check(self, batch: Batch) -> None:
        try:
            file = self.files.find_input(batch.project, batch.input_file)
            found = check(split(self.files.pieces(file)), batch.endpoint)
        except (ApiError, IntegrityError) as error:
            found = Checked(0, (_unreadable(batch, error),))
        with self.access.database.writing() as connection:
            queue.checked(connection, batch, self.access.meter.worker, found, self.access.clock())

    async def _ask_lines(self, batch: Batch, stop: asyncio.Event, asking: Asking) -> None:
        problem = None
        if batch.status == "in_progress":
            lines = _Source(
                lines_of(self.files, batch, await self._off(partial(self._done, batch)))
            )
            try:
                await self._side_by_side(batch, lines, stop, asking)
            except (ApiError, IntegrityError) as error:
                problem = _unreadable(batch, error)
        await self._off(partial(self._finalize, batch, problem))

    async def _side_by_side(
        self, batch: Batch, lines: "_Source", stop: asyncio.Event, asking: Asking
    ) -> None:
        async def some() -> None:
            while not self._is_over(batch, stop) and (line := await lines.next(self._off)):
                await asking.answer(batch, line, stop)

        tasks = [asyncio.create_task(some()) for _ in range(self.parallel)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _is_over(self, batch: Batch, stop: asyncio.Event) -> bool:
        if self.access.clock() >= batch.expires:
            stop.set()
        return stop.is_set()

    def _done(self, batch: Batch) -> set[int]:
        with self.access.database.reading() as connection:
            return queue.answered(connection, batch.id)

    def _finalize(self, batch: Batch, problem: Problem | None) -> None:
        worker, now = self.access.meter.worker, self.access.clock()
        with self.access.database.writing() as connection:
            queue.finalize(connection, batch, worker, problem, now)

    async def _sweep(self) -> None:
        while True:
            try:
                await self._off(self.files.sweep)
            except ArchipelError as error:
                _log.error("files whose time is over stay for now: %s", error)
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _off(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


class _Source:
    """Lines of an input file for several who ask."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._lock = asyncio.Lock()

    async def next(self, off: _Off) -> Line | None:
        async with self._lock:
            return await off(lambda: next(self._lines, None))


def _unreadable(batch: Batch, error: Exception) -> Problem:
    _log.error("the input of %s: %s", batch.id, error)
    message = f"The input file {batch.input_file} is gone or was altered where it is kept."
    return Problem("input_file_unreadable", message)
