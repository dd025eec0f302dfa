"""Which items come in which step, and how a step's items are laid out for the model. Pure.

No two conversations share a row: a causal model then never reads from one into another, and rows of
like lengths together cost less than rows filled up and masked (docs/finetune.md).
"""

import random
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch

from archipel.corpus.answers import NO_TARGET
from archipel.files import sha256_bytes
from archipel.models.shapes import round_up
from archipel.tune.encoding import Example, Item

_PASS_TOKENS = 128  # of so many tokens is the work that a pass more makes, about


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


def cut(items: Sequence[Item], most_tokens: int) -> list[list[Item]]:
    """The items in groups of like lengths, so that padding and passes together cost least. A group
    is of 1, 2, 4, … items, for few shapes, and with its padding has at most `most_tokens` where one
    item alone has no more. All items have as many examples."""
    ordered = sorted(items, key=_longest)
    best = [(0, 0)]  # of the first items: the cost in tokens, and how many the last group has
    for end, item in enumerate(ordered, start=1):
        tokens = len(item.examples) * round_up(_longest(item) - 1)
        most = max(1, min(end, most_tokens // tokens))
        sizes = [1 << power for power in range(most.bit_length())]
        best.append(min((best[end - n][0] + n * tokens + _PASS_TOKENS, n) for n in sizes))
    groups: list[list[Item]] = []
    end = len(ordered)
    while end:
        start = end - best[end][1]
        groups.append(ordered[start:end])
        end = start
    return groups[::-1]


def pad(examples: Sequence[Example], context: int | None) -> MicroBatch:
    """Rows of equal length, which comes again (`round_up`) but is not over a model's `context`.
    What is behind a row's end is read by none of its tokens."""
    longest = max(len(one.ids) for one in examples) - 1
    length = round_up(longest)
    if context is not None:
        length = max(longest, min(length, context))
    x_BT = torch.zeros((len(examples), length), dtype=torch.int64)
    y_BT = torch.full((len(examples), length), NO_TARGET)
    for row, one in enumerate(examples):
        ids = torch.from_numpy(one.ids).long()
        wanted = torch.from_numpy(one.learnt)
        x_BT[row, : len(ids) - 1] = ids[:-1]
        y_BT[row, : len(ids) - 1] = torch.where(wanted[1:], ids[1:], NO_TARGET)
    return MicroBatch(x_BT, y_BT)


@lru_cache(maxsize=1)
def _order(items: int, seed: int, epoch: int) -> list[int]:
    order = list(range(items))
    random.Random(f"{seed} {epoch}").shuffle(order)
    return order


def _longest(item: Item) -> int:
    return max(len(one.ids) for one in item.examples)
