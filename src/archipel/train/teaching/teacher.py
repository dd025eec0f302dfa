"""A model behind an OpenAI-compatible API, asked one prompt at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from archipel.errors import TeacherError
from archipel.train.teaching.prompts import Conversation, as_json

_MOST_BYTES = 4 << 20  # of an answer
_NEVER = (401, 403, 404)  # what no other prompt changes
_LATER = (408, 409, 425, 429)


@dataclass(frozen=True)
class Answer:
    """What it answered, why it ended (OpenAI's finish reason), and the tokens that it counts."""

    text: str
    ended: str | None
    prompt_tokens: int = 0
    answer_tokens: int = 0


@dataclass(frozen=True)
class Refused:
    """It does not take this prompt."""

    reason: str


@dataclass(frozen=True)
class Trouble:
    """It did not answer this time; `wait_seconds` is how long it asks to be left alone."""

    reason: str
    wait_seconds: float = 0.0


Reply = Answer | Refused | Trouble


class Teacher:
    """The model `model` at `client`, whose base URL ends in /v1; `options` go into each request."""

    def __init__(self, client: httpx.AsyncClient, model: str, options: Mapping[str, Any]) -> None:
        self._client = client
        self.model = model
        self.options = options

    async def ask(self, messages: Conversation) -> Reply:
        """Its reply to one prompt.

        Raises:
            TeacherError: it will answer none: the key or the model is wrong, or this is no such
                API.
        """
        body = {"model": self.model, "messages": as_json(messages), **self.options}
        try:
            async with self._client.stream("POST", "chat/completions", json=body) as response:
                data = bytearray()
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > _MOST_BYTES:
                        return Refused(f"it answered with over {_MOST_BYTES >> 20} MiB")
        except httpx.HTTPError as error:
            return Trouble(str(error) or type(error).__name__)
        return self._read(response, bytes(data))

    def _read(self, response: httpx.Response, data: bytes) -> Reply:
        status = response.status_code
        if status in _NEVER:
            raise TeacherError(
                f"the teacher at {response.url} answered {status}: {_message(data)}. Check its "
                f"URL, the key and the model's name, {self.model!r}"
            )
        if status in _LATER or status >= 500:
            return Trouble(f"{status}: {_message(data)}", _asked_to_wait(response.headers))
        if status >= 400:
            return Refused(f"{status}: {_message(data)}")
        try:
            return _answer(httpx.Response(status, content=data).json())
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            return Trouble(f"an answer that is not OpenAI's ({type(error).__name__})")


async def only_model(client: httpx.AsyncClient) -> str:
    """The name of the model there, if there is one only.

    Raises:
        TeacherError: it can't be told.
    """
    try:
        response = (await client.get("models")).raise_for_status()
        names = [str(model["id"]) for model in response.json()["data"]]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        raise TeacherError(
            f"the teacher at {client.base_url} does not say which models it has ({error!r}). Check "
            "the URL, which ends in /v1, and the key, or give --model"
        ) from error
    if len(names) != 1:
        shown = ", ".join(names[:20]) or "none"
        raise TeacherError(f"the teacher has several models: choose one with --model ({shown})")
    return names[0]


def _answer(body: Mapping[str, Any]) -> Answer:
    choice = body["choices"][0]
    usage = body.get("usage") or {}
    return Answer(
        str(choice["message"].get("content") or ""),
        choice.get("finish_reason"),
        int(usage.get("prompt_tokens") or 0),
        int(usage.get("completion_tokens") or 0),
    )


def _message(data: bytes) -> str:
    try:
        return str(httpx.Response(200, content=data).json()["error"]["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return data[:100].decode(errors="replace")


def _asked_to_wait(headers: httpx.Headers) -> float:
    """Seconds of `Retry-After`, where it is a number; a date is left to our own patience."""
    try:
        return max(0.0, float(headers.get("retry-after", 0)))
    except ValueError:
        return 0.0
