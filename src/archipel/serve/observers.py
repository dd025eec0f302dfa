"""Who may look at answers that clients have had."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from archipel.serve.access import Visit
from archipel.serve.counting import Tokens
from archipel.serve.dispatch import Dispatcher
from archipel.serve.question import Question
from archipel.serve.routing import Target


@dataclass(frozen=True)
class Usual:
    """An answer in OpenAI's shape, whole or a stream, as its client had it."""

    target: Target
    answer: bytes
    seconds: float
    tokens: Tokens


Seen = Callable[[Dispatcher, Question, Usual], None]


class Observer(Protocol):
    """Is shown some answers after their clients have had them."""

    def wants(self, route: str, visit: Visit) -> Seen | None:
        """What is to be called with the answer to the question that has just come, and returns at
        once; None if it is not to be shown."""
        ...

    async def leave(self) -> None:
        """Give up what is under way: the dispatcher ends."""
        ...


class Nobody:
    """Looks at nothing."""

    def wants(self, route: str, visit: Visit) -> Seen | None:
        """As `Observer.wants`."""
        return None

    async def leave(self) -> None:
        """As `Observer.leave`."""


@dataclass(frozen=True)
class Several:
    """All of these."""

    observers: Sequence[Observer]

    def wants(self, route: str, visit: Visit) -> Seen | None:
        """As `Observer.wants`."""
        wanting = [seen for one in self.observers if (seen := one.wants(route, visit))]
        if not wanting:
            return None

        def show(dispatcher: Dispatcher, question: Question, usual: Usual) -> None:
            for seen in wanting:
                seen(dispatcher, question, usual)

        return show

    async def leave(self) -> None:
        """As `Observer.leave`."""
        await asyncio.gather(*(one.leave() for one in self.observers))
