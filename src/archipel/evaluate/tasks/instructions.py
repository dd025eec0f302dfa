"""Does a model do what it is told? Instructions on the form of an answer, in English and French."""

import tomllib
from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np

from archipel.chat import Message
from archipel.evaluate.asking import Prompt, Written
from archipel.evaluate.data import Data
from archipel.evaluate.figures import Measure, proportion, ratio
from archipel.evaluate.tasks.constraints import CHECKS
from archipel.evaluate.tasks.task import Question, Task

_MOST_TOKENS = 256
_LANGUAGES = ("en", "fr")


def instructions() -> Task:
    """The instructions of `instructions.toml`: sixteen kinds, each on several subjects."""
    return Task("instructions", _questions, _measures)


def _questions(_: Data) -> list[Question]:
    text = resources.files(__package__).joinpath("instructions.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    return [
        Question(
            f"{language}/{ask['check']}/{number}",
            Prompt((Message("user", ask[language].format(subject=subject)),), _MOST_TOKENS),
            key=(ask["check"], _of(ask["value"], language)),
            part=language,
        )
        for language in _LANGUAGES
        for ask in table["ask"]
        for number, subject in enumerate(table["subjects"][language])
    ]


def _of(value: Any, language: str) -> Any:
    return value[language] if isinstance(value, dict) else value


def _measures(questions: Sequence[Question], answers: Sequence[Written]) -> list[Measure]:
    """Of all, and of those in each language."""
    hits = []
    for question, answer in zip(questions, answers, strict=True):
        check, value = question.key
        hits.append(CHECKS[check](answer.text, value))
    found = [proportion("followed", hits)]
    for language in _LANGUAGES:
        here = np.array([question.part == language for question in questions], np.float64)
        if here.any():
            rows = np.stack([here * np.array(hits), here], axis=1)
            found.append(Measure(f"followed_{language}", rows, ratio, is_proportion=True))
    return found
