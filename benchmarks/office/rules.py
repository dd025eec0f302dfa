"""Changes made by rule in the place of a model: a stretch corrected, and a stretch translated."""

import re
from collections.abc import Callable, Sequence
from zlib import crc32

from archipel.documents.editing.stretches import OBJECT, Change, Changes, Mark, Stretch

_WORD = re.compile(r"\w+|[^\w]")
_SYLLABLES = ("ba", "de", "ki", "lo", "mu", "na", "po", "ri", "su", "te", "va", "zo")


def corrected(stretches: Sequence[Stretch]) -> Changes:
    """Of each stretch a word becomes another, or one comes before it, or it goes with its space."""
    return {n: _changed(stretch, _corrections(stretch)) for n, stretch in enumerate(stretches)}


def translated(stretches: Sequence[Stretch]) -> Changes:
    """Of each stretch all words become others, and what was marked is marked again."""
    return {
        n: _changed(stretch, [_other(word) for word in _WORD.findall(stretch.text)])
        for n, stretch in enumerate(stretches)
    }


RULES: dict[str, Callable[[Sequence[Stretch]], Changes]] = {
    "corrected": corrected,
    "translated": translated,
}


def _corrections(stretch: Stretch) -> list[str]:
    """What stands for each word, space and sign of the stretch: the same for the same text."""
    number = crc32(stretch.text.encode())
    words = _WORD.findall(stretch.text)
    places = [at for at, word in enumerate(words) if word[0].isalpha()]
    at = places[number % len(places)]
    if number % 3 == 1:
        words[at] = f"{_other(words[at])} {words[at]}"
    elif number % 3 == 2 and len(places) > 2 and words[at + 1 : at + 2] == [" "]:
        words[at : at + 2] = ["", ""]
    else:
        words[at] = _other(words[at])
    return words


def _other(word: str) -> str:
    if not word[0].isalnum():
        return word
    number = crc32(word.encode())
    made = "".join(_SYLLABLES[number // 12**place % 12] for place in range(4))
    return made.capitalize() if word[0].isupper() else made


def _changed(stretch: Stretch, words: Sequence[str]) -> Change:
    """The change in which each of these stands for a word, space or sign of the stretch."""
    new = [0]  # for each character of the stretch, where it is now
    for old, word in zip(_WORD.findall(stretch.text), words, strict=True):
        new += [new[-1]] * (len(old) - 1) + [new[-1] + len(word)]
    text = "".join(words)
    assert text.count(OBJECT) == stretch.text.count(OBJECT)
    marks = (Mark(new[mark.begin], new[mark.end], mark.of) for mark in stretch.marked)
    return Change(text, tuple(mark for mark in marks if mark.begin < mark.end))
