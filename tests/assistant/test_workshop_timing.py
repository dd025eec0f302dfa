"""Two versions of code compared: gains are measured, not believed."""

import asyncio
import random

from archipel.assistant.workshop.task import Call, Task, read_task
from archipel.assistant.workshop.timing import Difference, Timing, compare
from archipel.sandbox.sandbox import Sandbox


def _compared(sandbox: Sandbox, before: str, after: str, call: str) -> Timing | Difference:
    async def run() -> Timing | Difference:
        given = read_task(Task("optimise", before, calls=(Call(call),)))
        chance = random.Random(7)
        found = compare(sandbox, given, (before, after), seconds=2, chance=chance)
        return [finding async for finding in found][-1]

    return asyncio.run(run())


def about_the_same(timing: Timing) -> bool:
    """Whether neither is much faster: what a trick would gain is far more than the machine's noise,
    which is all that may part two versions that do the same."""
    return timing.low < 1.5 and timing.high > 1 / 1.5


QUADRATIC = """\
def common(one, other):
    return [item for item in one if item in other]
"""
LINEAR = """\
def common(one, other):
    known = set(other)
    return [item for item in one if item in known]
"""
CALL = "common(list(range(2500)), list(range(1000, 3500)))"


def test_a_gain_is_measured(sandbox: Sandbox) -> None:
    timing = _compared(sandbox, QUADRATIC, LINEAR, CALL)
    assert isinstance(timing, Timing)
    assert timing.speed == "faster"
    assert timing.gain > 2
    assert timing.low <= timing.ratio <= timing.high
    assert min(timing.before_peak_bytes, timing.after_peak_bytes) > 1 << 20


def test_the_same_work_takes_about_the_same(sandbox: Sandbox) -> None:
    same = QUADRATIC.replace("item", "thing")
    timing = _compared(sandbox, QUADRATIC, same, CALL)
    assert isinstance(timing, Timing)
    assert about_the_same(timing), timing


def test_a_false_clock_gains_nothing(sandbox: Sandbox) -> None:
    clocks = "import time\nfor n in dir(time):\n    if 'time' in n or 'perf' in n or 'mono' in n:\n"
    clocks += "        setattr(time, n, lambda *_: 0)\n"
    timing = _compared(sandbox, QUADRATIC, clocks + QUADRATIC, CALL)
    assert isinstance(timing, Timing)
    assert about_the_same(timing), timing


def test_what_is_kept_from_call_to_call_gains_nothing(sandbox: Sandbox) -> None:
    plain = "def work(n):\n    return sum(i * i for i in range(n))\n"
    cached = f"import functools\n@functools.cache\n{plain}"
    timing = _compared(sandbox, plain, cached, "work(400)")
    assert isinstance(timing, Timing)
    assert timing.copies > 1
    assert about_the_same(timing), timing


def test_a_result_that_is_computed_later_counts(sandbox: Sandbox) -> None:
    later = QUADRATIC.replace("return [item", "return iter([item").replace("other]", "other])")
    assert isinstance(_compared(sandbox, QUADRATIC, later, CALL), Difference)
    before = later
    lazy = "def common(one, other):\n    yield from (item for item in one if item in other)\n"
    timing = _compared(sandbox, before, lazy, CALL)
    assert isinstance(timing, Timing)
    assert about_the_same(timing), timing


def test_other_results_are_a_difference(sandbox: Sandbox) -> None:
    other = LINEAR.replace("return [item", "return [item + (item == 2000)")
    found = _compared(sandbox, QUADRATIC, other, CALL)
    assert isinstance(found, Difference)
    assert found.words.startswith("common(list(range(2500)), list(range(1000, 3500))) gave [1000, ")
    loud = LINEAR.replace("    known", "    print('done')\n    known")
    found = _compared(sandbox, QUADRATIC, loud, CALL)
    assert isinstance(found, Difference)
    assert "printed" in found.words


def test_chance_in_the_code_is_named(sandbox: Sandbox) -> None:
    code = "import random\ndef roll():\n    return random.random()\n"
    found = _compared(sandbox, code, code, "roll()")
    assert isinstance(found, Difference)
    assert "no lasting answer" in found.words
