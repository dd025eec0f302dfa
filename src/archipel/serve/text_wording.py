"""How our own engines word things: OpenAI's requests and answers, which are texts.

What they have no way to do they refuse by name.
"""

import json
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archipel.serve.api_error import ApiError
from archipel.serve.image_parts import decoded
from archipel.serve.text_model import Prompt, SeeingTokenizer, Tokenizer

USUAL_TEMPERATURE = 0.3  # as llama.cpp's engine has it
_UNSUPPORTED = (
    *("tools", "functions", "response_format", "logit_bias", "frequency_penalty"),
    *("presence_penalty", "suffix"),
)


class Asked(BaseModel):
    """What a client may ask of either endpoint; the fields above are refused if they say anything,
    and others have no effect."""

    model_config = ConfigDict(extra="allow", strict=True)
    messages: list[dict[str, Any]] | None = None
    prompt: str | list[int] | list[str] | list[list[int]] | None = None
    echo: bool | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1)
    min_p: float | None = Field(default=None, ge=0, le=1)
    repetition_penalty: float | None = Field(default=None, gt=0)
    seed: int | None = Field(default=None, ge=-(1 << 63), lt=1 << 63)
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    n: int | None = Field(default=None, ge=1, le=1)
    best_of: int | None = Field(default=None, ge=1, le=1)
    logprobs: bool | Annotated[int, Field(ge=0, le=20)] | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)


@dataclass
class Piece:
    """What one token, or several, added to an answer."""

    text: str
    logprobs: list[dict[str, Any]]
    tokens: int  # so far
    finish: str | None = None


class Shape(ABC):
    """How one endpoint words its prompt and its answer."""

    kind = ""
    tells_ends = False  # whether an end token has its place among the log-probabilities

    def __init__(self, name: str) -> None:
        self._facts = {"id": secrets.token_hex(12), "created": int(time.time()), "model": name}

    @abstractmethod
    def prompt(self, asked: Asked, tokenizer: Tokenizer) -> Prompt:
        """What the model reads."""

    @abstractmethod
    def likeliest(self, asked: Asked) -> int | None:
        """How many of the likeliest tokens are to be told with each; None: no log-probabilities."""

    @abstractmethod
    def echo(self, asked: Asked, prompt: Prompt, tokenizer: Tokenizer) -> str | None:
        """The prompt's text, if the answer is to begin with it."""

    @abstractmethod
    def choice(self, piece: Piece, *, streams: bool, is_first: bool = True) -> dict[str, Any]:
        """A piece of an answer, or all of it."""

    def body(self, choices: list[dict[str, Any]], *, streams: bool) -> dict[str, Any]:
        return {**self._facts, "object": self.kind, "choices": choices}


class Chat(Shape):
    kind = "chat.completion"

    def prompt(self, asked: Asked, tokenizer: Tokenizer) -> Prompt:
        if asked.messages is None:
            raise ApiError(400, "messages are lacking.", "invalid_value", "messages")
        contents = [one.get("content") for one in asked.messages]
        try:
            if isinstance(tokenizer, SeeingTokenizer):
                shown = [_shown(number, content) for number, content in enumerate(contents)]
                return tokenizer.show(_with(asked.messages, shown))
            said = [_content(content) for content in contents]
            return Prompt(tokenizer.converse(_with(asked.messages, said)))
        except ValueError as error:
            message = f"The model does not take these messages: {error}"
            raise ApiError(400, message, "invalid_value", "messages") from error

    def likeliest(self, asked: Asked) -> int | None:
        if isinstance(asked.logprobs, bool | None):
            return (asked.top_logprobs or 0) if asked.logprobs else None
        raise ApiError(400, "logprobs: true or false", "invalid_value", "logprobs")

    def echo(self, asked: Asked, prompt: Prompt, tokenizer: Tokenizer) -> str | None:
        if asked.echo:
            raise unsupported("echo")
        return None

    def choice(self, piece: Piece, *, streams: bool, is_first: bool = True) -> dict[str, Any]:
        said = {"role": "assistant"} if is_first else {}
        said |= {"content": piece.text} if piece.text or not streams else {}
        logprobs = {"content": piece.logprobs} if piece.logprobs else None
        name = "delta" if streams else "message"
        return {"index": 0, name: said, "logprobs": logprobs, "finish_reason": piece.finish}

    def body(self, choices: list[dict[str, Any]], *, streams: bool) -> dict[str, Any]:
        kind = "chat.completion.chunk" if streams else self.kind
        return {**super().body(choices, streams=streams), "object": kind}


