"""What a model of emoji learns from: pictures of the same things in several styles, with captions.

Some pictures of things are held out, a thing in one of its styles: what is asked for then was never
seen together. Of a model that is to see, a whole style is held out, and each picture has questions
with their answers.
"""

import json
import random
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from archipel.corpus.pictures.reading import METADATA
from archipel.errors import ConfigError

PROMPTS = "prompts.jsonl"
_CAPTIONS = "captions.jsonl"
_LANGUAGES = ("en", "fr")
_KEYWORDS = 4

NAMED = {"en": "What is this?", "fr": "Qu'est-ce que c'est ?"}
GROUPED = {"en": "Which group is it of?", "fr": "De quel groupe est-ce ?"}


class _Wording(NamedTuple):
    """What else is asked in a language: what it is, in other words, to describe it, its style."""

    named: tuple[str, ...]
    described: str
    styled: str


_WORDINGS = {
    "en": _Wording(
        ("What does this picture show?", "Name it."),
        "Describe this picture.",
        "In which style is it drawn?",
    ),
    "fr": _Wording(
        ("Qu’est-ce que c’est ?", "Que montre cette image ?"),
        "Décris cette image.",
        "Dans quel style est-ce dessiné ?",
    ),
}
_GROUPS_FR = {
    "activities": "activités",
    "animals & nature": "animaux et nature",
    "component": "composants",
    "flags": "drapeaux",
    "food & drink": "nourriture et boissons",
    "objects": "objets",
    "people & body": "personnes et corps",
    "smileys & emotion": "émoticônes et émotions",
    "symbols": "symboles",
    "travel & places": "voyages et lieux",
}


@dataclass(frozen=True, kw_only=True)
class EmojiOptions:
    """`held_out` is the share of the things that lose one style, of those that have all; `groups`,
    where not all things are taken, those that are. With a `held_out_style`, none of which is
    learnt, pictures come with questions in place of captions."""

    held_out: float = 0.13
    held_out_style: str | None = None
    groups: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Prompt:
    """What is asked for, in English and French: a thing, by its code, in a style that it was never
    seen in. `file` is the picture that it was not shown."""

    code: str
    style: str
    en: str
    fr: str
    file: str


def write_emoji(source: Path, folder: Path, options: EmojiOptions) -> list[Prompt]:
    """Fill the empty `folder` with the pictures of the zip archive `source`, their captions
    (metadata.jsonl) and what is to be asked for (prompts.jsonl).

    Raises:
        ConfigError: the archive can't be read, or is another.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            things = list(_things(archive.read(_CAPTIONS), options.groups))
            hidden = options.held_out_style
            held_out = {} if hidden else _held_out(things, options)
            if hidden:  # what was never learnt can't be named
                things = [thing for thing in things if set(thing["sets"]) - {hidden}]
            lines = _questioned(things, hidden) if hidden else _metadata(things, held_out)
            _write_lines(folder / METADATA, lines)
            for thing in things:
                for style in thing["sets"]:
                    place = folder / _file(thing, style)
                    place.parent.mkdir(exist_ok=True)
                    place.write_bytes(archive.read(_file(thing, style)))
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"{source} can't be used: {error}. It must be a zip archive with {_CAPTIONS} and a "
            "folder of pictures for each style"
        ) from error
    prompts = [
        Prompt(one["code"], style, *_asked(one, style), _file(one, style))
        for one in things
        if (style := held_out.get(one["code"]))
    ]
    _write_lines(folder / PROMPTS, map(asdict, prompts))
    return prompts


def read_prompts(folder: Path) -> list[Prompt]:
    """What `write_emoji` wrote."""
    lines = (folder / PROMPTS).read_text(encoding="utf-8").splitlines()
    return [Prompt(**json.loads(line)) for line in lines]


def _things(data: bytes, groups: Collection[str]) -> Iterator[dict[str, Any]]:
    for line in data.decode().splitlines():
        thing = json.loads(line)
        if not str(thing["code"]).replace("-", "").isalnum():
            raise ValueError(f"the code {thing['code']!r} is no name of a file")
        if not groups or thing["group"] in groups:
            yield thing


def _held_out(things: list[dict[str, Any]], options: EmojiOptions) -> dict[str, str]:
    """Code → the style that is held out."""
    dice = random.Random(options.seed)
    most = max(len(thing["sets"]) for thing in things)
    whole = [thing for thing in things if len(thing["sets"]) == most]
    chosen = dice.sample(whole, round(options.held_out * len(whole)))
    return {thing["code"]: dice.choice(thing["sets"]) for thing in chosen}


def _metadata(
    things: list[dict[str, Any]], held_out: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    for thing in things:
        for style in thing["sets"]:
            split = "held_out" if held_out.get(thing["code"]) == style else "train"
            captions = list(_captions(thing, style))
            yield {"file_name": _file(thing, style), "text": captions, "split": split}


def _questioned(things: list[dict[str, Any]], hidden: str) -> Iterator[dict[str, Any]]:
    for thing in things:
        for style in thing["sets"]:
            asked = [
                {"question": question, "answer": answer}
                for question, answer in _questions(thing, None if style == hidden else style)
            ]
            split = "held_out" if style == hidden else "train"
            yield {"file_name": _file(thing, style), "asked": asked, "split": split}


def _questions(thing: dict[str, Any], style: str | None) -> Iterator[tuple[str, str]]:
    """What is asked about a picture of a thing, with the answers; of a style if it is known."""
    for language, wording in _WORDINGS.items():
        told = thing[language]
        for question in (NAMED[language], *wording.named):
            yield question, told["name"]
        if words := told["keywords"][:_KEYWORDS]:
            yield wording.described, ", ".join(words)
        if group := thing["group"]:
            yield GROUPED[language], group if language == "en" else _GROUPS_FR.get(group, group)
        if style:
            yield wording.styled, style


def _captions(thing: dict[str, Any], style: str) -> Iterator[str]:
    """Its name and its keywords, with the style; and its name alone, for whoever asks for none."""
    for language in _LANGUAGES:
        told = thing[language]
        yield f"{told['name']}, {style}"
        yield told["name"]
        if words := told["keywords"][:_KEYWORDS]:
            yield f"{', '.join(words)}, {style}"


def _asked(thing: dict[str, Any], style: str) -> tuple[str, str]:
    english, french = (f"{thing[language]['name']}, {style}" for language in _LANGUAGES)
    return english, french


def _file(thing: dict[str, Any], style: str) -> str:
    return f"{style}/{thing['code']}.png"


def _write_lines(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(lines, encoding="utf-8")
