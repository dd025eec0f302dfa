"""What the model is told, in English or French: the instruction, then the text in marks.

The instruction is in the language that the answer should have where that is French, else in
English: a small model goes on in the language that it is spoken to.
"""

from collections.abc import Collection

from archipel.assistant.actions.languages import LANGUAGES
from archipel.assistant.actions.spoken import language_of
from archipel.assistant.actions.table import DETECTED, SAME, Chosen
from archipel.chat import Message

_TASKS = {
    "en": {
        "translate": "Translate the text below{source} into {target}. Keep its meaning, its tone "
        "and its form.",
        "summarise": "Summarise the text below {length} Write {audience}. Take everything from the "
        "text; add nothing.",
        "rewrite": "Rewrite the text below {tone}, in the same language. Keep its meaning and its "
        "form.",
        "correct": "Correct the mistakes of spelling and grammar in the text below. Change "
        "nothing else: keep the words, the style, the order and the form. Give back what has no "
        "mistake as it is.",
        "draft": "Write the text of which the outline is below, in Markdown: its headings as they "
        "are, and under each its points in whole sentences. Add no facts and no figures; keep "
        "tables and charts as they are.{language}",
        "explain": "Explain the text or the code below {level}.{language}",
        "repair": "Repair the Python code below.",
        "optimise": "Make the Python code below faster. Its results must stay the same.",
        "code": "Write {language} that does what is asked below: complete, in one code block, "
        "with a few words on how to use it.",
    },
    "fr": {
        "translate": "Traduis en {target} le texte ci-dessous{source}. Garde son sens, son ton et "
        "sa forme.",
        "summarise": "Résume le texte ci-dessous {length} Écris {audience}. Tout doit venir du "
        "texte ; n’ajoute rien.",
        "rewrite": "Réécris le texte ci-dessous {tone}, dans la même langue. Garde son sens et sa "
        "forme.",
        "correct": "Corrige les fautes d’orthographe et de grammaire du texte ci-dessous. Ne "
        "change rien d’autre : garde les mots, le style, l’ordre et la forme. Rends tel quel ce "
        "qui n’a pas de faute.",
        "draft": "Écris en Markdown le texte dont voici le plan : ses titres tels quels et, sous "
        "chacun, ses points en phrases complètes. N’ajoute ni faits ni chiffres ; garde les "
        "tableaux et les graphiques tels quels.{language}",
        "explain": "Explique le texte ou le code ci-dessous {level}.{language}",
        "repair": "Répare le code Python ci-dessous.",
        "optimise": "Rends plus rapide le code Python ci-dessous. Ses résultats doivent rester "
        "les mêmes.",
        "code": "Écris {language} qui fait ce qui est demandé ci-dessous : complet, dans un seul "
        "bloc de code, avec quelques mots sur son emploi.",
    },
}
_CHOICES = {
    "en": {
        "short": "in two to four sentences.",
        "sentence": "in one sentence.",
        "long": "in several paragraphs, with all its main points.",
        "bullets": "as a list of three to seven points, each on a line that begins with “- ”.",
        "everyone": "for a general reader",
        "child": "for a ten-year-old: simple words, short sentences",
        "boss": "for a busy manager: first what it means, the figures and what is to be decided",
        "simpler": "so that it is easier to read: common words, short sentences",
        "warmer": "so that it sounds warmer and friendlier",
        "formal": "so that it is more formal and polite",
        "shorter": "so that it is much shorter and loses nothing that matters",
        "usual": "clearly and step by step",
        "beginner": "to a beginner: simple words, an example",
    },
    "fr": {
        "short": "en deux à quatre phrases.",
        "sentence": "en une seule phrase.",
        "long": "en plusieurs paragraphes, avec tous ses points principaux.",
        "bullets": "en une liste de trois à sept points, chacun sur une ligne qui commence par "
        "« - ».",
        "everyone": "pour tout lecteur",
        "child": "pour un enfant de dix ans : mots simples, phrases courtes",
        "boss": "pour un dirigeant pressé : d’abord ce que cela signifie, les chiffres et ce qui "
        "est à décider",
        "simpler": "pour qu’il soit plus facile à lire : mots courants, phrases courtes",
        "warmer": "pour qu’il soit plus chaleureux et amical",
        "formal": "pour qu’il soit plus soutenu et poli",
        "shorter": "pour qu’il soit bien plus court sans rien perdre d’important",
        "usual": "clairement et pas à pas",
        "beginner": "à un débutant : mots simples, un exemple",
    },
}
_EXPERTS = {
    "en": {
        "audience": "for an expert: keep the technical words and the figures",
        "level": "to an expert: briefly, with what is subtle",
    },
    "fr": {
        "audience": "pour un expert : garde les mots techniques et les chiffres",
        "level": "à un expert : brièvement, avec ce qui est subtil",
    },
}
# As `archipel finetune --task` teaches it: what a small model knows that is made for nothing else.
_PLAIN = {
    "en": {
        "translate": "Translate into {target}.",
        "summarise": "Summarise the text.",
        "repair": "Repair the code.",
    },
    "fr": {
        "translate": "Traduis en {target}.",
        "summarise": "Résume le texte.",
        "repair": "Répare le code.",
    },
}
_KEEP = {
    "en": "Leave Markdown, line breaks, numbers, web addresses, code and placeholders such as "
    "{name} as they are. Answer with the text alone, without a word about it.",
    "fr": "Laisse tels quels le Markdown, les retours à la ligne, les nombres, les adresses web, "
    "le code et les marques comme {name}. Réponds par le texte seul, sans un mot à son sujet.",
}
_OF_PARTS = {
    "en": "The text is made of summaries of the parts of a longer one, in order.",
    "fr": "Le texte est fait des résumés des parties d’un texte plus long, dans l’ordre.",
}
_TERMS = {
    "en": "Use these terms:",
    "fr": "Emploie ces termes :",
}
_ANSWER_IN = {"en": " Answer in {0}.", "fr": " Réponds en {0}."}
_PHRASED = ("length", "audience", "tone", "level")
_ALONE = {
    "en": "Answer with the summary alone.",
    "fr": "Réponds par le résumé seul.",
}


