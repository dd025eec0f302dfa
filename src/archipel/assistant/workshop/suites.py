"""Runs a person's tests on a version of the code, and tells the outcome of each.

The code under test and its tests share an interpreter, as any test run does. So a pass counts only
after a control run: the same test, its comparisons strict, must then fail by an exception that the
harness has put at its end. Code that prints results, ends the program, patches pytest or returns
values that equal anything does not come through. What remains possible: code written against this
very harness, which finds its secret in memory and tells the two runs apart; and code that knows the
answers to the tests by heart. Calls (`examples`) are judged outside and leave only the last.
"""

import json
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from archipel.assistant.workshop.checks import Check, Checked, Result, last_line, why_ended
from archipel.assistant.workshop.strict import strict_examples, strict_tests
from archipel.assistant.workshop.task import TESTS_FILE, Given
from archipel.sandbox.sandbox import Outcome, Program, Sandbox
from archipel.sandbox.talk import Limits

TEST_LIMITS = Limits(wall_seconds=90, silent_seconds=10, cpu_seconds=90)
_MOST_STARTS = 12
_DETAIL_CHARACTERS = 2000


@dataclass
class _Told:
    """What one run's lines say."""

    collected: list[str] = field(default_factory=list)
    results: dict[str, tuple[str, str]] = field(default_factory=dict)
    running: str | None = None
    trouble: str = ""
    ended: bool = False
    foreign: bool = False


async def run_tests(
    sandbox: Sandbox, given: Given, code: str, limits: Limits = TEST_LIMITS
) -> Checked:
    """Each test of `given` on `code`; a test that hangs or ends the program leaves the others.

    Raises:
        SandboxError: no program can be started.
    """
    program = Program(
        sandbox.harness("run_tests"), {**given.files(code), **given.test_files}, limits=limits
    )
    checks: dict[str, Check] = {}
    collected: list[str] = []
    for _ in range(_MOST_STARTS):
        outcome, told = await _start(sandbox, program, list(checks))
        if told.foreign:
            return Checked(doubt="the code wrote into the pipe of the test run")
        if told.trouble:
            return Checked(trouble=told.trouble)
        collected = collected or told.collected
        for name, (result, detail) in told.results.items():
            checks[name] = _check(name, result, detail)
        if told.ended:
            break
        if told.running is None:
            return Checked(trouble=why_ended(outcome))
        checks[told.running] = _lost(told.running, outcome)
    if not collected:
        return Checked(trouble="there is no test in the tests")
    missing = [Check(name, "not run") for name in collected if name not in checks]
    named = [replace(check, name=_shown(check.name)) for check in [*checks.values(), *missing]]
    return Checked(tuple(named))


async def doubt_of(sandbox: Sandbox, given: Given, code: str) -> str:
    """Why the tests that pass on `code` are not to be believed; "" if they are.

    Raises:
        SandboxError: no program can be started.
    """
    files = given.files(code)
    for name, text in given.test_files.items():
        files[name] = strict_tests(text) if name == TESTS_FILE else strict_examples(text)
    program = Program(sandbox.harness("run_tests"), files, limits=TEST_LIMITS)
    outcome, told = await _start(sandbox, program, [])
    if told.foreign:
        return "the code wrote into the pipe of the test run"
    if told.trouble or not told.ended:
        return told.trouble or f"in the control run, {why_ended(outcome)}"
    for name in told.collected:
        result, detail = told.results.get(name, ("passed", ""))
        if result == "passed":
            return f"{_shown(name)} passes even where it must fail"
        if result == "failed":
            return f"{_shown(name)} does not pass a second, strict time: {last_line(detail)}"
    return ""


async def _start(sandbox: Sandbox, program: Program, leave_out: list[str]) -> tuple[Outcome, _Told]:
    mark = secrets.token_hex(16)
    question = {"mark": mark, "leave_out": leave_out}
    outcome = await sandbox.run(replace(program, question=json.dumps(question).encode()))
    return outcome, _read(outcome.output, mark)


def _read(output: bytes, mark: str) -> _Told:
    told = _Told()
    *lines, _ = output.split(b"\n")
    for line in lines[1:]:
        if not line.startswith(mark.encode() + b" "):
            told.foreign = True
            return told
        try:
            _take(told, json.loads(line[len(mark) + 1 :]))
        except (ValueError, LookupError, TypeError, AttributeError):
            told.foreign = True
    return told


def _take(told: _Told, event: dict[str, Any]) -> None:
    if "started" in event:
        told.running = str(event["started"])
    elif "done" in event:
        told.running = None
        told.results[str(event["done"])] = (str(event["outcome"]), str(event["detail"]))
    elif "trouble" in event:
        told.trouble = told.trouble or str(event["trouble"])
    else:
        told.collected = list(map(str, event.get("collected", told.collected)))
        told.ended = "end" in event


def _check(name: str, result: str, detail: str) -> Check:
    known: dict[str, Result] = {"passed": "passed", "skipped": "skipped"}
    return Check(name, known.get(result, "failed"), detail[-_DETAIL_CHARACTERS:])


def _lost(name: str, outcome: Outcome) -> Check:
    timed_out = outcome.end in ("time", "silence")
    return Check(name, "timed out" if timed_out else "ended the program", why_ended(outcome))


def _shown(name: str) -> str:
    """A test's id without our file's name; a documented example by what it documents."""
    file, _, test = name.partition("::")
    if file == TESTS_FILE:
        return test
    return f"the examples of {file.removeprefix('documented_').removesuffix('.txt')}"
