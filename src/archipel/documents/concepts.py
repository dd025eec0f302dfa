"""A question as concepts: each telling word with its stems and what means much the same, weighed.

Pure: the index says how rare terms are and which words chunks have; how well they fit is computed
here.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from archipel.documents.chunks import Searched
from archipel.documents.dictionary import telling, translations
from archipel.documents.language import is_small, languages_of
from archipel.documents.thesaurus import phrases, related_terms
from archipel.documents.words import folded_words, marked_stems, stem

_MOST_CONCEPTS = 32
_QUESTION_CHARACTERS = 4_000
_OWN = 1.0
_RELATED, _RELATED_ACROSS = 0.85, 0.5  # by the thesaurus, in the question's language and the other
_SAME_WORD = 0.6  # where the stem is not the same: a name, in a text of the other language
_SATURATION, _LENGTH_SHARE = 1.2, 0.5  # BM25's k1 and b
_RARITY_POWER = 0.8  # what is rare in a small library is not always what was asked for
_USUAL_WORDS = 150  # in a chunk with its headings


@dataclass(frozen=True, slots=True)
class Concept:
    """What one word of a question asks for: terms, each with a weight up to 1.

    `stems` are marked stems, `words` folded words and phrases; `telling` is how much the word says
    in any text, from 0 to 1.
    """

    stems: Mapping[str, float]
    words: Mapping[str, float]
    telling: float


@dataclass(frozen=True, slots=True)
class Rated:
    """A concept, and how rare it is: what a chunk gains by having it."""

    concept: Concept
    rarity: float


@dataclass(frozen=True, slots=True)
class ChunkWords:
    """A chunk's folded words and its marked stems, blanks between them."""

    words: str
    stems: str


def chunk_words(chunk: Searched) -> ChunkWords:
    """A chunk's words and stems, what is above it counted double; the stems in its language, or in
    both if it is another."""
    words = folded_words(f"{chunk.above}\n{chunk.above}\n{chunk.below}")
    languages = languages_of(f"{chunk.above}\n{chunk.below}")
    return ChunkWords(" ".join(words), " ".join(marked_stems(words, languages)))


def concepts_of(question: str) -> list[Concept]:
    """The concepts of a question, each once, without small words unless there are no others."""
    question = question[:_QUESTION_CHARACTERS]
    languages = languages_of(question)
    terms = _terms(folded_words(question))
    terms = [term for term in terms if not is_small(term)] or terms
    return [_concept(term, languages) for term in terms[:_MOST_CONCEPTS]]


def rated(concepts: Sequence[Concept], chunks: int, having: Mapping[str, int]) -> list[Rated]:
    """The concepts with their rarities, in a library of so many chunks, `having` each word and
    stem; terms that no chunk can have are left out."""
    return [Rated(_held(one, having), _rarity(one, chunks, having)) for one in concepts]


def fit(asked: Sequence[Rated], chunk: ChunkWords) -> float:
    """How well a chunk answers to the concepts: BM25, where each further term of a concept makes it
    likelier that the chunk is on it."""
    counts = _Counts(chunk)
    length = _SATURATION * (1 - _LENGTH_SHARE + _LENGTH_SHARE * counts.length / _USUAL_WORDS)
    whole = 0.0
    for one in asked:
        lacking = math.prod(
            1 - weight * count / (count + length) for weight, count in counts.of(one.concept)
        )
        whole += one.rarity * (1 - lacking)
    return whole


def share_held(asked: Sequence[Rated], chunk: ChunkWords) -> float:
    """The share of the concepts that a text has, each by its rarity and its best term; 0 to 1."""
    counts = _Counts(chunk)
    whole = sum(one.rarity for one in asked)
    held = sum(
        one.rarity * max((weight for weight, _ in counts.of(one.concept)), default=0.0)
        for one in asked
    )
    return held / whole if whole else 0.0


class _Counts:
    """How often a chunk has which terms."""

    def __init__(self, chunk: ChunkWords) -> None:
        self._words = Counter(chunk.words.split())
        self._stems = Counter(chunk.stems.split())
        self._text = f" {chunk.words} "
        self.length = self._words.total()

    def of(self, concept: Concept) -> Iterator[tuple[float, int]]:
        """The weight and the count of each term of the concept that the chunk has."""
        for term, weight in concept.stems.items():
            if count := self._stems[term]:
                yield weight, count
        for term, weight in concept.words.items():
            if count := self._text.count(f" {term} ") if " " in term else self._words[term]:
                yield weight, count


def _held(concept: Concept, having: Mapping[str, int]) -> Concept:
    stems = {term: weight for term, weight in concept.stems.items() if term in having}
    words = {
        term: weight
        for term, weight in concept.words.items()
        if all(word in having for word in term.split())
    }
    return Concept(stems, words, concept.telling)


def _rarity(concept: Concept, chunks: int, having: Mapping[str, int]) -> float:
    """The logarithm of all chunks by those that have a term of the concept, as many as there would
    be if no two terms sought each other's company."""
    lacking = 1.0
    for term in (*concept.stems, *concept.words):
        lacking *= 1 - min(having.get(term, 0) / max(chunks, 1), 1.0)
    holding = chunks * (1 - lacking)
    rarity = math.log(1 + (chunks - holding + 0.5) / (holding + 0.5))
    return concept.telling * math.pow(rarity, _RARITY_POWER)


def _terms(words: Sequence[str]) -> list[str]:
    """Words, and instead of them the longest phrases that the thesaurus has; each once."""
    terms: list[str] = []
    place = 0
    while place < len(words):
        lengths = (n for n in (4, 3, 2) if " ".join(words[place : place + n]) in phrases())
        length = next(lengths, 1)
        terms.append(" ".join(words[place : place + length]))
        place += length
    return list(dict.fromkeys(terms))


def _concept(term: str, languages: Sequence[str]) -> Concept:
    if " " in term:
        stems: dict[str, float] = {}
        words = {term: _OWN}
        how_telling = 1.0
    else:
        stems = {stem(language, term): _OWN for language in languages}
        words = {term: _SAME_WORD}
        how_telling = min(telling(known) for known in stems)
    for known in list(stems) or [term]:
        for related, weight in _related(known, languages):
            terms = words if " " in related else stems
            terms[related] = max(terms.get(related, 0.0), weight)
    return Concept(stems, words, how_telling)


def _related(term: str, languages: Sequence[str]) -> Iterator[tuple[str, float]]:
    """What means much the same as a term of a question in these languages, and how much."""
    for related, language in related_terms(term).items():
        yield related, _RELATED if language in languages else _RELATED_ACROSS
    for related, weight in translations(term).items():
        yield related, math.sqrt(weight)
