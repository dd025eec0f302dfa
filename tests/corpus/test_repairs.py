"""`archipel corpus repairs`: one mistake at a time, and no function on both sides of the split."""

import ast
import json
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from archipel.cli.main import app
from archipel.corpus.left_out import LeftOut
from archipel.corpus.repairs.functions import Module, functions_of
from archipel.corpus.repairs.pairs import pairs_of
from archipel.errors import ConfigError
from archipel.tune.lessons import Material, read_material
from archipel.tune.pairs import PairReader

SHAPES = '''"""Areas."""

import functools


@functools.lru_cache
def area(width: int, height: int = 2, *, round_up: bool = False) -> int:
    """Square units."""
    if width < 0 or height < 0:
        return 0
    return width * height + (1 if round_up else 0)  # at least


class Box:
    async def sides(self, names):
        return [name for name in names if not name.startswith("_")]
'''
LARGE = "def large():\n" + "    large()\n" * 40


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["corpus", "repairs", *map(str, words)])


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lzma.open(path, "rt", encoding="utf-8")]


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with modules, of which some are no Python, tests, or the same as others."""
    folder = tmp_path / "code"
    files = {f"part_{number}.py": SHAPES.replace("2", str(number + 2)) for number in range(12)}
    files |= {"copy.py": SHAPES, "old.py": "print 'x'\n", "tests/test_area.py": SHAPES}
    files |= {"pack/__init__.py": "def one(n):\n    return n + 1\n", "large.py": LARGE}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "latin.py").write_bytes(b"# \xe9\n")
    return folder


def test_pairs_are_made_split_by_module_and_counted(code: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(code, "-o", out, "--held-out", 0.3, "--per-function", 6)
    assert done.exit_code == 0, done
    train = records(out / "repair_train.jsonl.xz")
    held_out = records(out / "repair_held_out.jsonl.xz")
    facts = json.loads((out / "repairs.json").read_text())
    assert facts["train"]["pairs"] == len(train) > len(held_out) == facts["held_out"]["pairs"] > 0
    learnt, kept = ({one["module"] for one in some} for some in (train, held_out))
    assert not learnt & kept
    assert not {one["target"] for one in train} & {one["target"] for one in held_out}
    assert "pack" in learnt | kept
    assert {"area", "Box.sides"} <= {one["name"] for one in train} <= {"area", "Box.sides", "one"}
    assert facts["duplicates"] > 0
    assert sorted(Path(path).name for path in facts["unparsed"]) == ["latin.py", "old.py"]
    assert "2 files that are no Python (the first: " in done.output
    documents = records(out / "repair_documents.jsonl.xz")
    assert kept.isdisjoint(one["name"] for one in documents)

    again = tmp_path / "again"
    assert run(code, "-o", again, "--held-out", 0.3, "--per-function", 6).exit_code == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == sorted(path.name for path in again.iterdir())
    assert all((out / name).read_bytes() == (again / name).read_bytes() for name in names)


def test_finetune_reads_the_pairs(code: Path, tmp_path: Path) -> None:
    assert run(code, "-o", tmp_path / "out").exit_code == 0
    train = tmp_path / "out" / "repair_train.jsonl.xz"
    reader = PairReader(task="repair", fields=("source", "target"))
    left_out = LeftOut()
    material = Material(data=[train], read=reader, kind="pairs to repair")
    lessons, _ = read_material(material, left_out)
    assert len(lessons) == len(records(train))
    assert not left_out.described()


def test_a_pair_differs_by_one_mistake_and_keeps_the_rest(code: Path) -> None:
    found = {pair.broken: pair for pair in _pairs(SHAPES)}
    assert len(found) > 20
    for broken, pair in found.items():
        whole = pair.function.text
        assert ast.dump(ast.parse(broken)) != ast.dump(ast.parse(whole))
        lines = zip(broken.splitlines(), whole.splitlines(), strict=True)
        assert sum(one != other for one, other in lines) == 1
        assert ("Square units." in broken) == ("Square units." in whole)
    assert "async def sides(self, names):" in {text.splitlines()[0] for text in found}


@pytest.mark.parametrize(
    ("kind", "line", "mistakes"),
    [
        ("comparison", "return a < b", ["a <= b", "a > b"]),
        ("comparison", "return (a) is  not (b)", ["(a) is (b)"]),
        ("boolean", "return a and b or c", ["a or b or c", "a and b and c"]),
        ("negation", "return a if b == c else c", ["a if not b == c else c"]),
        ("negation", "return [a for a in b if (b or c)]", ["[a for a in b if (not (b or c))]"]),
        ("not", "return not(a)", ["(a)"]),
        ("arithmetic", "return a - (b)", ["a + (b)"]),
        ("assignment", "a += b", ["a -= b"]),
        ("off_by_one", "return a[len(b)]", ["a[len(b) - 1]", "a[len(b) + 1]"]),
        ("off_by_one", "return a[5]", ["a[6]", "a[4]"]),
        ("constant", "return a or True", ["a or False"]),
        ("constant", "return {'x': a, 'y': b}", ["{'y': a, 'y': b}", "{'x': a, 'x': b}"]),
        ("variable", "return [a]", ["[b]", "[c]"]),
        ("arguments", "return f(é, ü + 1, 2)", ["f(ü + 1, é, 2)", "f(é, 2, ü + 1)"]),
        ("return", "return(a)", ["(a)"]),
        ("twin", "return a.lstrip().find(b)", ["a.rstrip().find(b)", "a.lstrip().rfind(b)"]),
        ("loop", "while a: break", ["while a: continue"]),
    ],
)
def test_each_kind_of_mistake(kind: str, line: str, mistakes: Sequence[str]) -> None:
    head = "def f(a, b, c):\n    "
    made = [pair.broken for pair in _pairs(head + line) if pair.kind == kind]
    bare = line.removeprefix("return").strip()
    prefix = head + line.removesuffix(bare)
    expected = {prefix + one for one in mistakes}
    if kind == "return":
        expected = {head + one for one in mistakes}
    assert set(made) == expected


def test_what_decides_no_behaviour_is_left_as_it_is() -> None:
    text = 'def f(a: "len(3)") -> 2:\n    """1 < 2."""\n    print(f"{a + 1}")\n'
    assert not _pairs(text)


def test_bad_input_is_told(code: Path, tmp_path: Path) -> None:
    (tmp_path / "tests" / "tests").mkdir(parents=True)
    (tmp_path / "tests" / "tests" / "one.py").write_text(SHAPES)
    for words, message in [
        ((tmp_path / "none",), "does not exist"),
        ((tmp_path / "tests",), "no Python in"),
        ((code / "old.py",), "no function of at most 30 lines"),
        ((code, "--held-out", 1), "not a fraction"),
    ]:
        done = run(*words, "-o", tmp_path / "out")
        assert isinstance(done.exception, ConfigError), done
        assert message in str(done.exception)
        assert not (tmp_path / "out").exists()


def _pairs(text: str) -> list[Any]:
    module = Module("m", text, is_package=False)
    functions = functions_of(module, 30, 1200)
    return [pair for function in functions for pair in pairs_of(function, 1000, 0)]
