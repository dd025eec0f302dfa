"""Pictures by a link that is good for an hour, for clients that ask for `url` instead of the bytes.

They are in this process's memory: the link is of the service that answered, and ends with it. It
names no key, since whoever has it may look, as with OpenAI's.
"""

import base64
import binascii
import json
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from archipel.errors import IntegrityError
from archipel.images.webp import is_webp
from archipel.serve.api_error import ApiError
from archipel.serve.question import OPENAI, Dialect, Question

_LENT_SECONDS = 3600.0
_MOST_BYTES = 256 << 20
_PATH = "/v1/images/lent"
_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_HEADERS = {  # nothing in it is run, whoever opens it
    "Cache-Control": "private, max-age=3600",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class _Lent:
    data: bytes
    kind: str
    until: float


class LentPictures:
    """At most `most_bytes` of them, of which the oldest goes first; `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float], most_bytes: int = _MOST_BYTES) -> None:
        self._clock, self._most = clock, most_bytes
        self._lent: OrderedDict[str, _Lent] = OrderedDict()  # the oldest first

    def lend(self, data: bytes) -> str | None:
        """The path of a picture; None if it is none that browsers only show, or is too large."""
        kind = _kind(data)
        if kind is None or len(data) > self._most:
            return None
        token = secrets.token_urlsafe(32)
        self._lent[token] = _Lent(data, kind, self._clock() + _LENT_SECONDS)
        self._forget()
        return f"{_PATH}/{token}"

    def dialect(self, question: Question, request: Request) -> Dialect:
        """How the answer to a question is told: with links, where it asks for them."""
        wants = question.fields.get("response_format") == "url" and not question.streams
        if wants and question.endpoint.startswith("/images/"):
            return _Links(self, str(request.base_url).rstrip("/"))
        return OPENAI

    async def show(self, request: Request) -> Response:
        """The picture itself."""
        self._forget()
        lent = self._lent.get(request.path_params["token"])
        if lent is None:
            raise ApiError(404, "This picture is not here any more. Have it made again.")
        return Response(lent.data, headers=_HEADERS, media_type=lent.kind)

    def route(self) -> Route:
        """Where they are shown."""
        return Route(f"{_PATH}/{{token}}", self.show)

    def _forget(self) -> None:
        now, total = self._clock(), sum(len(one.data) for one in self._lent.values())
        while self._lent and (total > self._most or next(iter(self._lent.values())).until <= now):
            total -= len(self._lent.popitem(last=False)[1].data)


def _kind(data: bytes) -> str | None:
    if is_webp(data):
        return "image/webp"
    return next((kind for begin, kind in _KINDS.items() if data.startswith(begin)), None)


@dataclass(frozen=True)
class _Links:
    """Pictures in an answer as links, under the service's URL."""

    lent: LentPictures
    base: str

    def whole(self, body: bytes) -> bytes:
        try:
            answer = json.loads(body)
            answer["data"] = [self._linked(one) for one in answer["data"]]
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            raise IntegrityError("its answer has no pictures in it") from error
        return json.dumps(answer).encode()

    def pieces(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return pieces

    def _linked(self, picture: Mapping[str, Any]) -> dict[str, Any]:
        data = picture.get("b64_json")
        path = self.lent.lend(base64.b64decode(data, validate=True)) if data else None
        if path is None:
            return dict(picture)
        others = {name: value for name, value in picture.items() if name != "b64_json"}
        return {**others, "url": self.base + path}
