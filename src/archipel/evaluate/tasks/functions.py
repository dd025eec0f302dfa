"""Tasks about Python functions: broken ones to repair, half ones to go on with.

What `archipel corpus repairs` holds out; judged by running in the sandbox only.
"""

import ast
import json
import warnings
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from archipel.chat import Message
from archipel.corpus.middles import MIDDLE, PREFIX, SUFFIX
from archipel.corpus.repairs import CASES, HELD_OUT
from archipel.corpus.repairs.functions import parse_function
from archipel.errors import ConfigError
from archipel.evaluate.asking import Prompt, Written
from archipel.evaluate.data import Data, read_records
from archipel.evaluate.figures import Measure, proportion
from archipel.evaluate.tasks.code import FUNCTION_ENDS, PROGRAM_TOKENS, block_of
from archipel.evaluate.tasks.task import Question, Task, field_of
from archipel.replacements import replace, replacements_in
from archipel.sandbox.walls import HARNESS

_SYSTEM = "Repair the code."  # as `archipel finetune --task repair` asks, among others
_ENDS = (*FUNCTION_ENDS, "\n@")
_CHECK = """import json, sys
sys.path.insert(0, {harness!r})
from archipel.sandbox.inside.trials import check
check(json.loads({question!r}), json.loads({outcomes!r}))
"""


def repair(path: str | None) -> Task:
    """Functions with one mistake: does the answer do what the whole function does?"""
    return Task("repair", partial(_broken, _given(path)), partial(_share, "repaired_share"), _tried)


def complete(path: str | None) -> Task:
    """The first halves of functions: is the whole, as it is gone on with, Python?"""
    return Task(
        "complete", partial(_halves, _given(path)), partial(_share, "parses_share"), _parsed
    )


def fill_in(path: str | None) -> Task:
    """Functions with a gap: is the whole, with what is written for it, Python?"""
    return Task("fill_in", partial(_gaps, _given(path)), partial(_share, "parses_share"), _filled)


def _given(path: str | None) -> Path | None:
    return Path(path).expanduser() if path else None


def _broken(path: Path | None, data: Data) -> list[Question]:
    path = path or data.find(CASES)
    questions = []
    for number, record in enumerate(read_records(path)):
        source, kind, name = (
            field_of(record, one, str, path) for one in ("source", "kind", "name")
        )
        calls, outcomes = (field_of(record, one, list, path) for one in ("calls", "outcomes"))
        key = {
            "source": source,
            "module": field_of(record, "whole", dict, path),
            "function": name,
            "calls": calls,
            "outcomes": outcomes,
        }
        messages = (Message("system", _SYSTEM), Message("user", source))
        prompt = Prompt(messages, PROGRAM_TOKENS)
        questions.append(Question(f"{number}/{kind}/{name}", prompt, key, part=kind))
    return _some(questions, path)


def _tried(question: Question, text: str) -> str:
    """The module with the answer's function in place of its own does what the calls did."""
    key = question.key
    whole = _version(key["source"], text)
    version = {"function": key["function"], "text": whole, "calls": key["calls"]}
    return _CHECK.format(
        harness=HARNESS,
        question=json.dumps({"module": key["module"], "versions": [version]}),
        outcomes=json.dumps(key["outcomes"]),
    )


def _version(source: str, answer: str) -> str:
    """The function as an answer has it, whole or by the lines that change."""
    if replacements := replacements_in(answer):
        return replace(source, replacements) or ""
    return block_of(answer)


def _halves(path: Path | None, data: Data) -> list[Question]:
    path = path or data.find(HELD_OUT)
    halves = filter(None, map(half_of, _wholes(path)))
    questions = [
        Question(str(number), Prompt(half, PROGRAM_TOKENS, _ENDS), key=half)
        for number, half in enumerate(halves)
    ]
    return _some(questions, path)


def _gaps(path: Path | None, data: Data) -> list[Question]:
    """From where a half breaks off to the end of the next line."""
    path = path or data.find(HELD_OUT)
    questions: list[Question] = []
    for whole in _wholes(path):
        half = half_of(whole)
        lines = whole[len(half) :].split("\n", 2) if half else []
        if half and len(lines) == 3:
            prompt = Prompt(f"{PREFIX}{half}{SUFFIX}\n{lines[2]}{MIDDLE}", PROGRAM_TOKENS)
            questions.append(Question(str(len(questions)), prompt, key=(half, f"\n{lines[2]}")))
    return _some(questions, path)


def _some(questions: list[Question], path: Path) -> list[Question]:
    if not questions:
        raise ConfigError(
            f"{path} has nothing to ask. Make it with `archipel corpus repairs` of more modules, "
            "or with a larger --held-out"
        )
    return questions


def _wholes(path: Path) -> Iterable[str]:
    return dict.fromkeys(field_of(one, "target", str, path) for one in read_records(path))


def half_of(function: str) -> str | None:
    """A function up to the gap between two words, behind its documentation, that is nearest to its
    middle and at which it is no Python yet; None if there is no such gap."""
    gaps = [
        place
        for place in range(_documentation_end(function) + 1, len(function))
        if function[place] == " " and not function[place - 1].isspace()
    ]
    gaps.sort(key=lambda place: abs(place - len(function) // 2))
    return next((function[:gap] for gap in gaps if not _is_python(function[:gap])), None)


def _documentation_end(function: str) -> int:
    tree = parse_function(function)
    if tree is None or ast.get_docstring(tree) is None:
        return 0
    return sum(len(line) + 1 for line in function.split("\n")[: tree.body[0].end_lineno])


def _is_python(text: str) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"):
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _parsed(question: Question, text: str) -> str:
    """Parsed apart, where a text made to overturn the parser does no harm."""
    return f"import ast\nast.parse({question.key + text!r})\n"


def _filled(question: Question, text: str) -> str:
    before, behind = question.key
    return f"import ast\nast.parse({before + text + behind!r})\n"


def _share(name: str, _: Sequence[Question], answers: Sequence[Written]) -> list[Measure]:
    return [proportion(name, [answer.passed is True for answer in answers])]
