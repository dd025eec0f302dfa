"""What every model of pictures can be asked, and which one a folder holds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from archipel.errors import ModelError
from archipel.images.pipeline import OWN_CLASS, read_index

if TYPE_CHECKING:
    from PIL.Image import Image

# From words; from a picture and words; the part of a picture that a mask names; a picture's like.
Ability = Literal["generate", "edit", "inpaint", "vary"]
Tell = Callable[[int, int], bool]
_INSTALL = "`pip install 'archipel[diffusers]'` has it"


@dataclass(frozen=True)
class Order:
    """Pictures to be made. The first is made from `seed`, the next from `seed + 1`, and so on, each
    as if it were the only one."""

    prompt: str
    count: int = 1
    width: int | None = None  # in pixels; None: the model's own, or nearly that of `image`
    height: int | None = None
    seed: int = 0
    steps: int | None = None  # None: the model's own
    guidance: float | None = None  # how closely the words are followed; None: the model's own
    image: "Image | None" = None  # to begin from
    mask: "Image | None" = None  # as large as `image`: where it is transparent, that is changed
    strength: float = 0.8  # 0 to 1: how much of `image` is changed


@dataclass(frozen=True)
class Sizes:
    """Widths and heights that a model can make, in pixels: multiples of `step` from `least` to
    `most`."""

    usual: tuple[int, int]
    step: int
    least: int
    most: int

    def allows(self, width: int, height: int) -> bool:
        """Whether the model can make it."""
        return all(
            self.least <= side <= self.most and side % self.step == 0 for side in (width, height)
        )

    def nearest(self, width: int, height: int) -> tuple[int, int]:
        """A size that can be made, of nearly that shape and, if it can be, of that size."""
        scale = min(1.0, self.most / max(width, height))
        scale = max(scale, self.least / min(width, height))
        sides = (round(side * scale / self.step) * self.step for side in (width, height))
        width, height = (min(max(side, self.least), self.most) for side in sides)
        return width, height

    def described(self) -> str:
        """For who asked for another."""
        width, height = self.usual
        if self.least == self.most:
            return f"{width}x{height} only"
        return (
            f"each side {self.least} to {self.most} pixels, a multiple of {self.step}; usually "
            f"{width}x{height}"
        )


class Painter(Protocol):
    """A model of pictures in memory. One order at a time."""

    @property
    def sizes(self) -> Sizes:
        """What it can make."""
        ...

    @property
    def abilities(self) -> frozenset[Ability]:
        """What it can be asked."""
        ...

    def paint(self, order: Order, tell: Tell) -> "list[Image]":
        """The pictures, in RGB. `tell` hears after each step how many of how many are done, of all
        pictures together; where it returns True the work ends, with the pictures that are whole.

        The size, if there is one, is one that `sizes` allows, and the order one of `abilities`.
        """
        ...


def open_painter(folder: Path, threads: int) -> Painter:
    """The model in `folder`, loaded, computing on so many threads where it has no accelerator.

    Raises:
        ModelError: it is no model of pictures, can't be loaded, or what runs it is not installed.
    """
    is_own = read_index(folder)["_class_name"] == OWN_CLASS
    try:
        if is_own:
            from archipel.images.flow_painter import FlowPainter

            return FlowPainter(folder, threads)
        from archipel.images.diffusers_painter import DiffusersPainter

        return DiffusersPainter(folder, threads)
    except ModuleNotFoundError as error:
        raise ModelError(
            f"{folder} needs {error.name}, which is not installed. {_INSTALL}"
        ) from error
