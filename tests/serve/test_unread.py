"""A client that does not read its answer: it holds a little, for a while, and then is let go."""

import json
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from archipel.serve.access import LocalAccess
from archipel.serve.gateway import create_app
from archipel.serve.heads import BoundedHeads
from archipel.serve.metrics import Metrics
from archipel.serve.providers import Directory, OpenAIProvider
from archipel.serve.routing import Policy, Target
from archipel.serve.telemetry import Telemetry
from tests.serve.scripted import ScriptedService, hosted_in_thread

_PIECE = "x" * (1 << 20)
_PIECES = 32  # more than the sockets between hold


class _Hasty(BoundedHeads):
    unread_seconds = 1.0  # a busy machine may keep who reads from it for some of them


@dataclass
class Gateway:
    port: int
    metrics: Metrics

    def stream(self) -> socket.socket:
        """A connection on which a stream was asked for."""
        body = {"model": "island", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
        written = json.dumps(body).encode()
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(20)
        sock.connect(("127.0.0.1", self.port))
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        sock.sendall(f"{head}Content-Length: {len(written)}\r\n\r\n".encode() + written)
        return sock

    def ended(self, outcome: str, count: int) -> bool:
        """Whether so many requests have ended so, within a while."""
        sample = f'outcome="{outcome}"}} {float(count)}'
        deadline = time.monotonic() + 20
        while sample not in self.metrics.text().decode():
            if time.monotonic() > deadline:
                return False
        return True


@pytest.fixture
def gateway(scripted: ScriptedService) -> Iterator[Gateway]:
    policy = Policy("island", (Target("sea", "island", is_here=False),))
    directory = Directory({"island": policy}, {"sea": OpenAIProvider(scripted.url, None)})
    metrics = Metrics()
    app = create_app(directory, LocalAccess(), telemetry=Telemetry(metrics))
    with hosted_in_thread(app, http=_Hasty) as url:
        yield Gateway(urlsplit(url).port or 0, metrics)


def test_a_client_that_reads_nothing_is_let_go_and_so_is_the_provider(
    gateway: Gateway, scripted: ScriptedService
) -> None:
    with gateway.stream():
        scripted.asked()
        for _ in range(_PIECES):
            scripted.say(_PIECE)
        assert scripted.client_left.wait(20)
        assert gateway.ended("left", 1)


def test_a_client_that_reads_slowly_has_all_of_it(
    gateway: Gateway, scripted: ScriptedService
) -> None:
    with gateway.stream() as sock:
        scripted.asked()
        for _ in range(_PIECES):
            scripted.say(_PIECE)
        scripted.finish()
        began, read, tail = time.monotonic(), 0, b""
        while not tail.endswith(b"0\r\n\r\n"):
            piece = sock.recv(1 << 16)
            assert piece, read
            read, tail = read + len(piece), (tail + piece)[-5:]
            wanted = began + read / (_PIECES * len(_PIECE)) * 3.0  # three times the limit, in all
            select.select([], [], [], max(0.0, wanted - time.monotonic()))
    assert read > _PIECES * len(_PIECE)
    assert gateway.ended("answered", 1)
