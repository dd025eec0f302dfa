"""A site's metrics, put into the ledger as JSON lines: pieces of seconds, later of a minute."""

import json
from typing import Any

from archipel.ledger import Ledger

_SECONDS = 3.0
_LONGEST_SECONDS = 60.0
_SHARE = 100  # a piece takes at least this part of the run so far: a long run has few thousand

Point = dict[str, Any]


class Metrics:
    """Points that are still to be put."""

    def __init__(self, ledger: Ledger, site: str, session: int) -> None:
        self._ledger = ledger
        self._site = site
        self._session = session
        self._points: list[Point] = []
        self._pieces = 0
        self._next = 0.0
        self._started = float("inf")

    def add(self, *points: Point) -> None:
        """Take points in."""
        self._points += points

    def put(self, now: float, *, all_of_them: bool = False) -> None:
        """Put what is there if it is time, or all of it now."""
        if self._points and (all_of_them or now >= self._next):
            lines = "".join(json.dumps(point) + "\n" for point in self._points)
            self._ledger.put_metrics(self._site, self._session, self._pieces, lines.encode())
            self._points.clear()
            self._pieces += 1
            self._started = min(self._started, now)
            share = (now - self._started) / _SHARE
            self._next = now + min(_LONGEST_SECONDS, max(_SECONDS, share))
