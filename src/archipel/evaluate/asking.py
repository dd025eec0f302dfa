"""What a model is asked when it is measured, and what it answers. Knows nothing about tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from archipel.chat import Message


@dataclass(frozen=True)
class Span:
    """A continuation that is read after its context; without one, a text from its beginning."""

    context: str
    continuation: str


@dataclass(frozen=True)
class Read:
    """The log-probability of a continuation, in nats; whether each of its tokens was the likeliest;
    whether the context was longer than the model takes, so that its beginning was left out."""

    nats: float
    greedy: bool
    cut: bool = False


@dataclass(frozen=True)
class Prompt:
    """A text to go on with, or messages to answer: always the likeliest token, up to `most_tokens`
    of them or one of `stops`."""

    asked: str | tuple[Message, ...]
    most_tokens: int
    stops: tuple[str, ...] = ()


@dataclass(frozen=True)
class Written:
    """What was written. `too_long`: the prompt left no room, nothing was written. `passed`: whether
    it ran and did what it must, where it is a program."""

    text: str
    too_long: bool = False
    passed: bool | None = None


Asked = tuple[Span, ...] | Prompt
Answer = tuple[Read, ...] | Written


class Subject(Protocol):
    """A model under measurement."""

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> str:
        """Another one for another model: what says whose answers are kept."""

    @property
    def reads_together(self) -> int:
        """How many questions to read are well asked in one call."""

    @property
    def writes_together(self) -> int:
        """How many prompts are well asked in one call."""

    @property
    def workers(self) -> int:
        """How many calls at a time are well made."""

    async def read(self, spans: Sequence[Span]) -> list[Read]:
        """How likely each continuation is.

        Raises:
            ModelError: this model can't tell.
            ServiceError: nobody answers.
        """

    async def write(self, prompts: Sequence[Prompt]) -> list[Written]:
        """What the model writes after each prompt.

        Raises:
            ModelError: it has no template for messages.
            ServiceError: nobody answers.
        """


def until(text: str, stops: Sequence[str]) -> str:
    """`text` up to the first of `stops`."""
    ends = [place for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(ends, default=len(text))]
