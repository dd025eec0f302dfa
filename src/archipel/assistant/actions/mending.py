"""Code repaired or made faster in the workshop: the steps as they are done, then the evidence."""

import ast
import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

from archipel.assistant.actions.acting import Reader
from archipel.assistant.actions.prompts import plain_turns
from archipel.assistant.actions.table import Chosen
from archipel.assistant.endless import Endless
from archipel.assistant.pieces import Piece, noted
from archipel.assistant.workshop.answered import read_answer
from archipel.assistant.workshop.checks import Checked
from archipel.assistant.workshop.difference import diff_lines
from archipel.assistant.workshop.improve import (
    Asked,
    Attempt,
    Examined,
    Finished,
    Proposed,
    Timed,
    improve,
)
from archipel.assistant.workshop.task import Call, Task
from archipel.chat import Message
from archipel.sandbox.sandbox import Sandbox

_CHECKS = 100  # that the evidence shows of each version
_DETAIL_CHARACTERS = 600  # of each
_FENCE = "```"


class Workbench:
    """The sandbox of this machine, tried when code is first to run."""

    def __init__(self) -> None:
        self._sandbox: Sandbox | None = None
        self._trying = asyncio.Lock()

    async def sandbox(self) -> Sandbox:
        """The sandbox.

        Raises:
            SandboxError: none holds on this machine.
        """
        async with self._trying:
            if self._sandbox is None:
                self._sandbox = await Sandbox.open()
            return self._sandbox


async def mend(
    reader: Reader, bench: Workbench, chosen: Chosen, text: str
) -> AsyncGenerator[Piece]:
    """The better version of the code in `text`, if there is one, with the model's words. Progress
    has the `steps` so far, the facts' `action` in the end the `evidence`.

    Raises:
        ConfigError: the code can't be run here; it says why.
        SandboxError: programs can't be run apart on this machine.
        ServiceError: the service can't be reached, refuses, or ends too early.
    """
    yield Piece(facts={"action": chosen.facts})
    task = task_of(chosen, text)
    asking = _Asking(reader, chosen, task)
    steps: list[dict[str, Any]] = []
    work = improve(task, asking.complete, await bench.sandbox(), random.Random())
    async with contextlib.aclosing(work) as events:
        async for event in events:
            if isinstance(event, Finished):
                facts = chosen.facts | {"notes": [], "parts": 1, "evidence": evidence(task, event)}
                yield Piece(said(event), {**asking.told, "action": facts})
            else:
                steps = after(steps, step(event))
                yield Piece(facts=asking.told, progress={"steps": steps})


@dataclass
class _Asking:
    reader: Reader
    chosen: Chosen
    task: Task
    told: dict[str, Any] = field(default_factory=dict)

    async def complete(self, messages: Sequence[Message]) -> str:
        """The whole answer; one that is asked plainly gets the code, and not what came of it."""
        if self.reader.plainly:
            messages = plain_turns(self.chosen, self.task.code, self.task.tongue)
        said, endless = [], Endless(str(messages[-1].content))
        stream = self.reader.service.stream_chat(messages, self.reader.model)
        async with contextlib.aclosing(stream) as deltas:
            async for delta in deltas:
                said.append(delta.text)
                self._count(noted(delta))
                if endless.add(delta.text):
                    break
        return "".join(said)

    def _count(self, facts: dict[str, Any]) -> None:
        for name, value in facts.items():
            before = self.told.get(name, 0) if name.endswith("_tokens") else None
            self.told[name] = value if before is None else before + value


def task_of(chosen: Chosen, text: str) -> Task:
    """What the workshop is asked: the code of `text`, its other words as a wish. Pure."""
    found = read_answer(text) if _FENCE in text else None
    fields = chosen.fields
    return Task(
        goal=cast(Literal["repair", "optimise"], chosen.action.name),
        code=found.code if found else text,
        tests=fields["tests"],
        calls=tuple(_call(line) for line in fields["calls"].splitlines() if line.strip()),
        wish=found.words if found else "",
        tongue="fr" if fields["language"] == "fr" else "en",
    )


def _call(line: str) -> Call:
    """`total([1, 2]) == 3` has what it should give, `total([1, 2])` has not."""
    line = line.strip()
    with contextlib.suppress(SyntaxError, ValueError):
        tree = ast.parse(line, mode="eval").body
        if isinstance(tree, ast.Compare) and [type(op) for op in tree.ops] == [ast.Eq]:
            return Call(ast.unparse(tree.left), ast.unparse(tree.comparators[0]))
    return Call(line)


def step(event: Examined | Timed | Asked | Proposed) -> dict[str, Any]:
    """One line of what was done. Pure."""
    match event:
        case Examined():
            told = {"passed": event.passed, "counted": event.counted}
            return {"kind": event.kind, "attempt": event.attempt, **told}
        case Timed():
            pairs = event.timing.pairs
            return {
                "kind": event.kind,
                "attempt": event.attempt,
                "gain": event.gain,
                "pairs": pairs,
            }
        case Asked() | Proposed():
            return {"kind": event.kind, "attempt": event.attempt}


def after(steps: list[dict[str, Any]], new: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps with one more; a time takes the place of the one before it. Pure."""
    place = [(one["kind"], one["attempt"]) for one in steps[-1:]]
    again = place == [("timed", new["attempt"])] and new["kind"] == "timed"
    return [*(steps[:-1] if again else steps), new]


def said(end: Finished) -> str:
    """The answer's text: the model's words and the better version, if there is one. Pure."""
    if end.code is None:
        return ""
    return f"{end.attempts[-1].words}\n\n{_FENCE}python\n{end.code.rstrip()}\n{_FENCE}".strip()


def evidence(task: Task, end: Finished) -> dict[str, Any]:
    """All that was found, as plain data. Pure."""
    return {
        "verdict": end.verdict,
        "before": _checked(end.before),
        "attempts": [_attempt(task, one) for one in end.attempts],
        "code": end.code,
        "patch": end.diff_text,
    }


def _attempt(task: Task, attempt: Attempt) -> dict[str, Any]:
    timing = attempt.timing
    return {
        "verdict": attempt.verdict,
        "words": attempt.words,
        "checked": attempt.checked and _checked(attempt.checked),
        "timing": timing and {**asdict(timing), "gain": timing.gain},
        "difference": attempt.difference,
        "diff": [asdict(line) for line in diff_lines(task.code, attempt.code)]
        if attempt.code
        else [],
    }


def _checked(checked: Checked) -> dict[str, Any]:
    shown = [
        {"name": one.name, "result": one.result, "detail": one.detail[-_DETAIL_CHARACTERS:]}
        for one in checked.checks[:_CHECKS]
    ]
    counts = {"passed": checked.passed, "counted": checked.counted}
    why = {"trouble": checked.trouble[-2000:], "doubt": checked.doubt}
    return {**counts, **why, "checks": shown}
