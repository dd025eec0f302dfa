"""Evidence on code: what tests and calls say, and that the code can't forge it."""

import asyncio
from dataclasses import replace

import pytest

from archipel.assistant.workshop.checks import Check, Checked
from archipel.assistant.workshop.examples import check_calls
from archipel.assistant.workshop.suites import TEST_LIMITS, doubt_of, run_tests
from archipel.assistant.workshop.task import Call, Task, read_task
from archipel.sandbox.sandbox import Sandbox

DOUBLE = "def double(x):\n    return 2 * x\n"
TESTS = """\
import pytest
from numbers_ import double

@pytest.mark.parametrize("x", [0, 1])
def test_small(x):
    assert double(x) == 2 * x

def test_large():
    assert double(10**30) == 2 * 10**30
"""


LIMITS = replace(TEST_LIMITS, silent_seconds=4)


def _tested(sandbox: Sandbox, code: str, tests: str = TESTS, original: str = DOUBLE) -> Checked:
    """The tests' outcomes on `code`, believed or not."""

    async def run() -> Checked:
        given = read_task(Task("repair", original, tests))
        checked = await run_tests(sandbox, given, code, LIMITS)
        if checked.good:
            checked = replace(checked, doubt=await doubt_of(sandbox, given, code))
        return checked

    return asyncio.run(run())


def _results(checked: Checked) -> dict[str, str]:
    return {check.name: check.result for check in checked.checks}


def test_each_test_has_its_outcome(sandbox: Sandbox) -> None:
    checked = _tested(sandbox, DOUBLE)
    assert checked.good, checked
    assert _results(checked) == dict.fromkeys(
        ["test_small[0]", "test_small[1]", "test_large"], "passed"
    )
    checked = _tested(sandbox, "def double(x):\n    return x + 1\n")
    assert (checked.passed, checked.counted) == (1, 3)
    failed = next(check for check in checked.checks if check.name == "test_small[0]")
    assert "assert 1 == (2 * 0)" in failed.detail


def test_unittest_and_examples_in_docstrings(sandbox: Sandbox) -> None:
    code = """\
def up(text):
    '''Louder.

    >>> len(up("ab"))
    2
    '''
    return text.upper()
"""
    tests = """\
import unittest

class UpTest(unittest.TestCase):
    def test_up(self):
        self.assertEqual(up("é"), "É")

    @unittest.skip("later")
    def test_later(self):
        self.fail()
"""
    checked = _tested(sandbox, code, tests, original=code)
    assert checked.good, checked
    assert _results(checked) == {
        "the examples of up": "passed",
        "UpTest::test_up": "passed",
        "UpTest::test_later": "skipped",
    }
    # The examples are the first version's: without its docstring, a new one still has to keep them.
    checked = _tested(sandbox, "def up(text):\n    return 3 * text\n", tests, original=code)
    assert _results(checked)["the examples of up"] == "failed"


def test_a_test_that_hangs_or_kills_leaves_the_others(sandbox: Sandbox) -> None:
    code = """\
import os
def double(x):
    if x == 0:
        while True: pass
    if x == 1:
        os._exit(0)
    return 2 * x
"""
    assert _results(_tested(sandbox, code)) == {
        "test_small[0]": "timed out",
        "test_small[1]": "ended the program",
        "test_large": "passed",
    }


def test_code_that_does_not_load_is_trouble(sandbox: Sandbox) -> None:
    assert "SyntaxError" in _tested(sandbox, "def double(x)\n    return 2 * x\n").trouble
    assert "ImportError" in _tested(sandbox, "def triple(x): return 3 * x\n").trouble
    assert "status 0" in _tested(sandbox, "import os; os._exit(0)\n").trouble


def _calls(sandbox: Sandbox, code: str, *calls: Call) -> tuple[Check, ...]:
    return asyncio.run(check_calls(sandbox, read_task(Task("repair", code, calls=calls)), code))


def test_calls_are_judged_outside(sandbox: Sandbox) -> None:
    code = """\
import dataclasses
@dataclasses.dataclass
class Point:
    x: int
def squares(n): return (i * i for i in range(n))
def halves(n): return {i: i / 2 for i in range(n)}
def nothing(): print("hello")
def point(): return Point(1)
def fails(): raise ValueError("no")
def hangs():
    while True: pass
"""
    checks = _calls(
        sandbox,
        code,
        Call("list(squares(3))", "[0, 1, 4]"),
        Call("halves(2)", "{1: 0.5, 0: 0}"),
        Call("nothing()", "None"),
        Call("point().x", "2"),
        Call("fails()", "3"),
    )
    assert [check.result for check in checks] == ["passed", "passed", "passed", "failed", "failed"]
    assert checks[3].detail == "gave 1, expected 2"
    assert "ValueError: no" in checks[4].detail


@pytest.mark.parametrize(
    "code",
    [
        "class Any(int):\n    def __eq__(self, other): return True\ndef f(): return Any()",
        "class Any(list):\n    def __repr__(self): return '[1, 2]'\ndef f(): return Any()",
        'import os, sys\nos.write(1, b\'ready\\n[{"value": {"list": [1, 2]}}]\')\nos._exit(0)',
        "import os\nfor n in range(3, 20):\n    try: os.write(n, b'ready\\n[{\"value\": 1}]')\n"
        "    except OSError: pass\ndef f(): return [1, 2]",
        "import json\njson.dump = lambda told, file: file.write('[]')\ndef f(): return [1, 2]",
    ],
)
def test_answers_are_not_forged(sandbox: Sandbox, code: str) -> None:
    (check,) = _calls(sandbox, code, Call("f()", "[1, 2]"))
    assert check.result == "failed", check


def test_the_calls_come_after_loading(sandbox: Sandbox) -> None:
    """Code can't find out, while the clock does not run yet, what it will be asked."""
    code = """\
import glob, os, sys
seen = str(sys.argv) + str(os.environ) + str(glob.glob("/tmp/**", recursive=True))
for name in glob.glob("/tmp/**/*.*", recursive=True):
    seen += open(name).read()
"""
    (check,) = _calls(sandbox, code, Call("'call 99' + '31' in seen", "False"))
    assert check.result == "passed", check
    (check,) = _calls(sandbox, code, Call("'import ' + 'glob' in seen", "True"))
    assert check.result == "passed", check
