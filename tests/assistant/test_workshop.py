"""The workshop from task to finished record, over a model whose answers are written here."""

import asyncio
import contextlib
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from archipel.assistant.workshop.improve import (
    Event,
    Finished,
    Proposed,
    Timed,
    as_json,
    improve,
)
from archipel.assistant.workshop.task import Call, Task
from archipel.chat import Message
from archipel.errors import ConfigError
from archipel.sandbox.sandbox import Sandbox

MEDIAN = """\
def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
"""
TESTS = """\
from stats import median

def test_odd():
    assert median([3, 1, 2]) == 2

def test_even():
    assert median([4, 1, 2, 3]) == 2.5
"""
ALWAYS = "```python\ndef median(values):\n    return 2.5\n```"
RIGHT = """\
An even count has two middle values.

```python
def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2
```
"""


class Model:
    """Gives the answers in their order; keeps what it was asked."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked: list[list[Message]] = []

    async def __call__(self, messages: Sequence[Message]) -> str:
        self.asked.append(list(messages))
        return self._answers.pop(0)


def _work(task: Task, model: Model, sandbox: Sandbox) -> list[Event]:
    async def run() -> list[Event]:
        return [event async for event in improve(task, model, sandbox, random.Random(3))]

    return asyncio.run(run())


def _finished(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


def _summary(events: list[Event]) -> list[Any]:
    """The events as a page could show them."""
    rows = [as_json(event) for event in events]
    json.dumps(rows)
    return [(row["kind"], row.get("attempt"), row.get("passed")) for row in rows]


def test_a_repair_that_succeeds_at_the_second_attempt(sandbox: Sandbox) -> None:
    model = Model(ALWAYS, RIGHT)
    events = _work(Task("repair", MEDIAN, TESTS), model, sandbox)
    assert _summary(events) == [
        ("examined", 0, 1),
        ("asked", 1, None),
        ("proposed", 1, None),
        ("examined", 1, 1),
        ("asked", 2, None),
        ("proposed", 2, None),
        ("examined", 2, 2),
        ("finished", None, None),
    ]
    finished = _finished(events)
    assert finished.verdict == "fixed"
    assert [attempt.verdict for attempt in finished.attempts] == ["broke something", "fixed"]
    assert finished.attempts[1].words == "An even count has two middle values."
    assert finished.code is not None
    assert finished.diff_text.startswith("--- a/stats.py\n+++ b/stats.py\n@@ -1,3 +1,6 @@\n")
    assert {line.kind for line in finished.diff} == {"same", "added", "removed"}
    first, second = model.asked
    assert "test_even: failed" in first[-1].content
    assert [message.role for message in second] == ["system", "user", "assistant", "user"]
    assert "test_odd: failed" in second[-1].content


def test_a_failing_call_is_test_enough(sandbox: Sandbox) -> None:
    task = Task("repair", MEDIAN, calls=(Call("median([1, 2])", "1.5"),), tongue="fr")
    model = Model("Voici : il n'y a pas de code.", RIGHT)
    finished = _finished(_work(task, model, sandbox))
    assert [attempt.verdict for attempt in finished.attempts] == ["no code", "fixed"]
    assert "gave 2, expected 1.5" in model.asked[0][-1].content
    assert "French" in model.asked[0][0].content


def test_a_script_is_run_as_it_is(sandbox: Sandbox) -> None:
    task = Task("repair", "print('total', 1 + '2')\n")
    model = Model("```python\nprint('total', 1 + 2)\n```")
    finished = _finished(_work(task, model, sandbox))
    assert finished.verdict == "fixed"
    assert "TypeError" in model.asked[0][-1].content


def test_attempts_are_bounded(sandbox: Sandbox) -> None:
    finished = _finished(
        _work(Task("repair", MEDIAN, TESTS, attempts=2), Model(ALWAYS, ALWAYS), sandbox)
    )
    assert (finished.verdict, finished.code) == ("broke something", None)
    assert len(finished.attempts) == 2


def test_code_that_passes_needs_no_model(sandbox: Sandbox) -> None:
    finished = _finished(_work(Task("repair", "def f(): return 1\n",
                                    calls=(Call("f()", "1"),)), Model(), sandbox))  # fmt: skip
    assert finished.verdict == "nothing to repair"
    failing = Task("optimise", MEDIAN, TESTS)
    assert _finished(_work(failing, Model(), sandbox)).verdict == "must be repaired first"


SLOW = """\
def unique(values):
    kept = []
    for value in values:
        if value not in kept:
            kept.append(value)
    return kept
