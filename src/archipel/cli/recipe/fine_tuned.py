"""A recipe that begins with a model that is there: pulled, tuned, exported."""

import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from archipel.cli.pull import fetch_model
from archipel.cli.recipe import tasting
from archipel.cli.recipe.kitchen import Kitchen
from archipel.cli.recipe.table import FineTuned
from archipel.errors import ModelError
from archipel.files import read_json
from archipel.models.gguf_export import export_gguf


@dataclass(frozen=True, kw_only=True)
class Tuning(Kitchen):
    """Of a recipe that is fine-tuned on this machine."""

    recipe: FineTuned

    def cook(self) -> None:
        """All stages but the figures.

        Raises:
            ConfigError: data is missing.
            ModelError: the first model can't be had, or the tuning failed.
        """
        if not self.model.exists():
            data = [self.files.find(name) for name in self.recipe.files]
            self._tune(data)
        if not self.gguf.exists():
            with self.console.status("exporting the model"):
                export_gguf(self.model, self.gguf, self.recipe.kind)

    def facts(self) -> dict[str, float | int]:
        """What the first model reaches, and of the tuning; without that if it was killed as it
        ended."""
        recipe, answers = self.recipe, self.out / "answers-before"
        before = tasting.figures(self._start, self._start, recipe.asked, self.files, answers)
        told = {f"{name}_before": value for name, value in before.items()}
        if not self._figures.exists():
            return told
        found = read_json(self._figures)
        return told | {
            "held_out_loss": round(found["curve"][-1], 4),
            "held_out_loss_before": round(found["curve"][0], 4),
            "tokens": found["tokens"],
            "parameters": found["trained"],
            "training_minutes": round(found["seconds"] / 60, 1),
        }

    @cached_property
    def _start(self) -> Path:
        return fetch_model(self.recipe.start).path

    @property
    def _figures(self) -> Path:
        return self.out / "tuning.json"

    def _tune(self, data: list[Path]) -> None:
        """`archipel finetune`, which goes on where it was and has the terminal's Ctrl-C itself."""
        recipe = self.recipe
        words = [sys.executable, "-m", "archipel", "finetune", str(self._start), *map(str, data)]
        words += ["-o", str(self.model), "--json", str(self._figures)]
        told = {"task": recipe.task, "fields": recipe.fields, "asked-in": recipe.asked_in}
        words += [word for name, value in told.items() if value for word in (f"--{name}", value)]
        words += ["--epochs", str(recipe.epochs), "--batch", str(recipe.batch)]
        self.out.mkdir(parents=True, exist_ok=True)
        with subprocess.Popen(words, stdin=subprocess.DEVNULL) as tuning:
            try:
                status = tuning.wait()
            except KeyboardInterrupt:
                tuning.wait()
                raise
        if status:
            raise ModelError(
                f"the tuning ended with {status}: mend what it said, then run the same again"
            )
