"""What came of a recipe: the figures of its tasks, and how quickly it answers."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from archipel.cli.evaluate.measuring import Wish, measured
from archipel.cli.evaluate.subjects import Named
from archipel.cli.own_engine import own_engine
from archipel.cli.recipe.table import Asked, Recipe
from archipel.evaluate.asking import Prompt
from archipel.evaluate.data import Data
from archipel.evaluate.run import kept
from archipel.evaluate.service import Service

_PARALLEL = 4
_TIMED = 200  # questions that the speed is measured on
_ALONE = 20
_EXAMPLES = 8  # of each task
_MOST_TOKENS = 128


def figures(
    model: Path, checkpoint: Path, asked: Sequence[Asked], data: Data, results: Path
) -> dict[str, Any]:
    """Each task's figures by their names, as bleu_fr_en; answers are kept in `results`. What is to
    be read is read by the checkpoint.

    Raises:
        ConfigError: the data is missing.
        ModelError: the model can't be loaded.
    """
    found: dict[str, Any] = {}
    for one in asked:
        which = checkpoint if one.reads else model
        named = Named(str(which), None, _PARALLEL, _kept_in(results, one))
        [told] = measured(_wish(one), data, [named])["tasks"].values()
        for name, figure in told["figures"].items():
            found[one.called.format(name)] = round(figure["value"], 4)
    return found


def check(asked: Sequence[Asked], data: Data) -> None:
    """That there is all that is asked.

    Raises:
        ConfigError: data is missing.
    """
    for one in asked:
        _wish(one).questions(data)


def speeds(model: Path, recipe: Recipe, data: Data) -> dict[str, float]:
    """Answers a second, some at once, and, if the recipe wants it, milliseconds for one text of so
    many words alone; the engine as a service runs it, with all cores."""
    [first, *_] = recipe.asked
    [questions] = _wish(first).questions(data)
    prompts = [question.asked for question in questions.questions]
    return asyncio.run(_speeds(str(model), recipe, [_short(one) for one in prompts]))


def examples(asked: Sequence[Asked], data: Data, results: Path) -> list[tuple[str, str]]:
    """The first questions of each task that is asked in messages, and what was answered."""
    found = []
    for one in asked:
        if one.reads:
            continue
        [questions] = _wish(one).questions(data)
        answered = kept(_kept_in(results, one), questions)
        found += [
            (_text(question.asked), str(getattr(answer, "text", "")))
            for question, answer in zip(answered.questions, answered.answers, strict=True)
            if isinstance(question.asked, Prompt) and not isinstance(question.asked.asked, str)
        ][:_EXAMPLES]
    return found


def _wish(asked: Asked) -> Wish:
    return Wish((asked.task,), system=asked.system)


def _kept_in(results: Path, asked: Asked) -> Path:
    return results / asked.task.replace(":", "-")


async def _speeds(model: str, recipe: Recipe, prompts: list[Prompt]) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        service, (name,) = await own_engine(stack, model, parallel=_PARALLEL)
        subject = Service(service, name, identity=name, workers=_PARALLEL)
        some = prompts[:: max(1, len(prompts) // _TIMED)][:_TIMED]
        await subject.write(some[:_PARALLEL])  # warm
        began = time.perf_counter()
        parts = (some[first::_PARALLEL] for first in range(_PARALLEL))
        await asyncio.gather(*(subject.write(part) for part in parts))
        rate = len(some) / (time.perf_counter() - began)
        seconds = []
        alone = [one for one in prompts if len(_text(one).split()) == recipe.alone_words]
        for prompt in alone[:_ALONE]:
            began = time.perf_counter()
            await subject.write([prompt])
            seconds.append(time.perf_counter() - began)
    told = {recipe.speed: round(rate, 1)}
    words = f"ms_for_{recipe.alone_words}_words"
    return told | ({words: round(1000 * median(seconds))} if seconds else {})


def _short(asked: object) -> Prompt:
    assert isinstance(asked, Prompt)
    return replace(asked, most_tokens=_MOST_TOKENS)


def _text(asked: object) -> str:
    assert isinstance(asked, Prompt)
    assert not isinstance(asked.asked, str)
    return str(asked.asked[-1].content)
