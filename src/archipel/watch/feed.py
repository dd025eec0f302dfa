"""The newest view of a run for whoever asks, and what went wrong at the last look."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from archipel.errors import ArchipelError
from archipel.ledger.view import RunView

log = logging.getLogger(__name__)


class Feed:
    """Holds a view. One thread refreshes, any may read."""

    def __init__(
        self, look: Callable[[], RunView], also: Sequence[Callable[[RunView], object]] = ()
    ) -> None:
        """`look` reads the run; `also` are called with each view, to write files say."""
        self._look = look
        self._also = also
        self.view: RunView | None = None
        self.problem: str | None = None
        self.version = 0  # of the view

    def look(self) -> RunView:
        """Look once.

        Raises:
            ArchipelError: the run can't be read, or a file can't be written.
        """
        view = self._look()
        self.view, self.version = view, self.version + 1
        for act in self._also:
            act(view)
        return view

    def refresh(self) -> None:
        """Look once. Where that fails the last view stays, beside `problem`."""
        try:
            self.look()
        except ArchipelError as error:
            if self.problem is None:
                log.warning("%s Trying again.", error)
            self.problem = str(error)
        else:
            self.problem = None

    async def keep_fresh(self, seconds: float) -> None:
        """Refresh every so many seconds, for ever."""
        while True:
            await asyncio.to_thread(self.refresh)
            await asyncio.sleep(seconds)
