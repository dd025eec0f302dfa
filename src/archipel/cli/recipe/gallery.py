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
from rich.console import Console

from archipel import config
from archipel.cli.provenance import provenance
from archipel.cli.recipe.at_sites import train_at_sites, training_minutes
from archipel.cli.recipe.report import write_picture_report
from archipel.cli.recipe.table import Pictured
from archipel.corpus import TokenReader, read_manifest
from archipel.corpus.left_out import LeftOut
from archipel.corpus.pictures import build_picture_corpus, read_pictures
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
from archipel.train.export import export_run, measure
from archipel.train.join import load_state

_MOST = 5  # guesses of the recogniser
_SHOWN = 12  # prompts on the contact sheet
_TIMED = 20  # pictures

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """A recipe, the folder with the data, and the one where all of it goes, in stages: each makes a
    folder of others, and what exists is complete."""

    name: str
    recipe: Pictured
    data: Path
    out: Path
    sites: tuple[str, ...]
    console: Console

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
        found = self._judged(prompts, painted)
        found["seconds_per_picture"] = _seconds(painter, prompts)
        found |= self._facts()
        if single is not None:
            ratio = found["held_out_loss"] / single["held_out_loss"]
            found["loss_ratio_three_sites"] = round(ratio, 4)
        _sheet(self._real(prompts), painted, self.out / "sheet.png")
        write_picture_report(self.out, self.name, self.recipe, {**found, **provenance()})
        for key, value in found.items():
            self._say(f"{key:<30} {value:,}")
        self._say(f"archipel image 'un chat, noto' -m {self.model}")

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
    def model(self) -> Path:
        """The folder of the model."""
        return self.out / "model"

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
        self._say(
            f"corpus: {built.pictures['train']:,} pictures to learn, "
            f"{built.pictures['held_out']:,} held out, {built.variance_kept:.1%} of what is in "
            "them kept"
        )
        if left_out.counts:
            self._say(f"left out: {left_out.described()}")

    def _paint(self, painter: Painter, prompts: Sequence[Prompt], way: str) -> Pixels:
        """A picture for each, the seed its number."""
        found = []
        for number, prompt in enumerate(prompts):
            order = Order(getattr(prompt, way), seed=number)
            [picture] = painter.paint(order, lambda done, total: False)
            found.append(np.asarray(picture))
        return np.stack(found)

    def _judged(self, prompts: Sequence[Prompt], painted: dict[str, Pixels]) -> dict[str, Any]:
        """What a recogniser, trained on all real pictures, sees."""
        pictures = list(read_pictures([self._material], self.recipe.corpus.size, LeftOut()))
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

    def _real(self, prompts: Sequence[Prompt]) -> Pixels:
        """The pictures that were not shown, of the prompts on the sheet."""
        wanted = {prompt.file: index for index, prompt in enumerate(prompts[:_SHOWN])}
        size = self.recipe.corpus.size
        found = np.full((len(wanted), size, size, 3), 255, np.uint8)
        for file, index in wanted.items():
            with Image.open(self._material / file) as picture:
                shown = picture.convert("RGBA").resize((size, size), Image.Resampling.LANCZOS)
            white = Image.new("RGBA", shown.size, "white")
            found[index] = np.asarray(Image.alpha_composite(white, shown).convert("RGB"))
        return found

    def _facts(self) -> dict[str, Any]:
        state = load_state(self.ledger)
        held_out = TokenReader(self._corpus, read_manifest(self._corpus), "held_out")
        return {
            "held_out_loss": round(measure(state, held_out) or 0.0, 4),
            "sites": len(self.ledger.site_names()),
            "tokens": state.cover.tokens,
            "parameters": sum(tensor.size for tensor in state.tensors().values()),
            "training_minutes": round(training_minutes(self.ledger), 1),
        }

    def _say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, markup=False)


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


def _sheet(real: Pixels, painted: dict[str, Pixels], path: Path) -> None:
    """Three rows: what was held out, what was painted in English, and in French."""
    rows = [real, *(some[: len(real)] for some in painted.values())]
    Image.fromarray(np.concatenate([np.concatenate(list(row), 1) for row in rows])).save(path)
