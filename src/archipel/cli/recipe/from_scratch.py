"""A recipe from scratch: data, corpus, a run at several sites, a checkpoint."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from archipel.cli.material import material_of, pair_reader
from archipel.cli.recipe import tasting
from archipel.cli.recipe.at_sites import await_sites, run_facts, train_at_sites
from archipel.cli.recipe.kitchen import Kitchen
from archipel.cli.recipe.making import make
from archipel.cli.recipe.table import FromScratch
from archipel.corpus import read_manifest
from archipel.corpus.left_out import LeftOut
from archipel.evaluate.data import Data, read_records
from archipel.evaluate.tasks.task import field_of
from archipel.files import write_json
from archipel.ledger import Ledger
from archipel.models.purpose import Purpose, Task
from archipel.store import Store
from archipel.train.create import RunOptions, create_run
from archipel.train.export import export_run
from archipel.tune.lesson_corpus import LessonOptions, build_lesson_corpus


@dataclass(frozen=True, kw_only=True)
class Scratch(Kitchen):
    """Of a recipe that is trained at `sites` on this machine, or by those that join its run, which
    is at a URL (None: in the folder)."""

    recipe: FromScratch
    sites: tuple[str, ...]
    run: str | None = None

    def cook(self) -> None:
        """All stages but the figures.

        Raises:
            ConfigError: data is missing or can't be used.
            SandboxError: programs can't be run apart on this machine.
            RunError: a site ended with an error.
        """
        self._make_data()
        self._make_corpus()
        if not self.model.exists():
            tasting.check(self.recipe.asked, self.files)  # not after an hour of training
        if self.sites:
            train_at_sites(self.ledger, self.corpus, self.out, self.sites, self.console)
        else:
            await_sites(self.ledger, self.console)
        self._export()

    def facts(self) -> dict[str, float | int]:
        """Of the run."""
        return run_facts(self.ledger, self.corpus)

    @cached_property
    def ledger(self) -> Ledger:
        """The run: created, or the one that is there."""
        recipe, settings = self.recipe, self.out / "config.json"
        write_json(settings, dict(recipe.model))
        options = RunOptions(
            model=str(settings),
            tokens=recipe.tokens,
            sync_steps=recipe.sync_steps,
            optimiser="adamw",  # on small batches and a CPU, Muon's own products cost too much
            batch_sequences=recipe.batch,
            sequence_tokens=recipe.context,
            learning_rate=recipe.learning_rate,
            dead_after_seconds=10.0,
        )
        return create_run(Store(self.run or str(self.out / "run")), self.corpus, options)

    @property
    def files(self) -> Data:
        """Where the recipe's files are: first among what it made itself."""
        return Data(self.data, made=self._made if self.recipe.makes else None)

    @property
    def _made(self) -> Path:
        return self.out / "data"

    @property
    def corpus(self) -> Path:
        """The corpus's folder."""
        return self.out / "corpus"

    def _make_data(self) -> None:
        """The files that the recipe makes itself, where it does.

        Raises:
            ConfigError: there is nothing that they can be made of.
            SandboxError: programs can't be run apart on this machine.
        """
        recipe = self.recipe
        if recipe.makes is None or self._made.exists():
            return
        source = Data(self.data).find(recipe.made_of) if recipe.made_of else self.data
        self.say(f"data: {make(recipe.makes, source, self._made, self.console)}")

    def _make_corpus(self) -> None:
        """The corpus of lessons.

        Raises:
            ConfigError: a file of the recipe is missing or can't be used.
        """
        if self.corpus.exists():
            manifest = read_manifest(self.corpus)
        else:
            recipe = self.recipe
            pair = pair_reader(recipe.task, recipe.fields, recipe.asked_in, one_way=False)
            files, held_out = (
                [self.files.find(name) for name in names]
                for names in (recipe.files, recipe.held_out)
            )
            material = material_of(files, held_out, pair, prefers=False)
            options = LessonOptions(
                vocab_size=recipe.vocab_size, row_tokens=recipe.context, fill_in=recipe.fill_in
            )
            left_out = LeftOut()
            with self.console.status("making the corpus"):
                texts = self._texts()
                manifest = build_lesson_corpus(material, self.corpus, options, left_out, texts)
            if left_out.counts:
                self.say(f"left out: {left_out.described()}")
        what = "conversations and texts" if self.recipe.texts else "conversations"
        self.say(
            f"corpus: {manifest.documents:,} {what}, {manifest.tokens('train'):,} tokens to "
            f"train on, {manifest.tokens('held_out'):,} held out"
        )

    def _texts(self) -> list[str]:
        """Those of all files, each as often as its file's are."""
        seen: set[str] = set()
        found: list[str] = []
        for some in self.recipe.texts:
            path = self.files.find(some.file)
            texts = (field_of(one, some.field, str, path) for one in read_records(path))
            begun = dict.fromkeys(text[: some.most_characters] for text in texts)
            new = [text for text in begun if text not in seen]
            seen.update(new)
            found += some.times * new
        return found

    def _export(self) -> None:
        """The checkpoint with its GGUF."""
        if not self.model.exists():
            recipe = self.recipe
            languages = recipe.fields.split(",") if recipe.fields else []
            translates = tuple(languages) if recipe.task == "translate" else None
            learnt: list[Task] = [recipe.task] if recipe.task else []
            learnt += ["fill"] if recipe.fill_in else []
            purpose = Purpose(tuple(learnt) or None, translates)
            with self.console.status("exporting the model"):
                export_run(
                    self.ledger, self.model, name=self.name, gguf=recipe.kind, purpose=purpose
                )
