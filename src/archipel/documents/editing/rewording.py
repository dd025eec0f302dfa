"""From an old text to a new one in steps: what is kept, goes and comes, by words. Pure."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Literal, NamedTuple

from archipel.documents.editing.stretches import OBJECT, Change, Mark, Stretch

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_KEPT_LEAST = 0.4  # of the words, below which all is replaced: nobody reads changes beyond that


class Step(NamedTuple):
    """`keep` and `delete` are of the old text from `begin` to `end`; `insert` puts `text` at
    `begin`, with the look of the old text's character `like`."""

    kind: Literal["keep", "delete", "insert"]
    begin: int
    end: int
    text: str = ""
    like: int = 0


def steps(stretch: Stretch, change: Change) -> list[Step]:
    """The steps that make the change, in the text's order. Each `OBJECT` is kept, the first where
    the change has its first.

    Raises:
        ValueError: the change has not as many of them.
    """
    old, new = stretch.text.split(OBJECT), change.text.split(OBJECT)
    if len(old) != len(new):
        raise ValueError(f"{len(new) - 1} objects in the place of {len(old) - 1}")
    found: list[Step] = []
    at = to = 0
    for number, (before, after) in enumerate(zip(old, new, strict=True)):
        if number:
            found.append(Step("keep", at, at + 1))
            at, to = at + 1, to + 1
        marks = [Mark(m.begin - to, m.end - to, m.of) for m in change.marked if m.begin >= to]
        found += _segment(stretch, at, before, after, [m for m in marks if m.end <= len(after)])
        at, to = at + len(before), to + len(after)
    return found


def is_replaced(stretch: Stretch, change: Change) -> bool:
    """Whether so little of it stays that all of its text is replaced somewhere."""
    sides = zip(stretch.text.split(OBJECT), change.text.split(OBJECT), strict=True)
    return any(_differences(_WORD.findall(old), _WORD.findall(new)) is None for old, new in sides)


def _segment(
    stretch: Stretch, at: int, old: str, new: str, marks: Sequence[Mark]
) -> Iterator[Step]:
    """The steps of a text without objects that begins at `at` of the stretch."""
    blocks = _differences(_WORD.findall(old), _WORD.findall(new))
    if blocks is None:
        yield from _replaced(stretch, at, old, new, marks)
        return
    begin = at
    for same, gone, come in blocks:
        end = begin + len(same or gone)
        if same:
            yield Step("keep", begin, end)
        if gone:
            yield Step("delete", begin, end)
        if come:
            like = _usual(stretch, begin, end) if gone else _beside(stretch, at, begin, old)
            yield Step("insert", end, end, come, like)
        begin = end


def _replaced(
    stretch: Stretch, at: int, old: str, new: str, marks: Sequence[Mark]
) -> Iterator[Step]:
    """All of the old text goes; the new one's marked parts take the looks that are named."""
    end = at + len(old)
    if old:
        yield Step("delete", at, end)
    usual = _usual(stretch, at, end)
    edges = sorted({0, len(new), *(edge for mark in marks for edge in (mark.begin, mark.end))})
    for first, last in pairwise(edges):
        of = next((mark.of for mark in marks if mark.begin <= first < mark.end), None)
        like = usual if of is None else stretch.marked[of].begin
        yield Step("insert", end, end, new[first:last], like)


def _differences(old: list[str], new: list[str]) -> list[tuple[str, str, str]] | None:
    """What is the same, what goes and what comes, block after block; None if too little stays.

    Spaces alone between two changes are of the change.
    """
    blocks: list[tuple[str, str, str]] = []
    kept = 0
    for kind, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = "".join(old[i:j]), "".join(new[k:m])
        if kind == "equal" and not (gone.isspace() and blocks and j < len(old) and m < len(new)):
            kept += sum(not word.isspace() for word in old[i:j])
            blocks.append((gone, "", ""))
        elif blocks and not blocks[-1][0]:
            _, before, after = blocks[-1]
            blocks[-1] = ("", before + gone, after + come)
        else:
            blocks.append(("", gone, come))
    words = max(sum(not word.isspace() for word in side) for side in (old, new))
    return blocks if kept >= _KEPT_LEAST * words else None


def _usual(stretch: Stretch, begin: int, end: int) -> int:
    """A character between these with the look that most of them have; of all where there are
    none."""
    if begin == end:
        begin, end = 0, len(stretch.text)
    counts: dict[int, list[int]] = {}
    for at in range(begin, end):
        if stretch.text[at] != OBJECT:
            counts.setdefault(_look(stretch, at), []).append(at)
    return max(counts.values(), key=len)[0] if counts else begin


def _beside(stretch: Stretch, first: int, at: int, old: str) -> int:
    """The character before the place, within the text that begins at `first`, or else behind."""
    if not old:
        return _usual(stretch, at, at)
    return max(at - 1, first)


def _look(stretch: Stretch, at: int) -> int:
    return next((n for n, m in enumerate(stretch.marked) if m.begin <= at < m.end), -1)
