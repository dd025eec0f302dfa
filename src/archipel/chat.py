"""A client for any OpenAI-compatible service: lists its models, streams its answers.

Knows nothing about who answers: `archipel serve`, another program, a provider on the internet.
"""

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import httpx

from archipel.errors import ArchipelError
from archipel.hosts import is_loopback

# A long prompt on a slow machine takes minutes before the first token.
_TIMEOUT = httpx.Timeout(30, connect=5, read=300)
_PICTURE_BYTES = 28 << 20  # of an answer: 20 MB in base64


class ServiceError(ArchipelError):
    """The service can't be reached or refused; `code` is OpenAI's, or `unreachable`, `cut_off`."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Message:
    """One turn of a conversation; `content` is text, or parts as OpenAI's API has them."""

    role: Literal["system", "user", "assistant"]
    content: str | Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Delta:
    """A piece of an answer, or what the service tells about the whole: tokens of the answer and of
    what was asked, who answered (`X-Archipel-Provider`), why it ended (OpenAI's finish reason)."""

    text: str = ""
    answer_tokens: int | None = None
    prompt_tokens: int | None = None
    provider: str | None = None
    ended: str | None = None


@dataclass(frozen=True, kw_only=True)
class Painting:
    """News of a picture on its way: so many steps of so many are done, or its file, which may have
    any content, and its seed where the service tells it."""

    step: int = 0
    steps: int | None = None
    file: bytes | None = None
    seed: int | None = None


