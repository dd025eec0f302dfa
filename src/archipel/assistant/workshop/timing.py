"""How long two versions of code take for the same calls: alternating runs, a median of ratios.

Each run is a fresh process in the sandbox, timed from outside: from the calls' going out to the
right answers' being here. So the gain is told a little too small where the calls are short.
"""

import math
import random
import statistics
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from archipel.assistant.workshop.examples import Answers, ask, differing
from archipel.assistant.workshop.task import Given
from archipel.sandbox.sandbox import Sandbox

Speed = Literal["faster", "slower", "no gain"]

_ENOUGH_SECONDS = 0.03
_MOST_COPIES = 1024
_FEWEST_PAIRS, _MOST_PAIRS = 9, 31  # with nine, one outlier on either side does not count
_NARROW = 0.05
_NARROW_BESIDE = 0.25
_WORTH = 0.05  # less than this either way is no gain
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Timing:
    """Both versions over the same calls. `ratio` is after / before, the median over `pairs` of
    runs, and lies between `low` and `high` with 95 % confidence; `gain` is 1 / ratio. `copies`:
    how often the calls were made in one run, each time by a fresh copy of the module."""

    ratio: float
    low: float
    high: float
    before_seconds: float
    after_seconds: float
    before_peak_bytes: int
    after_peak_bytes: int
    pairs: int
    copies: int
    speed: Speed

    @property
    def gain(self) -> float:
        """How many times as fast the new version is."""
        return 1 / self.ratio


@dataclass
class Pairs:
    """The runs so far, one of each version in a pair."""

    copies: int
    before: list[Answers] = field(default_factory=list)
    after: list[Answers] = field(default_factory=list)

    def timing(self) -> Timing:
        """What they show."""
        seconds = [[run.seconds for run in runs] for runs in (self.before, self.after)]
        ratios = [after / before for before, after in zip(*seconds, strict=True)]
        low, high = median_interval(ratios)
        peaks = [
            int(statistics.median(run.peak_bytes for run in runs))
            for runs in (self.before, self.after)
        ]
        return Timing(
            ratio=statistics.median(ratios),
            low=low,
            high=high,
            before_seconds=statistics.median(seconds[0]) / self.copies,
            after_seconds=statistics.median(seconds[1]) / self.copies,
            before_peak_bytes=peaks[0],
            after_peak_bytes=peaks[1],
            pairs=len(ratios),
            copies=self.copies,
            speed=speed_of(low, high),
        )


@dataclass(frozen=True)
class Difference:
    """The versions do not give the same, or one gives nothing: in words."""

    words: str


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """The smallest and largest that the median of what `values` are drawn from can be, with 95 %
    confidence, from their ranks alone; with fewer than six values, their extremes."""
    ordered = sorted(values)
    count = len(ordered)
    cut, tail = 0, 0.5**count
    while 2 * (tail + math.comb(count, cut + 1) * 0.5**count) <= 1 - _CONFIDENCE:
        cut += 1
        tail += math.comb(count, cut) * 0.5**count
    return ordered[cut], ordered[-1 - cut]


def speed_of(low: float, high: float) -> Speed:
    """What an interval of the ratio after / before means."""
    if high < 1 - _WORTH:
        return "faster"
    return "slower" if low > 1 + _WORTH else "no gain"


async def compare(
    sandbox: Sandbox,
    given: Given,
    versions: tuple[str, str],
    *,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    chance: random.Random,
) -> AsyncGenerator[Timing | Difference]:
    """What is known of the two `versions`' times after each pair of runs; a `Difference` ends it.

    It goes on until the interval is narrow, the pairs are many or the `seconds` are over, but for
    nine pairs at least.

    Raises:
        SandboxError: no program can be started.
    """
    deadline = clock() + seconds
    before, after = versions
    reference = await ask(sandbox, given, before)
    again = await ask(sandbox, given, before)
    if words := reference.trouble or differing(given, reference, again):
        yield Difference(f"the code as it is gives no lasting answer: {words}")
        return
    pairs = Pairs(await _enough_copies(sandbox, given, before, again.seconds))
    while len(pairs.before) < _MOST_PAIRS:
        for version in _in_turn(len(pairs.before)):
            runs, code = ((pairs.before, before), (pairs.after, after))[version]
            told = chance.randrange(pairs.copies)
            run = await ask(sandbox, given, code, copies=pairs.copies, told_copy=told)
            if words := differing(given, reference, run):
                yield Difference(words)
                return
            runs.append(run)
        timing = pairs.timing()
        yield timing
        if timing.pairs >= _FEWEST_PAIRS and (_is_narrow(timing) or clock() > deadline):
            return


def _is_narrow(timing: Timing) -> bool:
    """Whether more pairs would change little: a large gain need not be known to the percent."""
    width = timing.high - timing.low
    return width < max(_NARROW * timing.ratio, _NARROW_BESIDE * abs(1 - timing.ratio))


def _in_turn(pair: int) -> tuple[int, int]:
    """Which version runs first: neither always has the warmer machine."""
    return (0, 1) if pair % 2 == 0 else (1, 0)


async def _enough_copies(sandbox: Sandbox, given: Given, code: str, seconds: float) -> int:
    """How often the calls must be made in a run for the clock to see them."""
    copies = 1
    while seconds < _ENOUGH_SECONDS and copies < _MOST_COPIES and not given.script:
        copies *= 4
        run = await ask(sandbox, given, code, copies=copies)
        if run.trouble:  # too much to load so often
            return copies // 4
        seconds = run.seconds
    return copies
