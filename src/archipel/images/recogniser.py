"""Who looks at what a model has painted: a small convolutional network that knows real pictures.

Shapes: B pictures, S pixels of a side, K kinds of things.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from archipel.images.varying import lit, moved, noisy
from archipel.models.precision import autocast

_BATCH = 128
_RATE = 2e-3
_FEATURES = 256
_SIDE = 32  # pixels: what a thing is shows in few

Pixels = npt.NDArray[np.uint8]  # [B, S, S, 3]


class Recogniser(nn.Module):
    """Pictures, fp32 [B, 3, 32, 32] in -1..1 → features [B, 256] → things [B, K]."""

    def __init__(self, kinds: int) -> None:
        super().__init__()
        widths, layers = (3, 32, 64, 128), list[nn.Module]()
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.GELU(), nn.BatchNorm2d(after)]
            layers += [nn.MaxPool2d(2)]
        self.look = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(128 * 16, _FEATURES), nn.GELU(), nn.Dropout(0.2)
        )
        self.name = nn.Linear(_FEATURES, kinds)

    def forward(self, x_B3SS: torch.Tensor) -> torch.Tensor:
        """How likely each thing is, as logits [B, K]."""
        found: torch.Tensor = self.name(self.look(x_B3SS))
        return found


def train_recogniser(
    pixels: Pixels,
    kinds: Sequence[int],
    epochs: int,
    *,
    seed: int = 0,
    show: Callable[[int, int], None] = lambda done, count: None,
) -> Recogniser:
    """Learn the real pictures, each of the thing with this number, moved, turned, scaled, in other
    light and with noise; `show` hears of each epoch."""
    torch.manual_seed(seed)
    model = Recogniser(max(kinds) + 1)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pictures, names = _inputs(pixels), torch.tensor(kinds)
    steps = epochs * -(-len(pictures) // _BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: 0.02 + 0.49 * (1 + math.cos(math.pi * step / steps))
    )
    model.train()
    for epoch in range(epochs):
        for batch in torch.randperm(len(pictures)).split(_BATCH):
            with autocast(pictures.device):
                logits_BK = model(_varied(pictures[batch]))
            cross_entropy(logits_BK.float(), names[batch], label_smoothing=0.1).backward()
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()
        show(epoch + 1, epochs)
    model.eval()
    return model


@torch.no_grad()
def recognised(model: Recogniser, pixels: Pixels, kinds: Sequence[int], most: int) -> float:
    """The share of the pictures whose thing is among the `most` likeliest."""
    likeliest = model(_inputs(pixels)).topk(most, dim=1).indices
    return float((likeliest == torch.tensor(kinds).unsqueeze(1)).any(1).float().mean())


@torch.no_grad()
def frechet_distance(model: Recogniser, one: Pixels, other: Pixels) -> float:
    """How far two sets of pictures are apart in what the recogniser sees: of the Gaussians with
    their features' means and covariances (as FID, Heusel et al. 2017, arXiv 1706.08500, but by this
    small network: to be compared with nothing but itself)."""
    seen = [model.look(_inputs(pixels)).double() for pixels in (one, other)]
    (m1, c1), (m2, c2) = [(features.mean(0), features.T.cov()) for features in seen]
    values = torch.linalg.eigvals(c1 @ c2).real.clamp(min=0)
    trace = c1.trace() + c2.trace() - 2 * values.sqrt().sum()
    return float((m1 - m2).square().sum() + trace)


def varied(pixels: Pixels, seed: int) -> Pixels:
    """The pictures as the recogniser is shown them while it learns, uint8 [B, 32, 32, 3]."""
    torch.manual_seed(seed)
    changed = (_varied(_inputs(pixels)).clamp(-1, 1) + 1) * 127.5
    return changed.permute(0, 2, 3, 1).round().byte().numpy()


def _inputs(pixels: Pixels) -> torch.Tensor:
    """[B, 3, 32, 32] in -1..1: each pixel the mean of those that it stands for."""
    x_B3SS = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    return nn.functional.interpolate(x_B3SS, size=(_SIDE, _SIDE), mode="area")


def _varied(x_B3SS: torch.Tensor) -> torch.Tensor:
    seen = moved(x_B3SS, scale=(0.9, 1.15), turn=0.15, shift=0.12)
    return noisy(lit(seen, (0.8, 1.2)), 0.25)
