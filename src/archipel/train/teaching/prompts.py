"""The prompts that a teacher is to answer: lines of text, or of JSON with a prompt or messages."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from archipel.errors import ConfigError

_MOST_BYTES = 1 << 30
_MOST_CHARACTERS = 200_000  # of one prompt


class Message(BaseModel):
    """One turn, as OpenAI's API and fine-tuning have it."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str


class _Line(BaseModel):
    """What a line of JSON may hold; other fields are not looked at."""

    prompt: str | None = None
    messages: tuple[Message, ...] | None = None

    @model_validator(mode="after")
    def _is_a_question(self) -> "_Line":
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give either prompt or messages")
        if self.messages is not None and (not self.messages or self.messages[-1].role != "user"):
            raise ValueError("messages must end with one of the user, which is to be answered")
        return self


Conversation = tuple[Message, ...]  # that ends with the user's message


def read_prompts(file: Path, system: str | None) -> tuple[list[Conversation], int]:
    """What to ask, each once and in the file's order, and how many were there more than once.

    `system` goes before those that have no such message.

    Raises:
        ConfigError: the file can't be read or is too large, or a line of it can't be used.
    """
    found: dict[Conversation, None] = {}
    count = 0
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            messages = _conversation(line, is_json=file.suffix == ".jsonl")
        except ValidationError as error:
            why = error.errors()[0]
            place = ".".join(map(str, why["loc"]))
            raise ConfigError(
                f"{file}, line {number}{f', {place}' if place else ''}: {why['msg']}. A line is "
                '{"prompt": "…"} or {"messages": [{"role": "user", "content": "…"}]}'
            ) from error
        if sum(len(message.content) for message in messages) > _MOST_CHARACTERS:
            raise ConfigError(
                f"{file}, line {number} has more than {_MOST_CHARACTERS:,} characters: shorten it"
            )
        if system and messages[0].role != "system":
            messages = (Message(role="system", content=system), *messages)
        found[messages] = None
        count += 1
    if not found:
        raise ConfigError(f"{file} holds no prompt: write one on each line")
    return list(found), count - len(found)


def as_json(messages: Sequence[Message]) -> list[dict[str, str]]:
    """As a request and a file have them."""
    return [message.model_dump() for message in messages]


def _conversation(line: str, *, is_json: bool) -> Conversation:
    if not is_json:
        return (Message(role="user", content=line.strip()),)
    read = _Line.model_validate_json(line)
    return read.messages or (Message(role="user", content=read.prompt or ""),)


def _lines(file: Path) -> Iterator[str]:
    """Cut at LF only, for JSON may hold other ends of lines as they are."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"{file} has more than {_MOST_BYTES >> 30} GiB: split it")
        with file.open(encoding="utf-8", newline="\n") as opened:
            yield from opened
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not text in UTF-8 ({error}): give plain text") from error
    except OSError as error:
        raise ConfigError(f"can't read {file}: {error.strerror}. Check the path") from error
