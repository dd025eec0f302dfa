"""Pictures and sounds: what clients ask of providers that make or read them, in OpenAI's API.

Nothing is translated. What comes as a form goes on as one, with the provider's name for the model.
"""

import re
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from archipel.serve.api_error import ApiError
from archipel.serve.body import read_body, read_fields, wrong
from archipel.serve.counting import Tokens, usual_prompt_tokens
from archipel.serve.question import Question

_FORM_BYTES = 26 << 20  # OpenAI takes sounds of 25 MB
_MOST_FILES = 17  # pictures of an edit, with a mask
_MOST_TEXTS = 64
_MOST_PICTURES = 10
_FORMAT = "png, which is usual, jpeg or webp; providers may have others"
_COMPRESSION = "of a jpeg or webp: 100, which is usual, keeps the most"
_BACKGROUND = "auto, which is usual, or opaque; of a provider that makes such, transparent"
_CONTENT_TYPE = re.compile(r"[\w.+-]{1,64}/[\w.+-]{1,64}")

Ask = Callable[[Request, Callable[[Request], Awaitable[Question]]], Awaitable[Response]]


class ImageRequest(BaseModel):
    """Of /v1/images/generations; further fields go to its provider as they are."""

    model_config = ConfigDict(extra="allow", strict=True)
    model: str
    prompt: str
    n: int | None = Field(default=None, ge=1, le=_MOST_PICTURES)
    stream: bool | None = None
    output_format: str | None = Field(default=None, description=_FORMAT)
    output_compression: int | None = Field(default=None, ge=0, le=100, description=_COMPRESSION)
    background: str | None = Field(default=None, description=_BACKGROUND)


class SpeechRequest(BaseModel):
    """Of /v1/audio/speech."""

    model_config = ConfigDict(extra="allow", strict=True)
    model: str
    input: str
    voice: str | dict[str, Any]


class FormTexts(BaseModel):
    """The texts of a form."""

    model_config = ConfigDict(extra="allow")
    model: str
    n: int | None = Field(default=None, ge=1, le=_MOST_PICTURES)


class ImageTexts(FormTexts):
    """The texts of a form for pictures. A form has no null."""

    output_format: str = Field(default="png", description=_FORMAT)
    output_compression: int = Field(default=100, ge=0, le=100, description=_COMPRESSION)
    background: str = Field(default="auto", description=_BACKGROUND)


@dataclass(frozen=True)
class Media(Question):
    """A request for pictures or sounds."""

    is_media = True

    @property
    def streams(self) -> bool:
        """Speech always comes piece by piece."""
        return self.endpoint == "/audio/speech" or self.fields.get("stream") in (True, "true")

    @property
    def pieces(self) -> int:
        """What is paid for: pictures, or one sound."""
        return int(self.fields.get("n") or 1) if self.makes_pictures else 1

    @property
    def makes_pictures(self) -> bool:
        """Or else sounds, or texts of them."""
        return self.endpoint.startswith("/images/")

    @property
    def reads_speech(self) -> bool:
        """Whether its answer is a text."""
        return self.endpoint in ("/audio/transcriptions", "/audio/translations")


@dataclass(frozen=True)
class File:
    """One of a form."""

    part: str
    name: str
    content_type: str
    data: bytes


@dataclass(frozen=True)
class Upload(Media):
    """One that comes as a form: `fields` are its texts, several of one name as a list."""

    files: tuple[File, ...] = ()
    boundary: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def media_type(self) -> str:
        """As `Question.media_type`."""
        return f"multipart/form-data; boundary={self.boundary}"

    def to(self, model: str) -> bytes:
        """As `Question.to`."""
        parts = [*self._parts({**self.fields, "model": model}), b"--\r\n"]
        return f"--{self.boundary}".encode().join([b"", *parts])

    def _parts(self, texts: Mapping[str, Any]) -> Iterator[bytes]:
        for name, value in texts.items():
            for one in value if isinstance(value, list) else [value]:
                head = f'\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
                yield f"{head}{one}\r\n".encode("utf-8", "replace")
        for file in self.files:
            head = (
                f'\r\nContent-Disposition: form-data; name="{_quoted(file.part)}"; '
                f'filename="{_quoted(file.name)}"\r\nContent-Type: {file.content_type}\r\n\r\n'
            )
            yield head.encode("utf-8", "replace") + file.data + b"\r\n"


