"""Where a recipe is made: what all ways to make one share."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from archipel.cli.recipe.table import Recipe
from archipel.evaluate.data import Data


@dataclass(frozen=True, kw_only=True)
class Place:
    """The folder with the data, and the one where all of it goes, in stages: each makes a folder of
    others, and what exists is complete."""

    name: str
    data: Path
    out: Path
    console: Console

    @property
    def model(self) -> Path:
        """The folder of the model."""
        return self.out / "model"

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(text, soft_wrap=True, markup=False)


@dataclass(frozen=True, kw_only=True)
class Kitchen(Place, ABC):
    """Where a recipe for texts is made."""

    recipe: Recipe

    @abstractmethod
    def cook(self) -> None:
        """Everything up to the model and its GGUF."""

    @abstractmethod
    def facts(self) -> dict[str, float | int]:
        """How the model was made, by the names that the report knows.

        Raises:
            ArchipelError: what was made can't be read, or the first model not be asked.
        """

    @property
    def files(self) -> Data:
        """Where the recipe's files are."""
        return Data(self.data)

    @property
    def gguf(self) -> Path:
        """The file that the service loads."""
        return self.model / f"{self.name}-{self.recipe.kind}.gguf"
