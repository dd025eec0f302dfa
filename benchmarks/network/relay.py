"""A TCP relay that adds a round trip: bytes leave in order, half a round trip after they came in.

It stands in front of one target, or of whatever the kernel redirected to it (peers that connect to
each other know nothing of it). It has no bandwidth limit of its own. A new connection carries
nothing for one more round trip, as its handshake would; TCP's slow start is not emulated, because
both ends sit next to the relay.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Self

_CHUNK_BYTES = 64 << 10
_END_SECONDS = 5.0
_ORIGINAL_DESTINATION = 80  # SO_ORIGINAL_DST of linux/netfilter_ipv4.h
_SOCKADDR_IN = struct.Struct("!2xH4s8x")

Address = tuple[str, int]
_Queue = asyncio.Queue[tuple[float, bytes]]


class Relay:
    """One listening address in front of `target`. Runs in a thread of its own.

    Without a target each connection goes where it was meant to go before it was redirected.
    """

    def __init__(self, listen: Address, target: Address | None) -> None:
        self.round_trip_seconds = 0.0
        self._listen = listen
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._serve, *self._listen)

    async def _close(self) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        if serving := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(serving, timeout=_END_SECONDS)  # each ends with its connection

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handshake = self.round_trip_seconds
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(
                *(self._target or _original_destination(writer))
            )
        except OSError:
            self._drop(writer)
            return
        self._writers.add(far_writer)
        try:
            await asyncio.gather(
                self._pump(reader, far_writer, handshake),
                self._pump(far_reader, writer, 0.0),
            )
        except OSError:
            pass  # one end is gone: so the other end goes
        finally:
            self._drop(writer)
            self._drop(far_writer)

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handshake: float
    ) -> None:
        """Carry one direction until its end; b"" in the queue stands for that."""
        queue: _Queue = asyncio.Queue()
        delivery = asyncio.ensure_future(self._deliver(queue, writer))
        earliest = self._loop.time() + handshake
        try:
            data = b"start"
            while data:
                data = await reader.read(_CHUNK_BYTES)
                due = max(self._loop.time(), earliest) + self.round_trip_seconds / 2
                queue.put_nowait((due, data))
            await delivery
        finally:
            delivery.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await delivery

    async def _deliver(self, queue: _Queue, writer: asyncio.StreamWriter) -> None:
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            writer.write(data)
            await writer.drain()


def _original_destination(writer: asyncio.StreamWriter) -> Address:
    connection: socket.socket = writer.get_extra_info("socket")
    found = connection.getsockopt(socket.SOL_IP, _ORIGINAL_DESTINATION, _SOCKADDR_IN.size)
    port, address = _SOCKADDR_IN.unpack(found)
    return socket.inet_ntoa(address), port
