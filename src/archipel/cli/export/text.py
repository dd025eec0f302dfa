"""The text that an export is measured on: a plain one, or conversations with their answers."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError, model_validator
from tokenizers import Tokenizer
from transformers import PreTrainedConfig

from archipel.errors import ConfigError, ModelError
from archipel.evaluate.windows import Window, cut_windows

_MOST_BYTES = 16 << 20
_FEWEST_TOKENS = 64


class _Message(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: str


class _Line(BaseModel):
    messages: list[_Message]

    @model_validator(mode="after")
    def _has_an_answer(self) -> "_Line":
        if len(self.messages) < 2 or self.messages[-1].role != "assistant":
            raise ValueError("messages must end with an answer of the assistant")
        return self


@dataclass(frozen=True)
class PlainText:
    """In tokens, and those with which the tokenizer begins a text."""

    ids: list[int]
    start: list[int]

    def windows(self, length: int, tokens: int) -> list[Window]:
        """About `tokens` of it, in windows of `length`."""
        pieces = cut_windows(self.ids, length - len(self.start), tokens)
        return [Window(self.start + piece) for piece in pieces]


@dataclass(frozen=True)
class Conversations:
    """Each with its messages, of which the last is the answer that counts; in no order."""

    all: list[list[dict[str, str]]]


Source = PlainText | Conversations


def read_source(file: Path, folder: Path) -> Source:
    """A text by the tokenizer in `folder`; of a .jsonl, its conversations.

    Raises:
        ConfigError: the file can't be read, is not text or has too little of it, or a line is no
            conversation.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"{file} has more than {_MOST_BYTES >> 20} MiB: give a part of it")
        text = file.read_bytes().decode()  # the ends of its lines are text too
    except OSError as error:
        raise ConfigError(f"can't read {file}: {error.strerror}. Check the path") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not text in UTF-8 ({error}): give plain text") from error
    if file.suffix == ".jsonl":
        return _conversations(file, text)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    if len(ids) < _FEWEST_TOKENS:
        raise ConfigError(
            f"{file} has {len(ids)} tokens only: give a text of {_FEWEST_TOKENS} at least, better "
            "some thousands"
        )
    return PlainText(ids, _put_before(tokenizer))


def first_token(config: PreTrainedConfig) -> int:
    """The token after which a model begins to write.

    Raises:
        ModelError: its configuration names none.
    """
    end = config.eos_token_id[0] if isinstance(config.eos_token_id, list) else config.eos_token_id
    first: int | None = end if config.bos_token_id is None else config.bos_token_id
    if first is None:
        raise ModelError(
            "config.json names no token with which a text begins or ends: add eos_token_id"
        )
    return first


def _conversations(file: Path, text: str) -> Conversations:
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            messages = _Line.model_validate_json(line).messages
        except ValidationError as error:
            raise ConfigError(
                f"{file}, line {number}: {error.errors()[0]['msg']}. A line is "
                '{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", …}]}'
            ) from error
        found.append([message.model_dump() for message in messages])
    if not found:
        raise ConfigError(f"{file} holds no conversation: write one on each line")
    random.Random(0).shuffle(found)  # files are often sorted by what they are about
    return Conversations(found)


def _put_before(tokenizer: Tokenizer) -> list[int]:
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    full = tokenizer.encode("a").ids
    return [int(one) for one in full[: full.index(bare[0])]] if bare else []
