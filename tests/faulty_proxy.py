"""A proxy on loopback that breaks HTTP the ways networks and stores do. For tests and benchmarks.

In a test:           with FaultyProxy("http://127.0.0.1:9000") as proxy: proxy.set(errors=0.5)
As its own process:  python -m tests.faulty_proxy --target http://127.0.0.1:9000 --control 0
                     prints {"url": …, "control": port}; then control(port, errors=0.5)

No TLS; connecting itself is not delayed. All requests share one link, a queue in each direction.
"""

import argparse
import asyncio
import contextlib
import json
import random
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

_CHUNK_BYTES = 4096


@dataclass(frozen=True)
class Faults:
    """What goes wrong from now on. Shares are of requests, 0.0 to 1.0."""

    errors: float = 0.0  # answered `error_status` and not carried out
    error_status: int = 503
    truncate: float = 0.0  # GET: the reply's body ends half-way
    lose_reply: float = 0.0  # PUT, POST: carried out, but the connection ends before the reply
    at_most: int | None = None  # so many of the three above; None is without end
    only: str = ""  # the three above only where the path or query holds this
    delay_seconds: float = 0.0  # each way, so a round trip takes twice that
    bytes_per_second: float = 0.0  # each way; 0.0 is no limit
    queue_bytes: int = 128 << 10  # what the link's queue holds at that rate, each way
    cut: Literal["", "refuse", "silence"] = ""  # connections are reset, or nothing moves any more


