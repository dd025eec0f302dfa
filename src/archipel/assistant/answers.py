"""Answers that grow, each in a task of its own: a page that goes away and comes back finds it.

An answer's pieces are numbered from 1. Whoever follows it gets those after the number that they
have; what has arrived is kept in the database every now and then, and whole in the end.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

from archipel.assistant.desk import Desk
from archipel.assistant.history import messages as history
from archipel.assistant.history.messages import Status
from archipel.chat import ChatService, Delta, Message, ServiceError
from archipel.errors import DatabaseError

_KEPT_EVERY_SECONDS = 2.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """What is asked of a model: all turns, the last one the person's."""

    model: str
    turns: Sequence[Message]


@dataclass
class _Growing:
    pieces: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    grew: asyncio.Condition = field(default_factory=asyncio.Condition)
    ended: bool = False
    task: "asyncio.Task[None] | None" = None

    async def add(self, piece: str) -> None:
        async with self.grew:
            self.pieces.append(piece)
            self.grew.notify_all()

    async def after(self, number: int) -> str:
        """What came after a piece, as soon as there is something; empty when all has come."""
        async with self.grew:
            await self.grew.wait_for(lambda: self.ended or len(self.pieces) > number)
        return "".join(self.pieces[number:])


class Answers:
    """The answers under way, over one service."""

    def __init__(self, desk: Desk, service: ChatService) -> None:
        self._desk = desk
        self._service = service
        self._growing: dict[int, _Growing] = {}

    def start(self, message: int, question: Question) -> None:
        """Let the answer with this id grow."""
        growing = self._growing[message] = _Growing()
        growing.task = asyncio.create_task(self._grow(message, question, growing))

    def so_far(self, message: int) -> tuple[str, int] | None:
        """The text of a growing answer and the number of its last piece; None if it does not."""
        growing = self._growing.get(message)
        return None if growing is None else ("".join(growing.pieces), len(growing.pieces))

    async def follow(self, message: int, after: int) -> AsyncGenerator[tuple[int, str]]:
        """The pieces with numbers above `after`, as they come, until the answer has ended; what
        came at once comes as one, with the number of the last."""
        growing = self._growing.get(message)
        while growing is not None and (news := await growing.after(after)):
            after = len(growing.pieces)
            yield after, news

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

    async def _grow(self, message: int, question: Question, growing: _Growing) -> None:
        status: Status = "failed"
        try:
            await self._take(message, question, growing)
            status = "done"
        except ServiceError as error:
            growing.facts["error"] = {"code": error.code, "message": str(error)}
        except asyncio.CancelledError:
            status = "stopped"
        finally:
            await asyncio.shield(self._end(message, growing, status))

    async def _end(self, message: int, growing: _Growing, status: Status) -> None:
        text, facts = "".join(growing.pieces), growing.facts
        try:
            await self._desk.writing(lambda c, _: history.finish(c, message, text, status, facts))
        except DatabaseError as error:
            _log.error("answer %d is not kept: %s", message, error)
        finally:
            del self._growing[message]
            async with growing.grew:
                growing.ended = True
                growing.grew.notify_all()

    async def _take(self, message: int, question: Question, growing: _Growing) -> None:
        turns, left_out = list(question.turns), 0
        while True:
            try:
                await self._stream(message, question.model, turns, growing)
            except ServiceError as error:
                fewer = without_oldest(turns)
                if error.code != "context_length_exceeded" or fewer is None:
                    raise
                left_out += len(turns) - len(fewer)
                growing.facts["left_out"] = left_out
                turns = fewer
            else:
                return

    async def _stream(
        self, message: int, model: str, turns: Sequence[Message], growing: _Growing
    ) -> None:
        clock = asyncio.get_running_loop().time
        began = kept = clock()
        stream = self._service.stream_chat(turns, model)
        async with contextlib.aclosing(stream) as deltas:
            async for delta in deltas:
                note(growing.facts, delta)
                if not delta.text:
                    continue
                now = clock()
                if not growing.pieces:
                    growing.facts["first_seconds"] = round(now - began, 3)
                growing.facts["seconds"] = round(now - began, 3)
                await growing.add(delta.text)
                if now - kept > _KEPT_EVERY_SECONDS:
                    kept = now
                    await self._keep(message, "".join(growing.pieces))

    async def _keep(self, message: int, text: str) -> None:
        await self._desk.writing(lambda connection, _: history.grow(connection, message, text))


def without_oldest(turns: Sequence[Message]) -> list[Message] | None:
    """The turns without the oldest quarter, at least one and never the instructions or the last
    question; None if there is nothing to leave out. Pure."""
    instructions = [turn for turn in turns if turn.role == "system"]
    others = [turn for turn in turns if turn.role != "system"]
    if len(others) < 2:
        return None
    out = max(1, len(others) // 4)
    while out < len(others) - 1 and others[out].role != "user":
        out += 1
    return [*instructions, *others[out:]]


def note(facts: dict[str, Any], delta: Delta) -> None:
    """Write down what a delta tells of the whole answer."""
    if delta.provider is not None:
        facts["provider"] = delta.provider
    if delta.answer_tokens is not None:
        facts["completion_tokens"] = delta.answer_tokens
    if delta.prompt_tokens is not None:
        facts["prompt_tokens"] = delta.prompt_tokens
    if delta.ended is not None:
        facts["ended"] = delta.ended
