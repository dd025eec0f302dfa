"""Asks a model the questions of tasks that it has not answered yet, and keeps each answer."""

import asyncio
import random
import secrets
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archipel.chat import Message
from archipel.errors import ConfigError
from archipel.evaluate.asking import Answer, Prompt, Span, Subject, Written
from archipel.evaluate.data import Data
from archipel.evaluate.figures import SEED
from archipel.evaluate.journal import Journal
from archipel.evaluate.tasks import Question, Task
from archipel.sandbox.sandbox import Program, Sandbox
from archipel.sandbox.talk import Limits

_PROGRAM_LIMITS = Limits(wall_seconds=10, cpu_seconds=10)
_PROGRAM = "program.py"

Show = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Asked:
    """A task with the questions of it that are asked."""

    task: Task
    questions: list[Question]


@dataclass(frozen=True)
class Answered:
    """A task with its questions and the answers to them, one each."""

    task: Task
    questions: list[Question]
    answers: list[Answer]


def choose(task: Task, data: Data, limit: int | None) -> Asked:
    """A task with all its questions, or so many of them by lot: always the same, in their order.

    Raises:
        ConfigError: the task's data is missing or damaged.
    """
    questions = task.questions(data)
    if limit is not None:
        places = random.Random(SEED).sample(range(len(questions)), len(questions))
        questions = [questions[place] for place in sorted(places[:limit])]
    return Asked(task, questions)


def with_system(asked: Asked, text: str) -> Asked:
    """The same questions, with `text` as the system message of those that are messages."""
    return Asked(asked.task, [_with_system(question, text) for question in asked.questions])


def _with_system(question: Question, text: str) -> Question:
    prompt = question.asked
    if not isinstance(prompt, Prompt) or isinstance(prompt.asked, str):
        return question
    others = [message for message in prompt.asked if message.role != "system"]
    messages = (Message("system", text), *others)
    return replace(question, asked=replace(prompt, asked=messages))


def kept(folder: Path, asked: Asked) -> Answered:
    """The answers of an earlier evaluation to the same questions.

    Raises:
        ConfigError: some were not asked then.
    """
    answers = Journal(folder, asked.task.name).answers(asked.questions)
    found = [answer for answer in answers if answer is not None]
    if len(found) < len(answers):
        raise ConfigError(
            f"{folder} has answers to {len(found):,} of the {len(answers):,} questions of "
            f"{asked.task.name}. Evaluate that model with the same --tasks and --limit first."
        )
    return Answered(asked.task, asked.questions, found)


async def ask(
    subject: Subject, folder: Path, wanted: Sequence[Asked], show: Show
) -> list[Answered]:
    """Ask what `folder` has no answer to; `show` hears (task, how many answered, of how many).

    Raises:
        ModelError: the model can't do what a task asks.
        SandboxError: programs can't be run here.
        ServiceError: nobody answers. What came is kept.
    """
    async with AsyncExitStack() as stack:
        runs = []
        for asked in wanted:
            journal = stack.enter_context(Journal(folder, asked.task.name))
            runs.append(_Run(subject, asked, journal, show))
        if any(run.reads for run in runs):  # what can't be done fails now, not after an hour
            await subject.read([Span("One, two,", " three")])
        sandbox = await Sandbox.open() if any(run.runs_programs for run in runs) else None
        for run in runs:
            await run.ask(sandbox)
    return [kept(folder, asked) for asked in wanted]


class _Run:
    """The questions of one task on their way to one model."""

    def __init__(self, subject: Subject, asked: Asked, journal: Journal, show: Show) -> None:
        self._subject = subject
        self._task = asked.task
        self._journal = journal
        self._show = show
        answers = journal.answers(asked.questions)
        pairs = zip(asked.questions, answers, strict=True)
        self._left = [question for question, answer in pairs if answer is None]
        self._count = len(answers)
        self._done = self._count - len(self._left)

    @property
    def reads(self) -> bool:
        """Whether the model still has to say how likely texts are."""
        return any(not isinstance(question.asked, Prompt) for question in self._left)

    @property
    def runs_programs(self) -> bool:
        """Whether programs are still to be run."""
        return self._task.program is not None and bool(self._left)

    async def ask(self, sandbox: Sandbox | None) -> None:
        """Long questions first: those asked together are then of a length, and the time left is
        not told too short."""
        self._show(self._task.name, self._done, self._count)
        subject = self._subject
        together = subject.reads_together if self.reads else subject.writes_together
        batches = _batches(sorted(self._left, key=_length, reverse=True), together)

        async def work() -> None:
            for batch in batches:  # which the workers share
                answers = await self._answers(batch, sandbox)
                for question, answer in zip(batch, answers, strict=True):
                    self._journal.keep(question, answer)
                self._done += len(batch)
                self._show(self._task.name, self._done, self._count)

        await _side_by_side([work() for _ in range(subject.workers)])

    async def _answers(self, batch: list[Question], sandbox: Sandbox | None) -> list[Answer]:
        prompts = [one.asked for one in batch if isinstance(one.asked, Prompt)]
        if not prompts:
            spans = [one.asked for one in batch if not isinstance(one.asked, Prompt)]
            reads = iter(await self._subject.read([span for some in spans for span in some]))
            return [tuple(next(reads) for _ in some) for some in spans]
        written = await self._subject.write(prompts)
        if sandbox is None or self._task.program is None:
            return list(written)
        programs = [self._task.program(one, w.text) for one, w in zip(batch, written, strict=True)]
        return [await _run(sandbox, text, one) for text, one in zip(programs, written, strict=True)]


async def _run(sandbox: Sandbox, text: str, written: Written) -> Written:
    """A program passes if it comes to its last line: one that ends early does not."""
    if written.too_long:
        return replace(written, passed=False)
    mark = secrets.token_hex(16)
    files = {_PROGRAM: f"{text}\nprint({mark!r})\n"}
    command = (sys.executable, "-B", "-s", _PROGRAM)
    outcome = await sandbox.run(Program(command, files, limits=_PROGRAM_LIMITS))
    came = outcome.output.rstrip().endswith(mark.encode())
    return replace(written, passed=outcome.status == 0 and came)


async def _side_by_side(works: Sequence[Coroutine[Any, Any, None]]) -> None:
    """All of them to their ends; the first error ends the others."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _batches(questions: list[Question], size: int) -> Iterator[list[Question]]:
    for first in range(0, len(questions), size):
        yield questions[first : first + size]


def _length(question: Question) -> int:
    if isinstance(question.asked, Prompt):
        return len(str(question.asked.asked))
    return max(len(span.context) + len(span.continuation) for span in question.asked)
