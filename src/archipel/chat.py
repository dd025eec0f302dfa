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
_PICTURE_BYTES = 28 << 20  # of an answer, for each picture: 20 MB in base64
_EVENT_BYTES = _PICTURE_BYTES
_SEEDS = 1 << 53  # whole numbers that JSON carries everywhere
_NO_PICTURE = "answered without a picture in base64. Choose a model that makes pictures."
PictureUpload = tuple[str, bytes, str]  # a file's name, bytes and media type


class ServiceError(ArchipelError):
    """The service can't be reached or refused; `code` is OpenAI's, or `unreachable`, `cut_off`.
    Where it refused, `status` is HTTP's and `option` the request's field that it names, if one."""

    def __init__(
        self,
        message: str,
        code: str | None = None,
        *,
        status: int | None = None,
        option: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.option = option


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
class PictureNews:
    """Of the picture with this `index` among those that were asked for: its `file` has come, which
    may have any content, made from `seed` where the service says that; or it failed with `error`;
    or its making, without an index that of all, is at `step` of `steps` (0: not known)."""

    index: int | None
    file: bytes | None = None
    seed: int | None = None
    error: ServiceError | None = None
    step: int = 0
    steps: int = 0


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

    def stream_chat(
        self, messages: Sequence[Message], model: str, **options: float | str
    ) -> AsyncGenerator[Delta]:
        """The answer to the last message, piece by piece; `options` go into the request.

        Raises:
            ServiceError: it can't be reached, refuses, or stops before the answer is complete.
        """
        turns = [asdict(message) for message in messages]
        return self._stream("chat/completions", {"model": model, "messages": turns, **options})

    def stream_completion(
        self, model: str, prompt: str, **options: float | str
    ) -> AsyncGenerator[Delta]:
        """What follows plain text, piece by piece; `options` go into the request.

        Raises:
            ServiceError: as `stream_chat`.
        """
        return self._stream("completions", {"model": model, "prompt": prompt, **options})

    async def _stream(self, path: str, asked: Mapping[str, Any]) -> AsyncGenerator[Delta]:
        streamed = {"stream": True, "stream_options": {"include_usage": True}}
        body = {**streamed, **self._for_whom(), **asked}
        finished = False
        try:
            async with self._client.stream("POST", f"{self.url}/{path}", json=body) as response:
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

    def make_pictures(
        self, model: str, prompt: str, **options: object
    ) -> AsyncGenerator[PictureNews]:
        """Pictures of words, as they come; `options` go into the request (`n`, `stream`, …). A
        service that takes `stream` tells their steps; one that does not sends all at the end.

        Raises:
            ServiceError: the service can't be reached, refuses, or answers without a picture or
                with too much.
        """
        body = {"model": model, "prompt": prompt, **options}
        return self._pictures("generations", options.get("n"), {"json": body})

    def change_pictures(
        self, model: str, prompt: str, files: Sequence[PictureUpload], **options: object
    ) -> AsyncGenerator[PictureNews]:
        """Pictures of words that start from others, as `make_pictures` gives them.

        Raises:
            ServiceError: as `make_pictures`.
        """
        form = _form({"model": model, "prompt": prompt, **options}, files)
        return self._pictures("edits", options.get("n"), form)

    def vary_picture(
        self, model: str, file: PictureUpload, **options: object
    ) -> AsyncGenerator[PictureNews]:
        """Pictures like one, as `make_pictures` gives them.

        Raises:
            ServiceError: as `make_pictures`.
        """
        form = _form({"model": model, **options}, [file])
        return self._pictures("variations", options.get("n"), form)

    async def _pictures(
        self, way: str, wanted: object, body: Mapping[str, Any]
    ) -> AsyncGenerator[PictureNews]:
        url, came = f"{self.url}/images/{way}", 0
        most = _PICTURE_BYTES * (wanted if isinstance(wanted, int) else 1)
        try:
            async with self._client.stream("POST", url, **body) as response:
                if response.is_error:
                    await response.aread()
                    raise _refusal(response)
                kind = response.headers.get("content-type", "")
                streamed = kind.startswith("text/event-stream")
                news = _picture_events(response) if streamed else _all_pictures(response, most)
                async for one in news:
                    came += one.file is not None or one.error is not None
                    yield one
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ServiceError(f"{url} {_NO_PICTURE}") from error
        if not came:
            raise ServiceError(f"{url} {_NO_PICTURE}")

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


async def _server_sent_data(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The data of each server-sent event.

    Lines are cut at LF only: `aiter_lines` of httpx also cuts at U+2028 and U+0085, which JSON may
    hold as they are.
    """
    rest, held = bytearray(), 0
    data: list[str] = []
    async for chunk in chunks:
        rest += chunk
        if held + len(rest) > _EVENT_BYTES:
            raise ServiceError(f"the service sent an event of over {_EVENT_BYTES >> 20} MiB.")
        if b"\n" not in chunk:
            continue  # a picture is one long line: it is not looked through again with each chunk
        *lines, rest = rest.split(b"\n")
        for line in lines:
            held += len(line) + 1
            field, _, value = line.removesuffix(b"\r").decode().partition(":")
            if field == "data":
                data.append(value.removeprefix(" "))
            elif not field and not value:
                if data:
                    yield "\n".join(data)
                data, held = [], 0
    if data:
        yield "\n".join(data)


async def _picture_events(response: httpx.Response) -> AsyncIterator[PictureNews]:
    """Of OpenAI's events those that say that a picture has come, and those of steps and errors."""
    came = 0
    async for data in _server_sent_data(response.aiter_bytes()):
        if data == "[DONE]":
            return
        event = json.loads(data)
        kind, given = str(event.get("type")), event.get("index")
        index = came if given is None else int(given)
        if error := event.get("error"):
            failed = ServiceError(str(error.get("message") or error), _code(error))
            if given is None:
                raise failed
            yield PictureNews(index=index, error=failed)
        elif kind.endswith(".completed"):
            came += 1
            yield _picture(index, event)
        elif kind.endswith(".progress"):
            step, steps = (int(event.get(name) or 0) for name in ("step", "steps"))
            yield PictureNews(index=None if given is None else index, step=step, steps=steps)


async def _all_pictures(response: httpx.Response, most: int) -> AsyncIterator[PictureNews]:
    answer = bytearray()
    async for chunk in response.aiter_bytes():
        answer += chunk
        if len(answer) > most:
            raise ServiceError(f"{response.url} sent over {most >> 20} MiB.")
    for index, one in enumerate(json.loads(answer)["data"]):
        yield _picture(index, one)


def _picture(index: int, told: Mapping[str, Any]) -> PictureNews:
    file = base64.b64decode(told["b64_json"], validate=True)
    seed = told.get("seed")
    known = isinstance(seed, int) and 0 <= seed < _SEEDS
    return PictureNews(index=index, file=file, seed=seed if known else None)


def _form(fields: Mapping[str, object], files: Sequence[PictureUpload]) -> dict[str, Any]:
    """A request's body as OpenAI's multipart forms have it."""
    name = "image" if len(files) == 1 else "image[]"
    data = {key: str(value).lower() if value is True else value for key, value in fields.items()}
    return {"data": data, "files": [(name, file) for file in files]}


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
    text = choice["text"] if "text" in choice else choice["delta"].get("content")
    return Delta(text=text or "", ended=choice.get("finish_reason"), **tokens)


def _refusal(response: httpx.Response) -> ServiceError:
    """The error in OpenAI's shape that `response` holds, or the nearest that can be said."""
    status = response.status_code
    if status == 401:
        return ServiceError(
            "the service wants another API key. Set ARCHIPEL_API_KEY to yours.",
            "invalid_api_key",
            status=status,
        )
    try:
        error = response.json()["error"]
        option = error.get("param")
        return ServiceError(
            str(error["message"]),
            _code(error),
            status=status,
            option=option if isinstance(option, str) else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return ServiceError(
            f"{response.url} answered {status} {response.reason_phrase}. "
            "Check that the URL ends in /v1.",
            status=status,
        )


def _code(error: dict[str, Any]) -> str | None:
    """OpenAI's; llama.cpp has a number there, and its own word under `type`."""
    code = error.get("type" if isinstance(error.get("code"), int) else "code")
    return code if isinstance(code, str) else None
