"""What an editor's menu offers to have done with a piece of code: what is asked, and what of the
answer takes the code's place. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import dedent, indent
from typing import Literal

from archipel.chat import Message
from archipel.replacements import replace, replacements_in

Kind = Literal["explain", "optimise", "repair", "document", "tests"]

_FENCE = re.compile(r"^[ \t]*(`{3,})[^\n`]*\n(.*?)^[ \t]*\1[ \t]*$", re.M | re.S)


@dataclass(frozen=True)
class Act:
    """One entry of the menu: its title, what the model is asked, and where the answer goes."""

    title: str
    asks: str
    goes: Literal["shown", "instead", "beside"]


ACTS: Mapping[Kind, Act] = {
    "explain": Act("Explain", "Explain what this code does, shortly and for a colleague.", "shown"),
    "optimise": Act(
        "Optimise",
        "Make this code faster. Its results must stay the same. Answer with the whole code in one "
        "fenced block, and nothing else.",
        "instead",
    ),
    "repair": Act(
        "Repair",
        "Find and repair the mistakes in this code. Answer with the whole code in one fenced "
        "block, and nothing else.",
        "instead",
    ),
    "document": Act(
        "Document",
        "Write the missing documentation comments of this code; change nothing else. Answer with "
        "the whole code in one fenced block, and nothing else.",
        "instead",
    ),
    "tests": Act(
        "Write tests",
        "Write tests for this code, in the usual way of its language. Answer with the file of the "
        "tests in one fenced block, and nothing else.",
        "beside",
    ),
}


def question(kind: Kind, code: str, language: str, name: str) -> list[Message]:
    """What the model is asked about a piece of the file called `name`."""
    fence = "```" if "```" not in code else "`````"
    asked = f"{ACTS[kind].asks}\n\n{name}:\n{fence}{language}\n{dedent(code).rstrip()}\n{fence}"
    return [Message("user", asked)]


def code_in(answer: str, code: str) -> str | None:
    """What an answer puts in the place of `code`: what its SEARCH/REPLACE blocks make of it, or
    else its first fenced block, indented as the code is; None if it has neither."""
    margin = _margin(code)
    if replacements := replacements_in(answer):
        changed = replace(dedent(code), replacements)
        return None if changed is None else indent(changed, margin)
    fences: list[tuple[str, str]] = _FENCE.findall(answer)
    if not fences or not fences[0][1].strip():
        return None
    found = indent(dedent(fences[0][1]), margin)
    return found if code.endswith("\n") else found.rstrip("\n")


def name_of_tests(name: str) -> str:
    """What the file with the tests of a file is called, as most languages have it."""
    stem, dot, kind = name.rpartition(".")
    if kind == "py":
        return f"test_{stem}.py"
    return f"{stem}.test.{kind}" if dot else f"{name}.test"


def _margin(code: str) -> str:
    first = next((line for line in code.split("\n") if line.strip()), "")
    return first[: len(first) - len(first.lstrip())]