class ChatService:
    """An OpenAI-compatible service at `url`, which ends in /v1. Use it with `async with`."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.has_key = bool(api_key)
        self._user: str | None = None
        self._client = httpx.AsyncClient(
            headers={b"Authorization": f"Bearer {api_key}".encode()} if api_key else {},
            timeout=_TIMEOUT,
            trust_env=not is_loopback(urlsplit(url).hostname or ""),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    def on_behalf_of(self, user: str | None) -> Self:
        """The same service, asked for somebody: `user` is OpenAI's field of this name."""
        other = copy(self)
        other._user = user
        return other

    async def list_models(self) -> list[str]:
        """The names of the service's models.

        Raises:
            ServiceError: it can't be reached, refuses, or answers something else.
        """
        return [model["id"] for model in await self.models()]

    async def models(self) -> list[dict[str, Any]]:
        """The service's models, each with its name, `id`, and whatever else the service tells.

        Raises:
            ServiceError: it can't be reached, refuses, or answers something else.
        """
        try:
            response = await self._client.get(f"{self.url}/models")
            if response.is_error:
                raise _refusal(response)
            return [{**model, "id": str(model["id"])} for model in response.json()["data"]]
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ServiceError(
                f"{self.url} does not answer as OpenAI's API does. Check that the URL ends in /v1."
            ) from error

    async def stream_chat(
        self, messages: Sequence[Message], model: str, **options: float | str
    ) -> AsyncGenerator[Delta]:
        """The answer to the last message, piece by piece; `options` go into the request.

        Raises:
            ServiceError: it can't be reached, refuses, or stops before the answer is complete.
        """
        body = {
            "model": model,
            "messages": [asdict(message) for message in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            **self._for_whom(),
            **options,
        }
        finished = False
        try:
            async with self._client.stream(
                "POST", f"{self.url}/chat/completions", json=body
            ) as response:
                if response.is_error:
                    await response.aread()
                    raise _refusal(response)
                if provider := response.headers.get("x-archipel-provider"):
                    yield Delta(provider=provider)
                async for data in _server_sent_data(response.aiter_bytes()):
                    if data == "[DONE]":
                        return
                    delta = _read_chunk(json.loads(data))
                    finished = finished or delta.ended is not None
                    if delta != Delta():
                        yield delta
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ServiceError(f"{self.url} sent a chunk that is not OpenAI's: {error}.") from error
        if not finished:
            raise ServiceError(f"{self.url} ended before the answer did. Ask again.", "cut_off")

    async def make_picture(self, model: str, prompt: str, **options: object) -> bytes:
        """The file of a picture; `options` go into the request. It may have any content: look.

        Raises:
            ServiceError: the service can't be reached, refuses, or answers without a picture or
                with too much.
        """
        body = {"model": model, "prompt": prompt, "n": 1, **options}
        url, answer = f"{self.url}/images/generations", bytearray()
        try:
            async with self._client.stream("POST", url, json=body) as response:
                if response.is_error:
                    await response.aread()
                    raise _refusal(response)
                async for chunk in response.aiter_bytes():
                    answer += chunk
                    if len(answer) > _PICTURE_BYTES:
                        raise ServiceError(f"{model} sent over {_PICTURE_BYTES >> 20} MiB.")
            return base64.b64decode(json.loads(answer)["data"][0]["b64_json"], validate=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ServiceError(
                f"{model} answered without a picture in base64. Choose a model that makes pictures."
            ) from error

    async def stream_pictures(
        self, model: str, prompt: str, image: bytes | None = None, **options: object
    ) -> AsyncGenerator[Painting]:
        """Pictures from words, or from `image`, a file, and words; `options` go into the request.

        Raises:
            ServiceError: the service can't be reached, refuses, breaks off, or answers without a
                picture or with too much.
        """
        fields = {"model": model, "prompt": prompt, "stream": True, **options}
        url = f"{self.url}/images/generations"
        sent: dict[str, Any] = {"json": fields}
        if image is not None:
            texts = {name: _form_text(value) for name, value in fields.items()}
            url = f"{self.url}/images/edits"
            sent = {"data": texts, "files": {"image": image}}
        has_file = False
        try:
            async with self._client.stream("POST", url, **sent) as response:
                if response.is_error:
                    await response.aread()
                    raise _refusal(response)
                async for news in _paintings(response):
                    has_file = has_file or news.file is not None
                    yield news
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ServiceError(f"{model} sent something that is no picture: {error}.") from error
        if not has_file:
            raise ServiceError(
                f"{model} answered without a picture. Choose a model that makes pictures."
            )

    async def complete(self, model: str, prompt: str, **options: object) -> dict[str, Any]:
        """The first choice of a completion of plain text; `options` go into the request.

        Raises:
            ServiceError: the service can't be reached, refuses, or answers something else.
        """
        body = {"model": model, "prompt": prompt, **self._for_whom(), **options}
        answer = await self._post("completions", body)
        try:
            return dict(answer["choices"][0])
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ServiceError(f"{model} answered without a completion.") from error

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text.

        Raises:
            ServiceError: the service can't be reached, refuses, or answers something else.
        """
        answer = await self._post("embeddings", {"model": model, "input": list(texts)})
        try:
            data = sorted(answer["data"], key=lambda one: int(one["index"]))
            return [[float(value) for value in one["embedding"]] for one in data]
        except (ValueError, KeyError, TypeError) as error:
            raise ServiceError(
                f"{model} answered without vectors. Choose a model that embeds."
            ) from error

    async def _post(self, path: str, body: Mapping[str, object]) -> Any:
        try:
            response = await self._client.post(f"{self.url}/{path}", json=body)
            if response.is_error:
                raise _refusal(response)
            return response.json()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error
        except ValueError as error:
            raise ServiceError(f"{self.url} answered something else than JSON.") from error

    def _for_whom(self) -> dict[str, str]:
        return {"user": self._user} if self._user else {}

    def _unreachable(self, error: Exception) -> ServiceError:
        if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
            return ServiceError(f"{self.url} ended before the answer did. Ask again.", "cut_off")
        reason = str(error) or type(error).__name__
        return ServiceError(
            f"no service answers at {self.url} ({reason}). Start one with `archipel serve MODEL`, "
            "or give the URL of another.",
            "unreachable",
        )


async def _paintings(response: httpx.Response) -> AsyncGenerator[Painting]:
    """What a stream brings, or a whole answer by a service that knows no streams of pictures."""
    pieces = _bounded(response.aiter_bytes())
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        whole = b"".join([piece async for piece in pieces])
        for one in json.loads(whole)["data"]:
            yield _painting(one)
        return
    async for data in _server_sent_data(pieces):
        if data == "[DONE]":
            return
        event = json.loads(data)
        if error := event.get("error"):
            raise ServiceError(str(error.get("message") or error), _code(error))
        if event["type"].endswith(".completed"):
            yield _painting(event)
        elif event["type"].endswith(".progress"):
            yield Painting(step=event["step"], steps=event.get("steps"))


def _painting(one: dict[str, Any]) -> Painting:
    file = base64.b64decode(one["b64_json"], validate=True)
    seed = one.get("seed")
    return Painting(file=file, seed=seed if isinstance(seed, int) else None)


async def _bounded(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > _PICTURE_BYTES:
            raise ServiceError(f"the service sent over {_PICTURE_BYTES >> 20} MiB for a picture.")
        yield piece


def _form_text(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


async def _server_sent_data(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The data of each server-sent event.

    Lines are cut at LF only: `aiter_lines` of httpx also cuts at U+2028 and U+0085, which JSON may
    hold as they are.
    """
    rest = b""
    data: list[str] = []
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            field, _, value = line.removesuffix(b"\r").decode().partition(":")
            if field == "data":
                data.append(value.removeprefix(" "))
            elif not field and not value and data:
                yield "\n".join(data)
                data = []
    if data:
        yield "\n".join(data)


def _read_chunk(chunk: dict[str, Any]) -> Delta:
    if error := chunk.get("error"):
        raise ServiceError(str(error.get("message") or error), _code(error))
    usage = chunk.get("usage") or {}
    tokens: dict[str, Any] = {
        "answer_tokens": usage.get("completion_tokens"),
        "prompt_tokens": usage.get("prompt_tokens"),
    }
    if not chunk["choices"]:
        return Delta(**tokens)
    choice = chunk["choices"][0]
    text = choice["delta"].get("content") or ""
    return Delta(text=text, ended=choice.get("finish_reason"), **tokens)


def _refusal(response: httpx.Response) -> ServiceError:
    """The error in OpenAI's shape that `response` holds, or the nearest that can be said."""
    if response.status_code == 401:
        return ServiceError(
            "the service wants another API key. Set ARCHIPEL_API_KEY to yours.", "invalid_api_key"
        )
    try:
        error = response.json()["error"]
        return ServiceError(str(error["message"]), _code(error))
    except (ValueError, KeyError, TypeError):
        return ServiceError(
            f"{response.url} answered {response.status_code} {response.reason_phrase}. "
            "Check that the URL ends in /v1."
        )


def _code(error: dict[str, Any]) -> str | None:
    """OpenAI's; llama.cpp has a number there, and its own word under `type`."""
    code = error.get("type" if isinstance(error.get("code"), int) else "code")
    return code if isinstance(code, str) else None
