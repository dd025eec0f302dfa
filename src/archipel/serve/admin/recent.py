"""What providers gave in each of the last minutes, from counters that only grow."""

import asyncio
import contextlib
import time
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

MINUTES = 15
_LOOK_SECONDS = 10.0

Counts = Mapping[tuple[str, str], float]  # by provider and result
_Look = tuple[float, Counts]


@dataclass
class Recent:
    """Looks at the counters now and then, so that requests do nothing for it. `clock` is monotonic,
    in seconds."""

    counts: Callable[[], Counts]
    clock: Callable[[], float] = time.monotonic
    _looks: deque[_Look] = field(default_factory=deque)

    @contextlib.asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        """For the time of the block."""
        self.look()
        task = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def look(self) -> None:
        """Remember the counters as they are now."""
        now = self.clock()
        self._looks.append((now, self.counts()))
        while self._looks[0][0] < now - (MINUTES + 1) * 60:
            self._looks.popleft()

    def minutes(self) -> Mapping[str, list[dict[str, int]]]:
        """What came of requests to each provider that was asked, by result, for each of the last
        minutes, the oldest first; ten seconds may be counted to the minute beside."""
        looks = [*self._looks, (self.clock(), self.counts())]
        times, now = [at for at, _ in looks], looks[-1][0]
        edges = [
            looks[max(0, bisect_right(times, now - 60 * back) - 1)][1]
            for back in range(MINUTES, -1, -1)
        ]
        found: dict[str, list[dict[str, int]]] = {}
        for place, (before, after) in enumerate(pairwise(edges)):
            for (provider, result), count in after.items():
                if more := round(count - before.get((provider, result), 0)):
                    its = found.setdefault(provider, [{} for _ in range(MINUTES)])
                    its[place][result] = more
        return found

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look()
