"""Pairs of texts as lessons in one task, asked for in the words of several languages. Pure."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from archipel.errors import ConfigError
from archipel.files import sha256_bytes
from archipel.tune.lessons import Lesson, Record, Unusable, text_of

Task = Literal["translate", "summarise", "rewrite", "repair"]
TASKS: tuple[Task, ...] = ("translate", "summarise", "rewrite", "repair")

# The languages in which a model is asked, and each one's names for all of them.
LANGUAGES: Mapping[str, Mapping[str, str]] = {
    "en": {"en": "English", "fr": "French", "es": "Spanish", "de": "German", "it": "Italian"},
    "fr": {"en": "anglais", "fr": "français", "es": "espagnol", "de": "allemand", "it": "italien"},
    "es": {"en": "inglés", "fr": "francés", "es": "español", "de": "alemán", "it": "italiano"},
    "de": {
        "en": "Englische",
        "fr": "Französische",
        "es": "Spanische",
        "de": "Deutsche",
        "it": "Italienische",
    },
    "it": {"en": "inglese", "fr": "francese", "es": "spagnolo", "de": "tedesco", "it": "italiano"},
}
_WORDS: Mapping[str, Mapping[Task, Sequence[str]]] = {
    "en": {
        "translate": ("Translate into {language}.", "Translate the text into {language}."),
        "summarise": ("Summarise the text.", "Summarise the text in one sentence."),
        "rewrite": ("Rewrite the text.", "Say the same in other words."),
        "repair": ("Repair the code.", "Find the mistake in the code and repair it."),
    },
    "fr": {
        "translate": ("Traduis en {language}.", "Traduis le texte en {language}."),
        "summarise": ("Résume le texte.", "Résume le texte en une phrase."),
        "rewrite": ("Réécris le texte.", "Dis la même chose autrement."),
        "repair": ("Répare le code.", "Trouve l’erreur dans le code et répare-la."),
    },
    "es": {
        "translate": ("Traduce al {language}.", "Traduce el texto al {language}."),
        "summarise": ("Resume el texto.", "Resume el texto en una frase."),
        "rewrite": ("Reescribe el texto.", "Di lo mismo con otras palabras."),
        "repair": ("Repara el código.", "Encuentra el error en el código y repáralo."),
    },
    "de": {
        "translate": ("Übersetze ins {language}.", "Übersetze den Text ins {language}."),
        "summarise": ("Fasse den Text zusammen.", "Fasse den Text in einem Satz zusammen."),
        "rewrite": ("Schreibe den Text um.", "Sage dasselbe mit anderen Worten."),
        "repair": ("Repariere den Code.", "Finde den Fehler im Code und behebe ihn."),
    },
    "it": {
        "translate": ("Traduci in {language}.", "Traduci il testo in {language}."),
        "summarise": ("Riassumi il testo.", "Riassumi il testo in una frase."),
        "rewrite": ("Riscrivi il testo.", "Di’ la stessa cosa con altre parole."),
        "repair": ("Ripara il codice.", "Trova l’errore nel codice e correggilo."),
    },
}


@dataclass(frozen=True, kw_only=True)
class PairReader:
    """Reads records with two texts, `fields`, as lessons in `task`.

    For `translate` the fields are named by their languages, as `en` and `fr`, and `both_ways` makes
    a lesson of each direction. The model is asked in one of the languages `asked_in`, by a system
    message or in front of the text: which, each lesson's own text decides.

    Raises:
        ConfigError: a language is unknown.
    """

    task: Task
    fields: tuple[str, str]
    asked_in: Sequence[str] = tuple(LANGUAGES)
    both_ways: bool = True

    def __post_init__(self) -> None:
        languages = (*self.asked_in, *(self.fields if self.task == "translate" else ()))
        if unknown := [one for one in languages if one not in LANGUAGES]:
            raise ConfigError(
                f"the language {unknown[0]!r} is unknown: use {', '.join(LANGUAGES)}. For "
                "translation the two fields are named by their languages"
            )

    def __call__(self, record: Record) -> Sequence[Lesson]:
        """The record's lessons.

        Raises:
            ConfigError: a field is lacking or is no text.
            Unusable: a text is empty.
        """
        lacking = [name for name in self.fields if name not in record.fields]
        if lacking:
            there = ", ".join(record.fields) or "nothing"
            raise ConfigError(
                f"{record.place} has no field {lacking[0]!r}; it has {there}. Name both: --fields"
            )
        source, target = (_joined(record, name) for name in self.fields)
        ways = [(source, target, self.fields[1])]
        if self.task == "translate" and self.both_ways:
            ways.append((target, source, self.fields[0]))
        return [
            Lesson(record.place, source, (self._conversation(text, answer, language),))
            for text, answer, language in ways
        ]

    def _conversation(self, text: str, answer: str, language: str) -> Sequence[Mapping[str, str]]:
        draw = random.Random(sha256_bytes(f"{language}\n{text}".encode()))
        spoken = draw.choice(self.asked_in)
        words = draw.choice(_WORDS[spoken][self.task])
        asked = words.format(language=LANGUAGES[spoken].get(language, ""))
        answered = {"role": "assistant", "content": answer}
        if draw.random() < 0.5:
            user = {"role": "user", "content": text}
            return [{"role": "system", "content": asked}, user, answered]
        return [{"role": "user", "content": f"{asked}\n\n{text}"}, answered]


def _joined(record: Record, name: str) -> str:
    """A text, or a list of its sentences."""
    value, place = record.fields[name], f"{record.place}, field {name!r}"
    sentences = value if isinstance(value, list) else [value]
    text = " ".join(text_of(one, place).strip() for one in sentences).strip()
    if not text:
        raise Unusable("with an empty text")
    return text