def answer_language(chosen: Chosen, text: str) -> str | None:
    """The code of the language that the answer should be in; None where nobody can tell. Pure."""
    if chosen.action.name == "translate":
        return chosen.fields["target"]
    wanted = SAME if chosen.action.name == "code" else chosen.fields.get("language", SAME)
    return language_of(text) if wanted == SAME else wanted


def is_asked_plainly(chosen: Chosen, tasks: Collection[str] | None) -> bool:
    """Whether a model with these tasks is made for the action and not for talk, so that it knows
    the words that it was taught it by, and no others. Pure."""
    name = chosen.action.name
    return name in (tasks or ()) and "chat" not in (tasks or ()) and name in _PLAIN["en"]


def plain_turns(chosen: Chosen, text: str, wanted: str | None) -> list[Message]:
    """What such a model gets: what to do, then the text alone. Pure."""
    speech = _speech(wanted)
    asked = _PLAIN[speech][chosen.action.name]
    if chosen.action.name == "translate":
        asked = asked.format(target=LANGUAGES[chosen.fields["target"]].called(speech))
    return [Message("system", asked), Message("user", text)]


def turn(chosen: Chosen, text: str) -> str:
    """An action as the turn of a conversation that goes on after it. Pure."""
    if chosen.action.way == "picture":
        return text
    return prompt(chosen, text, answer_language(chosen, text))


def prompt(chosen: Chosen, text: str, wanted: str | None, *, of_parts: bool = False) -> str:
    """The one message that the model gets: what to do with `text`, the answer in the language
    `wanted`; `of_parts`: the text is made of summaries. Pure."""
    lines = [instruction(chosen, wanted)]
    if terms := [pair for pair in chosen.terms.items() if pair[0].casefold() in text.casefold()]:
        listed = "; ".join(f"{term} → {called}" for term, called in terms)
        lines.append(f"{_TERMS[_speech(wanted)]} {listed}.")
    if of_parts:
        lines.insert(0, _OF_PARTS[_speech(wanted)])
    return "\n".join([" ".join(lines), "", "<text>", text, "</text>"])


def instruction(chosen: Chosen, wanted: str | None) -> str:
    """What the model is told before the text. Pure."""
    name, speech = chosen.action.name, _speech(wanted)
    told = _TASKS[speech][name].format(**_phrases(chosen, speech, wanted))
    if chosen.action.way == "parts":
        return f"{told} {_KEEP[speech]}"
    if name == "summarise":
        return f"{told}{_in_language(speech, wanted)} {_ALONE[speech]}"
    return told


def _phrases(chosen: Chosen, speech: str, wanted: str | None) -> dict[str, str]:
    name, fields = chosen.action.name, chosen.fields
    if name == "translate":
        return {"target": LANGUAGES[fields["target"]].called(speech), "source": _source(chosen)}
    found = {
        key: _EXPERTS[speech][key] if value == "expert" else _CHOICES[speech].get(value, "")
        for key, value in fields.items()
        if key in _PHRASED
    }
    if name in ("draft", "explain"):
        found["language"] = _in_language(speech, wanted)
    if name == "code":
        found["language"] = _program(fields["language"], speech)
    return found


def _source(chosen: Chosen) -> str:
    source, french = chosen.fields["source"], chosen.fields["target"] == "fr"
    if source == DETECTED:
        return ""
    called = LANGUAGES[source].called("fr" if french else "en")
    return f", écrit en {called}" if french else f" from {called}"


def _program(language: str, speech: str) -> str:
    if language == "any":
        return "du code" if speech == "fr" else "code"
    return f"du code en {language}" if speech == "fr" else f"{language} code"


def _in_language(speech: str, wanted: str | None) -> str:
    return "" if wanted is None else _ANSWER_IN[speech].format(LANGUAGES[wanted].called(speech))


def _speech(wanted: str | None) -> str:
    return "fr" if wanted == "fr" else "en"
