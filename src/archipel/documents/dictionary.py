"""What a word is in the other language, and how common it is: from `dictionary.txt`, read once.

The file was counted from sentence pairs by `scripts/dictionary`. Words are marked stems.
"""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

_SENTENCES = 100_000
_RARE = 12  # of so many sentences: what is no commoner is wholly telling


@dataclass(frozen=True, slots=True)
class _Dictionary:
    often: Mapping[str, int]
    others: Mapping[str, Mapping[str, float]]


@functools.cache
def _dictionary() -> _Dictionary:
    often: dict[str, int] = {}
    others: dict[str, dict[str, float]] = {}
    text = resources.files("archipel.documents").joinpath("dictionary.txt").read_text("utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            term, count, *pairs = line.split()
            often[term] = int(count)
            for pair in pairs:
                other, _, percent = pair.partition(":")
                others.setdefault(term, {})[other] = others.setdefault(other, {})[term] = (
                    int(percent) / 100
                )
    return _Dictionary(often, others)


def translations(term: str) -> Mapping[str, float]:
    """The stems of the other language that a stem is said with, each with a weight up to 1."""
    return _dictionary().others.get(term, {})


def telling(term: str) -> float:
    """How much a stem tells, by the logarithm of how seldom people say it: from 0 to 1."""
    often = max(_dictionary().often.get(term, 0), _RARE)
    return math.log(_SENTENCES / often) / math.log(_SENTENCES / _RARE)
