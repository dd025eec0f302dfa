"""Words as the index knows them: without case or accents, and as French and English stems.

Accents go before stemming, on both sides, so that "reunions" finds "réunion"; what no rule joins
(buy and bought) is joined by `forms.txt`. A stem is marked with its language, f or e: the French
"main" is a hand, and no "main" entrance.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable
from importlib import resources

import snowballstemmer

_MARKS = {"fr": ("f", "french"), "en": ("e", "english")}
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_WORD = re.compile(r"[^\W_]+")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:[ ,]\d{3})+(?!\d)")
_LONGEST = 40  # letters: what is longer is no word that anybody asks for
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss"})


def folded_words(text: str) -> list[str]:
    """The words of a text in their order, without case and accents; digits count as letters, and
    1,500 and 1 500 are one word."""
    plain = text.casefold()
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain.translate(_LIGATURES))
        plain = _BEYOND_ASCII.sub(_unless_accent, plain)
    plain = _THOUSANDS.sub(lambda number: re.sub("[ ,]", "", number[0]), plain)
    return [word[:_LONGEST] for word in _WORD.findall(plain)]


def _unless_accent(char: re.Match[str]) -> str:
    return "" if unicodedata.combining(char[0]) else char[0]


def marked_stems(words: Iterable[str], languages: Iterable[str]) -> list[str]:
    """The marked stems of folded words in their order, in each of the languages."""
    return [stem(language, word) for word in words for language in languages]


@functools.cache
def _stemmers() -> dict[str, snowballstemmer.stemmer]:
    return {language: snowballstemmer.stemmer(name) for language, (_, name) in _MARKS.items()}


@functools.cache
def _forms() -> dict[str, dict[str, str]]:
    """By language, the folded word that each irregular form is of."""
    forms: dict[str, dict[str, str]] = {language: {} for language in _MARKS}
    text = resources.files("archipel.documents").joinpath("forms.txt").read_text("utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            language, word, *others = folded_words(line)
            forms[language].update(dict.fromkeys(others, word))
    return forms


@functools.lru_cache(maxsize=100_000)
def stem(language: str, word: str) -> str:
    """The marked stem of a folded word in "fr" or "en"."""
    if word[-1:].isdigit():  # it has no ending to lose, and numbers are many
        return f"{_MARKS[language][0]}{word}"
    word = _forms()[language].get(word, word)
    return f"{_MARKS[language][0]}{_stemmers()[language].stemWord(word)}"
