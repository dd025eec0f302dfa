"""Which models leave memory: for another that needs room, or because nobody asks them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Held:
    """A model in memory. Times are monotonic seconds."""

    name: str
    size: int  # bytes
    used: float  # when its last answer ended
    busy: bool = False
    pinned: bool = False
    idle_seconds: float | None = None  # after which it leaves; None: it stays


def to_unload(held: Sequence[Held], need: int, budget: int | None) -> list[str] | None:
    """Those that leave so that `need` bytes have room, least recently used first; None if the rest
    is busy or pinned and leaves too little."""
    if budget is None:
        return []
    free = budget - sum(one.size for one in held)
    leaving = []
    for one in sorted(held, key=lambda one: one.used):
        if free >= need:
            break
        if not (one.busy or one.pinned):
            leaving.append(one.name)
            free += one.size
    return leaving if free >= need else None


def idle(held: Sequence[Held], now: float) -> list[str]:
    """Those that nobody has asked for as long as they stay."""
    return [
        one.name
        for one in held
        if not (one.busy or one.pinned)
        and one.idle_seconds is not None
        and now - one.used >= one.idle_seconds
    ]
