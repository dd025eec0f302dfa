"""Networks that tell things in pictures apart, without words: convolutions, which learn it from few
pictures, and the vision transformer of a model that sees, which learns it from them
(docs/decisions/0020).

Shapes: B pictures, S pixels of a side, W values of a picture's features, K things.
"""

import itertools

import torch
from torch import nn
from torch.nn.functional import normalize, relu
from transformers import SiglipVisionConfig, SiglipVisionModel

from archipel.models.precision import autocast

_WIDTHS = (48, 96, 192, 384)  # of the residual network's stages
_SHARPNESS = 3.0  # natural logarithm of what cosines are multiplied by, before anything is learnt


class Convolutions(nn.Sequential):
    """Pictures, fp32 [B, 3, S, S] in -1..1 → features [B, 384]: 2.7 million parameters."""

    width = _WIDTHS[-1]

    def __init__(self) -> None:
        first = _WIDTHS[0]
        stem = [nn.Conv2d(3, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU()]
        blocks = [_Block(*widths) for widths in itertools.pairwise(_WIDTHS)]
        super().__init__(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class _Block(nn.Module):
    """Two convolutions beside a way around them (He et al. 2015, arXiv 1512.03385), to half the
    side."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, 2, 1, bias=False)
        self.second = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.around = nn.Conv2d(inside, outside, 1, 2, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outside) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second, around = self.norms
        x, skipped = relu(first(self.first(x))), around(self.around(x))
        return relu(skipped + second(self.second(x)))


class Tower(nn.Module):
    """Pictures [B, 3, S, S] → the mean of what a vision transformer makes of their patches, after
    its last norm: [B, W]."""

    def __init__(self, config: SiglipVisionConfig) -> None:
        super().__init__()
        self.width: int = config.hidden_size
        self.eyes = SiglipVisionModel(config)
        self.eyes.set_attn_implementation("eager")

    def forward(self, x_B3SS: torch.Tensor) -> torch.Tensor:
        """The features, [B, W]."""
        found: torch.Tensor = self.eyes(pixel_values=x_B3SS).last_hidden_state
        return found.mean(1)


class Namer(nn.Module):
    """Features compared with a direction for each thing."""

    def __init__(self, features: Convolutions | Tower, things: int) -> None:
        super().__init__()
        self.features = features
        self.directions = nn.Parameter(torch.randn(things, features.width) / features.width**0.5)
        self.sharpness = nn.Parameter(torch.tensor(_SHARPNESS))

    def forward(self, x_B3SS: torch.Tensor) -> torch.Tensor:
        """How likely each thing is, as logits [B, K]."""
        with autocast(x_B3SS.device):
            found = self.features(x_B3SS).float()
        near = normalize(found, dim=1) @ normalize(self.directions, dim=1).T
        return self.sharpness.exp() * near
