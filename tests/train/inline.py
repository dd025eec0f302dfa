"""What a site on paper works with: an executor that runs each job at once, and no model."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

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
