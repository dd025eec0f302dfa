"""How much of a file a model that runs here is given for a suggestion: what it reads while one
waits, by the speed that it has shown. Pure.

What a model has not seen before it reads at the machine's speed: ten thousand characters may take
a tenth of a second, or half a minute.
"""

from dataclasses import dataclass

_ROOMS = (1250, 2500, 5000, 10_000)  # characters
_FIRST = 2500  # while the speed is not known
_SECONDS = 0.25  # for a text that is new
_MARGIN = 1.3  # times, before another room is taken: another beginning is read anew
_TELLS = 800  # characters that are new, below which the time is not that of reading
_NEWEST = 0.3  # that the newest measurement counts


@dataclass(frozen=True)
class Room:
    """Characters: of what the project says, before the place and behind it."""

    told: int
    before: int
    behind: int


@dataclass
class Reading:
    """What a model has shown of its speed, and the text that it was given last."""

    _room: int = _FIRST
    _speed: float | None = None  # characters a second
    _last: str = ""

    def room(self) -> Room:
        """Of the next question."""
        return parted(self._room)

    def took(self, before: str, behind: str, seconds: float, *, came: bool) -> None:
        """The first piece of an answer about these texts came after so many seconds, or had not
        come until then. What stands at the beginning of the last question too is not read again."""
        new = len(before) - _same(before, self._last) + len(behind)
        if came or seconds > _SECONDS:
            self._last = before
            if new >= _TELLS:
                self._learn(new / max(seconds, 1e-3))

    def _learn(self, speed: float) -> None:
        known = speed if self._speed is None else self._speed
        self._speed = known + _NEWEST * (speed - known)
        self._room = _fitting(self._room, _SECONDS * self._speed)


def parted(characters: int) -> Room:
    """A room for so many characters."""
    return Room(told=characters // 5, before=3 * characters // 5, behind=characters // 5)


ALL = parted(_ROOMS[-1])  # for a model elsewhere


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
    pairs = enumerate(zip(text, other, strict=False))
    return next((at for at, (one, two) in pairs if one != two), min(len(text), len(other)))
