"""What a person asks of the workshop, made ready to run: a module, its tests and its calls.

Pure; runs none of the code.
"""

import ast
from dataclasses import dataclass, field
from typing import Any, Literal

from archipel.assistant.workshop import findings
from archipel.errors import ConfigError
from archipel.sandbox.inside.plain import encode

Goal = Literal["repair", "optimise"]

_MOST_CHARACTERS = 200_000
_MOST_CALLS = 20
_PYTHON = ("python", "python3", "py")
TESTS_FILE = "test_given.py"
_UNNAMED = "solution"


@dataclass(frozen=True)
class Call:
    """An expression over the code's names, and the literal that it should give; None: what the
    code gives as it is (or, to repair it, anything that is not an exception)."""

    expression: str
    expected: str | None = None


@dataclass(frozen=True)
class Task:
    """Repair `code` so that it passes, or make it faster with the same results. With neither tests
    (pytest, unittest) nor calls nor examples in docstrings, it is run as a script. The timing of
    one attempt goes on for at most about `timing_seconds`, if calls are short."""

    goal: Goal
    code: str
    tests: str = ""
    calls: tuple[Call, ...] = ()
    wish: str = ""
    tongue: Literal["en", "fr"] = "en"
    language: str = "python"
    attempts: int = 3
    timing_seconds: float = 20


@dataclass(frozen=True)
class Given:
    """A task that can be run: the code's module name, files of tests, calls with what they should
    give (encoded), and whether the code is run as a script."""

    module: str
    test_files: dict[str, str]
    calls: tuple[Call, ...]
    expected: tuple[Any, ...] = field(default=())

    @property
    def script(self) -> bool:
        """Whether the code is checked by running it from top to bottom."""
        return not self.calls and not self.test_files

    @property
    def names(self) -> list[str]:
        """What the calls are called on screen."""
        return ["the script"] if self.script else [call.expression for call in self.calls]

    def files(self, code: str) -> dict[str, str]:
        """The code alone, as the file of its module."""
        return {f"{self.module.replace('.', '/')}.py": code}


def read_task(task: Task) -> Given:
    """Check and prepare `task`.

    Raises:
        ConfigError: a language that isn't run here, too much of something, tests, a call or an
            expected value that is not Python.
    """
    _check_sizes(task)
    tests = task.tests if task.tests.strip() else findings.tests_within(task.code)
    try:
        tree = ast.parse(tests)
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"the tests are not Python: {error}. Correct them first.") from error
    defined = findings.defined_names(task.code)
    module = findings.imported_module(tree, defined)
    if module is None:
        module = _UNNAMED
        tests = findings.with_names_from(module, tests, tree, defined)
    documented = findings.documented_examples(task.code)
    files = {TESTS_FILE: tests} if tests else {}
    for name, text in documented.items():
        files[f"documented_{name}.txt"] = f">>> from {module} import *\n\n{text}\n"
    calls = task.calls
    if task.goal == "optimise" and not calls:
        found = findings.literal_calls([tests, *documented.values()], defined)
        calls = tuple(map(Call, found[:_MOST_CALLS]))
        if files and not calls:
            raise ConfigError(
                "the tests hold no call that can be timed on its own. "
                "Give one, as in `total([1, 2] * 1000)`, with enough work in it."
            )
    return Given(module, files, calls, tuple(map(_expected, calls)))


def _check_sizes(task: Task) -> None:
    if task.language.lower() not in _PYTHON:
        raise ConfigError(
            f"code in {task.language!r} can't be run here, only Python. Ask in the chat instead: "
            "the answer then comes without evidence."
        )
    if not task.code.strip():
        raise ConfigError("there is no code. Give the code to work on.")
    for what, text in [("code", task.code), ("tests", task.tests), ("wish", task.wish)]:
        if len(text) > _MOST_CHARACTERS:
            raise ConfigError(
                f"the {what} has {len(text)} characters; at most {_MOST_CHARACTERS} are taken. "
                "Give the part that matters."
            )
    if len(task.calls) > _MOST_CALLS:
        raise ConfigError(f"{len(task.calls)} calls are over the limit of {_MOST_CALLS}.")
    if not 1 <= task.attempts <= 5:
        raise ConfigError(f"{task.attempts} attempts: give 1 to 5.")
    if not 1 <= task.timing_seconds <= 120:
        raise ConfigError(f"{task.timing_seconds} seconds of timing: give 1 to 120.")


def _expected(call: Call) -> Any:
    """The encoded value, None where none is given (a literal None is encoded as an object)."""
    try:
        ast.parse(call.expression.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise ConfigError(
            f"the call {call.expression!r} is not one Python expression: {error}. "
            "Write it as in `total([1, 2], tax=3)`."
        ) from error
    if call.expected is None:
        return None
    try:
        return {"value": encode(ast.literal_eval(call.expected.strip()))}
    except (SyntaxError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"the expected value {call.expected!r} is not a Python literal. "
            "Write numbers, strings, lists and the like."
        ) from error
