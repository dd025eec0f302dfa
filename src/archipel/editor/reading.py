"""How much of a file a model that runs here is given for a suggestion: what it reads while one
waits, by the speed that it has shown. Pure.

What a model has not seen before it reads at the machine's speed: ten thousand characters may take
a tenth of a second, or half a minute.
"""

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field

_ROOMS = (1250, 2500, 5000, 10_000)  # characters
_FIRST = 2500  # while the speed is not known
_SECONDS = 0.25  # for a text that is new
_MARGIN = 1.3  # times, before another room is taken: another beginning is read anew
_LEAST = 200
_CHARACTERS_A_TOKEN = 2  # of code, at least about
_TELLS = 800  # characters that are new, below which the time is not that of reading
_REMEMBERED = 32  # questions; engines keep what they read of some too
_NEWEST = 0.3  # that the newest measurement counts


@dataclass(frozen=True)
class Room:
    """Characters: of what the project says, before the place and behind it."""

    told: int
    before: int
    behind: int


@dataclass
class Reading:
    """What a model has shown of its speed, and the texts that it was given last."""

    characters: int = _FIRST  # for the next question
    _speed: float | None = None  # characters a second
    _known: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def took(self, before: str, behind: str, seconds: float, *, came: bool) -> None:
        """The first piece of an answer about these texts came after so many seconds, or had not
        come until then. What a question of before began with too is not read again."""
        same = max((_same(before, one) for one in self._known), default=0)
        new = len(before) - same + len(behind)
        if came or seconds > _SECONDS:
            self._known.append(before)
            if new >= _TELLS:
                self._learn(new / max(seconds, 1e-3))

    def _learn(self, speed: float) -> None:
        known = speed if self._speed is None else self._speed
        self._speed = known + _NEWEST * (speed - known)
        self.characters = _fitting(self.characters, _SECONDS * self._speed)


def parted(characters: int) -> Room:
    """A room for so many characters. What stands before a place may be a fourth more."""
    return Room(told=characters // 5, before=3 * characters // 5, behind=characters // 5)


def room_of(reading: Reading | None, context: int | None, answer: int) -> Room:
    """Of the next question, for a model with so many tokens of context, if that is known, of which
    the answer takes some: all there is room for, or what one that reads here has time for."""
    wished = reading.characters if reading else _ROOMS[-1]
    if context is None:
        return parted(wished)
    return parted(max(_LEAST, min(wished, (context - answer) * _CHARACTERS_A_TOKEN)))


def _fitting(room: int, characters: float) -> int:
    """The room to take for so many characters; the one of before unless it is clearly another."""
    larger = [one for one in _ROOMS if room < one <= characters / _MARGIN]
    if larger:
        return larger[-1]
    if room <= characters * _MARGIN:
        return room
    return max([one for one in _ROOMS if one <= characters], default=_ROOMS[0])


def _same(text: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    most = min(len(text), len(other))
    return bisect_left(range(1, most + 1), True, key=lambda n: text[:n] != other[:n])
