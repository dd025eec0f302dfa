"""Broken and half functions: judged by what they do, on modules of the standard library."""

import asyncio
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archipel.cli.main import app
from archipel.corpus.middles import MIDDLE, PREFIX, SUFFIX
from archipel.errors import ConfigError
from archipel.evaluate.asking import Prompt, Read, Span, Written, until
from archipel.evaluate.data import Data, read_records
from archipel.evaluate.figures import figure
from archipel.evaluate.run import ask, choose
from archipel.evaluate.tasks import find_task
from archipel.evaluate.tasks.functions import half_of
from archipel.sandbox.sandbox import Sandbox

LIBRARY = Path(sysconfig.get_path("stdlib"))


class Author:
    """A model that answers by a rule, from what it is asked last."""

    name = identity = "author"
    reads_together = writes_together = workers = 1

    def __init__(self, rule: Callable[[str], str]) -> None:
        self._rule = rule

    async def read(self, spans: list[Span]) -> list[Read]:
        raise NotImplementedError

    async def write(self, prompts: list[Prompt]) -> list[Written]:
        return [Written(until(self._rule(_last(one)), one.stops)) for one in prompts]


def _last(prompt: Prompt) -> str:
    return prompt.asked if isinstance(prompt.asked, str) else str(prompt.asked[-1].content)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Path:
    """Cases of four modules, one of them a package with imports from itself."""
    folder = tmp_path_factory.mktemp("repairs")
    source = folder / "source"
    (source / "json").mkdir(parents=True)
    for name in ("bisect.py", "textwrap.py", "json/decoder.py"):
        (source / name).write_bytes((LIBRARY / name).read_bytes())
    words = ["corpus", "repairs", source, "-o", folder / "out", "--held-out", 0.9999]
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == 0, done
    return folder / "out"


def _share(
    folder: Path, results: Path, task: str, rule: Callable[[str], str], limit: int | None = None
) -> float:
    results.mkdir()
    asked = choose(find_task(task), Data(folder), limit)
    (found,) = asyncio.run(ask(Author(rule), results, [asked], lambda *_: None))
    (measure,) = found.task.measures(found.questions, found.answers)
    return figure(measure).value


def test_whole_functions_score_one_and_broken_ones_nothing(folder: Path, tmp_path: Path) -> None:
    cases = list(read_records(folder / "repair_cases.jsonl.xz"))
    assert {"bisect", "textwrap", "json.decoder"} >= {case["module"] for case in cases}
    assert len({case["name"] for case in cases}) >= 4
    whole = {case["source"]: case["target"] for case in cases}
    assert _share(folder, tmp_path / "whole", "repair", lambda text: whole[text]) == 1
    fenced = "Here it is:\n```python\n{}\n```\n"
    told = _share(folder, tmp_path / "told", "repair", lambda text: fenced.format(whole[text]), 3)
    assert told == 1
    edits = {case["source"]: case["edit"] for case in cases}
    assert _share(folder, tmp_path / "edits", "repair", lambda text: edits[text], 3) == 1
    block = "<<<<<<< SEARCH\nnowhere\n=======\n>>>>>>> REPLACE"
    assert _share(folder, tmp_path / "nowhere", "repair", lambda _: block, 1) == 0
    assert _share(folder, tmp_path / "broken", "repair", lambda text: text) == 0


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I can't.",
        "def other(): pass",
        "import os\nos._exit(0)",
        "import sys\nsys.exit()",
        "while True: pass",
    ],
)
def test_an_answer_without_the_function_repairs_nothing(
    answer: str, folder: Path, tmp_path: Path
) -> None:
    assert _share(folder, tmp_path / "kept", "repair", lambda _: answer, 1) == 0


def test_completions_count_where_they_make_python(folder: Path, tmp_path: Path) -> None:
    wholes = [one["target"] for one in read_records(folder / "repair_held_out.jsonl.xz")]

    def rest(half: str) -> str:
        whole = next(one for one in wholes if one.startswith(half))
        return whole.removeprefix(half) + "\n\n\n@more\ndef next"

    assert _share(folder, tmp_path / "rest", "complete", rest, 10) == 1
    assert _share(folder, tmp_path / "none", "complete", lambda _: "", 10) == 0
    assert _share(folder, tmp_path / "deep", "complete", lambda _: "(" * 100_000, 2) == 0


def test_a_gap_is_between_its_two_sides(folder: Path, tmp_path: Path) -> None:
    wholes = [one["target"] for one in read_records(folder / "repair_held_out.jsonl.xz")]

    def between(asked: str) -> str:
        before, _, behind = asked.removeprefix(PREFIX).removesuffix(MIDDLE).partition(SUFFIX)
        whole = next(one for one in wholes if one.startswith(before) and one.endswith(behind))
        return whole.removeprefix(before).removesuffix(behind)

    assert _share(folder, tmp_path / "between", "fill_in", between, 10) == 1
    assert _share(folder, tmp_path / "none", "fill_in", lambda _: "(", 10) == 0


def test_a_half_breaks_off_where_it_is_no_python_yet() -> None:
    assert half_of("def f(a):\n    b = a\n    return b\n") == "def f(a):\n    b ="
    assert half_of("x") is None


def test_missing_or_altered_cases_are_named(tmp_path: Path) -> None:
    for task, words in [
        ("repair", "repair_cases.jsonl.xz is neither in"),
        ("complete", "repair_held_out.jsonl.xz is neither in"),
        (f"repair:{tmp_path}/none.jsonl", "can't read"),
        (f"repair:{tmp_path}/other.jsonl", "the field 'source'"),
        (f"repair:{tmp_path}/empty.jsonl", "nothing to ask"),
        (f"fill_in:{tmp_path}/empty.jsonl", "nothing to ask"),
    ]:
        (tmp_path / "empty.jsonl").touch()
        (tmp_path / "other.jsonl").write_text("{}\n")
        with pytest.raises(ConfigError, match=words):
            find_task(task).questions(Data(tmp_path))
