"""Fragments: fixed, balanced subsets of the parameters, each a flat fp32 vector.

Knows nothing about sites or rounds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.distributed.tensor import DTensor

from archipel.errors import ConfigError

Vector = np.ndarray[tuple[int], np.dtype[np.float32]]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Fragment:
    """Parameters that move together: their names in the model's order, and their whole shapes.

    Of a tensor in `rows`, the fragment holds only the rows start ≤ row < stop (first dimension);
    other fragments hold the rest.
    """

    shapes: Mapping[str, Shape]
    rows: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def values(self) -> int:
        """The length of the fragment's vector."""
        return sum(_size(shape) for _, shape in self.pieces())

    def pieces(self) -> Iterator[tuple[str, Shape]]:
        """Each tensor's name with the shape of what the fragment holds of it, in order."""
        for name, shape in self.shapes.items():
            if name in self.rows:
                start, stop = self.rows[name]
                shape = (stop - start, *shape[1:])
            yield name, shape

    def flatten(self, tensors: Mapping[str, np.ndarray]) -> Vector:
        """The fragment's part of the named whole tensors as one fp32 vector."""
        held = [
            tensors[name][slice(*self.rows[name])] if name in self.rows else tensors[name]
            for name in self.shapes
        ]
        return np.concatenate([np.asarray(tensor, np.float32).reshape(-1) for tensor in held])

    def unflatten(self, vector: Vector) -> dict[str, np.ndarray]:
        """The vector as tensors, of a cut one the rows held here: views into `vector`."""
        tensors, start = {}, 0
        for name, shape in self.pieces():
            tensors[name] = vector[start : start + _size(shape)].reshape(shape)
            start += _size(shape)
        return tensors


def assemble(fragments: Sequence[Fragment], vectors: Sequence[Vector]) -> dict[str, np.ndarray]:
    """All fragments' vectors as whole tensors by name: views, but for the tensors that are cut."""
    tensors: dict[str, np.ndarray] = {}
    for fragment, vector in zip(fragments, vectors, strict=True):
        for name, piece in fragment.unflatten(vector).items():
            if name in fragment.rows:
                whole = tensors.setdefault(name, np.empty(fragment.shapes[name], np.float32))
                whole[slice(*fragment.rows[name])] = piece
            else:
                tensors[name] = piece
    return tensors


def split(shapes: Mapping[str, Shape], fragments: int) -> list[Fragment]:
    """Deal parameters out to fragments of about equal size, neighbours to different fragments.

    A tensor larger than the mean fragment, as embeddings are, is cut into equal stretches of rows.
    The largest piece first, each to the emptiest fragment (Decoupled DiLoCo's balanced fragments);
    equal ones in the model's order, which makes them strided as in Streaming DiLoCo. No fragment
    gets two pieces of one tensor.

    Raises:
        ConfigError: there are fewer pieces than fragments.
    """
    mean = sum(map(_size, shapes.values())) / fragments
    pieces = [
        (name, rows, _size(shape[1:]) * (rows[1] - rows[0]))
        for name, shape in shapes.items()
        for rows in _cut(shape, mean)
    ]
    if fragments > len(pieces):
        raise ConfigError(
            f"{fragments} fragments are more than the model's {len(shapes)} parameter tensors can "
            "fill: take fewer"
        )
    filled = [0] * fragments
    held: list[dict[str, tuple[int, int]]] = [{} for _ in range(fragments)]
    for name, rows, size in sorted(pieces, key=lambda piece: -piece[2]):
        home = min(
            (index for index in range(fragments) if name not in held[index]), key=filled.__getitem__
        )
        held[home][name] = rows
        filled[home] += size
    return [
        Fragment(
            {name: shape for name, shape in shapes.items() if name in mine},
            {
                name: rows
                for name, rows in mine.items()
                if shapes[name] and rows != (0, shapes[name][0])
            },
        )
        for mine in held
    ]


