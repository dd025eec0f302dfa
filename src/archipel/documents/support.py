"""An answer without a model's words: the sentence of each passage that fits the question best.

For models too small to quote, and for none. What is given is cut from the source, so it can't be
wrong word by word; whether it is given is decided by how much of the question the passage has.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archipel.documents.citations import Citation, cite
from archipel.documents.library import Library
from archipel.documents.passages import Passage
from archipel.documents.sentences import sentences
from archipel.documents.words import folded_words, stems, telling_words

THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Supported:
    """A sentence, and the share of the question's words, each by its rarity, in its passage."""

    citation: Citation
    share: float


def supporting_sentences(
    question: str,
    passages: Sequence[Passage],
    rarities: Mapping[str, float],
    threshold: float = THRESHOLD,
) -> list[Supported]:
    """One sentence of each passage that has `threshold` of the question or more, the best first.

    `rarities` are those of `word_rarities`. An empty list means: not in the documents.
    """
    found = [
        Supported(_best_sentence(passage, rarities), share)
        for passage in passages
        if (share := share_of_question(passage, rarities)) >= threshold
    ]
    return sorted(found, key=lambda one: -one.share)


def share_of_question(passage: Passage, rarities: Mapping[str, float]) -> float:
    """How much of the question's words, each by its rarity, a passage and its headings have."""
    headings = dict.fromkeys(heading for part in passage.parts for heading in part.headings)
    text = "\n".join([passage.title, *headings, passage.text])
    whole = sum(rarities.values())
    return _weight(text, rarities) / whole if whole else 0.0


def word_rarities(library: Library, question: str) -> dict[str, float]:
    """The question's telling words, each with how rare its stem is in the library: the logarithm of
    chunks by chunks that have it.

    Raises:
        DatabaseError: the library can't be read.
    """
    rarities: dict[str, float] = {}
    with library.connected() as connection:
        total = connection.execute("SELECT count(*) FROM chunks").fetchone()[0]
        for word in telling_words(question):
            asked = " OR ".join(f'"{stem}"' for stem in stems([word]))
            having = connection.execute(
                "SELECT count(*) FROM chunk_words WHERE chunk_words MATCH ?",
                (f"stems : ({asked})",),
            ).fetchone()[0]
            rarities[word] = math.log((total + 1) / (having + 0.5))
    return rarities


def _best_sentence(passage: Passage, rarities: Mapping[str, float]) -> Citation:
    """The sentence with most of the question's words; of two, the shorter one."""
    spans = [
        (offset + start, offset + end)
        for offset, text in _offsets(passage)
        for start, end in sentences(text)
    ]

    def fit(span: tuple[int, int]) -> tuple[float, int]:
        return _weight(passage.text[slice(*span)], rarities), span[0] - span[1]

    return cite(passage, *max(spans, key=fit))


def _offsets(passage: Passage) -> list[tuple[int, str]]:
    """Each part's text, and where it begins in the passage's."""
    offsets: list[tuple[int, str]] = []
    offset = 0
    for part in passage.parts:
        offsets.append((offset, part.text))
        offset += len(part.text) + 1
    return offsets


def _weight(text: str, rarities: Mapping[str, float]) -> float:
    """The rarities of those words that have a stem in common with the text's words."""
    held = set(stems(folded_words(text)))
    return sum(rarity for word, rarity in rarities.items() if not held.isdisjoint(stems([word])))
