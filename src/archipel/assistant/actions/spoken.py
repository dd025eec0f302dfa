"""Which language a text is in, as far as its small words tell; and whether it can be another's."""

import re
from collections import Counter

_LETTERS = 40_000  # of a text that are looked at
_ENOUGH = 3  # small words, below which nothing is said
_AHEAD = 1.5  # times as many as of the next language
_NOT_WORDS = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|\{[^{}\n]*\}", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]+")
_SMALL = {
    "fr": "le la les un une des du de et est que qui dans pour pas sur avec ce cette il elle nous"
    " vous je ne au aux par plus mais ou où sont ont été leur ses son sa mon ma notre votre très",
    "en": "the of and to in is that it for was on are with as be this have from or by not but you"
    " we they his her which an were their there been has will would can could our your",
    "de": "der die das und ist nicht ein eine zu den von mit für auf im dem des sich auch wir sie"
    " ich es werden wird sind oder aber wenn nach bei einen einer war haben hat",
    "es": "el los las una del y es en que por con para no se lo como más pero su sus al esta este"
    " son está hay muy también fue han ser sobre entre cuando",
    "it": "il lo gli una della di e è che per non con sono nel alla dei delle più anche come ma si"
    " questo questa del al ha essere le un ho hanno dal",
    "pt": "o os as um uma do da dos das em não que para com por se mais mas como ao é foi são está"
    " seu sua também pelo pela isso este esta ser ou",
    "nl": "de het een en van is dat niet in te op met voor zijn er aan ook maar om als bij nog wij"
    " ik je naar uit door wordt deze hebben heeft",
}
_WORDS = {language: frozenset(words.split()) for language, words in _SMALL.items()}


def language_of(text: str) -> str | None:
    """The code of the language, one of seven; None where the words don't tell. Pure."""
    prose = _NOT_WORDS.sub(" ", text[:_LETTERS])
    words = Counter(word.lower() for word in _WORD.findall(prose))
    hits = {language: sum(words[word] for word in small) for language, small in _WORDS.items()}
    (best, most), (_, next_most) = sorted(hits.items(), key=lambda hit: -hit[1])[:2]
    return best if most >= _ENOUGH and most >= _AHEAD * next_most else None
