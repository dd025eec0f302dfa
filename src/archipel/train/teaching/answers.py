"""The answers so far, a line of JSON each, appended as they come: what was paid for is kept."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import TypeAdapter, ValidationError

from archipel.errors import ConfigError, IntegrityError
from archipel.files import sha256_bytes
from archipel.train.teaching.prompts import Conversation, as_json
from archipel.train.teaching.teacher import Answer, Refused

Known = Answer | Refused
_ANSWER, _REFUSED = TypeAdapter(Answer), TypeAdapter(Refused)


class Answers:
    """What a file of answers holds, by what was asked; `add` appends to it."""

    def __init__(self, file: BinaryIO, known: dict[str, Known]) -> None:
        self._file = file
        self._known = known

    def get(self, key: str) -> Known | None:
        """What is known of a question, if it was answered or refused."""
        return self._known.get(key)

    def add(self, key: str, reply: Known) -> None:
        """Keep a reply.

        Raises:
            ConfigError: the disk is full, or can't be written.
        """
        line = json.dumps({"key": key, **asdict(reply)}, ensure_ascii=False)
        try:
            self._file.write(line.encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise ConfigError(
                f"can't keep an answer in {self._file.name}: {error.strerror}. Make room; the same "
                "command goes on"
            ) from error
        self._known[key] = reply


def key_of(model: str, options: Mapping[str, Any], messages: Conversation) -> str:
    """What names a question: another model or other options ask another."""
    asked = [model, dict(sorted(options.items())), as_json(messages)]
    return sha256_bytes(json.dumps(asked, ensure_ascii=False).encode())


@contextmanager
def open_answers(path: Path) -> Iterator[Answers]:
    """The file for the time of the block; what a killed program left half a line of is dropped.

    Raises:
        ConfigError: it can't be written, or another program adds to it.
        IntegrityError: a line of it is no answer.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise ConfigError(f"can't write {path}: {error.strerror}. Check the path") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(f"another program is adding to {path}: wait for its end") from error
        file.seek(0)
        known: dict[str, Known] = {}
        end = 0
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                file.truncate(end)
                break
            end += len(line)
            key, reply = _read(line, path, number)
            known[key] = reply
        yield Answers(file, known)
        os.fsync(file.fileno())


def _read(line: bytes, path: Path, number: int) -> tuple[str, Known]:
    try:
        fields = json.loads(line)
        kind = _REFUSED if "reason" in fields else _ANSWER
        return str(fields["key"]), kind.validate_python(
            {name: value for name, value in fields.items() if name != "key"}
        )
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise IntegrityError(
            f"{path}, line {number} is no answer ({type(error).__name__}): it was altered. Remove "
            "that line"
        ) from error
