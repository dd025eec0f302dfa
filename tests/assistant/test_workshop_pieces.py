"""The workshop's pure parts: values, statistics, differences, answers, what is found in tests."""

import ast
import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from archipel.assistant.workshop import findings
from archipel.assistant.workshop.answered import read_answer, read_version
from archipel.assistant.workshop.difference import diff_lines, diff_text
from archipel.assistant.workshop.strict import strict_tests
from archipel.assistant.workshop.task import Call, Task, read_task
from archipel.assistant.workshop.timing import median_interval, speed_of
from archipel.errors import SandboxError
from archipel.sandbox.inside.plain import encode, same, show
from archipel.sandbox.inside.seccomp import filter_program
from archipel.sandbox.walls import layout

VALUES: list[Any] = [
    None, True, 0, 1, -(2**70), 1.5, float("inf"), "é", b"\xff", [], [1, [2]], (), (1,), (1, 2), {},
    {"a": 1}, {1: (2,)}, {1, 2}, frozenset({3}), 2j,
]  # fmt: skip


def test_values_cross_as_json_and_stay_apart() -> None:
    crossed = [json.loads(json.dumps(encode(value))) for value in VALUES]
    for place, one in enumerate(crossed):
        for other_place, other in enumerate(crossed):
            assert same(one, other) == (place == other_place), (one, other)
    assert [show(value) for value in crossed[4:]][1:3] == ["1.5", "inf"]
    for value, encoded in zip(VALUES, crossed, strict=True):
        if not isinstance(value, int) or abs(value) < 2**63:
            assert show(encoded) in (repr(value), "set({1, 2})", "dict()", "{}"), value


def test_values_are_equal_as_people_expect() -> None:
    assert same(encode({1: "a", 2: "b"}), encode({2: "b", 1: "a"}))
    assert same(encode(3), encode(3.0))
    assert same(encode(0.1 + 0.2), encode(0.3))
    assert same(encode(float("nan")), encode(float("nan")))
    assert not same(encode(1), encode(True))
    assert not same(encode([1]), encode((1,)))
    assert not same(encode(2**60), encode(2**60 + 1))
    loop: list[Any] = []
    loop.append(loop)
    assert same(encode(loop), encode(loop))


def test_the_interval_of_a_median_holds_in_95_of_100() -> None:
    chance = random.Random(5)
    for count in (7, 12, 31):
        held = 0
        for _ in range(2000):
            low, high = median_interval([chance.gauss(0, 1) for _ in range(count)])
            held += low <= 0 <= high
        assert held / 2000 >= 0.94, count
    assert median_interval([3, 1, 2]) == (1, 3)


def test_speed_needs_the_whole_interval() -> None:
    assert speed_of(0.2, 0.3) == "faster"
    assert speed_of(0.5, 1.2) == "no gain"
    assert speed_of(0.96, 0.99) == "no gain"
    assert speed_of(1.1, 1.3) == "slower"


def test_patch_takes_the_difference(tmp_path: Path) -> None:
    old = "".join(f"line {number}\n" for number in range(30))
    new = old.replace("line 3\n", "line three\nand more\n").replace("line 29\n", "@@ end")
    (tmp_path / "x.py").write_text(old, encoding="utf-8")
    text = diff_text(old, new, "x.py")
    subprocess.run(["patch", "-p1"], input=text.encode(), cwd=tmp_path, check=True)
    assert (tmp_path / "x.py").read_text(encoding="utf-8") == new
    lines = diff_lines(old, new)
    shown = [(line.kind, line.text, line.old, line.new) for line in lines if line.kind != "same"]
    assert shown == [
        ("removed", "line 3", 4, None),
        ("added", "line three", None, 4),
        ("added", "and more", None, 5),
        ("gap", "", None, None),
        ("removed", "line 29", 30, None),
        ("added", "@@ end", None, 31),
    ]
    assert (lines[0].kind, lines[0].old, lines[0].new) == ("same", 1, 1)
    assert diff_lines(old, old) == ()


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ("Why.\n\n```python\nx = 1\n```\nDone.", "x = 1\n", "Why.\n\nDone."),
        ("```py\nx = 1\n```\n```python\nx = 2\n```", "x = 2\n", "```py\nx = 1\n```"),
        ("```\nx = 3\n```\n```bash\nls\n```", "x = 3\n", "```bash\nls\n```"),
        ("````python\ns = '''\n```\n'''\n````", "s = '''\n```\n'''\n", ""),
        ("1. Use a set:\n   ~~~python\n   x = 4\n   ~~~", "x = 4\n", "1. Use a set:"),
        ("```python\nx = 5\n", "x = 5\n", ""),
        ("def f():\n    return 6\n", "def f():\n    return 6\n", ""),
        ("```rust\nfn main() {}\n```", None, ""),
        ("I can't.", None, ""),
        ("Done", None, ""),
    ],
)
def test_the_code_in_an_answer(answer: str, code: str | None, words: str) -> None:
    found = read_answer(answer)
    assert (found and found.code) == code
    assert found is None or found.words == words


