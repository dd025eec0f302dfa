"""Text without what typography adds: the one way in which a quote may differ from its source.

Blanks of any kind are one space, and none beside quotation marks or before ; : ! ? % as in French;
quotation marks and apostrophes have one shape; ligatures are letters; accents are composed. Case,
words and all other signs stay as they are.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_SHAPES = str.maketrans(
    {
        **dict.fromkeys("«»“”„‟〝〞", '"'),
        **dict.fromkeys("‘’‚‛ʼ", "'"),
        **{"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"},
        **{"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ĳ": "ij", "Ĳ": "IJ"},
    }
)
_NOTHING = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff")  # soft hyphen, zero widths
_CLOSE_BEFORE = frozenset('";:!?%')


@dataclass(frozen=True, slots=True)
class Normal:
    """A normal text, and for each of its characters where it begins and ends in its source."""

    text: str
    places: tuple[tuple[int, int], ...]

    def find(self, quote: "Normal") -> tuple[int, int] | None:
        """Where in the source the quote's words stand, whole words only, or None."""
        if not any(char.isalnum() for char in quote.text):
            return None
        start = self.text.find(quote.text)
        while start >= 0:
            end = start + len(quote.text)
            if _is_edge(self.text, start) and _is_edge(self.text, end):
                return self.places[start][0], self.places[end - 1][1]
            start = self.text.find(quote.text, start + 1)
        return None


def normal(text: str) -> Normal:
    """The normal text of `text`."""
    kept: list[tuple[str, int, int]] = []
    for char, start, end in _shaped(text):
        if char != " ":
            if kept and kept[-1][0] == " " and char in _CLOSE_BEFORE:
                kept.pop()
            kept.append((char, start, end))
        elif kept and kept[-1][0] not in ' "':
            kept.append((char, start, end))
    if kept and kept[-1][0] == " ":
        kept.pop()
    return Normal("".join(char for char, _, _ in kept), tuple((a, b) for _, a, b in kept))


def _shaped(text: str) -> Iterator[tuple[str, int, int]]:
    """Each character in its one shape, with the start and end of what it came from."""
    for start, end in _letters(text):
        letter = unicodedata.normalize("NFC", text[start:end]).translate(_SHAPES)
        for char in letter:
            if char not in _NOTHING:
                yield (" " if char.isspace() else char), start, end


def _letters(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each character with the accents that follow it."""
    start = 0
    for place in range(1, len(text) + 1):
        if place == len(text) or not unicodedata.combining(text[place]):
            yield start, place
            start = place


def _is_edge(text: str, place: int) -> bool:
    """Whether no word goes on across `place`."""
    return not (0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum())
