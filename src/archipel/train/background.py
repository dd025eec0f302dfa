"""What goes on beside training: heartbeats, which nothing may hold up, the exchange, its jobs."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from archipel.errors import IntegrityError, StoreError
from archipel.train.exchange import Exchange
from archipel.train.mailbox import Mailbox

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_JOBS = 4  # that move data at the same time
_READERS = 8  # small requests at the same time
_DAMAGED_LOOKS = 100  # in a row, before a damaged record ends the site


class Readers(ThreadPoolExecutor):
    """A pool that counts the processor time of its jobs."""

    def __init__(self, mailbox: Mailbox, workers: int = _READERS, name: str = "reader") -> None:
        super().__init__(workers, thread_name_prefix=name)
        self._mailbox = mailbox

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` in the pool."""
        return super().submit(counted, self._mailbox, lambda: fn(*args, **kwargs))


class Jobs(Readers):
    """A pool that wakes the exchange, too, when one of its jobs ends."""

    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__(mailbox, _JOBS, "job")

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` in the pool."""
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(lambda _: self._mailbox.look.set())
        return future


def counted(mailbox: Mailbox, fn: Callable[[], T]) -> T:
    """Call `fn`, and count the processor time of this thread meanwhile."""
    began = time.thread_time()
    try:
        return fn()
    finally:
        mailbox.add_cpu_seconds(time.thread_time() - began)


class Background:
    """The threads beside training, from `with` to the end of the block.

    `jobs` move data, `readers` are for small requests; the exchange gets both.
    """

    def __init__(self, exchange: Exchange, mailbox: Mailbox, jobs: Jobs, readers: Readers) -> None:
        self._exchange = exchange
        self._mailbox = mailbox
        self._jobs = jobs
        self._readers = readers
        self._seconds = exchange.spec.heartbeat_seconds
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._guard, args=(self._beat,), name="heartbeat", daemon=True),
            threading.Thread(target=self._guard, args=(self._tick,), name="exchange", daemon=True),
        ]

    def __enter__(self) -> "Background":
        self._exchange.beat("joining")
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._ended.set()
        self._mailbox.look.set()
        self._mailbox.news.set()
        for thread in self._threads:
            thread.join()
        try:
            if kind is None:
                finished = self._mailbox.finished.is_set()
                self._exchange.leave(time.monotonic(), "done" if finished else "left")
        finally:
            self._jobs.shutdown(wait=True, cancel_futures=True)
            self._readers.shutdown(wait=True, cancel_futures=True)

    def check(self) -> None:
        """Raise what ended the exchange, if something did."""
        if self._mailbox.error:
            raise self._mailbox.error

    def _guard(self, once: Callable[[], None]) -> None:
        damaged, trouble = 0, False
        while not self._ended.is_set():
            try:
                counted(self._mailbox, once)
                damaged, trouble = 0, False
            except (StoreError, IntegrityError) as error:
                damaged = damaged + 1 if isinstance(error, IntegrityError) else 0
                if damaged > _DAMAGED_LOOKS:
                    self._mailbox.error = error
                    return
                if not trouble:
                    log.warning("%s Training goes on; trying again.", error)
                trouble = True
                self._ended.wait(self._seconds)
            except Exception as error:  # noqa: BLE001 - training must hear of it, and raises it
                self._mailbox.error = error
                return

    def _beat(self) -> None:
        self._mailbox.news.clear()
        self._exchange.beat()
        self._mailbox.news.wait(self._seconds)

    def _tick(self) -> None:
        self._mailbox.look.clear()
        self._exchange.tick(time.monotonic())
        self._mailbox.look.wait(self._exchange.pause_seconds(time.monotonic()))
