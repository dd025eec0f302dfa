"""Candidates are asked what clients asked, and the comparison is kept: of the answers nothing else.

What a candidate costs is the organisation's: no key pays for it and no limit counts it.
"""

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from archipel.database import Database
from archipel.errors import ArchipelError, DatabaseError
from archipel.serve.access import Visit
from archipel.serve.accounts.tables import shadow_answers
from archipel.serve.counting import Tokens, tokens_of
from archipel.serve.dispatch import Dispatcher
from archipel.serve.observers import Seen, Usual
from archipel.serve.providers import Directory
from archipel.serve.question import Question
from archipel.serve.routing import Price, Target
from archipel.serve.shadow import Said, likeness, may_shadow, question_of, said

_AT_ONCE = 32  # candidates' answers under way; what comes on top is not compared
_FREE = Price(0, 0)
_log = logging.getLogger(__name__)


@dataclass
class Shadows:
    """Asks candidates. `draw` gives a number from 0 to 1; `clock` seconds since the epoch."""

    database: Database
    directory: Directory
    draw: Callable[[], float] = random.random
    clock: Callable[[], float] = time.time
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _refused: set[tuple[str, str]] = field(default_factory=set)  # said in the log already

    def wants(self, route: str, visit: Visit) -> Seen | None:
        """As `Observer.wants`."""
        return self._seen if self._draws(route) else None

    def _draws(self, route: str) -> bool:
        shadow = self.directory.shadows.get(route)
        if shadow is None or len(self._tasks) >= _AT_ONCE or self.draw() >= shadow.share:
            return False
        policies, pair = self.directory.policies, (route, shadow.candidate)
        if may_shadow(policies[route], policies.get(shadow.candidate)):
            self._refused.discard(pair)
            return True
        if pair not in self._refused:
            self._refused.add(pair)
            _log.error("%s may not be shadowed by %s: see the settings", *pair)
        return False

    def _seen(self, dispatcher: Dispatcher, question: Question, usual: Usual) -> None:
        shadow = self.directory.shadows.get(question.fields["model"])
        answer = said(usual.answer)
        if shadow and answer:
            comparing = self._compare(dispatcher, question, usual, answer, shadow.candidate)
            task = asyncio.create_task(comparing)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def leave(self) -> None:
        """As `Observer.leave`."""
        under_way = [*self._tasks]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _compare(
        self,
        dispatcher: Dispatcher,
        question: Question,
        usual: Usual,
        answer: Said,
        candidate: str,
    ) -> None:
        asked = Question(question.endpoint, question_of(question.fields), None)
        began = time.monotonic()
        row = _row(question.fields["model"], candidate, usual, self.clock())
        try:
            found = await dispatcher.answer(candidate, asked)
        except ArchipelError as error:
            _log.warning("%s, candidate for %s: %s", candidate, row["route"], error)
            row |= {"outcome": "failed"}
        else:
            row |= _other(found.target, tokens_of(asked.fields, found.head))
            other = said(found.head)
            if other is None:
                row |= {"outcome": "failed"}
            else:
                like = likeness(answer, other)
                row |= {"words": like.words, "same": like.same, "calls_agree": like.calls_agree}
        row["candidate_seconds"] = round(time.monotonic() - began, 3)
        try:
            await asyncio.to_thread(self._keep, row)
        except DatabaseError as error:
            _log.error("a comparison is lost: %s", error)

    def _keep(self, row: dict[str, object]) -> None:
        with self.database.writing() as connection:
            connection.execute(shadow_answers.insert().values(row))


def _row(route: str, candidate: str, usual: Usual, now: float) -> dict[str, object]:
    return {
        "id": str(uuid.uuid4()),
        "time": now,
        "route": route,
        "candidate": candidate,
        "outcome": "answered",
        "provider": usual.target.provider,
        "seconds": round(usual.seconds, 3),
        "completion_tokens": usual.tokens.completion,
        "nanos": _nanos(usual.target, usual.tokens),
    }


def _other(target: Target, tokens: Tokens) -> dict[str, object]:
    return {
        "candidate_provider": target.provider,
        "candidate_completion_tokens": tokens.completion,
        "candidate_nanos": _nanos(target, tokens),
    }


def _nanos(target: Target, tokens: Tokens) -> int:
    return (target.price or _FREE).nanos(tokens.prompt, tokens.completion)
