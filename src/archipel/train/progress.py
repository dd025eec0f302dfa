"""How training is getting on: steps, tokens, mean loss, speed and pauses of the last seconds."""

from collections import deque
from dataclasses import dataclass, field

_RATE_SECONDS = 10.0
_METRICS_SECONDS = 1.0


@dataclass
class Progress:
    """Counted from the start of this process. Times are monotonic seconds, passed in."""

    batch_tokens: int
    step: int = 0
    mean_loss: float = 0.0
    _steps: deque[tuple[float, float]] = field(default_factory=deque)  # begun, ended
    _longest_pause: float = 0.0
    _next_point: float = 0.0

    def note(
        self, began: float, ended: float, wall: float, loss: float
    ) -> dict[str, float | int | str] | None:
        """Count a step; a metrics point when one is due. `wall` is the time of day for it."""
        weight = max(1 / (self.step + 1), 0.05)
        self.mean_loss += weight * (loss - self.mean_loss)
        self.step += 1
        if self._steps:
            self._longest_pause = max(self._longest_pause, ended - self._steps[-1][1])
        self._steps.append((began, ended))
        while ended - self._steps[0][1] > _RATE_SECONDS:
            self._steps.popleft()
        if ended < self._next_point:
            return None
        self._next_point = ended + _METRICS_SECONDS
        pause, self._longest_pause = self._longest_pause, 0.0
        return {
            "time": round(wall, 3),
            "step": self.step,
            "tokens": self.tokens,
            "loss": self.mean_loss,
            "tokens_per_second": self.tokens_per_second,
            "busy": self.busy,
            "longest_pause_seconds": pause,
        }

    @property
    def tokens(self) -> int:
        """Tokens trained by this process."""
        return self.step * self.batch_tokens

    @property
    def step_seconds(self) -> float:
        """From the end of a step to the end of the next, on average."""
        steps = self._steps
        return (steps[-1][1] - steps[0][1]) / (len(steps) - 1) if len(steps) > 1 else 0.0

    @property
    def busy(self) -> float:
        """The share of the last seconds that went into inner steps."""
        steps = self._steps
        if len(steps) < 2:
            return 0.0
        inside = sum(ended - began for began, ended in list(steps)[1:])
        return inside / (steps[-1][1] - steps[0][1])

    @property
    def tokens_per_second(self) -> float:
        """The present speed."""
        return self.batch_tokens / self.step_seconds if self.step_seconds else 0.0
