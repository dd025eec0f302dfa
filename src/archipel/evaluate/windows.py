"""Pieces of text on which two forms of a model are compared, token by token. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from archipel.errors import ModelError

Losses = Sequence[Sequence[float | None]]  # nats of each token that counts, window by window


@dataclass(frozen=True)
class Window:
    """A piece of text in tokens, read on its own; those from number `counted` on count, which is
    not before the second."""

    ids: Sequence[int]
    counted: int = 1


def cut_windows(ids: Sequence[int], length: int, tokens: int) -> list[list[int]]:
    """About `tokens` of a text in pieces of `length`, spread evenly over it."""
    there = len(ids) // length
    wanted = min(there, math.ceil(tokens / length))
    if wanted == 0:
        return [list(ids)]
    starts = [number * there // wanted * length for number in range(wanted)]
    return [list(ids[start : start + length]) for start in starts]


@dataclass(frozen=True)
class Rise:
    """What changed from one form of a model to another, over the tokens that both tell of.

    `percent` is that of the mean loss; `error` is two standard errors of it, tokens being taken as
    independent.
    """

    before: float  # nats per token
    after: float
    percent: float
    error: float
    tokens: int


def compare(before: Losses, after: Losses) -> Rise:
    """The rise between two measurements of the same windows.

    Raises:
        ModelError: no token is told by both.
    """
    pairs = [
        (first, second)
        for row, other in zip(before, after, strict=True)
        for first, second in zip(row, other, strict=True)
        if first is not None and second is not None
    ]
    if not pairs:
        raise ModelError("no token of the text could be measured. Give another with --text FILE")
    count = len(pairs)
    old = math.fsum(first for first, _ in pairs) / count
    new = math.fsum(second for _, second in pairs) / count
    spread = math.fsum((second - first - new + old) ** 2 for first, second in pairs) / count
    scale = 100 / max(old, 1e-9)
    return Rise(old, new, scale * (new - old), scale * 2 * math.sqrt(spread / count), count)
