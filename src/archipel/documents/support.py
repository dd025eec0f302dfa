"""An answer without a model's words: the sentence of each passage that fits the question best.

For models too small to quote, and for none. What is given is cut from the source, so no word of it
can be wrong; whether it is given is decided by how much of the question the passage has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from archipel.documents.chunks import Searched
from archipel.documents.citations import Citation, cite
from archipel.documents.concepts import Rated, chunk_words, concepts_of, share_held
from archipel.documents.library import Library
from archipel.documents.passages import Passage
from archipel.documents.search import rated_in
from archipel.documents.sentences import sentences

# On the corpus of the tests, a question whose document is there has so much or more in 62 of 100
# cases, and one whose document was taken out has less in 71.
THRESHOLD = 0.55


@dataclass(frozen=True, slots=True)
class Supported:
    """A sentence, and the share of the question, by rarity, that its passage has."""

    citation: Citation
    share: float


def asked_of(library: Library, question: str) -> list[Rated]:
    """The question as this library takes it.

    Raises:
        DatabaseError: the library can't be read.
    """
    with library.connected() as connection:
        return rated_in(connection, concepts_of(question))


def supporting_sentences(
    asked: Sequence[Rated], passages: Sequence[Passage], threshold: float = THRESHOLD
) -> list[Supported]:
    """One sentence of each passage that has `threshold` of the question or more, the best first.

    An empty list means: not in the documents.
    """
    found = [
        Supported(_best_sentence(passage, asked), share)
        for passage in passages
        if (share := share_of_question(passage, asked)) >= threshold
    ]
    return sorted(found, key=lambda one: -one.share)


def share_of_question(passage: Passage, asked: Sequence[Rated]) -> float:
    """How much of the question a passage has, its title and headings included; 0 to 1."""
    return share_held(asked, chunk_words(passage.searched))


def _best_sentence(passage: Passage, asked: Sequence[Rated]) -> Citation:
    """The sentence that has most of the question, with its headings; of two, the shorter."""

    def share(span: tuple[int, int, str]) -> tuple[float, int]:
        start, end, headings = span
        text = chunk_words(Searched(headings, passage.text[start:end]))
        return share_held(asked, text), start - end

    start, end, _ = max(_spans(passage), key=share)
    return cite(passage, start, end)


def _spans(passage: Passage) -> list[tuple[int, int, str]]:
    """Start and end of each sentence in the passage's text, and the headings above it."""
    spans: list[tuple[int, int, str]] = []
    offset = 0
    for part in passage.parts:
        above = "\n".join(part.headings)
        spans += [(offset + start, offset + end, above) for start, end in sentences(part.text)]
        offset += len(part.text) + 1
    return spans
