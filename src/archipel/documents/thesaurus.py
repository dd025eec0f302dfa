"""Which words mean much the same, in French and English: from `thesaurus.txt`, read once.

A term is a marked stem, or a phrase of folded words with blanks between.
"""

import functools
from importlib import resources

from archipel.documents.words import folded_words, stem


@functools.cache
def _related() -> dict[str, tuple[str, ...]]:
    """Each term with the others of its lines."""
    related: dict[str, dict[str, None]] = {}
    text = resources.files("archipel.documents").joinpath("thesaurus.txt").read_text("utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            english, _, french = line.partition("|")
            terms = [_term("en", entry) for entry in english.split()]
            terms += [_term("fr", entry) for entry in french.split()]
            for term in terms:
                related.setdefault(term, {}).update(dict.fromkeys(terms))
    return {
        term: tuple(other for other in others if other != term) for term, others in related.items()
    }


def related_terms(term: str) -> tuple[str, ...]:
    """Terms that mean much the same as `term`, in both languages."""
    return _related().get(term, ())


@functools.cache
def phrases() -> frozenset[str]:
    """The terms that are phrases."""
    return frozenset(term for term in _related() if " " in term)


def _term(language: str, entry: str) -> str:
    words = folded_words(entry)
    return stem(language, words[0]) if len(words) == 1 else " ".join(words)
