"""Answers that grow, each in a task of its own: a page that goes away and comes back finds it.

An answer's pieces are numbered from 1. Whoever follows it gets those after the number that they
have, and where its making is; what has arrived is kept in the database every now and then, and
whole in the end. Knows nothing about where pieces come from.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

from archipel.assistant.desk import Desk
from archipel.assistant.history import messages as history
from archipel.assistant.history.messages import Status
from archipel.assistant.pieces import Ending, Piece
from archipel.chat import ServiceError
from archipel.errors import ArchipelError, DatabaseError

_KEPT_EVERY_SECONDS = 2.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class News:
    """What came since one looked: text whose last piece has this number, and the progress where it
    is another."""

    number: int
    text: str
    progress: Mapping[str, Any] | None


@dataclass
class _Growing:
    pieces: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    progress: Mapping[str, Any] | None = None
    ending: Ending | None = None
    grew: asyncio.Condition = field(default_factory=asyncio.Condition)
    ended: bool = False
    task: "asyncio.Task[None] | None" = None

    async def add(self, piece: Piece) -> None:
        self.facts.update(piece.facts)
        self.ending = piece.ending or self.ending
        if not piece.text and piece.progress is None:
            return
        async with self.grew:
            if piece.text:
                self.pieces.append(piece.text)
            if piece.progress is not None:
                self.progress = piece.progress
            self.grew.notify_all()

    def whole(self) -> tuple[str, dict[str, Any]]:
        """The text and the facts to keep."""
        text = "".join(self.pieces)
        if self.ending is None:
            return text, self.facts
        kept, more = self.ending(text)
        return kept, {**self.facts, **more}

    async def after(self, number: int, seen: Mapping[str, Any] | None) -> News | None:
        """What came after a piece and a progress, as soon as there is something; None when all has
        come."""

        def more() -> bool:
            return len(self.pieces) > number or self.progress is not seen

        async with self.grew:
            await self.grew.wait_for(lambda: self.ended or more())
        if not more():
            return None
        progress = self.progress if self.progress is not seen else None
        return News(len(self.pieces), "".join(self.pieces[number:]), progress)


class Answers:
    """The answers under way."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._growing: dict[int, _Growing] = {}

    def start(self, message: int, pieces: AsyncGenerator[Piece]) -> None:
        """Let the answer with this id grow by these pieces, to their end or an error of ours."""
        growing = self._growing[message] = _Growing()
        growing.task = asyncio.create_task(self._grow(message, pieces, growing))

    def so_far(self, message: int) -> tuple[str, int] | None:
        """The text of a growing answer and the number of its last piece; None if it does not."""
        growing = self._growing.get(message)
        return None if growing is None else ("".join(growing.pieces), len(growing.pieces))

    async def follow(self, message: int, after: int) -> AsyncGenerator[News]:
        """What comes above the piece with the number `after`, until the answer has ended; what came
        at once comes as one."""
        growing, seen = self._growing.get(message), None
        while growing is not None and (news := await growing.after(after, seen)):
            after, seen = news.number, news.progress or seen
            yield news

    async def stop(self, message: int) -> None:
        """End an answer where it is, and wait until that is written down."""
        growing = self._growing.get(message)
        if growing is None or growing.task is None:
            return
        growing.task.cancel()
        await asyncio.wait([growing.task])

    async def close(self) -> None:
        """Stop them all."""
        for message in list(self._growing):
            await self.stop(message)

    async def _grow(self, message: int, pieces: AsyncGenerator[Piece], growing: _Growing) -> None:
        status: Status = "failed"
        try:
            await self._take(message, pieces, growing)
            status = "done"
        except ArchipelError as error:
            code = error.code if isinstance(error, ServiceError) else None
            growing.facts["error"] = {"code": code, "message": str(error)}
        except asyncio.CancelledError:
            status = "stopped"
        finally:
            await asyncio.shield(self._end(message, growing, status))

    async def _end(self, message: int, growing: _Growing, status: Status) -> None:
        text, facts = growing.whole()
        try:
            await self._desk.writing(lambda c, _: history.finish(c, message, text, status, facts))
        except DatabaseError as error:
            _log.error("answer %d is not kept: %s", message, error)
        finally:
            del self._growing[message]
            async with growing.grew:
                growing.ended = True
                growing.grew.notify_all()

    async def _take(self, message: int, pieces: AsyncGenerator[Piece], growing: _Growing) -> None:
        clock = asyncio.get_running_loop().time
        began = kept = clock()
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                now = clock()
                if piece.text:
                    growing.facts.setdefault("first_seconds", round(now - began, 3))
                    growing.facts["seconds"] = round(now - began, 3)
                await growing.add(piece)
                if piece.text and now - kept > _KEPT_EVERY_SECONDS:
                    kept = now
                    await self._keep(message, "".join(growing.pieces))

    async def _keep(self, message: int, text: str) -> None:
        await self._desk.writing(lambda connection, _: history.grow(connection, message, text))