def _cut(shape: Shape, mean: float) -> list[tuple[int, int]]:
    """Stretches of rows, none larger than `mean` values unless a row is."""
    if not shape:
        return [(0, 1)]
    count = min(shape[0], max(1, int(np.ceil(_size(shape) / mean))))
    bounds = [shape[0] * index // count for index in range(count + 1)]
    return list(pairwise(bounds))


def _size(shape: Shape) -> int:
    return int(np.prod(shape))


@dataclass(frozen=True)
class _Stretch:
    """Values that a shard holds of one tensor: where in its flat shard, where in the vector."""

    name: str
    local: slice
    vector: slice

    @property
    def size(self) -> int:
        return int(self.vector.stop - self.vector.start)


class ModelFragments:
    """A live model seen as fragments. Only the training thread touches it.

    Where its parameters are cut by rows into shards (FSDP2), it sees one shard of every fragment:
    some stretches of the fragment's vector, one after the other.
    """

    def __init__(
        self, model: nn.Module, fragments: Sequence[Fragment], *, shard: int = 0, shards: int = 1
    ) -> None:
        self._parameters = dict(model.named_parameters())
        self._stretches = [
            [_stretches(fragment, each, shards) for each in range(shards)] for fragment in fragments
        ]
        self._mine = [of_shards[shard] for of_shards in self._stretches]

    def sizes(self, index: int) -> list[int]:
        """How many of a fragment's values each shard holds."""
        return [sum(piece.size for piece in pieces) for pieces in self._stretches[index]]

    def cut(self, index: int, vector: torch.Tensor) -> list[torch.Tensor]:
        """A fragment's vector as the shards hold it."""
        return [
            torch.cat([vector[:0], *(vector[piece.vector] for piece in pieces)])
            for pieces in self._stretches[index]
        ]

    def join(self, index: int, parts: Sequence[torch.Tensor]) -> Vector:
        """The inverse of `cut`; an empty vector of no parts."""
        vector = torch.empty(sum(len(part) for part in parts))
        for part, pieces in zip(parts, self._stretches[index], strict=False):
            sizes = [piece.size for piece in pieces]
            for piece, values in zip(pieces, part.split(sizes), strict=True):
                vector[piece.vector] = values
        return np.asarray(vector.numpy())

    @torch.no_grad()
    def read(self, index: int) -> torch.Tensor:
        """A copy of one fragment's parameters, fp32, on the model's device."""
        pieces = [
            _flat(self._parameters[piece.name])[piece.local].float() for piece in self._mine[index]
        ]
        return torch.cat(pieces) if pieces else torch.empty(0)

    @torch.no_grad()
    def write(self, index: int, values: torch.Tensor, *, add: bool) -> None:
        """Put values, or add them, into one fragment's parameters in place."""
        start = 0
        for piece in self._mine[index]:
            target = _flat(self._parameters[piece.name])[piece.local]
            part = values[start : start + len(target)].to(target.device, target.dtype)
            target.add_(part) if add else target.copy_(part)
            start += len(target)

    def capture(self, index: int) -> Vector:
        """A copy of one fragment's parameters as they are now."""
        return np.asarray(self.read(index).cpu().numpy())

    def add(self, index: int, correction: Vector) -> None:
        """Add a vector to one fragment's parameters, in place."""
        self.write(index, torch.from_numpy(correction), add=True)


def _flat(parameter: torch.Tensor) -> torch.Tensor:
    """What this process holds of a parameter, flat, sharing its memory."""
    local = parameter.to_local() if isinstance(parameter, DTensor) else parameter
    return local.detach().view(-1)


def _stretches(fragment: Fragment, shard: int, shards: int) -> list[_Stretch]:
    """What one shard holds of a fragment; shards are cut as by torch.chunk, like FSDP2's."""
    found, offset = [], 0
    for name, shape in fragment.pieces():
        rows = fragment.shapes[name][0] if shape else 1
        start, stop = fragment.rows.get(name, (0, rows))
        width = _size(shape) // (stop - start)
        per_shard = -(-rows // shards)
        first = min(shard * per_shard, rows)
        low, high = max(first, start), min(first + per_shard, stop)
        if low < high:
            found.append(
                _Stretch(
                    name,
                    local=slice((low - first) * width, (high - first) * width),
                    vector=slice(offset + (low - start) * width, offset + (high - start) * width),
                )
            )
        offset += _size(shape)
    return found
