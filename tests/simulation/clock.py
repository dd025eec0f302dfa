"""Virtual time: tasks in greenlets, resumed one at a time in the order of their due times.

Knows nothing about stores or sites. A *process* is what a kill ends and a freeze stops; each of its
tasks stands for a thread of the real one, and another task runs only where one waits.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Executor, Future
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

_LONG = 1e6
_LEAST_SECONDS = 1e-6  # of a wait: one that is lost in rounding would be waited again for ever


class Clock:
    """The virtual time, and all that is due."""

    def __init__(self) -> None:
        self.now = 0.0
        self.running: Process
        self.failure: BaseException | None = None  # what a task raised and nobody caught
        self.due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self.count = 0
        self.hub = getcurrent()
        self._stopped = False

    def at(self, when: float, call: Callable[..., None], *arguments: object) -> None:
        """Call something at a time; what is due at the same time goes in the order of asking."""
        self.count += 1
        heapq.heappush(self.due, (when, self.count, call, arguments))

    def after(self, seconds: float, call: Callable[..., None], *arguments: object) -> None:
        """Call something in a while."""
        self.at(self.now + seconds, call, *arguments)

    def run(self, until: float) -> None:
        """Let time pass until `until`, `stop`, or there is nothing left that is due.

        Raises: what a task raised.
        """
        self.hub = getcurrent()
        due = self.due
        while due and due[0][0] <= until and not self._stopped:
            self.now, _, call, arguments = heapq.heappop(due)
            call(*arguments)
            if self.failure:
                raise self.failure

    def stop(self) -> None:
        """End `run` after what runs now."""
        self._stopped = True


class Task:
    """One thread of a process."""

    def __init__(self, process: "Process", function: Callable[[], None]) -> None:
        self.process = process
        self.done = False
        self._clock = process.clock
        self._greenlet = greenlet(self._run, parent=self._clock.hub)
        self._function = function
        self._wake = 0
        self._joiners: list[tuple[Task, int]] = []
        self._clock.at(self._clock.now, self.resume, 0, None)

    def _run(self, *_: object) -> None:
        try:
            self._function()
        except Exception as error:  # noqa: BLE001 - the hub raises it
            self._clock.failure = error
        finally:
            self.done = True
            for task, wake in self._joiners:
                task.resume_at(self._clock.now, wake, None)

    def wait(self) -> Any:
        """From inside: wait for `resume` with the number that `ticket` gave; its value."""
        value = self._clock.hub.switch()
        if isinstance(value, Exception):
            raise value
        return value

    def ticket(self) -> int:
        """From inside: a number for the next wait. Whoever holds an older one can't end it."""
        self._wake += 1
        return self._wake

    def resume_at(self, when: float, wake: int, value: object) -> None:
        """End the wait of that number at a time."""
        clock = self._clock
        clock.count += 1
        heapq.heappush(clock.due, (when, clock.count, self.resume, (wake, value)))

    def resume(self, wake: int, value: object) -> None:
        """From the hub: end the wait of that number, unless it has ended; later where frozen."""
        process = self.process
        if wake != self._wake or self.done or not process.alive:
            return
        if process.frozen_until > self._clock.now:
            self._clock.at(process.frozen_until, self.resume, wake, value)
            return
        self._wake += 1
        process.current = self
        self._clock.running = process
        self._greenlet.switch(value)

    def join(self) -> None:
        """From another task of the process: wait until this one is done."""
        if not self.done:
            current = self.process.current
            self._joiners.append((current, current.ticket()))
            current.wait()

    def throw_away(self) -> None:
        """From the hub: end it as a kill does."""
        if not self.done:
            self._greenlet.throw(GreenletExit)


class Process:
    """Tasks that live, freeze and die together, with a clock of their own."""

    def __init__(self, clock: Clock, name: str, *, rate: float = 1.0, offset: float = 0.0) -> None:
        self.clock = clock
        self.name = name
        self.alive = True
        self.frozen_until = 0.0
        self.away_seconds: float | None = 0.0  # once killed, until it is started again
        self.on_end: Callable[[], None] = lambda: None
        self.current: Task
        self.rate, self._offset = rate, offset
        self._tasks: list[Task] = []

    def monotonic(self) -> float:
        """The time as this process sees it, in seconds."""
        return self._offset + self.rate * self.clock.now

    def spawn(self, function: Callable[[], None]) -> Task:
        """Start a task."""
        self._tasks = [task for task in self._tasks if not task.done]
        task = Task(self, function)
        self._tasks.append(task)
        return task

    def sleep(self, seconds: float) -> None:
        """From a task: wait, by this process's clock."""
        task = self.current
        task.resume_at(self.clock.now + seconds / self.rate, task.ticket(), None)
        task.wait()

    def kill(self) -> None:
        """End all tasks where they are; from one of them, call `die` instead."""
        self.alive = False
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.throw_away()
        self.on_end()

    def die(self) -> None:
        """From a task: kill this process, the task included."""
        self.alive = False
        self.clock.at(self.clock.now, self.kill)
        raise GreenletExit


class Event:
    """`threading.Event` for tasks of one process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._set = False
        self._waiting: list[tuple[Task, int]] = []

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        waiting, self._waiting = self._waiting, []
        for task, wake in waiting:
            task.resume_at(self._process.clock.now, wake, None)

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float) -> bool:
        if not self._set:
            task = self._process.current
            self._waiting = [held for held in self._waiting if held[0] is not task]
            self._waiting.append((task, task.ticket()))
            wake = self._waiting[-1][1]
            seconds = max(timeout, _LEAST_SECONDS) / self._process.rate
            task.resume_at(self._process.clock.now + seconds, wake, None)
            task.wait()
        return self._set


class _Promise(Future[Any]):
    """A future that a task can wait for. Only what is used of one works, and quickly."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._settled: Event | None = None
        self._ended = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Any], object]] = []

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        self._callbacks.append(fn)

    def done(self) -> bool:
        return self._ended

    def settle(self, value: Any, error: BaseException | None = None) -> None:
        self._value, self._error, self._ended = value, error, True
        if self._settled:
            self._settled.set()
        for call in self._callbacks:
            call(self)

    def result(self, timeout: float | None = None) -> Any:
        if error := self.exception():
            raise error
        return self._value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        while not self._ended:
            self._settled = self._settled or Event(self._process)
            self._settled.wait(_LONG)
        return self._error


class Pool(Executor):
    """`ThreadPoolExecutor` for the tasks of one process."""

    def __init__(
        self, process: Process, workers: int, after: Callable[[], None] = lambda: None
    ) -> None:
        """`after` is called whenever a job has ended."""
        self._process = process
        self._idle = workers
        self._after = after
        self._queue: deque[tuple[_Promise, Callable[[], Any]]] = deque()
        self._workers: list[Task] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        promise = _Promise(self._process)
        self._queue.append((promise, lambda: fn(*args, **kwargs)))
        if self._idle:
            self._idle -= 1
            self._workers = [task for task in self._workers if not task.done]
            self._workers.append(self._process.spawn(self._work))
        return promise

    def _work(self) -> None:
        while self._queue:
            promise, job = self._queue.popleft()
            try:
                promise.settle(job())
            except Exception as error:  # noqa: BLE001 - as any executor does
                promise.settle(None, error)
            self._after()
        self._idle += 1

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Any:
        promises = [self.submit(fn, *arguments) for arguments in zip(*iterables, strict=False)]
        return [promise.result() for promise in promises]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            while self._queue:
                self._queue.popleft()[0].settle(None, CancelledError())
        for task in self._workers:
            task.join()
