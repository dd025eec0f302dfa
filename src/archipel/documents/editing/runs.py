"""A line of formatted text: runs with a look each, cut where a change begins and ends.

What Word and PowerPoint have in common. Knows neither format's elements.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import NamedTuple

from lxml import etree

from archipel.documents.blocks import Anchor
from archipel.documents.editing.rewording import Step
from archipel.documents.editing.stretches import OBJECT, Change, Changes, Mark, Stretch

Look = Callable[[etree._Element], object]  # what of a run is its look, to be compared


@dataclass(frozen=True, slots=True)
class Atom:
    """A piece of a line: text of one run, or `OBJECT` for what is no text. It is the siblings from
    `first` to `last`, which for text are one: the run, or what in it has the text."""

    first: etree._Element
    last: etree._Element
    text: str = OBJECT


Line = Sequence[Atom]


class Piece(NamedTuple):
    """A part of a run's text, or new text like it."""

    kind: str  # keep, delete or insert
    text: str
    run: etree._Element  # whose look it has


Make = Callable[[Piece], etree._Element | None]  # None where nothing takes its place
Put = Callable[[Line, Stretch, Change], None]  # makes one change


def stretch_of(line: Line, anchor: Anchor, look: Look) -> Stretch:
    """The line's text, and what of it looks unlike most of it."""
    looks = [(look(atom.first) if atom.text != OBJECT else None, len(atom.text)) for atom in line]
    weights: dict[object, int] = {}
    for one, size in looks:
        if one is not None:
            weights[one] = weights.get(one, 0) + size
    usual = max(weights, key=weights.__getitem__, default=None)
    text = "".join(atom.text for atom in line)
    marked: list[Mark] = []
    at = 0
    for one, group in groupby(looks, key=lambda pair: pair[0]):
        end = at + sum(size for _, size in group)
        if one not in (None, usual) and has_words(text[at:end]):
            marked.append(Mark(at, end, len(marked)))
        at = end
    return Stretch(text, anchor, tuple(marked))


def has_words(text: str) -> bool:
    """Whether there is anything to say otherwise: a letter."""
    return any(map(str.isalpha, text))


def changed_roots(
    lines: Sequence[Line], stretches: Sequence[Stretch], changes: Changes, put: Put
) -> set[etree._Element]:
    """Have `put` make the changes that are some; the roots of the parts that they are in."""
    roots = set()
    for number, change in changes.items():
        if change.text != stretches[number].text:
            roots.add(lines[number][0].first.getroottree().getroot())
            put(lines[number], stretches[number], change)
    return roots


def rebuilt(line: Line, steps: Iterable[Step], make: Make) -> None:
    """Put what `make` makes of each piece in its place; a run of which all is kept is not touched,
    nor is what is no text. Text atoms are runs, and nothing else is in these."""
    starts = list(accumulate((len(atom.text) for atom in line), initial=0))
    ahead: list[Piece] = []
    pieces: list[list[Piece]] = [[] for _ in line]
    for step in steps:
        if step.kind == "insert":
            where = pieces[_number(starts, step.begin - 1)] if step.begin else ahead
            where.append(Piece("insert", step.text, _run_like(line, starts, step.like)))
            continue
        for number in range(_number(starts, step.begin), len(line)):
            begin, end = max(step.begin, starts[number]), min(step.end, starts[number + 1])
            if begin >= end:
                break
            atom = line[number]
            text = atom.text[begin - starts[number] : end - starts[number]]
            pieces[number].append(Piece(step.kind, text, atom.first))
    for made in map(make, ahead):
        if made is not None:
            line[0].first.addprevious(made)
    for atom, own in zip(line, pieces, strict=True):
        _put(atom, own, make)


def _put(atom: Atom, pieces: Sequence[Piece], make: Make) -> None:
    stays = pieces[0].kind == "keep" and pieces[0].text == atom.text
    after = atom.last
    for made in map(make, pieces[stays:]):
        if made is not None:
            after.addnext(made)
            after = made
    if not stays:
        atom.first.getparent().remove(atom.first)


def _run_like(line: Line, starts: Sequence[int], like: int) -> etree._Element:
    """The run with this character's look, or the nearest that has text."""
    number = _number(starts, like)
    texts = [n for n, atom in enumerate(line) if atom.text != OBJECT]
    return line[min(texts, key=lambda n: abs(n - number))].first


def _number(starts: Sequence[int], at: int) -> int:
    """Of the atom that has this character."""
    return bisect_right(starts, at) - 1
