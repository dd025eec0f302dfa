"""Calls of the code, answered in the sandbox and judged here.

The code's process gets the calls only once it is loaded, and its answers come back as plain data:
it may write what it likes, only right values count; the clock is ours and stops when they are here.
What remains possible: code that knows the answers to these very calls by heart, and, where a result
is no plain data, an object that has the right one's class name and `repr`.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from archipel.assistant.workshop.checks import OVER_TIME, Check, last_line, why_ended
from archipel.assistant.workshop.task import Given
from archipel.sandbox.inside.plain import same, show
from archipel.sandbox.sandbox import Outcome, Program, Sandbox
from archipel.sandbox.talk import Limits

_LIMITS = Limits()
_SHOWN_CHARACTERS = 300

Answer = dict[str, Any]


@dataclass(frozen=True)
class Answers:
    """What the calls gave, in their order; or in `trouble` why there is nothing. `seconds` runs
    from the calls' going out to the answers' being here."""

    answers: tuple[Answer, ...] = ()
    trouble: str = ""
    seconds: float = 0.0
    peak_bytes: int = 0


async def ask(
    sandbox: Sandbox, given: Given, code: str, *, copies: int = 1, told_copy: int = 0
) -> Answers:
    """The answers of `code` to all calls of `given`, by as many fresh copies of its module one
    after the other, of which one tells.

    Raises:
        SandboxError: no program can be started.
    """
    calls = [call.expression.strip() for call in given.calls]
    command = sandbox.harness("answer", given.module, str(0 if given.script else copies))
    question = json.dumps({"calls": calls, "copy": told_copy}).encode()
    outcome = await sandbox.run(Program(command, given.files(code), question, _LIMITS))
    answers = _read(outcome, 1 if given.script else len(calls))
    if answers is None:
        return Answers(trouble=why_ended(outcome))
    if "loading" in answers[0]:
        return Answers(trouble=str(answers[0]["loading"]))
    seconds = outcome.answer_seconds or 0.0
    return Answers(tuple(answers), "", seconds, outcome.peak_bytes or 0)


async def check_calls(sandbox: Sandbox, given: Given, code: str) -> tuple[Check, ...]:
    """Each call (or the script) in a process of its own: one that hangs leaves the others.

    Raises:
        SandboxError: no program can be started.
    """
    checks = []
    for place, name in enumerate(given.names):
        one = replace(
            given, calls=given.calls[place : place + 1], expected=given.expected[place : place + 1]
        )
        told = await ask(sandbox, one, code)
        expected = one.expected[0] if one.expected else None
        checks.append(
            _lost(name, told) if told.trouble else _judge(name, told.answers[0], expected)
        )
    return tuple(checks)


def check_expected(given: Given, told: Answers) -> tuple[Check, ...]:
    """The calls whose result is given, in answers to all of them."""
    triples = zip(given.names, given.expected, told.answers, strict=False)
    return tuple(_judge(name, answer, right) for name, right, answer in triples if right)


def differing(given: Given, one: Answers, other: Answers) -> str:
    """The first call that one version answers otherwise than the other, in words; "" if none."""
    if other.trouble:
        return other.trouble
    for name, old, new in zip(given.names, one.answers, other.answers, strict=True):
        if not _alike(old, new):
            return f"{name} gave {_shown(new)}, not {_shown(old)}"
    return ""


def _read(outcome: Outcome, count: int) -> list[Answer] | None:
    """The answers, if the program's output is nothing but that."""
    greeting, _, told = outcome.output.partition(b"\n")
    try:
        answers = json.loads(told)
    except (ValueError, RecursionError):
        return None
    right = (
        outcome.end == "exit"
        and greeting == b"ready"
        and isinstance(answers, list)
        and all(isinstance(answer, dict) for answer in answers)
        and (len(answers) == count or (len(answers) == 1 and "loading" in answers[0]))
    )
    return answers if right else None


def _lost(name: str, told: Answers) -> Check:
    timed_out = told.trouble == OVER_TIME
    return Check(name, "timed out" if timed_out else "failed", told.trouble)


def _judge(name: str, answer: Answer, expected: Answer | None) -> Check:
    if "raised" in answer:
        return Check(name, "failed", str(answer.get("trace", "")))
    if expected is None or same(answer.get("value"), expected["value"]):
        return Check(name, "passed")
    return Check(name, "failed", f"gave {_shown(answer)}, expected {_shown(expected)}")


def _alike(one: Answer, other: Answer) -> bool:
    keys = ("value", "raised", "printed")
    return all(same(one.get(key), other.get(key)) for key in keys) and (
        ("value" in one) == ("value" in other)
    )


def _shown(answer: Answer) -> str:
    if "raised" in answer:
        return f"an exception ({last_line(str(answer.get('trace', answer['raised'])))})"
    try:
        text = show(answer.get("value"))
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ):  # not what the harness writes
        text = "something unreadable"
    if printed := answer.get("printed"):
        return f"{_clipped(text)}, having printed {_clipped(repr(printed))}"
    return _clipped(text)


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
