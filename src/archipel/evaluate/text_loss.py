"""How likely a checkpoint holds a text, token by token, and how another form of it compares."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from archipel.errors import ModelError

Windows = Sequence[Sequence[int]]  # pieces of text in tokens, each read on its own
Losses = Sequence[Sequence[float | None]]  # nats of each token after a window's first


def cut_windows(ids: Sequence[int], length: int, tokens: int) -> list[list[int]]:
    """About `tokens` of a text in windows of `length`, spread evenly over it."""
    there = len(ids) // length
    wanted = min(there, math.ceil(tokens / length))
    if wanted == 0:
        return [list(ids)]
    starts = [number * there // wanted * length for number in range(wanted)]
    return [list(ids[start : start + length]) for start in starts]


@torch.no_grad()
def token_losses(model: PreTrainedModel, windows: Windows) -> list[list[float]]:
    """The loss of each token but a window's first, in nats, computed in the model's own type.

    Raises:
        ModelError: the model gives something that is not a number.
    """
    model.eval()
    found = []
    for window in windows:
        ids = torch.tensor([window], device=model.device)
        logits = model(input_ids=ids, use_cache=False).logits[0, :-1].float()
        losses = cross_entropy(logits, ids[0, 1:], reduction="none")
        if not torch.isfinite(losses).all():
            raise ModelError(
                "the checkpoint's loss is not a finite number: its weights are damaged, or its "
                "training went astray. Export an earlier state of it"
            )
        found.append(losses.tolist())
    return found


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
