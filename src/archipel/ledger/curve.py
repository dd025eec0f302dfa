"""A loss curve of bounded size: means over stretches of tokens that double when they get too many.

Knows nothing about where its points come from.
"""

from dataclasses import dataclass

_STRETCHES = 512
_STRETCHES_OF_ALL = 100  # longer ones, so that each has points of every site


@dataclass(frozen=True)
class CurvePoint:
    """The mean of what one stretch of tokens holds."""

    tokens: float
    time: float
    loss: float


@dataclass
class _Sum:
    weight: float = 0.0
    tokens: float = 0.0
    time: float = 0.0
    loss: float = 0.0

    def add(self, other: "_Sum") -> None:
        self.weight += other.weight
        self.tokens += other.tokens
        self.time += other.time
        self.loss += other.loss


class Curve:
    """Loss by the run's tokens, of each site and of all; the order of points does not matter."""

    def __init__(self, stretch_tokens: int) -> None:
        self._stretch = max(1, stretch_tokens)
        self._sums: dict[str, dict[int, _Sum]] = {}

    def add(self, site: str, *, tokens: int, time: float, loss: float, weight: float) -> None:
        """Take a point in; in its stretch it counts by `weight`, say tokens per second."""
        weight = max(weight, 1e-9)
        while tokens // self._stretch >= _STRETCHES:
            self._double()
        point = _Sum(weight, weight * tokens, weight * time, weight * loss)
        sums = self._sums.setdefault(site, {})
        sums.setdefault(tokens // self._stretch, _Sum()).add(point)

    def of(self, site: str) -> tuple[CurvePoint, ...]:
        """One site's curve, by tokens."""
        return _points(self._sums.get(site, {}))

    def of_all(self) -> tuple[CurvePoint, ...]:
        """The curve of all sites together, smoother."""
        newest = max((max(sums) for sums in self._sums.values()), default=0)
        length = newest // _STRETCHES_OF_ALL + 1
        whole: dict[int, _Sum] = {}
        for sums in self._sums.values():
            for index, found in sums.items():
                whole.setdefault(index // length, _Sum()).add(found)
        return _points(whole)

    def _double(self) -> None:
        self._stretch *= 2
        for site, sums in self._sums.items():
            joined: dict[int, _Sum] = {}
            for index, found in sums.items():
                joined.setdefault(index // 2, _Sum()).add(found)
            self._sums[site] = joined


def _points(sums: dict[int, _Sum]) -> tuple[CurvePoint, ...]:
    return tuple(
        CurvePoint(
            found.tokens / found.weight, found.time / found.weight, found.loss / found.weight
        )
        for _, found in sorted(sums.items())
    )
