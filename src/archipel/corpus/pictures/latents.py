"""The linear code of pictures: a few values for each picture, from which most of it comes back.

Its values are those along the principal components of the pictures that it is learnt on. Pixels are
float32 in -1..1, or uint8 of 0..255, which take a quarter of the memory; flattened from [height,
width, 3]. Knows nothing about files of pictures or captions.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from archipel.errors import ConfigError, IntegrityError
from archipel.files import write_atomic

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.float32] | npt.NDArray[np.uint8]

_BLOCK_BYTES = 64 << 20  # of the pictures that are worked on at a time, as float32
_OVERSAMPLED = 32
_POWER_ITERATIONS = 2
# Below this share of the strongest component's deviation, float32 tells nothing from noise.
_LEAST_DEVIATION = 1e-4
_RANGE = 8.0  # deviations, to either side of the mean
_STEPS = 32_767
# A value as `Latents.encode` gives it, minus ZERO, times DEVIATION, is so many deviations.
ZERO = _STEPS + 1
DEVIATION = _RANGE / _STEPS


@dataclass(frozen=True, eq=False)
class Latents:
    """The code of pictures of `size` × `size` pixels, P = size · size · 3 numbers.

    `mean` is float32 [P], `components` float16 [values, P] with orthonormal rows, `scale` float32
    [values], the standard deviation of each value over the pictures that it was learnt on.
    """

    size: int
    mean: Floats
    components: npt.NDArray[np.float16]
    scale: Floats

    @property
    def values(self) -> int:
        """How many values a picture has."""
        return len(self.scale)

    def encode(self, pixels: Pixels) -> npt.NDArray[np.uint16]:
        """The pictures [N, P] as values [N, values]: 32,768 is the mean, 4,096 steps are about one
        standard deviation; what is over eight of these from the mean is cut off there."""
        found = np.empty((len(pixels), self.values), np.uint16)
        for part in _blocks(pixels):
            steps = (
                np.clip(self.along(pixels[part]) / self.scale, -_RANGE, _RANGE) / _RANGE * _STEPS
            )
            found[part] = np.round(steps) + ZERO
        return found

    def decode(self, values: npt.NDArray[np.integer]) -> Floats:
        """The pictures [N, P], float32 in -1..1, of values [N, values] as `encode` gives them."""
        steps = values.astype(np.float32) - ZERO
        return self.pixels(steps * np.float32(DEVIATION) * self.scale)

    def along(self, pixels: Pixels) -> Floats:
        """How far the pictures [N, P] are along each component: z, float32 [N, values]."""
        return np.asarray((_floats(pixels) - self.mean) @ self._rows.T, np.float32)

    def pixels(self, z: Floats) -> Floats:
        """The pictures [N, P], float32 in -1..1, that are so far along the components."""
        found = np.asarray(z @ self._rows + self.mean, np.float32)
        return np.clip(found, -1, 1, out=found)

    @cached_property
    def _rows(self) -> Floats:
        return self.components.astype(np.float32)

    def variance_kept(self, pixels: Pixels) -> float:
        """The share, 0..1, of the variance of the pictures [N, P] that the code was learnt on."""
        whole = sum(
            float(np.square(_floats(pixels[part]) - self.mean).sum(dtype=np.float64))
            for part in _blocks(pixels)
        )
        return float(np.square(self.scale, dtype=np.float64).sum()) * len(pixels) / whole

    def save(self, path: Path) -> None:
        """Write them as safetensors: `mean`, `components`, `scale`, and `size` in the metadata."""
        tensors: dict[str, npt.NDArray[Any]] = {
            "mean": self.mean,
            "components": self.components,
            "scale": self.scale,
        }
        write_atomic(path, save(tensors, {"size": str(self.size)}))

    @classmethod
    def load(cls, path: Path) -> "Latents":
        """Read what `save` wrote.

        Raises:
            ConfigError: the file can't be read.
            IntegrityError: it holds no code of pictures, or is damaged.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                size = int((file.metadata() or {})["size"])
                mean, components, scale = map(file.get_tensor, ("mean", "components", "scale"))
        except OSError as error:
            raise ConfigError(f"can't read {path}: {error}. Build the corpus again.") from error
        except (SafetensorError, KeyError, ValueError, TypeError) as error:
            raise _damaged(path, str(error)) from error
        shape = (len(scale), size * size * 3)
        if size < 1 or mean.shape != shape[1:] or components.shape != shape or scale.ndim != 1:
            raise _damaged(path, f"{components.shape} components for pictures of {size} pixels")
        if any(one.dtype not in (np.float16, np.float32) for one in (mean, components, scale)):
            raise _damaged(path, "its numbers are not float16 or float32")
        if not all(np.isfinite(one).all() for one in (mean, components, scale)):
            raise _damaged(path, "a number in it is not finite")
        if not (scale > 0).all():
            raise _damaged(path, "a standard deviation in it is not positive")
        return cls(size, mean, components, scale)


