"""A recipe of pictures: material, corpus, a run at several sites, a model."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from archipel.cli.provenance import provenance
from archipel.cli.recipe.at_sites import await_sites, run_facts, train_at_sites
from archipel.cli.recipe.kitchen import Place
from archipel.cli.recipe.report import write_picture_report
from archipel.cli.recipe.table import OfPictures
from archipel.corpus.left_out import LeftOut
from archipel.corpus.pictures import build_picture_corpus
from archipel.corpus.pictures.emoji import write_emoji
from archipel.evaluate.data import Data
from archipel.ledger import Ledger
from archipel.models.folders import complete_folder
from archipel.store import Store
from archipel.train.create import RunOptions, create_run
from archipel.train.export import export_run


@dataclass(frozen=True, kw_only=True)
class Gallery(Place, ABC):
    """Where a recipe of pictures is made, at `sites` on this machine, or by those that join its
    run, which is at a URL (None: in the folder)."""

    recipe: OfPictures
    sites: tuple[str, ...]
    run: str | None = None
    gguf: ClassVar[str | None] = None  # the kind that is written, where there is one

    def cook(self) -> None:
        """All stages but the figures.

        Raises:
            ConfigError: the data is missing or can't be used.
            RunError: a site ended with an error.
        """
        if not self.material.exists():
            source = Data(self.data).find(self.recipe.file)
            with self.console.status("unpacking"), complete_folder(self.material) as folder:
                write_emoji(source, folder, self.recipe.material)
        if not self.corpus.exists():
            self._build()
        if self.sites:
            train_at_sites(self.ledger, self.corpus, self.out, self.sites, self.console)
        else:
            await_sites(self.ledger, self.console)
        if not self.model.exists():
            with self.console.status("exporting the model"):
                export_run(self.ledger, self.model, name=self.name, gguf=self.gguf)

    @abstractmethod
    def finish(self, beside: Path | None) -> None:
        """Measure the model, and write results.json, README.md and a contact sheet; beside the
        results of a run on one site, if given.

        Raises:
            ConfigError: `beside` can't be read.
            ModelError: the model can't be loaded.
        """

    def report(
        self, found: Mapping[str, Any], single: Mapping[str, Any] | None, sheet: str
    ) -> None:
        """Write what was found, with the run's facts; `sheet` says what the contact sheet shows."""
        told = {**found, **run_facts(self.ledger, self.corpus)}
        if single is not None:
            ratio = told["held_out_loss"] / single["held_out_loss"]
            told["loss_ratio_three_sites"] = round(ratio, 4)
        write_picture_report(self.out, self.name, self.recipe, {**told, **provenance()}, sheet)
        for key, value in told.items():
            self.say(f"{key:<30} {value:,}")

    @cached_property
    def ledger(self) -> Ledger:
        """The run: created, or the one that is there."""
        recipe = self.recipe
        options = RunOptions(
            model=self.start(),
            tokens=recipe.tokens,
            sync_steps=recipe.sync_steps,
            batch_sequences=recipe.batch,
            learning_rate=recipe.learning_rate,
            dead_after_seconds=10.0,
        )
        return create_run(Store(self.run or str(self.out / "run")), self.corpus, options)

    def start(self) -> str:
        """What the run begins with: a size, or the folder of a model, made if it is not there."""
        return self.recipe.model

    @property
    def material(self) -> Path:
        """The folder of the pictures."""
        return self.out / "pictures"

    @property
    def corpus(self) -> Path:
        """The corpus's folder."""
        return self.out / "corpus"

    def _build(self) -> None:
        left_out = LeftOut()
        with self.console.status("corpus") as status, complete_folder(self.corpus) as folder:

            def show(what: str, done: int, count: int) -> None:
                status.update(f"{what}: {done:,} of {count:,}" if count else what)

            built = build_picture_corpus(
                [self.material], folder, self.recipe.corpus, left_out, show
            )
        self.say(
            f"corpus: {built.pictures['train']:,} pictures to learn, "
            f"{built.pictures['held_out']:,} held out, {built.variance_kept:.1%} of what is in "
            "them kept"
        )
        if left_out.counts:
            self.say(f"left out: {left_out.described()}")
