"""What spares a provider that fails, and what keeps retries from adding to its load. Pure.

The circuit breaker is Nygard's ("Release It!", 2007), the retry budget Finagle's.
"""

from dataclasses import dataclass, replace
from typing import Literal

_FAILURES = 5  # in a row
_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True)
class Breaker:
    """Open after some failures in a row: then one request in a while probes, the rest go elsewhere.

    Times are seconds of one monotonic clock.
    """

    failures: int = 0  # in a row
    pauses: int = 0  # in a row; 0: closed
    until: float = 0.0
    probing: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it is left alone but for probes."""
        return self.pauses > 0

    def admits(self, now: float) -> bool:
        """Whether a request may go there."""
        return not self.is_open or (now >= self.until and not self.probing)

    def state(self, now: float) -> Literal["closed", "open", "half_open"]:
        """Half open: one request may find out, or is just finding out, whether it is well again."""
        if not self.is_open:
            return "closed"
        return "half_open" if now >= self.until else "open"

    def begun(self) -> "Breaker":
        """After a request has gone there; on an open breaker it is the probe."""
        return replace(self, probing=self.is_open)

    def succeeded(self) -> "Breaker":
        """After an answer has begun."""
        return Breaker()

    def failed(self, now: float) -> "Breaker":
        """After a request got no answer. What was under way when it opened counts no more."""
        failures = self.failures + 1
        if self.is_open and not self.probing:
            return self
        if not self.is_open and failures < _FAILURES:
            return replace(self, failures=failures)
        pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**self.pauses)
        return Breaker(failures, self.pauses + 1, now + pause)

    def abandoned(self) -> "Breaker":
        """After a request was given up for reasons that say nothing about the provider."""
        return replace(self, probing=False)


@dataclass(frozen=True)
class RetryBudget:
    """Requests beyond the first for each question: a share of the questions, and a burst."""

    share: float
    burst: float
    left: float

    def asked(self) -> "RetryBudget":
        """After a first request."""
        return replace(self, left=min(self.burst, self.left + self.share))

    def spent(self) -> "RetryBudget | None":
        """After one more request for the same question; None: it may not be sent."""
        return replace(self, left=self.left - 1) if self.left >= 1 else None
