"""From what a person wishes to know of a model to the document with its figures."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from archipel import config
from archipel.cli.evaluate.screen import progress
from archipel.cli.evaluate.subjects import Named
from archipel.errors import ConfigError
from archipel.evaluate.data import Data
from archipel.evaluate.journal import model_of, open_results
from archipel.evaluate.report import differences, document
from archipel.evaluate.run import Answered, Asked, ask, choose, kept, with_system
from archipel.evaluate.tasks import find_task
from archipel.files import sha256_bytes


@dataclass(frozen=True)
class Wish:
    """Which tasks, how many questions of each, the field of texts, another system message."""

    tasks: tuple[str, ...]
    limit: int | None = None
    field: str = "text"
    system: str | None = None

    def questions(self, data: Data) -> list[Asked]:
        """The tasks with their questions, out of the files in `data`.

        Raises:
            ConfigError: a task is unknown or named twice; its data is missing or damaged.
        """
        tasks = [find_task(name.strip()) for name in self.tasks]
        if len({task.name for task in tasks}) < len(tasks):
            raise ConfigError("a task is named twice: evaluate one text after the other")
        data = replace(data, field=self.field)
        asked = [choose(task, data, self.limit) for task in tasks]
        system = self.system
        return asked if system is None else [with_system(one, system) for one in asked]


def wish_of(before: object) -> Wish:
    """What an earlier document answered.

    Raises:
        ConfigError: it is none.
    """
    try:
        asked: dict[str, Any] = before["asked"]  # type: ignore[index]
        return Wish(**{**asked, "tasks": tuple(map(str, asked["tasks"]))})
    except (TypeError, KeyError) as error:
        raise ConfigError(
            f"the gate is not what `archipel eval --json` writes ({error!r}). Make it anew"
        ) from error


def measured(wish: Wish, data: Data, named: Sequence[Named]) -> dict[str, Any]:
    """The document of the first of `named`, with its differences from the second if there is one.

    Raises:
        ArchipelError: a model can't be asked, or data is missing. What came is kept.
    """
    asked = wish.questions(data)
    (name, ours), *others = asyncio.run(_all_answered(named, asked))
    found = document(name, ours) | {"asked": asdict(wish)}
    for other, theirs in others:
        found["against"] = document(other, theirs) | {"differences": differences(ours, theirs)}
    return found


async def _all_answered(
    named: Sequence[Named], asked: list[Asked]
) -> list[tuple[str, list[Answered]]]:
    return [await _answered(one, asked) for one in named]


async def _answered(named: Named, asked: list[Asked]) -> tuple[str, list[Answered]]:
    """The model's name and its answers; a folder of answers stands for its model."""
    folder = Path(named.model)
    if (earlier := model_of(folder)) is not None:
        return earlier, [kept(folder, one) for one in asked]
    async with AsyncExitStack() as stack:
        subject = await named.open(stack)
        folder = named.results or _usual_results(subject.name, subject.identity)
        open_results(folder, subject.name, subject.identity)
        with progress(subject.name, folder) as show:
            return subject.name, await ask(subject, folder, asked, show)


def _usual_results(name: str, identity: str) -> Path:
    """Another folder for a model that has changed."""
    safe = "".join(sign if sign.isalnum() or sign in "._-" else "-" for sign in name)
    return config.home() / "evaluations" / f"{safe}-{sha256_bytes(identity.encode())[:8]}"
