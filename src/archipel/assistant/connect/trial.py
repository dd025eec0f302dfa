"""One short question to the service, to know whether it answers and how fast."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from archipel.assistant.people import Person
from archipel.chat import ChatService, Message, ServiceError

SECONDS = 20  # that an answer may take: a model may have to be loaded
_FILL_TOKENS = 16
_CHARACTERS = 500  # of an answer, shown
_BEFORE, _BEHIND = "def total(prices):\n    return ", "\n"


@dataclass(frozen=True)
class Tried:
    """What came back, and after how long."""

    text: str
    seconds: float


@dataclass(frozen=True)
class Trial:
    """Asks `service` for people; `clock` is monotonic, in seconds."""

    service: ChatService
    clock: Callable[[], float]

    async def models(self, person: Person) -> Tried:
        """The names of the models.

        Raises:
            ServiceError: the service can't be reached, refuses, or does not answer in time.
        """

        async def ask(service: ChatService) -> str:
            return ", ".join(await service.list_models())

        return await self._timed(person, ask)

    async def fill(self, person: Person, model: str) -> Tried:
        """A short gap, filled.

        Raises:
            ServiceError: as `models`.
        """

        async def ask(service: ChatService) -> str:
            choice = await service.complete(
                model, _BEFORE, suffix=_BEHIND, max_tokens=_FILL_TOKENS, temperature=0
            )
            return str(choice.get("text") or "")

        return await self._timed(person, ask)

    async def chat(self, person: Person, model: str) -> Tried:
        """One token of an answer.

        Raises:
            ServiceError: as `models`.
        """

        async def ask(service: ChatService) -> str:
            asked = [Message("user", "Say hello.")]
            pieces = service.stream_chat(asked, model, max_tokens=1)
            return "".join([piece.text async for piece in pieces])

        return await self._timed(person, ask)

    async def _timed(
        self, person: Person, ask: Callable[[ChatService], Coroutine[None, None, str]]
    ) -> Tried:
        begun = self.clock()
        try:
            async with asyncio.timeout(SECONDS):
                text = await ask(self.service.on_behalf_of(person.user))
        except TimeoutError as error:
            raise ServiceError(
                f"{self.service.url} did not answer within {SECONDS} s. It may be loading a model: "
                "try again. If it stays so, look at the service's log.",
                "no_answer",
            ) from error
        return Tried(text[:_CHARACTERS], self.clock() - begun)
