"""What a site on paper works with: executors that run each job at once or later, and no model."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, ParamSpec, TypeVar

from archipel.ledger import Range
from archipel.train.fragments import Vector
from archipel.train.state import GlobalState

P = ParamSpec("P")
T = TypeVar("T")


def no_witness(state: GlobalState, fragment: int, ranges: Sequence[Range]) -> Vector:
    raise AssertionError("fragments as short as those on paper are not judged")


class Inline(Executor):
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - what `result()` then raises
            future.set_exception(error)
        return future


class Later(Inline):
    """Runs jobs only when it is told to, as if each took some time."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Future[Any], Callable[[], Future[Any]]]] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        self._waiting.append((future, partial(super().submit, fn, *args, **kwargs)))
        return future

    def run(self) -> None:
        """Run what was submitted so far."""
        waiting, self._waiting = self._waiting, []
        for future, run in waiting:
            done = run()
            if error := done.exception():
                future.set_exception(error)
            else:
                future.set_result(done.result())
