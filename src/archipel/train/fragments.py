"""Fragments: fixed, balanced subsets of the parameters, each a flat fp32 vector.

Knows nothing about sites or rounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from archipel.errors import ConfigError

Vector = np.ndarray[tuple[int], np.dtype[np.float32]]


@dataclass(frozen=True)
class Fragment:
    """Parameters that move together: their names in the model's order, and their shapes."""

    shapes: Mapping[str, tuple[int, ...]]

    @property
    def values(self) -> int:
        """The length of the fragment's vector."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def flatten(self, tensors: Mapping[str, np.ndarray]) -> Vector:
        """The named tensors as one fp32 vector."""
        return np.concatenate(
            [np.asarray(tensors[name], np.float32).reshape(-1) for name in self.shapes]
        )

    def unflatten(self, vector: Vector) -> dict[str, np.ndarray]:
        """The inverse of `flatten`: views into `vector`."""
        tensors, start = {}, 0
        for name, shape in self.shapes.items():
            size = int(np.prod(shape))
            tensors[name] = vector[start : start + size].reshape(shape)
            start += size
        return tensors


def split(shapes: Mapping[str, tuple[int, ...]], fragments: int) -> list[Fragment]:
    """Deal parameters out to fragments of about equal size, neighbours to different fragments.

    The largest first, each to the emptiest fragment (Decoupled DiLoCo's balanced fragments); equal
    ones in the model's order, which makes them strided as in Streaming DiLoCo.

    Raises:
        ConfigError: there are fewer parameters than fragments.
    """
    if fragments > len(shapes):
        raise ConfigError(
            f"{fragments} fragments are more than the model's {len(shapes)} parameter tensors: "
            "take fewer"
        )
    filled = [0] * fragments
    home = {}
    for name in sorted(shapes, key=lambda name: -int(np.prod(shapes[name]))):
        home[name] = min(range(fragments), key=filled.__getitem__)
        filled[home[name]] += int(np.prod(shapes[name]))
    return [
        Fragment({name: shapes[name] for name in shapes if home[name] == index})
        for index in range(fragments)
    ]


class ModelFragments:
    """A live model seen as fragments. Only the training thread touches it."""

    def __init__(self, model: nn.Module, fragments: Sequence[Fragment]) -> None:
        parameters = dict(model.named_parameters())
        self._parameters = [[parameters[name] for name in part.shapes] for part in fragments]

    @torch.no_grad()
    def capture(self, index: int) -> Vector:
        """A copy of one fragment's parameters as they are now."""
        flat = torch.cat([p.detach().reshape(-1) for p in self._parameters[index]])
        return np.asarray(flat.float().cpu().numpy())

    @torch.no_grad()
    def add(self, index: int, correction: Vector) -> None:
        """Add a vector to one fragment's parameters, in place."""
        flat = torch.from_numpy(correction)
        start = 0
        for parameter in self._parameters[index]:
            piece = flat[start : start + parameter.numel()].view_as(parameter)
            parameter.add_(piece.to(parameter.device, parameter.dtype))
            start += parameter.numel()
