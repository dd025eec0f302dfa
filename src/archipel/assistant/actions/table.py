"""What can be done with a text at a press, as data: names, what may be chosen, limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from archipel.assistant.actions.languages import LANGUAGES
from archipel.errors import ConfigError

Way = Literal["parts", "digest", "whole", "picture", "workshop"]
Shown = Literal["text", "diff", "picture", "evidence"]
SAME = "same"  # as the text
DETECTED = "detected"
PROGRAMMING = (
    "any",
    "python",
    "javascript",
    "typescript",
    "java",
    "c",
    "c++",
    "c#",
    "go",
    "rust",
    "php",
    "sql",
    "bash",
    "html",
)
SEEDS = 2_000_000_000  # of pictures, by chance: those that count up from one fit in 31 bits too
SIZES = {"square": "1024x1024", "wide": "1536x1024", "tall": "1024x1536"}


@dataclass(frozen=True)
class Field:
    """What one chooses, the first choice until another is made; or, without choices, what one
    writes, so many characters at most; or, with `below`, a whole number from 0 or nothing."""

    name: str
    choices: tuple[str, ...] = ()
    characters: int = 0
    below: int = 0

    @property
    def usual(self) -> str:
        """What it is until one says otherwise."""
        return self.choices[0] if self.choices else ""


@dataclass(frozen=True, kw_only=True)
class Action:
    """`way`: done part by part, by summaries of parts, at once, by a model that draws, in
    the workshop. `shown`: as a text, as changes of the person's, as a picture, as evidence."""

    name: str
    fields: tuple[Field, ...]
    way: Way
    shown: Shown = "text"
    characters: int  # that it takes at most
    part_bytes: int = 0  # of UTF-8, that go to the model at once; 0: all do

    @property
    def gives_files(self) -> bool:
        """Whether a document's file itself can come back, changed."""
        return self.way == "parts"

    @property
    def takes_documents(self) -> bool:
        """Whether it can be done on a document."""
        return self.way != "picture"


_SPOKEN = tuple(LANGUAGES)
_CODE_FIELDS = (
    Field("tests", characters=50_000),
    Field("calls", characters=4_000),
    Field("language", ("en", "fr")),
)
ACTIONS = {
    one.name: one
    for one in (
        Action(
            name="translate",
            fields=(Field("target", _SPOKEN), Field("source", (DETECTED, *_SPOKEN))),
            way="parts",
            characters=400_000,
            part_bytes=3_000,
        ),
        Action(
            name="summarise",
            fields=(
                Field("length", ("short", "sentence", "long", "bullets")),
                Field("audience", ("everyone", "expert", "child", "boss")),
                Field("language", (SAME, *_SPOKEN)),
            ),
            way="digest",
            characters=1_000_000,
            part_bytes=6_000,
        ),
        Action(
            name="rewrite",
            fields=(Field("tone", ("simpler", "warmer", "formal", "shorter")),),
            way="parts",
            shown="diff",
            characters=200_000,
            part_bytes=3_000,
        ),
        Action(
            name="correct",
            fields=(),
            way="parts",
            shown="diff",
            characters=200_000,
            part_bytes=2_000,
        ),
        Action(
            name="draft",
            fields=(Field("language", (SAME, *_SPOKEN)),),
            way="whole",
            characters=40_000,
        ),
        Action(
            name="explain",
            fields=(
                Field("level", ("usual", "beginner", "expert")),
                Field("language", (SAME, *_SPOKEN)),
            ),
            way="whole",
            characters=40_000,
        ),
        Action(
            name="code", fields=(Field("language", PROGRAMMING),), way="whole", characters=40_000
        ),
        Action(
            name="repair",
            fields=_CODE_FIELDS,
            way="workshop",
            shown="evidence",
            characters=200_000,
        ),
        Action(
            name="optimise",
            fields=_CODE_FIELDS,
            way="workshop",
            shown="evidence",
            characters=200_000,
        ),
        Action(
            name="picture",
            fields=(
                Field("size", tuple(SIZES)),
                Field("count", ("4", "2", "1")),
                Field("seed", below=1 << 32),
            ),
            way="picture",
            shown="picture",
            characters=4_000,
        ),
    )
}


@dataclass(frozen=True)
class Chosen:
    """An action with a choice for each of its fields; `terms` are what a translation has to call
    words."""

    action: Action
    fields: Mapping[str, str]
    terms: Mapping[str, str] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        """As a message keeps it."""
        return {"name": self.action.name, "fields": dict(self.fields)}


def chosen(
    name: str, fields: Mapping[str, str], characters: int, terms: Mapping[str, str] | None = None
) -> Chosen:
    """An action on a text of so many characters; what is not chosen is the first choice. Pure.

    Raises:
        ConfigError: there is no such action, field or choice, or the text is too long for it.
    """
    action = ACTIONS.get(name)
    if action is None:
        raise ConfigError(f"there is no action {name[:40]!r}. There are {', '.join(ACTIONS)}.")
    known = {field.name: field for field in action.fields}
    for key, value in fields.items():
        if key not in known:
            raise ConfigError(f"{name} has no field {key[:40]!r}. It has {', '.join(known)}.")
        _check(name, known[key], value)
    if characters > action.characters:
        raise ConfigError(
            f"{name} takes {action.characters:,} characters at most, not {characters:,}. "
            "Give it the text in several pieces."
        )
    made = {key: fields.get(key, field.usual) for key, field in known.items()}
    return Chosen(action, made, terms or {})


def _check(name: str, field: Field, value: str) -> None:
    if field.choices and value not in field.choices:
        choices = ", ".join(field.choices)
        raise ConfigError(f"{name}: {field.name} is one of {choices}, not {value[:40]!r}.")
    if field.below and value:
        if not (value.isascii() and value.isdecimal() and len(value) < 19):
            raise ConfigError(f"{name}: {field.name} is a whole number, not {value[:40]!r}.")
        if int(value) >= field.below:
            raise ConfigError(f"{name}: {field.name} is below {field.below:,}, not {value}.")
    elif not field.choices and len(value) > field.characters:
        most = f"{field.characters:,}"
        raise ConfigError(
            f"{name}: {field.name} has {len(value):,} characters; {most} are taken at most."
        )
