"""Words as the index knows them: without case or accents, and as French and English stems.

Accents go before stemming, on both sides, so that "reunions" finds "réunion".
"""

import functools
import re
import unicodedata
from collections.abc import Iterable

import snowballstemmer

_WORD = re.compile(r"[^\W_]+")
_LONGEST = 40  # letters: what is longer is no word that anybody asks for
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss"})
_FRENCH = """
    le la les l un une des du de d et ou en au aux a dans par pour sur avec sans sous vers chez que
    qui quoi qu dont ou ce c cet cette ces ca cela est sont etre etait ete sera ont ai as avoir fait
    faire il elle ils elles je j tu nous vous on me m te t se s lui leur leurs mon ma mes ton ta tes
    son sa ses notre nos votre vos ne n pas plus si y quel quelle quels quelles comment quand
    combien pourquoi est lequel laquelle doit peut faut
"""
_ENGLISH = """
    the a an of and or to in on at by for with without from into as is are was were be been being do
    does did has have had having it its this that these those he she they we you i me my our your
    his her their them us what which who whom whose when where why how many much can could should
    would will shall may must not no if than then there any some s t
"""
SMALL_WORDS = frozenset(_FRENCH.split()) | frozenset(_ENGLISH.split())


def folded_words(text: str) -> list[str]:
    """The words of a text in their order, without case and accents; digits count as letters."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_LIGATURES))
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return [word[:_LONGEST] for word in _WORD.findall(plain)]


def stems(words: Iterable[str]) -> list[str]:
    """The French and the English stem of each word; one where both are the same."""
    return [stem for word in words for stem in _stems(word)]


def telling_words(question: str) -> list[str]:
    """A question's words without the small ones, each once; all of them if only small ones are."""
    words = list(dict.fromkeys(folded_words(question)))
    return [word for word in words if word not in SMALL_WORDS] or words


@functools.cache
def _stemmers() -> tuple[snowballstemmer.stemmer, snowballstemmer.stemmer]:
    return snowballstemmer.stemmer("french"), snowballstemmer.stemmer("english")


@functools.lru_cache(maxsize=100_000)
def _stems(word: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.stemWord(word) for one in _stemmers()))
