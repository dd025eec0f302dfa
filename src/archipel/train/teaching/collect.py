"""Many prompts, a few at a time, to a teacher that may be busy, slow or away for a while."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass

from archipel.errors import ArchipelError, TeacherError
from archipel.train.teaching.answers import Answers, key_of
from archipel.train.teaching.prompts import Conversation
from archipel.train.teaching.teacher import Answer, Refused, Teacher, Trouble


@dataclass(frozen=True)
class Patience:
    """How often one prompt is sent, and how long is waited between: each time twice as long, and
    never less than the teacher asks for."""

    tries: int = 6
    first_seconds: float = 1.0
    most_seconds: float = 60.0

    def pause(self, failures: int, asked_seconds: float, luck: float) -> float | None:
        """Seconds after so many failures; None to give up. `luck`, from 0 to 1, spreads those who
        failed together."""
        if failures >= self.tries or asked_seconds > 10 * self.most_seconds:
            return None
        usual = min(self.most_seconds, self.first_seconds * 2.0 ** (failures - 1))
        return max(asked_seconds, usual * (1 + luck) / 2)


@dataclass
class Tally:
    """What there is so far."""

    prompts: int
    known: int = 0  # from an earlier time
    answered: int = 0
    refused: int = 0
    prompt_tokens: int = 0  # of this time
    answer_tokens: int = 0
    last_trouble: str = ""

    @property
    def done(self) -> int:
        return self.known + self.answered + self.refused


@dataclass(frozen=True)
class Means:
    """What the outside gives: time to wait, chance from 0 to 1, and who is told of progress."""

    sleep: Callable[[float], Coroutine[None, None, None]]
    luck: Callable[[], float]
    tell: Callable[[Tally], None]


class Collecting:
    """One pass over the prompts."""

    def __init__(
        self, teacher: Teacher, answers: Answers, patience: Patience, means: Means
    ) -> None:
        self._teacher = teacher
        self._answers = answers
        self._patience = patience
        self._means = means
        self._ended: ArchipelError | None = None
        self._over = asyncio.Event()
        self.tally = Tally(0)

    async def run(self, prompts: Sequence[Conversation], parallel: int) -> None:
        """Ask what is not known yet, so many at a time.

        Raises:
            TeacherError: it answers no more; what it has answered is kept.
            ConfigError: an answer can't be kept.
        """
        keyed = [
            (key_of(self._teacher.model, self._teacher.options, messages), messages)
            for messages in prompts
        ]
        todo = [(key, messages) for key, messages in keyed if self._answers.get(key) is None]
        self.tally = Tally(len(prompts), known=len(prompts) - len(todo))
        self._means.tell(self.tally)
        waiting = iter(todo)
        async with asyncio.TaskGroup() as group:
            for _ in range(parallel):
                group.create_task(self._work(waiting))
        if self._ended is not None:
            raise self._ended

    async def _work(self, waiting: Iterator[tuple[str, Conversation]]) -> None:
        for key, messages in waiting:
            if self._ended is not None:
                return
            try:
                reply = await self._patiently(messages)
                if reply is None:
                    return
                self._answers.add(key, reply)
            except ArchipelError as error:
                self._ended = self._ended or error  # the others finish what they have asked
                self._over.set()
                return
            self._count(reply)

    async def _patiently(self, messages: Conversation) -> Answer | Refused | None:
        """A reply that stays; None where another has found that the teacher is gone."""
        failures = 0
        while self._ended is None:
            reply = await self._teacher.ask(messages)
            if not isinstance(reply, Trouble):
                return reply
            failures += 1
            self.tally.last_trouble = reply.reason
            self._means.tell(self.tally)
            seconds = self._patience.pause(failures, reply.wait_seconds, self._means.luck())
            if seconds is None:
                raise TeacherError(
                    f"the teacher did not answer a prompt in {failures} tries: {reply.reason}. "
                    f"{self.tally.done} of {self.tally.prompts} are kept; the same command goes on"
                )
            await self._rest(seconds)
        return None

    async def _rest(self, seconds: float) -> None:
        """Until the time is over, or all is."""
        waits = {
            asyncio.ensure_future(self._means.sleep(seconds)),
            asyncio.ensure_future(self._over.wait()),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    def _count(self, reply: Answer | Refused) -> None:
        if isinstance(reply, Refused):
            self.tally.refused += 1
            self.tally.last_trouble = reply.reason
        else:
            self.tally.answered += 1
            self.tally.prompt_tokens += reply.prompt_tokens
            self.tally.answer_tokens += reply.answer_tokens
        self._means.tell(self.tally)
