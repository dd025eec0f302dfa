"""Which words mean much the same, in French and English: from `thesaurus.txt`, read once.

A term is a marked stem, or a phrase of folded words with blanks between.
"""

import functools
from collections.abc import Mapping
from importlib import resources

from archipel.documents.words import folded_words, stem


@functools.cache
def _related() -> dict[str, dict[str, str]]:
    """Each term with the terms of its lines, itself too, and the language of each."""
    related: dict[str, dict[str, str]] = {}
    text = resources.files("archipel.documents").joinpath("thesaurus.txt").read_text("utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            english, _, french = line.partition("|")
            terms = {_term("en", entry): "en" for entry in english.split()}
            terms |= {_term("fr", entry): "fr" for entry in french.split()}
            for term in terms:
                related.setdefault(term, {}).update(terms)
    return related


def related_terms(term: str) -> Mapping[str, str]:
    """Terms that mean much the same as `term`, each with its language."""
    return _related().get(term, {})


@functools.cache
def phrases() -> frozenset[str]:
    """The terms that are phrases."""
    return frozenset(term for term in _related() if " " in term)


def _term(language: str, entry: str) -> str:
    words = folded_words(entry)
    return stem(language, words[0]) if len(words) == 1 else " ".join(words)