"""
UNORDERED = "```python\ndef unique(values):\n    return list(set(values))\n```"
QUICK = """\
Dictionaries keep order.
```python
def unique(values):
    return list(dict.fromkeys(values))
```
"""
UNIQUE = Call("unique([n * 7919 % 3000 for n in range(6000)])")


def test_an_optimisation_with_its_gain(sandbox: Sandbox) -> None:
    model = Model(UNORDERED, QUICK)
    events = _work(Task("optimise", SLOW, calls=(UNIQUE,), timing_seconds=2), model, sandbox)
    finished = _finished(events)
    assert [attempt.verdict for attempt in finished.attempts] == ["other results", "faster"]
    timed = [event for event in events if isinstance(event, Timed)]
    assert timed[-1].gain > 3, timed[-1]
    assert timed[-1].timing == finished.attempts[1].timing
    assert finished.code == "def unique(values):\n    return list(dict.fromkeys(values))\n"
    assert "does not give the same" in model.asked[1][-1].content


def test_tests_supply_the_calls_and_guard_the_rest(sandbox: Sandbox) -> None:
    tests = "def test_order():\n    assert unique([3, 1, 3]) == [3, 1]\n"
    tests += "def test_unhashable():\n    assert unique([[1], [1]]) == [[1]]\n"
    finished = _finished(_work(Task("optimise", SLOW, tests, attempts=1), Model(QUICK), sandbox))
    assert finished.verdict == "broke something"
    assert finished.attempts[0].checked is not None
    assert finished.attempts[0].checked.passed == 1


def test_no_gain_is_told_and_tried_again(sandbox: Sandbox) -> None:
    renamed = f"```python\n{SLOW.replace('kept', 'found')}```"
    task = Task("optimise", SLOW, calls=(UNIQUE,), attempts=2, timing_seconds=2)
    model = Model(renamed, QUICK)
    finished = _finished(_work(task, model, sandbox))
    assert [attempt.verdict for attempt in finished.attempts] == ["no gain", "faster"], finished
    assert "Try a better algorithm" in model.asked[1][-1].content


def test_cancelling_stops_what_runs(sandbox: Sandbox) -> None:
    hangs = "```python\ndef median(values):\n    while True: pass\n```"

    async def cancel() -> None:
        task = Task("repair", MEDIAN, TESTS)
        async with contextlib.aclosing(
            improve(task, Model(hangs), sandbox, random.Random(1))
        ) as events:
            async for event in events:
                if isinstance(event, Proposed):
                    break
            pending = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            pending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await pending

    asyncio.run(asyncio.wait_for(cancel(), 8))


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (Task("repair", "fn main() {}", language="rust"), "code in 'rust' can't be run here"),
        (Task("repair", "  "), "no code"),
        (Task("repair", "x = 1\n" * 50_000), "at most 200000"),
        (Task("repair", "x = 1", tests="def test_(:"), "the tests are not Python"),
        (Task("repair", "x = 1", calls=(Call("x = 2"),)), "not one Python expression"),
        (Task("repair", "x = 1", calls=(Call("x", "open('/')"),)), "not a Python literal"),
        (Task("repair", "x = 1", calls=(Call("x"),) * 21), "limit of 20"),
        (Task("repair", "x = 1", attempts=9), "give 1 to 5"),
        (Task("optimise", "x = 1", tests="def test_x(): assert x"), "no call that can be timed"),
    ],
)
def test_what_cannot_be_done_is_said(sandbox: Sandbox, task: Task, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        _work(task, Model(), sandbox)
