"""A recipe of pictures: material, corpus, a run at several sites, a model and what it paints."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from archipel import config
from archipel.cli.provenance import provenance
from archipel.cli.recipe.at_sites import run_facts, train_at_sites
from archipel.cli.recipe.kitchen import Place
from archipel.cli.recipe.report import write_picture_report
from archipel.cli.recipe.table import Pictured
from archipel.corpus.left_out import LeftOut
from archipel.corpus.pictures import Picture, build_picture_corpus, read_pictures
from archipel.corpus.pictures.emoji import Prompt, read_prompts, write_emoji
from archipel.evaluate.data import Data
from archipel.files import read_json
from archipel.images.painter import Order, Painter, open_painter
from archipel.images.recogniser import (
    Recogniser,
    frechet_distance,
    recognised,
    train_recogniser,
    varied,
)
from archipel.ledger import Ledger
from archipel.models.folders import complete_folder
from archipel.store import Store
from archipel.train.create import RunOptions, create_run
from archipel.train.export import export_run

_MOST = 5  # guesses of the recogniser
_SHOWN = 12  # prompts on the contact sheet
_TIMED = 20  # pictures

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Gallery(Place):
    """Where a recipe of pictures is made, at `sites` on this machine."""

    recipe: Pictured
    sites: tuple[str, ...]

    def cook(self) -> None:
        """All stages but the figures.

        Raises:
            ConfigError: the data is missing or can't be used.
            RunError: a site ended with an error.
        """
        if not self._material.exists():
            source = Data(self.data).find(self.recipe.file)
            with self.console.status("unpacking"), complete_folder(self._material) as folder:
                write_emoji(source, folder, self.recipe.material)
        if not self._corpus.exists():
            self._build()
        train_at_sites(self.ledger, self._corpus, self.out, self.sites, self.console)
        if not self.model.exists():
            with self.console.status("exporting the model"):
                export_run(self.ledger, self.model, name=self.name, gguf=None)

    def finish(self, beside: Path | None) -> None:
        """Ask for what was never seen together, have it recognised, and write results.json,
        README.md and a contact sheet; beside the results of a run on one site, if given.

        Raises:
            ConfigError: `beside` can't be read.
            ModelError: the model can't be loaded.
        """
        single = read_json(beside) if beside else None  # a wrong path is told now
        prompts = read_prompts(self._material)[: self.recipe.asked]
        painter = open_painter(self.model, config.usable_cores())
        painted = {way: self._paint(painter, prompts, way) for way in ("en", "fr")}
        size = self.recipe.corpus.size
        real = list(read_pictures([self._material], size, LeftOut()))
        found = self._judged(real, prompts, painted)
        found["seconds_per_picture"] = _seconds(painter, prompts)
        found |= run_facts(self.ledger, self._corpus)
        if single is not None:
            ratio = found["held_out_loss"] / single["held_out_loss"]
            found["loss_ratio_three_sites"] = round(ratio, 4)
        _sheet(real, prompts[:_SHOWN], painted, self.out / "sheet.png")
        write_picture_report(self.out, self.name, self.recipe, {**found, **provenance()})
        for key, value in found.items():
            self.say(f"{key:<30} {value:,}")
        self.say(f"archipel image 'un chat, noto' -m {self.model}")

    @cached_property
    def ledger(self) -> Ledger:
        """The run: created, or the one that is there."""
        recipe = self.recipe
        options = RunOptions(
            model=recipe.model,
            tokens=recipe.tokens,
            sync_steps=recipe.sync_steps,
            batch_sequences=recipe.batch,
            learning_rate=recipe.learning_rate,
            dead_after_seconds=10.0,
        )
        return create_run(Store(str(self.out / "run")), self._corpus, options)

    @property
    def _material(self) -> Path:
        return self.out / "pictures"

    @property
    def _corpus(self) -> Path:
        return self.out / "corpus"

    def _build(self) -> None:
        left_out = LeftOut()
        with self.console.status("corpus") as status, complete_folder(self._corpus) as folder:

            def show(what: str, done: int, count: int) -> None:
                status.update(f"{what}: {done:,} of {count:,}" if count else what)

            built = build_picture_corpus(
                [self._material], folder, self.recipe.corpus, left_out, show
            )
        self.say(
            f"corpus: {built.pictures['train']:,} pictures to learn, "
            f"{built.pictures['held_out']:,} held out, {built.variance_kept:.1%} of what is in "
            "them kept"
        )
        if left_out.counts:
            self.say(f"left out: {left_out.described()}")

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
