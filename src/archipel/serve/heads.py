"""HTTP connections whose other end keeps up: a head comes in time and is not too long, and what
is answered is read. uvicorn itself waits for ever."""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LIMIT_BYTES = 64 << 10  # and what one read from the socket brings
_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedHeads(HttpToolsProtocol):
    """One connection; closed if nothing is under way and no whole head comes within the time, or if
    the client takes nothing of its answer for `unread_seconds`: until then 64 KiB wait here, and
    the provider of a stream is not read on."""

    head_seconds: ClassVar[float] = 60.0
    unread_seconds: ClassVar[float] = 60.0
    _waiting: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self._wait()
        if not self._in_body:
            self._head_bytes += len(data)
            if self._head_bytes > _LIMIT_BYTES + len(data):
                self.transport.write(_TOO_LONG)
                self.transport.close()
                return
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        self._head_bytes, self._in_body = 0, True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._look_again()

    def resume_writing(self) -> None:
        self._stop_looking()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_looking()
        super().connection_lost(exc)

    def _look_again(self) -> None:
        held = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(self.unread_seconds, self._end_unread, held)

    def _end_unread(self, held: int) -> None:
        if self.transport.get_write_buffer_size() >= held:
            self.transport.abort()  # to close would wait until all is read
        else:
            self._look_again()

    def _stop_looking(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
