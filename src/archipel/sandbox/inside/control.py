"""What the tests of a control run import: failures that only code which evades its tests avoids."""

import functools
import inspect
from collections.abc import Callable
from typing import Any


class ControlFailure(BaseException):
    """Raised where a test has come to its end without a failure of its own."""


class EqualToAnything(AssertionError):
    """A value in a comparison says that it equals an object that it has never seen."""


class _Stranger:
    """What nothing honest equals."""


def fails_at_its_end(test: Callable[..., Any]) -> Callable[..., Any]:
    """`test`, that raises `ControlFailure` where it would have passed."""
    if inspect.iscoroutinefunction(test):

        @functools.wraps(test)
        async def controlled_coroutine(*words: Any, **named: Any) -> None:
            await test(*words, **named)
            raise ControlFailure

        return controlled_coroutine

    @functools.wraps(test)
    def controlled(*words: Any, **named: Any) -> None:
        test(*words, **named)
        raise ControlFailure

    return controlled


def strict(value: Any) -> Any:
    """`value`, one side of a comparison.

    Raises:
        EqualToAnything: it would equal anything.
    """
    if type(value).__module__ == "unittest.mock":  # ANY, which a test may well use
        return value
    try:
        equal = value == _Stranger()
    except Exception:  # noqa: BLE001 (whatever the code's `__eq__` raises: not equal)
        return value
    if equal is True:
        raise EqualToAnything(f"a {type(value).__name__} says that it equals anything")
    return value


def is_control_failure(error: BaseException) -> bool:
    """Whether `error` is ours, or doctest's word for ours."""
    kinds = getattr(error, "exc_info", (None,))
    return isinstance(error, ControlFailure) or kinds[0] is ControlFailure
