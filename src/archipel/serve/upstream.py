"""One request to one provider, until its answer has begun: what failed before may go elsewhere."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
from pydantic_core import from_json

from archipel.errors import ArchipelError, IntegrityError, ModelError
from archipel.serve.gathering import Gathering
from archipel.serve.providers import Call, Provider
from archipel.serve.question import Question
from archipel.serve.redaction import credentials
from archipel.serve.routing import Target
from archipel.serve.silence import Silence

_CONNECT_SECONDS = 10.0
_STALE_SECONDS = 2.0  # in which a connection that a provider had closed already is found out
_SILENCE_SECONDS = 300.0  # between two pieces of a stream that has begun
_HEAD_LIMIT_BYTES = 1 << 20  # of a stream before its first token
_ANSWER_LIMIT_BYTES = 64 << 20
_CODE = re.compile("[a-z_]{1,40}")
_ANOTHER_MAY_DO_BETTER = {401, 402, 403, 404, 405, 408, 409, 425, 429}  # ours or the provider's


class Unavailable(ArchipelError):
    """A provider gave no answer; another may."""


class Refused(ArchipelError):
    """A provider refused the request itself; so would any other. `keys`: ours, which its words
    may quote."""

    def __init__(self, status: int, body: bytes, keys: Collection[str]) -> None:
        super().__init__(f"refused with {status}")
        self.status = status
        self.body = body
        self.keys = keys


class BrokenOff(ArchipelError):
    """An answer that had begun ended too early."""


@dataclass(frozen=True)
class Answer:
    """A whole answer in `head`, or the beginning of a stream and the rest of it.

    `close` ends a stream that is not read to its end: the provider stops.
    """

    target: Target
    content_type: str
    head: bytes
    rest: AsyncIterator[bytes] | None
    close: Callable[[], None]


def client_session() -> aiohttp.ClientSession:
    """The connections to all providers; a proxy that the environment names is not used."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        auto_decompress=True,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def ask(
    session: aiohttp.ClientSession,
    provider: Provider,
    question: Question,
    target: Target,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send a question to a target, with further `headers`, and wait until the answer has begun.

    Raises:
        Unavailable: no connection, no answer in time, or an error that is not the question's.
        Refused: the question is wrong.
        Unmappable: this provider has no word for what is asked.
    """
    seconds = target.first_token_seconds if question.streams else target.answer_seconds
    try:
        async with asyncio.timeout(seconds):
            call = await provider.call(question, target.model)
            if headers:
                call = replace(call, headers={**call.headers, **headers})
            try:
                return await _answer(session, call, question, target)
            except BaseException:  # cancelled too: the call is over
                call.done()
                raise
    except TimeoutError as error:
        raise Unavailable(f"no answer within {seconds:g} s") from error
    except (aiohttp.ClientError, ModelError, IntegrityError, BrokenOff, OSError) as error:
        raise Unavailable(_happened(error)) from error


async def _answer(
    session: aiohttp.ClientSession, call: Call, question: Question, target: Target
) -> Answer:
    response = await _sent(session, call, question.media_type)
    try:
        if response.status != 200:
            raise _refusal(response.status, await _whole(response), credentials(call.headers))
        content_type = response.headers.get("Content-Type", "application/json")
        if not question.streams:
            whole = call.dialect.whole(await _whole(response))
            call.done()
            return Answer(target, content_type, whole, None, response.close)
        gathering = Gathering(response)
        pieces = call.dialect.pieces(_read(response, gathering))
        head = await (_first_bytes(pieces) if question.is_media else _first_token(pieces))
    except BaseException:  # cancelled too: the provider stops when its connection closes
        response.close()
        raise

    silence = Silence(_SILENCE_SECONDS, response.close)

    def close() -> None:
        silence.stop()
        gathering.stop()
        response.close()
        call.done()

    return Answer(target, content_type, head, _rest(pieces, silence), close)


async def _read(response: aiohttp.ClientResponse, gathering: Gathering) -> AsyncIterator[bytes]:
    async for piece in response.content.iter_any():
        gathering.came(piece)
        yield piece
    gathering.stop()


async def _sent(
    session: aiohttp.ClientSession, call: Call, media_type: str
) -> aiohttp.ClientResponse:
    """Send it; a second time if the connection ends at once, without a byte of an answer: providers
    close connections that were idle, and now and then just when they are used again."""
    headers = {"Content-Type": media_type, **call.headers}
    began = time.monotonic()
    try:
        return await session.post(call.url, data=call.body, headers=headers, allow_redirects=False)
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        refused = isinstance(error, aiohttp.ClientConnectorError)
        if refused or time.monotonic() - began > _STALE_SECONDS:
            raise
    return await session.post(call.url, data=call.body, headers=headers, allow_redirects=False)


def _happened(error: Exception) -> str:
    """An error for the log; aiohttp's own show the bytes that they could not read."""
    said = str(error) if isinstance(error, ArchipelError | OSError) else ""
    return said or type(error).__name__


