"""Pairs of answers as rows of a corpus, and out of them again.

A row is a margin and two conversations, the chosen one first. The margin, by how much the model at
the start holds the chosen answer likelier, is fp32 in two halves of 16 bits, which have room where
tokens stand; a conversation is filled up with the token that ends an answer.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from archipel.corpus import Preferences
from archipel.corpus.answers import Answers
from archipel.corpus.manifest import MARGIN_TOKENS
from archipel.tune.encoding import Example, Item

PAIRS = "pairs"  # the module of a model that learns from such rows


class Pairs(nn.Module):
    """How a corpus's rows are read, as a part of the model that learns from them: so it says what
    it learns from. It has no parameters, and is on no device."""

    def __init__(self, preferences: Preferences) -> None:
        super().__init__()
        self.preferences = preferences

    def read(self, rows_BT: torch.Tensor) -> tuple[list[Item], torch.Tensor]:
        """The pairs of rows, int64 [B, T] in host memory, and their margins at the start, fp32 [B].

        In a row of one token all along nothing is learnt.
        """
        whole = rows_BT.numpy()
        bits_B = whole[:, 0] << 16 | whole[:, 1]
        margins_B = torch.from_numpy(bits_B.astype(np.uint32).view(np.float32))
        shape = (len(whole), 2, self.preferences.context)
        sides_BST = whole[:, MARGIN_TOKENS:].reshape(shape)
        return [_item(sides, self.preferences.answers) for sides in sides_BST], margins_B


def pair_row(item: Item, margin: float, preferences: Preferences) -> npt.NDArray[np.int64]:
    """A pair as a row, [row_tokens]; `margin` is that at the start, nats."""
    bits = int(np.float32(margin).view(np.uint32))
    row = np.full(preferences.row_tokens, preferences.answers.end, np.int64)
    row[:MARGIN_TOKENS] = bits >> 16, bits & 0xFFFF
    for side, one in enumerate(item.examples):
        first = MARGIN_TOKENS + side * preferences.context
        row[first : first + len(one.ids)] = one.ids
    return row


def _item(sides: npt.NDArray[np.int64], answers: Answers) -> Item:
    """Of the chosen and the rejected, [2, context], each without what only fills it up."""
    examples = []
    for side in sides:
        before_end = len(np.trim_zeros(side - answers.end, "b"))
        ids = side[: before_end + 1]
        examples.append(Example(ids.astype(np.int32), answers.learnt_last(ids)))
    return Item("", tuple(examples))
