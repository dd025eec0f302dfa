"""Several tokens at a time, where a stream brings them faster than a screen shows.

A model here and the service share the cores: each time that the service is woken, the model's
threads wait for one another. So the kernel is asked to wake it only when some tokens have come
(SO_RCVLOWAT, see socket(7)), as many as come in a fiftieth of a second.
"""

import asyncio
import socket
import sys

import aiohttp

_TOGETHER_SECONDS = 0.02
_LATEST_SECONDS = 0.025  # between two looks at a stream that brings too little to be woken
_TRIAL = 8  # pieces that show how fast a stream is
_MOST_BYTES = 8192


class Gathering:
    """Follows the pieces of a response. What has come waits for at most two looks, and not at all
    before the stream has shown that it is fast, nor after it was not, until it is again."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._loop = asyncio.get_running_loop()
        connection = response.connection  # None once all has come
        self._transport = connection.transport if connection else None
        self._timer: asyncio.TimerHandle | None = None
        self._begin_trial()

    def came(self, piece: bytes) -> None:
        """A piece has been read."""
        self._pieces += 1
        if self._timer:
            return
        self._bytes += len(piece)
        if self._pieces == _TRIAL:
            together = _TOGETHER_SECONDS * _TRIAL // (self._loop.time() - self._since + 1e-6)
            if together > 1:
                enough = int((together - 0.5) * self._bytes / _TRIAL)  # some pieces are shorter
                self._wake_at(min(enough, _MOST_BYTES))
                self._timer = self._loop.call_later(_LATEST_SECONDS, self._look)
            self._begin_trial()

    def stop(self) -> None:
        """The response is over: its connection may be another's next."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
            self._wake_at(1)

    def _begin_trial(self) -> None:
        self._since, self._pieces, self._bytes = self._loop.time(), 0, 0

    def _look(self) -> None:
        if self._pieces:
            self._pieces = 0
            self._timer = self._loop.call_later(_LATEST_SECONDS, self._look)
        else:
            self._timer = None
            self._wake_at(1)
            self._begin_trial()

    def _wake_at(self, size: int) -> None:
        """Once there are `size` bytes to read, or the end. Only Linux looks again at what is
        there already when it is told a smaller number."""
        if sys.platform == "linux" and self._transport and not self._transport.is_closing():
            plug: socket.socket = self._transport.get_extra_info("socket")
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