def _refusal(status: int, body: bytes, keys: Collection[str]) -> ArchipelError:
    if 400 <= status < 500 and status not in _ANOTHER_MAY_DO_BETTER:
        return Refused(status, body, keys)
    return Unavailable(f"it answered {status}{_code(body)}")


def _code(body: bytes) -> str:
    """An error's own code, for the log; what else it says may hold a key or what was asked."""
    try:
        error: Any = from_json(body)["error"]
        code = error.get("code") or error.get("type")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f" ({code})" if isinstance(code, str) and _CODE.fullmatch(code) else ""


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > _ANSWER_LIMIT_BYTES:
            raise BrokenOff(f"its answer is over {_ANSWER_LIMIT_BYTES >> 20} MiB")
    return bytes(body)


async def _first_bytes(pieces: AsyncIterator[bytes]) -> bytes:
    async for piece in pieces:
        if piece:
            return piece
    raise BrokenOff("its answer is empty")


async def _first_token(pieces: AsyncIterator[bytes]) -> bytes:
    """The stream up to and with the event that brings its first token."""
    head, seen = bytearray(), 0
    async for piece in pieces:
        head += piece
        while (end := head.find(b"\n", seen)) >= 0:
            if _has_begun(bytes(head[seen:end])):
                return bytes(head)
            seen = end + 1
        if len(head) > _HEAD_LIMIT_BYTES:
            break
    raise BrokenOff("its stream ended before the first token")


def _has_begun(line: bytes) -> bool:
    """Whether a line of the stream is an event that says something, or the end."""
    name, _, data = line.partition(b":")
    if name != b"data":
        return False
    data = data.strip()
    if data == b"[DONE]":
        return True
    try:
        event: Any = from_json(data)
        if event.get("error"):
            raise BrokenOff(f"its stream began with an error{_code(data)}")
        return any(_says_something(choice) for choice in event.get("choices", ()))
    except (ValueError, AttributeError, TypeError) as error:
        raise BrokenOff("its stream is not OpenAI's") from error


def _says_something(choice: dict[str, Any]) -> bool:
    said = {**(choice.get("delta") or {}), "role": None}
    return bool(any(said.values()) or choice.get("text") or choice.get("finish_reason"))


async def _rest(pieces: AsyncIterator[bytes], silence: Silence) -> AsyncIterator[bytes]:
    """What comes after the first token.

    Raises:
        BrokenOff: it ended too early.
    """
    try:
        silence.begins()
        async for piece in pieces:
            silence.ends()
            yield piece
            silence.begins()
    except (aiohttp.ClientError, IntegrityError, TimeoutError, OSError) as error:
        silent = f"nothing came for {_SILENCE_SECONDS:g} s" if silence.was_too_long else ""
        raise BrokenOff(silent or _happened(error)) from error