class Completion(Shape):
    kind = "text_completion"
    tells_ends = True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._characters = 0  # of the tokens whose log-probabilities were told

    def prompt(self, asked: Asked, tokenizer: Tokenizer) -> Prompt:
        match asked.prompt:
            case str(text) | [str(text)]:
                return Prompt(tokenizer.encode(text))
            case ([int(), *_] as found) | [[int(), *_] as found]:
                ids = [one for one in found if isinstance(one, int) and 0 <= one < len(tokenizer)]
                if len(ids) == len(found):
                    return Prompt(ids)
        raise ApiError(400, "prompt: one text, or the numbers of its tokens", param="prompt")

    def choice(self, piece: Piece, *, streams: bool, is_first: bool = True) -> dict[str, Any]:
        logprobs = self._columns(piece.logprobs) if piece.logprobs else None
        said = {"index": 0, "text": piece.text, "logprobs": logprobs}
        return {**said, "finish_reason": piece.finish}

    def likeliest(self, asked: Asked) -> int | None:
        if asked.logprobs is True:
            message = "logprobs: how many of the likeliest tokens are to be told, 0 to 20"
            raise ApiError(400, message, "invalid_value", "logprobs")
        return None if asked.logprobs is False else asked.logprobs

    def echo(self, asked: Asked, prompt: Prompt, tokenizer: Tokenizer) -> str | None:
        if not asked.echo:
            return None
        match asked.prompt:
            case str(text) | [str(text)]:
                return text
        return tokenizer.decode(list(prompt.ids))

    def _columns(self, logprobs: list[dict[str, Any]]) -> dict[str, Any]:
        """Tokens with their log-probabilities as this endpoint has them; the first token of a
        prompt has none."""
        tokens = [one["token"] for one in logprobs]
        *offsets, self._characters = accumulate(map(len, tokens), initial=self._characters)
        return {
            "tokens": tokens,
            "token_logprobs": [one["logprob"] for one in logprobs],
            "top_logprobs": [
                # Of two with one text, say halves of characters, the likelier stays.
                {each["token"]: each["logprob"] for each in reversed(one["top_logprobs"])}
                if one["logprob"] is not None
                else None
                for one in logprobs
            ],
            "text_offset": offsets,
        }


def _with(messages: list[dict[str, Any]], contents: Sequence[Any]) -> list[dict[str, Any]]:
    pairs = zip(messages, contents, strict=True)
    return [{**message, "content": content} for message, content in pairs]


def _shown(message: int, content: Any) -> list[dict[str, Any]]:
    """A message's texts and its pictures, decoded; parts of other kinds are refused."""
    if not isinstance(content, list) or not content:
        return [{"type": "text", "text": content or ""}]
    return [_part(f"messages.{message}.content.{at}", part) for at, part in enumerate(content)]


def _part(place: str, part: Any) -> dict[str, Any]:
    match part:
        case {"type": "image_url"}:
            return {"type": "image", "image": decoded(place, part)}
        case {"text": str(text)}:
            return {"type": "text", "text": text}
    raise unsupported(place)


def _content(content: Any) -> str:
    """A message's text; parts of other kinds are refused."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        if len(texts) < len(content) or not all(isinstance(text, str) for text in texts):
            raise unsupported("messages")
        return "".join(map(str, texts))
    return content or ""


def parsed(body: bytes) -> Asked:
    try:
        asked = Asked.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        param = str(first["loc"][0]) if first["loc"] else None  # of a union, not which part of it
        raise ApiError(400, f"{param}: {first['msg']}", "invalid_value", param) from None
    for name in _UNSUPPORTED:
        value = (asked.model_extra or {}).get(name)
        if value and value != {"type": "text"}:
            raise unsupported(name)
    return asked


def unsupported(param: str) -> ApiError:
    """What the engine can't do."""
    message = f"{param}: the engine of this model can't do this. Leave it out"
    return ApiError(400, message, "unsupported_by_provider", param)


def event(body: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(body)}\n\n".encode()


def usage(prompt: int, completion: int) -> dict[str, int]:
    total = prompt + completion
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