def test_blocks_in_an_answer_change_the_code() -> None:
    block = "<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE"
    found = read_version(f"So:\n```python\n{block}\n```", "x = 1\ny = 1\n")
    assert found
    assert (found.code, found.words) == ("x = 2\ny = 1\n", "So:")
    assert read_version(block, "y = 1\n") is None
    found = read_version("x = 3\n", "x = 1\n")
    assert found
    assert found.code == "x = 3\n"


def test_a_module_is_named_as_the_tests_import_it() -> None:
    code = "def area(r): return 3 * r\nPI = 3\n"
    for tests, module in [
        ("from shapes.round import area\ndef test_a(): assert area(1) == 3\n", "shapes.round"),
        ("import math\nimport shapes as s\ndef test_a(): assert s.area(1) == s.PI\n", "shapes"),
        ("from math import floor\ndef test_a(): assert area(floor(1.2)) == PI\n", "solution"),
    ]:
        assert read_task(Task("repair", code, tests)).module == module
    given = read_task(Task("repair", code, "from math import floor\narea(floor(PI))\n"))
    assert given.test_files["test_given.py"].startswith("from solution import PI, area\n")


def test_tests_in_the_code_are_tests_of_every_version() -> None:
    code = "import math\ndef area(r): return math.pi * r\ndef test_area(): assert area(0) == 0\n"
    given = read_task(Task("repair", code))
    text = given.test_files["test_given.py"]
    assert "def test_area" in text
    assert "from solution import area" in text
    assert "return math.pi" not in text


def test_calls_are_taken_from_tests_and_documentation() -> None:
    code = (
        'def add(a, b=0):\n    """Sum.\n\n    >>> add(1, b=2)\n    3\n    """\n    return a + b\n'
    )
    tests = (
        "from m import add\ndef test_():\n    x = 1\n    assert add(x) == add(1) == add([1], 2)\n"
    )
    given = read_task(Task("optimise", code, tests))
    assert [call.expression for call in given.calls] == ["add(1)", "add([1], 2)", "add(1, b=2)"]
    assert read_task(Task("optimise", code, tests, calls=(Call("add(5)"),))).names == ["add(5)"]


def test_names_are_found_in_code_that_does_not_parse() -> None:
    code = "async def one(:\nclass Two\n  pass\nTHREE: int = 3\nfour == 4\n  five = 5\n"
    assert findings.defined_names(code) == {"one", "Two", "THREE"}


def test_a_control_run_keeps_the_tests_legal() -> None:
    tests = '"""Doc."""\nfrom __future__ import annotations\ndef test_a(): assert 1 == 1 < 2\n'
    text = strict_tests(tests)
    compile(text, "test", "exec")
    assert "_fails_at_its_end" in text
    assert "_strict(1) == _strict(1)" in strict_tests("def test_a(): assert 1 == 1")
    assert ast.parse(text).body


def test_python_above_the_users_files_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="Run Archipel from a virtual environment"):
        layout([tmp_path], tmp_path / "home", tmp_path)


def test_a_machine_without_a_filter_is_refused() -> None:
    assert len(filter_program("x86_64")) % 8 == 0
    assert len(filter_program("aarch64")) % 8 == 0
    with pytest.raises(OSError, match="no seccomp filter for a vax machine"):
        filter_program("vax")
    assert os.uname().machine in ("x86_64", "aarch64")
