"""Who may look at answers that clients have had."""

from dataclasses import dataclass
from typing import Protocol

from archipel.serve.counting import Tokens
from archipel.serve.dispatch import Dispatcher
from archipel.serve.providers import Question
from archipel.serve.routing import Target


@dataclass(frozen=True)
class Usual:
    """An answer in OpenAI's shape, whole or a stream, as its client had it."""

    target: Target
    answer: bytes
    seconds: float
    tokens: Tokens


class Observer(Protocol):
    """Is shown some answers after their clients have had them."""

    def wants(self, route: str) -> bool:
        """Whether it is to be shown the answer to the question that has just come."""
        ...

    def seen(self, dispatcher: Dispatcher, question: Question, usual: Usual) -> None:
        """Be shown one; returns at once."""
        ...

    async def leave(self) -> None:
        """Give up what is under way: the dispatcher ends."""
        ...


class Nobody:
    """Looks at nothing."""

    def wants(self, route: str) -> bool:
        """As `Observer.wants`."""
        return False

    def seen(self, dispatcher: Dispatcher, question: Question, usual: Usual) -> None:
        """As `Observer.seen`."""

    async def leave(self) -> None:
        """As `Observer.leave`."""
