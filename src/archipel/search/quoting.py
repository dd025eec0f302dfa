"""What of a passage is shown: the sentence that fits best, and its found words.

Pure: cut from the passage, never made.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from archipel.documents.citations import Citation, cite
from archipel.documents.concepts import Rated
from archipel.documents.language import LANGUAGES
from archipel.documents.passages import Passage
from archipel.documents.sentences import sentences
from archipel.documents.words import folded_words, marked_stems

_SHORT, _LONG = 120, 400  # characters: less is joined by what follows it, more is cut
_BEFORE = 80  # characters before the first found word of what is cut
_LEAST, _OWN = 0.5, 1.0  # weights: of a word that means much the same, and of the question's own
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a file: the citation, and the starts and ends in its quote of what was asked for."""

    citation: Citation
    marks: tuple[tuple[int, int], ...]


def best_quote(passage: Passage, asked: Sequence[Rated]) -> Quote:
    """The sentence of the passage that has most of what is asked; of two, the shorter."""
    rarities = _rarities(asked)
    text = passage.text
    spans = _spans(passage)

    def worth(place: int) -> tuple[float, int]:
        start, end = spans[place]
        return _worth(text[start:end], rarities), start - end

    best = max(range(len(spans)), key=worth)
    start, end = spans[best]
    for _, further in spans[best + 1 :]:
        if end - start >= _SHORT or further - start > _LONG:
            break
        end = further
    if end - start > _LONG:
        start, end = _cut(text, start, end, rarities)
    citation = cite(passage, start, end)
    return Quote(citation, tuple(_marks(citation.quote, rarities)))


def _rarities(asked: Sequence[Rated]) -> dict[str, tuple[int, float]]:
    """Each stem that is asked for, alone or in the question's own phrase, with its concept's number
    and worth."""
    found: dict[str, tuple[int, float]] = {}
    for number, one in enumerate(asked):
        stems = [(stem, weight) for stem, weight in one.concept.stems.items() if weight >= _LEAST]
        phrases = [phrase for phrase, weight in one.concept.words.items() if weight >= _OWN]
        stems += [(stem, _OWN) for phrase in phrases for stem in phrase.split()]
        for stem, weight in stems:
            worth = weight * (one.rarity + 0.01)  # a word that all have is marked as well
            if worth > found.get(stem, (0, 0.0))[1]:
                found[stem] = (number, worth)
    return found


def _worth(text: str, rarities: dict[str, tuple[int, float]]) -> float:
    """What a sentence has of the concepts, each by its best term."""
    best: dict[int, float] = {}
    for word in marked_stems(folded_words(text), LANGUAGES):
        if word in rarities:
            number, worth = rarities[word]
            best[number] = max(best.get(number, 0.0), worth)
    return sum(best.values())


def _spans(passage: Passage) -> list[tuple[int, int]]:
    """Start and end of each sentence in the passage's text."""
    spans: list[tuple[int, int]] = []
    offset = 0
    for part in passage.parts:
        spans += [(offset + start, offset + end) for start, end in sentences(part.text)]
        offset += len(part.text) + 1
    return spans


def _cut(
    text: str, start: int, end: int, rarities: dict[str, tuple[int, float]]
) -> tuple[int, int]:
    """Of a long sentence the stretch about the first word that was asked for, at blanks."""
    first = next((place for place, _ in _marks(text[start:end], rarities)), 0)
    begin = start + max(0, first - _BEFORE)
    stop = min(end, begin + _LONG)
    if begin > start:
        begin = max(text.find(" ", begin, stop) + 1, begin)
    if stop < end:
        blank = text.rfind(" ", begin + _LONG // 2, stop)
        stop = blank if blank > 0 else stop
    return begin, stop


def _marks(text: str, rarities: dict[str, tuple[int, float]]) -> list[tuple[int, int]]:
    """Start and end of each word of a text that was asked for."""
    return [
        match.span()
        for match in _WORD.finditer(text)
        if any(stem in rarities for stem in marked_stems(folded_words(match[0]), LANGUAGES))
    ]
