"""A recipe of pictures that are made: what its model paints is looked at by another."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from archipel import config
from archipel.cli.recipe.gallery import Gallery
from archipel.cli.recipe.table import Pictured
from archipel.corpus.left_out import LeftOut
from archipel.corpus.pictures import Picture, read_pictures
from archipel.corpus.pictures.emoji import Prompt, read_prompts
from archipel.files import read_json
from archipel.images.painter import Order, Painter, open_painter
from archipel.images.recogniser import (
    Recogniser,
    frechet_distance,
    recognised,
    train_recogniser,
    varied,
)

_MOST = 5  # guesses of the recogniser
_SHOWN = 12  # prompts on the contact sheet
_TIMED = 20  # pictures
_SHEET = (
    "Above, pictures that were held out; below, what was made of their names, in English and French"
)

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Studio(Gallery):
    """Of a model that makes pictures."""

    recipe: Pictured

    def finish(self, beside: Path | None) -> None:
        """As `Gallery.finish`: ask for what was never seen together, and have it recognised."""
        single = read_json(beside) if beside else None  # a wrong path is told now
        prompts = read_prompts(self.material)  # things of one group lie together
        dice = random.Random(self.recipe.material.seed)
        prompts = dice.sample(prompts, min(self.recipe.asked, len(prompts)))
        painter = open_painter(self.model, config.usable_cores())
        painted = {way: self._paint(painter, prompts, way) for way in ("en", "fr")}
        size = self.recipe.corpus.size
        real = list(read_pictures([self.material], size, LeftOut()))
        found = self._judged(real, prompts, painted)
        found["seconds_per_picture"] = _seconds(painter, prompts)
        _sheet(real, prompts[:_SHOWN], painted, self.out / "sheet.png")
        self.report(found, single, _SHEET)
        self.say(f"archipel image 'un chat, noto' -m {self.model}")

    def _paint(self, painter: Painter, prompts: Sequence[Prompt], way: str) -> Pixels:
        """A picture for each, the seed its number."""
        found = []
        for number, prompt in enumerate(prompts):
            order = Order(getattr(prompt, way), seed=number)
            [picture] = painter.paint(order, lambda done, total: False)
            found.append(np.asarray(picture))
        return np.stack(found)

    def _judged(
        self, pictures: Sequence[Picture], prompts: Sequence[Prompt], painted: dict[str, Pixels]
    ) -> dict[str, Any]:
        """What a recogniser, trained on all real pictures, sees."""
        real = np.stack([picture.pixels for picture in pictures])
        codes = [Path(picture.name).stem for picture in pictures]
        number = {code: index for index, code in enumerate(sorted(set(codes)))}
        kinds, asked = [number[one] for one in codes], [number[one.code] for one in prompts]
        with self.console.status("training the recogniser") as status:

            def show(done: int, count: int) -> None:
                status.update(f"training the recogniser: {done} of {count} epochs")

            model = train_recogniser(real, kinds, self.recipe.recogniser_epochs, show=show)
        return {
            **{
                f"recognised_top{_MOST}_share_{way}": round(
                    recognised(model, some, asked, _MOST), 4
                )
                for way, some in painted.items()
            },
            "recogniser_top5_share": round(recognised(model, varied(real, 1), kinds, _MOST), 4),
            "frechet_distance": _distance(model, real, painted),
            "prompts": len(prompts),
        }


def _distance(model: Recogniser, real: Pixels, painted: dict[str, Pixels]) -> float:
    return round(frechet_distance(model, real, np.concatenate(list(painted.values()))), 2)


def _seconds(painter: Painter, prompts: Sequence[Prompt]) -> float:
    """Of a picture alone, a median."""
    took = []
    for prompt in prompts[:_TIMED]:
        began = time.perf_counter()
        painter.paint(Order(prompt.en), lambda done, total: False)
        took.append(time.perf_counter() - began)
    return round(median(took), 3)


def _sheet(
    pictures: Sequence[Picture], prompts: Sequence[Prompt], painted: dict[str, Pixels], path: Path
) -> None:
    """Three rows: what was held out, what was painted in English, and in French."""
    held_out = {one.file: index for index, one in enumerate(prompts)}
    real = {
        held_out[file]: picture.pixels
        for picture in pictures
        if (file := "/".join(Path(picture.name).parts[-2:])) in held_out
    }
    rows = [[real[index] for index in range(len(prompts))]]
    rows += [list(some[: len(prompts)]) for some in painted.values()]
    Image.fromarray(np.concatenate([np.concatenate(row, 1) for row in rows])).save(path)
