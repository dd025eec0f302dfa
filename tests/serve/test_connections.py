"""Connections to a provider that are kept between requests, and that it closes when it likes."""

import json
import socketserver
import threading
from collections.abc import Iterator

import pytest
from openai import OpenAI

from archipel.serve.access import LocalAccess
from archipel.serve.gateway import create_app
from archipel.serve.providers import Directory, OpenAIProvider
from archipel.serve.routing import Policy, Target
from tests.serve.scripted import hosted_in_thread

_MESSAGE = {"role": "assistant", "content": "Ahoy."}
_CHOICE = {"index": 0, "message": _MESSAGE, "finish_reason": "stop"}
_ANSWER = json.dumps(
    {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [_CHOICE]}
).encode()


class _Once(socketserver.StreamRequestHandler):
    """Answers one request, keeps the connection, and closes it when the next one comes."""

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        server.connections += 1
        self._read()
        if not server.answers:
            return
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(_ANSWER)}"
        )
        self.wfile.write(f"{head}\r\n\r\n".encode() + _ANSWER)
        self._read()

    def _read(self) -> None:
        length = 0
        while (line := self.rfile.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        self.rfile.read(length)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    connections = 0
    answers = True


@pytest.fixture
def supplier() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Once) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def client(supplier: _Server) -> Iterator[OpenAI]:
    url = f"http://127.0.0.1:{supplier.server_address[1]}/v1"
    directory = Directory(
        {"chat": Policy("chat", (Target("only", "m", is_here=False),))},
        {"only": OpenAIProvider(url, None)},
    )
    with (
        hosted_in_thread(create_app(directory, LocalAccess())) as service,
        OpenAI(base_url=f"{service}/v1", api_key="none", max_retries=0) as asking,
    ):
        yield asking


def _ask(client: OpenAI) -> str | None:
    messages = [{"role": "user", "content": "Hello"}]
    answer = client.chat.completions.create(model="chat", messages=messages)  # type: ignore[arg-type]
    return answer.choices[0].message.content


def test_a_kept_connection_that_ends_as_it_is_used_again_costs_nobody_an_answer(
    client: OpenAI, supplier: _Server
) -> None:
    assert [_ask(client) for _ in range(3)] == ["Ahoy."] * 3
    assert supplier.connections == 3


def test_a_provider_that_closes_every_connection_is_asked_twice_at_most(
    client: OpenAI, supplier: _Server
) -> None:
    supplier.answers = False
    with pytest.raises(Exception, match="503"):
        _ask(client)
    assert supplier.connections <= 2
