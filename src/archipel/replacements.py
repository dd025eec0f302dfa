"""Answers that name the lines to change and what takes their place, in a form known from aider:

    <<<<<<< SEARCH
    lines as they are
    =======
    lines as they are to be
    >>>>>>> REPLACE

Pure. Knows nothing of what the lines are.
"""

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

_BLOCK = re.compile(
    r"^<{7} SEARCH[ \t]*\n(.*?)^={7}[ \t]*\n(.*?)^>{7} REPLACE[ \t]*$", re.MULTILINE | re.DOTALL
)


class Replacement(NamedTuple):
    """Lines that are searched for, and those that take their place."""

    old: list[str]
    new: list[str]


def replacement_block(old: str, new: str) -> str:
    """The block that makes `new` out of `old`: the lines that differ, with as many before them as
    it takes for them to stand nowhere earlier."""
    before, after = old.split("\n"), new.split("\n")
    start = _alike(before, after)
    same = _alike(before[start:][::-1], after[start:][::-1])
    start = min(start, len(before) - same - 1)  # one line at least is searched for
    start, stop = max(0, start), max(1, len(before) - same)
    while _place(before[start:stop], before) != start:
        start -= 1
    added = after[start : len(after) - len(before) + stop]
    lines = ["<<<<<<< SEARCH", *before[start:stop], "=======", *added, ">>>>>>> REPLACE"]
    return "\n".join(lines)


def replacements_in(answer: str) -> list[Replacement]:
    """What the blocks in an answer say, in their order."""
    return [
        Replacement(*(part.split("\n")[:-1] for part in found.groups()))
        for found in _BLOCK.finditer(answer)
    ]


def without_blocks(answer: str) -> str:
    """What else is said in an answer; a fence that held nothing else goes with its blocks."""
    return re.sub(r"^```\w*\s*^```[ \t]*$", "", _BLOCK.sub("", answer), flags=re.MULTILINE).strip()


def replace(text: str, replacements: Sequence[Replacement]) -> str | None:
    """`text` with each of them made in turn, where its lines stand first; blanks at the end of a
    line are not compared. None if the lines of one stand nowhere."""
    lines = text.split("\n")
    for old, new in replacements:
        place = _place(old, lines)
        if place is None:
            return None
        lines[place : place + len(old)] = new
    return "\n".join(lines)


def _alike(some: Sequence[str], others: Sequence[str]) -> int:
    """How many lines are the same from the beginning."""
    pairs = zip(some, others, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _place(some: Sequence[str], lines: Sequence[str]) -> int | None:
    wanted, bare = ([line.rstrip() for line in these] for these in (some, lines))
    last = len(bare) - len(wanted)
    return next((at for at in range(last + 1) if bare[at : at + len(wanted)] == wanted), None)
