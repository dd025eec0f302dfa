"""How long a stream may bring nothing."""

import asyncio
import math
from collections.abc import Callable


class Silence:
    """Calls `then` once if a silence is longer than `seconds`.

    One timer looks at the clock now and then: a new one for each piece of a stream costs as much as
    to read the piece.
    """

    def __init__(self, seconds: float, then: Callable[[], None]) -> None:
        self.was_too_long = False
        self._seconds, self._then = seconds, then
        self._loop = asyncio.get_running_loop()
        self._since = math.inf  # or when the silence began
        self._timer = self._loop.call_later(seconds, self._look)

    def begins(self) -> None:
        """Something is waited for."""
        self._since = self._loop.time()

    def ends(self) -> None:
        """It has come."""
        self._since = math.inf

    def stop(self) -> None:
        """Nothing will be waited for any more."""
        self._timer.cancel()

    def _look(self) -> None:
        left = self._since + self._seconds - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(min(left, self._seconds), self._look)
        else:
            self.was_too_long = True
            self._then()