class _Pipe:
    """One direction of the link: a first-in-first-out queue with a rate and a delay."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.moved_bytes = 0
        self.open = asyncio.Event()
        self._free_at = 0.0
        self._last_at = 0.0

    async def send(self, size_bytes: int, deliver: Callable[[], object]) -> None:
        """Have `deliver` called when its bytes are through; returns once the queue has room."""
        loop = asyncio.get_running_loop()
        while True:
            await self.open.wait()
            rate = self.faults.bytes_per_second
            room = self._free_at - loop.time() - (self.faults.queue_bytes / rate if rate else 0.0)
            if not rate or room <= 0:
                break
            await asyncio.sleep(room)
        now = loop.time()
        self.moved_bytes += size_bytes
        self._free_at = max(now, self._free_at) + size_bytes / rate if rate else now
        self._last_at = max(self._free_at + self.faults.delay_seconds, self._last_at + 1e-9)
        if self._last_at <= now:
            deliver()
        else:
            loop.call_at(self._last_at, deliver)


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    head: bytes
    length: int | None  # None: chunked


class _Proxy:
    """What runs in the event loop."""

    def __init__(self, target: str, seed: int) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._random = random.Random(seed)
        self._up, self._down = _Pipe(), _Pipe()
        self._writers: set[asyncio.StreamWriter] = set()
        self._counts = dict.fromkeys(
            ("connections", "requests", "errors", "truncated", "lost_replies"), 0
        )
        self._left: int | None = None
        self.apply({})

    def apply(self, changes: dict[str, object]) -> dict[str, object]:
        """Change the faults; the faults now and what happened so far."""
        faults = replace(self._up.faults, **changes)  # type: ignore[arg-type]
        self._up.faults = self._down.faults = faults
        if changes:
            self._left = faults.at_most
        for pipe in (self._up, self._down):
            pipe.open.clear() if faults.cut == "silence" else pipe.open.set()
        if faults.cut == "refuse":
            for writer in self._writers:
                writer.transport.abort()
        moved = {"bytes_up": self._up.moved_bytes, "bytes_down": self._down.moved_bytes}
        return {"faults": asdict(faults), "counts": {**self._counts, **moved}}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        if self._up.faults.cut == "refuse":
            writer.transport.abort()
            return
        self._counts["connections"] += 1
        self._writers.add(writer)
        arrived = asyncio.StreamReader()
        pump = asyncio.create_task(self._pump(reader, arrived))
        try:
            while await self._exchange(arrived, writer):
                pass
            await self._down.send(0, writer.close)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._writers.discard(writer)
            pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pump

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Lines of JSON: changes to the faults, each answered by the state."""
        while line := await reader.readline():
            writer.write(json.dumps(self.apply(json.loads(line))).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _pump(self, reader: asyncio.StreamReader, arrived: asyncio.StreamReader) -> None:
        """Bring what the client sends over the link."""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_CHUNK_BYTES):
                await self._up.send(len(data), partial(arrived.feed_data, data))
        await self._up.send(0, arrived.feed_eof)

    async def _exchange(self, arrived: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its reply; whether the connection can take another."""
        request = await _read_head(arrived)
        self._counts["requests"] += 1
        if self._hits("errors", self._up.faults.errors, request):
            async for _ in _body(arrived, request):
                pass
            status = (
                f"HTTP/1.1 {self._up.faults.error_status} Injected\r\nContent-Length: 0\r\n\r\n"
            )
            await self._reply(writer, status.encode(), b"")
            return True
        upstream, sender = await asyncio.open_connection(*self._target)
        try:
            sender.write(request.head)
            async for data in _body(arrived, request):
                sender.write(data)
                await sender.drain()
            head, keep = _reply_head(await upstream.readuntil(b"\r\n\r\n"), request)
            if request.method in ("PUT", "POST") and self._hits(
                "lost_replies", self._up.faults.lose_reply, request
            ):
                await upstream.read()
                raise ConnectionResetError
            if request.method == "GET" and self._hits(
                "truncated", self._up.faults.truncate, request
            ):
                body = await upstream.read()
                await self._reply(writer, head, body[: len(body) // 2])
                return False
            await self._reply(writer, head, b"")
            while data := await upstream.read(_CHUNK_BYTES):
                await self._reply(writer, data, b"")
            return keep
        finally:
            sender.close()

    async def _reply(self, writer: asyncio.StreamWriter, head: bytes, body: bytes) -> None:
        reply = head + body
        for start in range(0, len(reply), _CHUNK_BYTES):
            piece = reply[start : start + _CHUNK_BYTES]
            await self._down.send(len(piece), partial(writer.write, piece))

    def _hits(self, what: str, share: float, request: _Request) -> bool:
        if not share or self._up.faults.only not in request.path or self._left == 0:
            return False
        if self._random.random() >= share:
            return False
        if self._left is not None:
            self._left -= 1
        self._counts[what] += 1
        return True


async def _read_head(arrived: asyncio.StreamReader) -> _Request:
    """The next request's head, made the only one on its connection to the target."""
    lines = (await arrived.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
    method, path = lines[0].decode("latin-1").split(" ")[:2]
    fields = {name.strip().lower(): value.strip() for name, _, value in _fields(lines)}
    kept = [line for line in lines if not line.lower().startswith(b"connection:")]
    return _Request(
        method,
        path,
        b"\r\n".join([*kept, b"Connection: close"]) + b"\r\n\r\n",
        None if b"transfer-encoding" in fields else int(fields.get(b"content-length", b"0")),
    )


def _reply_head(head: bytes, request: _Request) -> tuple[bytes, bool]:
    """The head for a connection that stays, and whether it can: the body must say its length."""
    lines = head[:-4].split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(b"connection:")]
    names = {name.strip().lower() for name, _, _ in _fields(lines)}
    bare = request.method == "HEAD" or lines[0].split(b" ")[1] in (b"204", b"304")
    keep = bare or bool(names & {b"content-length", b"transfer-encoding"})
    kept[0] = b"HTTP/1.1 " + kept[0].split(b" ", 1)[1]
    return b"\r\n".join([*kept, *([] if keep else [b"Connection: close"])]) + b"\r\n\r\n", keep


def _fields(lines: list[bytes]) -> Iterator[tuple[bytes, bytes, bytes]]:
    return (line.partition(b":") for line in lines[1:])


async def _body(arrived: asyncio.StreamReader, request: _Request) -> AsyncIterator[bytes]:
    """A request's body as it is on the wire, in pieces."""
    if request.length is not None:
        left = request.length
        while left:
            data = await arrived.read(min(left, _CHUNK_BYTES))
            if not data:
                raise ConnectionResetError
            left -= len(data)
            yield data
        return
    size = -1
    while size:
        line = await arrived.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        yield line + await arrived.readexactly(size + 2)


class FaultyProxy:
    """The proxy in a thread of this process, for as long as the context lasts."""

    def __init__(self, target: str, *, seed: int = 0) -> None:
        self._target = target
        self._seed = seed
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.url = ""

    def __enter__(self) -> "FaultyProxy":
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def set(self, **changes: object) -> None:
        """Change the faults (fields of `Faults`); what isn't named stays as it is."""
        self._ask(changes)

    @property
    def counts(self) -> dict[str, int]:
        """Connections, requests, errors, truncated, lost_replies, bytes_up, bytes_down so far."""
        return self._ask({})["counts"]  # type: ignore[return-value]

    def _ask(self, changes: dict[str, object]) -> dict[str, object]:
        async def apply() -> dict[str, object]:
            return self._proxy.apply(changes)

        return asyncio.run_coroutine_threadsafe(apply(), self._loop).result(10)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._proxy = _Proxy(self._target, self._seed)
        server = await asyncio.start_server(self._proxy.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        self._proxy.apply({"cut": "refuse"})
        server.close()


def control(port: int, host: str = "127.0.0.1", **changes: object) -> dict[str, object]:
    """Change the faults of a proxy in another process; its faults and counts."""
    with socket.create_connection((host, port), timeout=10) as connection:
        connection.sendall(json.dumps(changes).encode() + b"\n")
        state: dict[str, object] = json.loads(connection.makefile().readline())
    return state


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True, help="URL of the server behind the proxy")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--listen", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument("--control", type=int, default=0, help="port of the control connection")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    proxy = _Proxy(options.target, options.seed)
    server = await asyncio.start_server(proxy.serve, options.host, options.listen)
    controls = await asyncio.start_server(proxy.control, options.host, options.control)
    port, control_port = (each.sockets[0].getsockname()[1] for each in (server, controls))
    print(json.dumps({"url": f"http://{options.host}:{port}", "control": control_port}), flush=True)
    async with server, controls:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
