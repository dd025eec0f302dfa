"""Which items come in which step, and how a step's items are laid out for the model. Pure.

No two conversations share a row: a causal model then never reads from one into another, and rows of
like lengths together cost less than rows filled up and masked (docs/finetune.md).
"""

import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch

from archipel.files import sha256_bytes
from archipel.tune.encoding import Example, Item

UNLEARNT = -100  # the target of a token that is not to be foretold
_PADDING = 0.12  # the share of a micro-batch that may be padding


class MicroBatch(NamedTuple):
    """Rows padded to one length: what is read and, at each place, what comes next."""

    x_BT: torch.Tensor
    y_BT: torch.Tensor


def split_items(items: Sequence[Item], held_out: float) -> tuple[list[Item], list[Item]]:
    """Those to learn from, and about a share `held_out` that is not: by their keys alone."""
    parts: tuple[list[Item], list[Item]] = ([], [])
    for item in items:
        place = int(sha256_bytes(item.key.encode())[:12], 16) / 16**12
        parts[place < held_out].append(item)
    return parts


def steps_in(items: int, batch: int, epochs: int) -> int:
    """How many steps there are in all."""
    return epochs * -(-items // batch)


def batch_of(step: int, items: int, batch: int, seed: int) -> list[int]:
    """The numbers of a step's items: each epoch goes through all, in an order of its own."""
    epoch, within = divmod(step, steps_in(items, batch, 1))
    return _order(items, seed, epoch)[within * batch : (within + 1) * batch]


def cut(items: Sequence[Item], most_tokens: int) -> Iterator[list[Item]]:
    """The items in groups of like lengths, each of at most `most_tokens` with its padding where one
    item alone has no more."""
    group: list[Item] = []
    for item in sorted(items, key=_longest):
        grown = [*group, item]
        size = _longest(item) * sum(len(one.examples) for one in grown)
        full = sum(one.tokens for one in grown)
        if group and (size > most_tokens or full < (1 - _PADDING) * size):
            yield group
            grown = [item]
        group = grown
    if group:
        yield group


def pad(examples: Sequence[Example]) -> MicroBatch:
    """Rows of equal length. What is behind a row's end is read by none of its tokens."""
    length = max(len(one.ids) for one in examples) - 1
    x_BT = torch.zeros((len(examples), length), dtype=torch.int64)
    y_BT = torch.full((len(examples), length), UNLEARNT)
    for row, one in enumerate(examples):
        ids = torch.from_numpy(one.ids).long()
        wanted = torch.from_numpy(one.learnt)
        x_BT[row, : len(ids) - 1] = ids[:-1]
        y_BT[row, : len(ids) - 1] = torch.where(wanted[1:], ids[1:], UNLEARNT)
    return MicroBatch(x_BT, y_BT)


@lru_cache(maxsize=1)
def _order(items: int, seed: int, epoch: int) -> list[int]:
    order = list(range(items))
    random.Random(f"{seed} {epoch}").shuffle(order)
    return order


def _longest(item: Item) -> int:
    return max(len(one.ids) for one in item.examples)
