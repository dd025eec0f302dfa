"""Whether an answer that grows has no end: it goes round in circles, or is far too long.

A model that has lost its thread says a phrase, a line or a stanza again and again, until there is
no room for more. People repeat themselves too, and on purpose: in songs, in empty tables, in rows
of data. So the end of an answer counts as a circle only where it is nothing but the same, four
times or more, over many characters; and over very many where it is likely to be meant: in code, in
what has no words, or in words that were asked for. Knows nothing about models.
"""

import math
import re
from functools import cached_property

_ROUNDS = 4
_MANY, _VERY_MANY = 1_200, 6_000  # characters of nothing new
_ASKED = 3_000  # characters of what is asked, of which as many may come again
_LONGEST = 2_000  # characters of one round
_PROBE = 48  # characters at the end that are looked for before it
_LOOK_EVERY = 40
_KEPT = max(_VERY_MANY, _ROUNDS * _LONGEST)
_ITEM = re.compile(r"^[ \t]*\d{1,5}[.)][ \t]", re.M)  # a list's number makes no line a new one
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.M)
_WORD = re.compile(r"\w+")


class Endless:
    """An answer as it grows: to what was `asked`, of at most so many characters."""

    def __init__(self, asked: str, most: float = math.inf) -> None:
        self._asked = asked
        self._most = most
        self._length = 0
        self._looked = 0  # its length when it was looked at last
        self._end = ""  # as much of it as counts, from the beginning of a line
        self._in_code = False  # whether that beginning is in a block of code

    def add(self, piece: str) -> bool:
        """Whether it is to be ended here, after its next piece."""
        self._length += len(piece)
        self._end += piece
        if self._length - self._looked < _LOOK_EVERY:
            return self._length > self._most
        self._looked = self._length
        if len(self._end) > 2 * _KEPT:
            self._forget()
        return self._length > self._most or self._is_circle()

    @cached_property
    def _asked_words(self) -> frozenset[str]:
        return frozenset(_WORD.findall(self._asked.casefold()))

    def _forget(self) -> None:
        cut = self._end.rfind("\n", 0, -_KEPT) + 1 or len(self._end) - _KEPT
        self._in_code ^= _opens_code(self._end[:cut])
        self._end = self._end[cut:]

    def _is_circle(self) -> bool:
        end = _ITEM.sub("", self._end)
        again = end.rfind(end[-_PROBE:], -_LONGEST - _PROBE, -1)
        length = len(end) - _PROBE - again
        least = max(_ROUNDS * length, _MANY)
        if again < 0 or not _is_the_same(end, length, least):
            return False
        return _is_the_same(end, length, max(least, self._patience(end[-2 * length :])))

    def _patience(self, twice: str) -> int:
        """Over how many characters something may come again; it is given twice."""
        words = _WORD.findall(twice.casefold())[1:-1]  # the first and the last are cut
        has_words = any(sign.isalpha() for sign in twice)
        is_data = bool(twice.strip()) and not has_words
        in_code = not _FENCE.search(twice) and self._in_code ^ _opens_code(self._end)
        if is_data or in_code or (words and self._asked_words.issuperset(words)):
            return _VERY_MANY
        return _MANY + min(len(self._asked), _ASKED)


def _is_the_same(text: str, length: int, run: int) -> bool:
    """Whether so many last characters are the same again and again, after each `length` of them."""
    return len(text) >= run and text[-run:-length] == text[length - run :]


def _opens_code(text: str) -> bool:
    """Whether a block of code that begins in the text does not end there."""
    return len(_FENCE.findall(text)) % 2 == 1
