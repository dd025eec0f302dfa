"""Which answers a small model should learn from. Pure."""

import re
from dataclasses import dataclass

from archipel.documents.language import languages_of
from archipel.train.teaching.teacher import Answer

# How models begin when they do not answer, in four languages.
_REFUSALS = re.compile(
    r"\W*("
    r"(i['’]?m|i am) (really |very |so )?sorry,? (but )?(i|as)\b"
    r"|sorry,? (but )?(i|as)\b"
    r"|(i|we) (can['’]?t|cannot|can not|won['’]?t|am unable to|am not able to)\b"
    r"|i['’]?m (unable|not able) to\b"
    r"|as an? (ai|artificial|language|large)\b"
    r"|(je suis |je['’]?s |)d[ée]sol[ée]e?s?,?( mais)? je\b"
    r"|je ne (peux|puis|suis) pas\b"
    r"|en tant qu['’](ia|intelligence|assistant|mod[èe]le)\b"
    r"|lo siento,? (pero )?(no|como)\b"
    r"|no puedo\b"
    r"|(es )?tut mir leid,? (aber )?(ich|als)\b"
    r"|ich kann (leider )?(das |dir |ihnen |dabei )?nicht\b"
    r")",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Rules:
    """What an answer must be: its characters, and its language, "en" or "fr", if one is asked; a
    text whose language can't be told may be in either."""

    least: int = 1
    most: int = 20_000
    language: str | None = None


def fault(answer: Answer, rules: Rules) -> str | None:
    """Why nobody should learn from an answer; None if it is good."""
    text = answer.text.strip()
    if not text:
        return "empty"
    if answer.ended not in ("stop", None):
        return "cut off"
    if len(text) < rules.least:
        return "too short"
    if len(text) > rules.most:
        return "too long"
    if _REFUSALS.match(text.replace("*", "")):
        return "a refusal"
    if rules.language and rules.language not in languages_of(text):
        return "in another language"
    return None
