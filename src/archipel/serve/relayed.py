"""A provider's stream on its way to the client, counted and settled however it ends."""

import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from archipel.serve.access import Visit
from archipel.serve.api_error import ApiError
from archipel.serve.counting import StreamCount, Tokens
from archipel.serve.media import MediaCount
from archipel.serve.question import Dialect
from archipel.serve.ruled import RuledStream
from archipel.serve.upstream import Answer, BrokenOff

_KEPT_BYTES = 1 << 20  # of a stream that an observer is shown
_log = logging.getLogger(__name__)


class Relayed(StreamingResponse):
    """A stream as it comes; closed and settled as soon as it ends or the client goes.

    `ended` hears how it ended, the error's code, what it took and, with `keeps`, the stream.
    """

    def __init__(
        self,
        answer: Answer,
        visit: Visit,
        ended: Callable[[str, str, Tokens, bytes], None],
        headers: Mapping[str, str],
        dialect: Dialect,
        *,
        keeps: bool,
    ) -> None:
        pieces = self._pieces()
        if visit.watch:
            pieces = RuledStream(visit.watch, self._end_early).pieces(pieces)
        pieces = self._keeping(pieces) if keeps else pieces
        super().__init__(dialect.pieces(pieces), 200, headers, answer.content_type)
        self._answer, self._fields, self._ended = answer, visit.question.fields, ended
        self._is_media = visit.question.is_media
        self._count = MediaCount() if self._is_media else StreamCount(hides_usage=visit.hides_usage)
        self._outcome, self._code = "left", ""
        self._kept = bytearray()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with contextlib.suppress(BrokenOff):  # not ended, so that the connection ends
                await super().__call__(scope, receive, send)
        finally:  # of the response, not of the pieces, of which the first may never be asked for
            self._answer.close()
            tokens = self._count.tokens(self._fields)
            self._ended(self._outcome, self._code, tokens, bytes(self._kept))

    async def _pieces(self) -> AsyncIterator[bytes]:
        assert self._answer.rest is not None
        try:
            yield self._count.take(self._answer.head)
            async for piece in self._answer.rest:
                yield self._count.take(piece)
            yield self._count.rest()
            self._outcome = "answered"
        except BrokenOff as error:
            name, provider = self._fields["model"], self._answer.target.provider
            _log.error("%s: %s broke off its answer: %s", name, provider, error)
            message = f"The answer of {name!r} broke off. Send the request again."
            problem = ApiError(503, message, "provider_unavailable")
            self._outcome, self._code = "failed", "provider_unavailable"
            if self._is_media:  # of which an error would seem to be a part
                raise
            yield b"data: " + json.dumps(problem.body).encode() + b"\n\n"

    def _end_early(self, outcome: str, code: str) -> None:
        self._outcome, self._code = outcome, code

    async def _keeping(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            if len(self._kept) < _KEPT_BYTES:
                self._kept += piece
            yield piece
