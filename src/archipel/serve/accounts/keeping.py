"""Exchanges of projects that keep them are written after their clients have had the answers."""

import asyncio
import contextlib
import json
import logging
import random
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from archipel.database import Database
from archipel.errors import DatabaseError
from archipel.serve.access import Keep, Visit
from archipel.serve.accounts.exchanges import ANSWER_BYTES, Seal, delete_expired
from archipel.serve.accounts.tables import exchanges
from archipel.serve.dispatch import Dispatcher
from archipel.serve.observers import Seen, Usual
from archipel.serve.question import Question

_AT_ONCE = 256  # that wait to be written; what comes on top is lost
_PURGE_SECONDS = 600.0
_DAY_SECONDS = 24 * 3600
_log = logging.getLogger(__name__)


@dataclass
class Keeper:
    """Writes exchanges. `draw` gives a number from 0 to 1; `clock` seconds since the epoch."""

    database: Database
    seal: Seal
    draw: Callable[[], float] = random.random
    clock: Callable[[], float] = time.time
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def wants(self, route: str, visit: Visit) -> Seen | None:
        """As `Observer.wants`."""
        keep = visit.keep
        return partial(self._seen, keep) if keep and self.draw() < keep.share else None

    async def leave(self) -> None:
        """As `Observer.leave`; what waits is written."""
        await asyncio.gather(*self._tasks)

    @contextlib.asynccontextmanager
    async def purging(self) -> AsyncIterator[None]:
        """Delete what was kept long enough, for the time of the block."""
        purging = asyncio.create_task(self._purge())
        try:
            yield
        finally:
            purging.cancel()
            await asyncio.gather(purging, return_exceptions=True)

    async def _purge(self) -> None:
        while True:
            try:
                while await asyncio.to_thread(self._delete):
                    pass
            except DatabaseError as error:
                _log.error("exchanges are kept longer than was said: %s", error)
            await asyncio.sleep(_PURGE_SECONDS)

    def _delete(self) -> int:
        with self.database.writing() as connection:
            return delete_expired(connection, self.clock())

    def _seen(self, keep: Keep, dispatcher: Dispatcher, question: Question, usual: Usual) -> None:
        if len(self._tasks) >= _AT_ONCE:
            _log.error("an exchange is not kept: %d wait to be written", _AT_ONCE)
            return
        task = asyncio.create_task(self._write(keep, question, usual))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, keep: Keep, question: Question, usual: Usual) -> None:
        try:
            await asyncio.to_thread(self._insert, keep, question, usual, self.clock())
        except DatabaseError as error:
            _log.error("an exchange is not kept: %s", error)

    def _insert(self, keep: Keep, question: Question, usual: Usual, now: float) -> None:
        id = str(uuid.uuid4())
        asked = json.dumps(dict(question.fields)).encode()
        answer = usual.answer[:ANSWER_BYTES]
        row: dict[str, Any] = {
            "id": id,
            "time": now,
            "expires": now + keep.days * _DAY_SECONDS,
            "project": keep.project,
            "key": keep.key,
            "endpoint": keep.endpoint,
            "model": question.fields["model"],
            "provider": usual.target.provider,
            "prompt_tokens": usual.tokens.prompt,
            "completion_tokens": usual.tokens.completion,
            "question": self.seal.close(asked, f"{id} question"),
            "answer": self.seal.close(answer, f"{id} answer"),
            "whole": len(usual.answer) < ANSWER_BYTES,
        }
        with self.database.writing() as connection:
            connection.execute(exchanges.insert().values(row))
