"""After an answer, the model is asked once whether the question says something worth keeping."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from sqlalchemy import Connection

from archipel.assistant.desk import Desk
from archipel.assistant.history import memories, preferences
from archipel.assistant.history.memories import Found
from archipel.assistant.memory import finding
from archipel.assistant.people import Person
from archipel.assistant.pieces import Piece
from archipel.chat import ChatService, ServiceError
from archipel.errors import DatabaseError

_log = logging.getLogger(__name__)
_SECONDS = 120.0  # that the model may take
_AT_ONCE = 2


@dataclass(frozen=True)
class Said:
    """A person's message, and the model that has answered it."""

    person: Person
    message: int
    text: str
    model: str


class Remembering:
    """Looks for facts in what people say, in tasks of its own."""

    def __init__(self, desk: Desk, service: ChatService) -> None:
        self._desk = desk
        self._service = service
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, said: Said) -> None:
        """Look into a message; what comes of it shows among the memories."""
        if not finding.is_worth_asking(said.text):
            return
        task = asyncio.create_task(self._look(said))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def after(self, pieces: AsyncGenerator[Piece], said: Said) -> AsyncGenerator[Piece]:
        """The pieces of the answer to a message; when they have ended well, look into it.

        Raises:
            ArchipelError: the pieces do.
        """
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                yield piece
        self.start(said)

    async def close(self) -> None:
        """Stop looking."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self, said: Said) -> None:
        try:
            async with self._places, asyncio.timeout(_SECONDS):
                answer = await self._answer(said)
            fact = finding.believed(answer, said.text)
            if fact is None:
                return
            found = Found(text=fact.text, origin=fact.sentence, message=said.message)

            def keep(connection: Connection, now: float) -> None:
                if preferences.find(connection, said.person.owner).memory:  # it may be off by now
                    memories.add(connection, said.person.owner, found, now)

            await self._desk.writing(keep)
        except (ServiceError, DatabaseError, TimeoutError) as error:
            _log.info("nothing is remembered of message %d: %s", said.message, error)

    async def _answer(self, said: Said) -> str:
        stream = self._service.on_behalf_of(said.person.user).stream_chat(
            finding.question(said.text), said.model, temperature=0, max_tokens=finding.ANSWER_TOKENS
        )
        async with contextlib.aclosing(stream) as deltas:
            return "".join([delta.text async for delta in deltas])
