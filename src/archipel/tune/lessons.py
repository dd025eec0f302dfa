"""What there is to learn from: records out of files, checked, as lessons. No tokens yet.

A record that makes no sense stops the reading with its place; one that only can't be learnt from is
left out, counted by its reason.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archipel.corpus.documents import COMPRESSIONS, read_lines
from archipel.corpus.left_out import LeftOut
from archipel.errors import ConfigError

Conversation = Sequence[Mapping[str, str]]  # messages, each with its role and content
_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file, and where it stands."""

    place: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A conversation whose answers are learnt; or two, of which the first one's last answer is to
    be preferred to the second's. Lessons with the same `key` are on the same side of a split."""

    place: str
    key: str
    conversations: tuple[Conversation, ...]


class Unusable(Exception):
    """Nothing can be learnt from a record; the message is the reason, the same for all its kind."""


Read = Callable[[Record], Iterable[Lesson]]


@dataclass(frozen=True, kw_only=True)
class Material:
    """Files to learn from and to measure on: JSON Lines; with names for their columns,
    tab-separated too. `read` makes lessons of a record, and `kind` says in words of what; `tasks`
    and `languages` (codes) are what the model is made for by them, where that is known."""

    data: Sequence[Path]
    held_out_data: Sequence[Path] = ()
    read: Read
    kind: str
    columns: Sequence[str] = ()
    tasks: Sequence[str] = ()
    languages: Sequence[str] = ()


def read_material(material: Material, left_out: LeftOut) -> tuple[list[Lesson], list[Lesson]]:
    """The lessons to learn, and those to measure on.

    Raises:
        ConfigError: a file can't be read, is of another kind, or a record makes no sense.
    """
    found: tuple[list[Lesson], list[Lesson]] = ([], [])
    for lessons, paths in zip(found, (material.data, material.held_out_data), strict=True):
        for path in paths:
            for record in _records(path, material.columns):
                try:
                    lessons += material.read(record)
                except Unusable as reason:
                    left_out.note(str(reason), record.place)
    return found


def check_messages(value: object, place: str) -> Conversation:
    """The messages as far as the last answer: first perhaps a system's, then a user's and an
    assistant's in turn.

    Raises:
        ConfigError: they are no messages, or a role is unknown.
        Unusable: there is no answer, one is empty, or the roles do not take turns.
    """
    if not isinstance(value, list) or not value:
        raise ConfigError(f'{place}: messages must be a list of {{"role": …, "content": …}}')
    messages = [_message(one, f"{place}, message {number}") for number, one in enumerate(value, 1)]
    while messages and messages[-1]["role"] != "assistant":
        messages.pop()
    if not messages:
        raise Unusable("without an answer")
    turns = messages[1:] if messages[0]["role"] == "system" else messages
    wanted = ["user", "assistant"] * (len(turns) // 2)
    if [turn["role"] for turn in turns] != wanted:
        raise Unusable("whose user and assistant do not take turns")
    if not all(turn["content"].strip() for turn in turns):
        raise Unusable("with an empty message")
    return messages


def text_of(value: object, place: str) -> str:
    """A text that can be written as UTF-8.

    Raises:
        ConfigError: it is none.
        Unusable: JSON held half of a surrogate pair.
    """
    if not isinstance(value, str):
        raise ConfigError(f"{place}: {_shown(value)} is not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unusable("not in UTF-8") from None
    return value


def _message(value: object, place: str) -> Mapping[str, str]:
    if not isinstance(value, dict) or not {"role", "content"} <= value.keys():
        raise ConfigError(f'{place}: {_shown(value)} is not {{"role": …, "content": …}}')
    role = value["role"]
    if role not in _ROLES:
        raise ConfigError(
            f"{place}: the role {_shown(role)} is unknown. It must be {', '.join(_ROLES)}: rename "
            "it, or leave the record out"
        )
    return {"role": role, "content": text_of(value["content"], f"{place}, content")}


def _records(path: Path, columns: Sequence[str]) -> Iterator[Record]:
    kind = (path.with_suffix("") if path.suffix in COMPRESSIONS else path).suffix
    if kind not in (".jsonl", ".tsv") or (kind == ".tsv" and not columns):
        raise ConfigError(
            f"{path} can't be learnt from: give .jsonl, or .tsv for pairs, each also as "
            f"{', '.join(COMPRESSIONS)}"
        )
    for number, line in read_lines(path):
        place = f"{path}, line {number}"
        if line is None:
            raise ConfigError(f"{place}, is not UTF-8: convert the file")
        if line.strip():
            fields = _columns(line, columns, place) if kind == ".tsv" else _object(line, place)
            yield Record(place, fields)


def _columns(line: str, names: Sequence[str], place: str) -> Mapping[str, str]:
    values = line.rstrip("\r\n").split("\t")
    if len(values) < len(names):
        raise ConfigError(f"{place} has {len(values)} columns: {', '.join(names)} are needed")
    return dict(zip(names, values, strict=False))


def _object(line: str, place: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{place}, is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{place}: {_shown(found)} is not a JSON object")
    return found


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