class MediaCount:
    """Follows a stream that is no chat: it passes as it is."""

    def take(self, piece: bytes) -> bytes:
        """As `StreamCount.take`."""
        return piece

    def rest(self) -> bytes:
        """As `StreamCount.rest`."""
        return b""

    def tokens(self, fields: Mapping[str, Any]) -> Tokens:
        """As `StreamCount.tokens`: of the prompt only."""
        return Tokens(usual_prompt_tokens(fields), 0, estimated=True)


def media_tokens(fields: Mapping[str, Any], answer: bytes) -> Tokens:
    """What a request took whose answer is whole, if it says so; else an estimate of its prompt."""
    try:
        said = from_json(answer)["usage"]
        found = [said.get(name, 0) for name in ("input_tokens", "output_tokens")]
        if "input_tokens" in said and all(type(one) is int and 0 <= one < 1 << 31 for one in found):
            return Tokens(*found)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return MediaCount().tokens(fields)


def routes(ask: Ask, seconds: float) -> list[Route]:
    """The endpoints; `ask` has a question answered that it reads, a body may take `seconds`."""

    def of(path: str, reads: Callable[[Request], Awaitable[Question]]) -> Route:
        async def answer(request: Request) -> Response:
            return await ask(request, reads)

        return Route(f"/v1{path}", answer, methods=["POST"])

    async def picture(request: Request) -> Question:
        return await _json(request, ImageRequest, seconds)

    async def speech(request: Request) -> Question:
        return await _json(request, SpeechRequest, seconds)

    async def pictures(request: Request) -> Question:
        return await _form(request, ImageTexts, seconds)

    async def form(request: Request) -> Question:
        return await _form(request, FormTexts, seconds)

    return [
        of("/images/generations", picture),
        of("/images/edits", pictures),
        of("/images/variations", pictures),
        of("/audio/speech", speech),
        of("/audio/transcriptions", form),
        of("/audio/translations", form),
    ]


async def _json(request: Request, fields: type[BaseModel], seconds: float) -> Question:
    body = await read_body(request, seconds)
    return Media(_endpoint(request), read_fields(body, fields), body)


async def _form(request: Request, known: type[FormTexts], seconds: float) -> Question:
    """A form as a question.

    Raises:
        ApiError: as `read_form`, or it has no model or no file.
    """
    texts, files = await read_form(request, seconds)
    try:
        known.model_validate(texts)
    except ValidationError as error:
        raise wrong(error) from None
    if not files:
        raise ApiError(400, "file: the form has no file. Send one.", "invalid_value", "file")
    return Upload(_endpoint(request), texts, None, tuple(files))


async def read_form(request: Request, seconds: float) -> tuple[dict[str, Any], list[File]]:
    """The texts of a form, several of one name as a list, and its files; it may take `seconds`.

    Raises:
        ApiError: it is none, or is too long.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise ApiError(400, "body: send it as multipart/form-data.", "invalid_value")
    body = await read_body(request, seconds, _FORM_BYTES)

    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(
        request.headers, whole(), max_files=_MOST_FILES, max_fields=_MOST_TEXTS
    )
    parser.spool_max_size = _FORM_BYTES + 1  # never a file on the disk
    try:
        found = await parser.parse()
    except (MultiPartException, ValueError) as error:
        said = error.message if isinstance(error, MultiPartException) else "it is no form"
        raise ApiError(400, f"body: {said}", "invalid_value") from None
    texts: dict[str, Any] = {}
    files: list[File] = []
    for name, value in found.multi_items():
        if isinstance(value, str):
            texts[name] = [*_listed(texts[name]), value] if name in texts else value
        else:
            kind = value.content_type or ""
            kind = kind if _CONTENT_TYPE.fullmatch(kind) else "application/octet-stream"
            files.append(File(name, value.filename or "file", kind, await value.read()))
            await value.close()
    return texts, files


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _endpoint(request: Request) -> str:
    path: str = request.scope["path"]
    return path.removeprefix("/v1")


def _quoted(name: str) -> str:
    """As browsers write a name in a form: it ends neither the quotes nor the line."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