def fit(pixels: Pixels, values: int, seed: int = 0) -> Latents:
    """Learn the code of the pictures [N, P]: their first `values` principal components, or as many
    as there are.

    By a randomised range finder with power iterations (Halko, Martinsson and Tropp 2011, arXiv
    0909.4061, algorithms 4.4 and 5.1). The pictures are worked on in blocks.

    Raises:
        ConfigError: the pictures are all the same.
    """
    count, width = pixels.shape
    if (pixels == pixels[0]).all():
        raise ConfigError(
            f"the {count:,} pictures to train on are all the same, so that there is nothing to "
            "learn. Give others."
        )
    mean = np.zeros(width, np.float64)
    for part in _blocks(pixels):
        mean += _floats(pixels[part]).sum(axis=0, dtype=np.float64) / count
    centre = mean.astype(np.float32)
    sought = min(values + _OVERSAMPLED, count, width)
    right = np.random.default_rng(seed).standard_normal((width, sought), np.float32)
    for _ in range(_POWER_ITERATIONS):
        left, _ = _orthonormal(_times(pixels, centre, right))
        right, _ = _orthonormal(_transposed_times(pixels, centre, left))
    left, _ = _orthonormal(_times(pixels, centre, right))
    found, _ = _orthonormal(_transposed_times(pixels, centre, left))
    kept = min(values, found.shape[1])
    components = np.ascontiguousarray(found[:, :kept].T, np.float16)
    z = _times(pixels, centre, components.T.astype(np.float32))
    scale: Floats = np.sqrt(np.square(z).mean(axis=0))
    return Latents(math.isqrt(width // 3), centre, components, scale)


def _orthonormal(columns: Floats) -> tuple[Floats, npt.NDArray[np.float64]]:
    """The left singular vectors of `columns` [n, k] as columns, and the singular values, from the
    largest, without those that float32 can't tell from noise.

    By the eigenvectors of the Gram matrix (SVQB of Stathopoulos and Wu 2002): NumPy's QR, in
    float64, takes longer than all else together.
    """
    gram = np.zeros((columns.shape[1], columns.shape[1]), np.float64)
    for part in _blocks(columns):
        some = columns[part].astype(np.float64)
        gram += some.T @ some
    squares, vectors = np.linalg.eigh(gram)
    kept = np.flatnonzero(squares > _LEAST_DEVIATION**2 * squares[-1])[::-1]
    found = np.sqrt(squares[kept])
    return columns @ (vectors[:, kept] / found).astype(np.float32), found


def _times(pixels: Pixels, mean: Floats, right: Floats) -> Floats:
    """(pixels - mean) @ right, [N, k]."""
    blocks = [(_floats(pixels[part]) - mean) @ right for part in _blocks(pixels)]
    return np.concatenate(blocks)


def _transposed_times(pixels: Pixels, mean: Floats, left: Floats) -> Floats:
    """(pixels - mean).T @ left, [P, k]."""
    found = np.zeros((pixels.shape[1], left.shape[1]), np.float32)
    for part in _blocks(pixels):
        found += (_floats(pixels[part]) - mean).T @ left[part]
    return found


def _blocks(pixels: Pixels) -> Iterator[slice]:
    count, width = pixels.shape
    step = max(1, _BLOCK_BYTES // (4 * width))
    for start in range(0, count, step):
        yield slice(start, start + step)


def _floats(pixels: Pixels) -> Floats:
    if pixels.dtype == np.uint8:
        return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)
    return pixels.astype(np.float32, copy=False)


def _damaged(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"{path} is no code of pictures: {why}. It was altered: fetch it or build the corpus again."
    )
