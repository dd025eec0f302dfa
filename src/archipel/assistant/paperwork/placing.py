"""What of a stretch a model is asked, and how its answer goes back: what is no text stands as
`{1}`, `{2}` in it, and words with a look of their own are found again. Pure.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from archipel.documents.editing.stretches import OBJECT, Mark, Stretch

_NUMBERED = re.compile(r"\{(\d{1,4})\}")
_BLANKS = re.compile(r"[ \t\r\n]+")


@dataclass(frozen=True)
class Asked:
    """`text` is what a model gets, `before` and `after` what stays around it. Its first object is
    `{first}`, the next `{first + 1}`."""

    text: str
    before: str
    after: str
    first: int


def asked(stretch: Stretch) -> Asked:
    """The words of a stretch, without the spaces and objects around them."""
    whole = stretch.text
    inside = [at for at, one in enumerate(whole) if not one.isspace() and one != OBJECT]
    begin, end = (inside[0], inside[-1] + 1) if inside else (0, 0)
    core = whole[begin:end]
    first = max(map(int, _NUMBERED.findall(core)), default=0) + 1  # what the text has itself, stays
    head, *rest = core.split(OBJECT)
    text = head + "".join(f"{{{number}}}{part}" for number, part in enumerate(rest, first))
    return Asked(text, whole[:begin], whole[end:], first)


def answered(stretch: Stretch, put: Asked, answer: str) -> tuple[str, int]:
    """The stretch's new text; and how many of its objects the answer lost, which stand about where
    they were. They follow each other as before, whatever the answer did."""
    text = answer.strip()
    if put.text[-1:].isalnum() and text[-1:] == "." and "." not in text[:-1]:
        text = text[:-1]  # a heading is no sentence, whatever small models think
    if "\n" not in stretch.text:
        text = _BLANKS.sub(" ", text)
    count = stretch.text.count(OBJECT) - (put.before + put.after).count(OBJECT)
    missing = set(range(put.first, put.first + count))

    def back(found: re.Match[str]) -> str:
        number = int(found[1])
        if number in missing:
            missing.remove(number)
            return OBJECT
        return found[0] if number < put.first else ""

    text = _NUMBERED.sub(back, text)
    for number in sorted(missing):
        share = put.text.index(f"{{{number}}}") / len(put.text)
        text = _with_object(text, round(share * len(text)))
    return put.before + text + put.after, len(missing)


def marks(text: str, wanted: Iterable[tuple[int, Iterable[str]]]) -> tuple[Mark, ...]:
    """Where in a new text the words stand that had a look of their own: for each look, by number,
    the first of its candidates that is there and not taken by another."""
    found: list[Mark] = []
    low = text.casefold() if len(text.casefold()) == len(text) else text
    for of, candidates in wanted:
        places = (
            Mark(at, at + len(words), of)
            for words in candidates
            for at in _places(low, words.casefold())
            if not any(at < mark.end and mark.begin < at + len(words) for mark in found)
        )
        found += [place for place in [next(places, None)] if place]
    return tuple(sorted(found))


def _places(text: str, words: str) -> Iterable[int]:
    pattern = rf"(?<!\w){re.escape(words)}(?!\w)" if words else r"(?!)"
    return (match.start() for match in re.finditer(pattern, text))


def _with_object(text: str, near: int) -> str:
    """An object at the end of the word that this place is in."""
    at = next((n for n in range(near, len(text)) if text[n].isspace()), len(text))
    return text[:at] + OBJECT + text[at:]
