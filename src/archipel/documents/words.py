"""Words as the index knows them: without case or accents, and as French and English stems.

Accents go before stemming, on both sides, so that "reunions" finds "réunion". A stem is marked with
its language, f or e: the French "main" is a hand, and no "main" entrance.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable

import snowballstemmer

LANGUAGES = ("fr", "en")
_MARKS = {"fr": ("f", "french"), "en": ("e", "english")}
_WORD = re.compile(r"[^\W_]+")
_LONGEST = 40  # letters: what is longer is no word that anybody asks for
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss"})
_FRENCH = """
    le la les l un une des du de d et ou en au aux a dans par pour sur avec sans sous vers chez
    entre que qui quoi qu dont ce c cet cette ces ca cela ci y il elle ils elles je j tu nous
    vous on me m te t se s lui leur leurs mon ma mes ton ta tes son sa ses notre nos votre vos
    ne n pas plus si quel quelle quels quelles comment quand combien pourquoi est lequel
    laquelle suis es sommes etes sont etais etait etions etaient fut furent sera seront serait
    seraient etre ete ai as avons avez ont avais avait avaient aura auront aurait avoir eu ayant
    puis peux peut pouvons pouvez peuvent pouvait pourra pourrait dois doit devons devez doivent
    devrait faut veux veut voulez veulent voudrait fais fait font faire faites vais va vont
    allez aller alors ainsi aussi donc lors lorsque jusque jusqu tant plutot tres trop encore
    deja jamais toujours meme memes autre autres tout tous toute toutes chaque quelque quelques
    certain certains apres depuis pendant contre selon afin existe aimerais savoir passe suite
    cas venir viens vient viennent venu tenir tient tenu connaitre vouloir falloir rester reste
    laisser mettre met mis donner donne prendre prend pris trouver trouve passer devenir arriver
    arrive sert servir voir voit dire dit possible besoin lieu chose choses facon maniere
"""
_ENGLISH = """
    the a an of and or to in on at by for with without from into as is are was were be been
    being am do does did has have had having it its this that these those he she they we you i
    me my our your his her their them us what which who whom whose when where why how many much
    can could should would will shall may might must no not if than then there any some s t m
    get gets got getting go goes going went come comes about again also only just very too still
    even ever never always each every other another same such own up down out off until while
    because since both between through against during under over after before put make makes
    made take takes took like want wants know tell see happen happens happened keep keeps find
    give given need needs let lets become stay stays use used using way thing things possible
    able
"""
_SMALL_WORDS = frozenset(_FRENCH.split()) | frozenset(_ENGLISH.split())


def folded_words(text: str) -> list[str]:
    """The words of a text in their order, without case and accents; digits count as letters."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_LIGATURES))
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return [word[:_LONGEST] for word in _WORD.findall(plain)]


def languages_of(guess: str) -> tuple[str, ...]:
    """The languages to take a text's stems in: the one that was guessed, or both."""
    return (guess,) if guess in LANGUAGES else LANGUAGES


def language_of(marked: str) -> str:
    """The language of a marked stem."""
    return next(language for language, (mark, _) in _MARKS.items() if marked.startswith(mark))


def marked_stems(words: Iterable[str], languages: Iterable[str]) -> list[str]:
    """The marked stems of folded words in their order, in each of the languages."""
    return [stem(language, word) for word in words for language in languages]


def is_small(word: str) -> bool:
    """Whether a folded word says little about what a text is on."""
    return word in _SMALL_WORDS


@functools.cache
def _stemmers() -> dict[str, snowballstemmer.stemmer]:
    return {language: snowballstemmer.stemmer(name) for language, (_, name) in _MARKS.items()}


@functools.lru_cache(maxsize=100_000)
def stem(language: str, word: str) -> str:
    """The marked stem of a folded word in "fr" or "en"."""
    return f"{_MARKS[language][0]}{_stemmers()[language].stemWord(word)}"
