"""Broken functions beside what they should be. Pure: text in, pairs out."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from archipel.corpus.repairs.functions import Function, parse_function
from archipel.corpus.repairs.ground import Ground
from archipel.corpus.repairs.operators import Edit, edits
from archipel.files import sha256_bytes
from archipel.replacements import replacement_block


@dataclass(frozen=True)
class Pair:
    """A function, what a single mistake of a kind has made of it, and the whole of which it is."""

    function: Function
    kind: str
    broken: str

    def record(self) -> dict[str, str]:
        """As it stands in a file; `archipel finetune --task repair` reads it. The `edit` says what
        the target does in the lines that change."""
        whole = self.function
        return {
            "source": self.broken,
            "target": whole.text,
            "edit": replacement_block(self.broken, whole.text),
            "kind": self.kind,
            "module": whole.module.name,
            "name": whole.name,
        }


def pairs_of(function: Function, most: int, seed: int) -> list[Pair]:
    """Up to `most` pairs of a function, of as many kinds as there are; the same for a seed."""
    tree = parse_function(function.text)
    assert tree is not None, function.name
    dice = random.Random(sha256_bytes(f"{seed}\n{function.module.name}\n{function.text}".encode()))
    ground = Ground(function.text, tree)
    found: dict[str, Pair] = {}
    for edit in _drawn(list(edits(ground)), dice):
        broken = (ground.data[: edit.start] + edit.text + ground.data[edit.end :]).decode()
        if broken not in found and parse_function(broken):
            found[broken] = Pair(function, edit.kind, broken)
            if len(found) == most:
                break
    return list(found.values())


def _drawn(edits: list[Edit], dice: random.Random) -> Iterator[Edit]:
    """One of each kind by lot, then another of each: variables alone outnumber all else."""
    dice.shuffle(edits)
    seen: dict[str, int] = {}
    ranked = []
    for edit in edits:
        rank = seen[edit.kind] = seen.get(edit.kind, -1) + 1
        ranked.append((rank, edit))
    return (edit for _, edit in sorted(ranked, key=lambda one: one[0]))
