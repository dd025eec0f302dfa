"""Asks a model for a better version of code, tries it, and asks again: `improve` is the way in.

Knows neither the model's service nor the page: it is given a function that answers messages, and
yields events that are plain data.
"""

import contextlib
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from archipel.assistant.workshop import wording
from archipel.assistant.workshop.answered import read_version
from archipel.assistant.workshop.checks import Checked
from archipel.assistant.workshop.difference import DiffLine, diff_lines, diff_text
from archipel.assistant.workshop.examples import ask, check_calls, check_expected
from archipel.assistant.workshop.suites import doubt_of, run_tests
from archipel.assistant.workshop.task import Given, Task, read_task
from archipel.assistant.workshop.timing import Difference, Timing, compare
from archipel.assistant.workshop.verdicts import SUCCESS, Verdict, verdict_on_checks
from archipel.chat import Message
from archipel.sandbox.sandbox import Sandbox

Complete = Callable[[Sequence[Message]], Awaitable[str]]


@dataclass(frozen=True)
class Examined:
    """Tests and calls were run: on the code as it is (attempt 0) or on a new version."""

    kind: ClassVar[str] = "examined"
    attempt: int
    passed: int
    counted: int
    checked: Checked


@dataclass(frozen=True)
class Asked:
    """The model is asked for a version."""

    kind: ClassVar[str] = "asked"
    attempt: int


@dataclass(frozen=True)
class Proposed:
    """The model gave a version, with these words."""

    kind: ClassVar[str] = "proposed"
    attempt: int
    words: str
    code: str
    diff: tuple[DiffLine, ...]


@dataclass(frozen=True)
class Timed:
    """What is known of the times so far."""

    kind: ClassVar[str] = "timed"
    attempt: int
    timing: Timing
    gain: float


@dataclass(frozen=True)
class Attempt:
    """One version and all that is known of it. `difference` says where it gives other results."""

    verdict: Verdict
    words: str = ""
    code: str = ""
    checked: Checked | None = None
    timing: Timing | None = None
    difference: str = ""


@dataclass(frozen=True)
class Finished:
    """The end. `code` is the best version, if one is better than what there was, with `diff_text`
    for `patch`; `verdict` is that version's, else the last one's."""

    kind: ClassVar[str] = "finished"
    verdict: Verdict
    code: str | None
    diff: tuple[DiffLine, ...]
    diff_text: str
    before: Checked
    attempts: tuple[Attempt, ...]


Event = Examined | Asked | Proposed | Timed | Finished


def as_json(event: Event) -> dict[str, Any]:
    """`event` with its `kind`, ready for JSON."""
    return {"kind": event.kind, **asdict(event)}


async def improve(
    task: Task, complete: Complete, sandbox: Sandbox, chance: random.Random
) -> AsyncGenerator[Event]:
    """Work on `task` with the model behind `complete`: events as it goes, `Finished` last.

    Closing the generator, or cancelling who iterates it, kills what runs in the sandbox.

    Raises:
        ConfigError: the task can't be run; see `read_task`.
        SandboxError: no program can be started.
        Exception: what `complete` raises.
    """
    given = read_task(task)
    work = _Work(task, given, sandbox, chance)
    before = await work.examine(task.code)
    yield Examined(0, before.passed, before.counted, before)
    if before.good == (task.goal == "repair"):
        verdict: Verdict = "nothing to repair" if before.good else "must be repaired first"
        yield Finished(verdict, None, (), "", before, ())
        return
    messages = wording.first_messages(task, before)
    attempts: list[Attempt] = []
    while len(attempts) < task.attempts:
        number = len(attempts) + 1
        yield Asked(number)
        answer = await complete(messages)
        async with contextlib.aclosing(work.attempt(number, answer, before)) as events:
            async for event in events:
                if isinstance(event, Attempt):
                    attempts.append(event)
                else:
                    yield event
        if attempts[-1].verdict in SUCCESS:
            break
        messages += [Message("assistant", answer), Message("user", _reply(attempts[-1]))]
    yield _finish(task, given, before, attempts)


@dataclass(frozen=True)
class _Work:
    task: Task
    given: Given
    sandbox: Sandbox
    chance: random.Random

    async def examine(self, code: str) -> Checked:
        """All tests and calls on `code`."""
        given = self.given
        checked = Checked()
        if given.test_files:
            checked = await run_tests(self.sandbox, given, code)
        if checked.trouble or checked.doubt:
            return checked
        if self.task.goal == "optimise":  # the answers are compared with the timing
            told = await ask(self.sandbox, given, code)
            checks = (*checked.checks, *check_expected(given, told))
            return Checked(checks, trouble=told.trouble)
        return Checked((*checked.checks, *await check_calls(self.sandbox, given, code)))

    async def attempt(
        self, number: int, answer: str, before: Checked
    ) -> AsyncGenerator[Event | Attempt]:
        """Try what the model answered: events, and at the end the attempt."""
        proposal = read_version(answer, self.task.code)
        if proposal is None:
            yield Attempt("no code", answer)
            return
        words, code = proposal.words, proposal.code
        yield Proposed(number, words, code, diff_lines(self.task.code, code))
        checked = await self.examine(code)
        if checked.good and self.given.test_files:
            doubt = await doubt_of(self.sandbox, self.given, code)
            checked = Checked(checked.checks, doubt=doubt)
        yield Examined(number, checked.passed, checked.counted, checked)
        verdict = verdict_on_checks(before, checked)
        if verdict or self.task.goal == "repair":
            yield Attempt(verdict or "fixed", words, code, checked)
            return
        timing, difference = None, ""
        comparison = compare(
            self.sandbox,
            self.given,
            (self.task.code, code),
            seconds=self.task.timing_seconds,
            chance=self.chance,
        )
        async with contextlib.aclosing(comparison) as findings:
            async for found in findings:
                if isinstance(found, Difference):
                    difference = found.words
                else:
                    timing = found
                    yield Timed(number, found, found.gain)
        if difference or timing is None:
            yield Attempt("other results", words, code, checked, difference=difference)
        else:
            yield Attempt(timing.speed, words, code, checked, timing)


def _reply(attempt: Attempt) -> str:
    """What the model is told of its attempt."""
    if attempt.checked is None:
        return wording.without_code()
    if attempt.timing is not None:
        return wording.no_faster(attempt.timing)
    if attempt.difference:
        return wording.otherwise(attempt.difference)
    return wording.still_failing(attempt.checked)


def _finish(task: Task, given: Given, before: Checked, attempts: list[Attempt]) -> Finished:
    last = attempts[-1]
    code = last.code if last.verdict in SUCCESS else None
    name = next(iter(given.files("")))
    return Finished(
        verdict=last.verdict,
        code=code,
        diff=() if code is None else diff_lines(task.code, code),
        diff_text="" if code is None else diff_text(task.code, code, name),
        before=before,
        attempts=tuple(attempts),
    )
