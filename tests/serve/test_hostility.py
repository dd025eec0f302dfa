"""Clients and suppliers that mean harm, against the real service over real sockets."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from archipel.errors import ConfigError
from archipel.serve.access import LocalAccess, OneKeyAccess
from archipel.serve.engine import Address, Engine
from archipel.serve.engines import Engines, Stay
from archipel.serve.gateway import create_app
from archipel.serve.heads import BoundedHeads
from archipel.serve.providers import (
    AnthropicProvider,
    Directory,
    EngineProvider,
    OpenAIProvider,
    read_key,
)
from archipel.serve.routing import Policy, Target
from tests.serve.scripted import hosted_in_thread

_DEEP = 100_000
_CHAT = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}}]}
_HI = [{"role": "user", "content": "Hi"}]


@dataclass
class Supplier:
    """Keeps what it is asked, and answers as the test says."""

    answer: bytes = json.dumps(_CHAT).encode()
    status: int = 200
    asked: list[tuple[str, bytes]] = field(default_factory=list)

    async def post(self, request: Request) -> Response:
        self.asked.append((request.scope["path"], await request.body()))
        return Response(self.answer, self.status, media_type="application/json")


@dataclass
class Hostile:
    """A running gateway, and what stands behind it."""

    url: str
    supplier: Supplier

    def post(self, body: bytes, path: str = "/v1/completions", **headers: str) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", content=body, headers=headers, timeout=20)

    def ask(self, path: str = "/v1/chat/completions", **fields: Any) -> httpx.Response:
        body = {"model": "chat", "messages": _HI, **fields}
        return httpx.post(f"{self.url}{path}", json=body, timeout=20)

    def raw(self, *pieces: bytes) -> bytes:
        """All that comes back for bytes that need not be HTTP, until the service closes."""
        with socket.create_connection(("127.0.0.1", urlsplit(self.url).port or 0), 20) as sock:
            for piece in pieces:
                sock.sendall(piece)
            answer = b""
            while piece := sock.recv(1 << 16):
                answer += piece
            return answer


class _Engine(Engine):
    """An engine's address without its process: what would be sent is what the test looks at."""

    adapters = ()
    kind = "llama.cpp"
    is_running = True
    sees = True
    tells_logprobs = True

    def __init__(self, url: str) -> None:
        self.url = url

    async def address(self) -> Address:
        return Address(self.url, "engine-key")


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    supplier = Supplier()
    app = Starlette(routes=[Route("/{path:path}", supplier.post, methods=["POST"])])
    with hosted_in_thread(app) as url:
        providers = {
            "s": OpenAIProvider(f"{url}/v1", "sk-supplier"),
            "a": AnthropicProvider(f"{url}/v1", "sk-supplier", "2023-06-01"),
            "île\u2028 1": OpenAIProvider(f"{url}/v1", None),
            "here": EngineProvider(Engines({"here": (_Engine(url), Stay())}, None), "here"),
        }
        names = {"chat": "s", "claude": "a", "island": "île\u2028 1", "here": "here"}
        policies = {
            name: Policy(name, (Target(provider, "large", is_here=False),))
            for name, provider in names.items()
        }
        gateway = create_app(Directory(policies, providers), LocalAccess(), body_seconds=0.3)
        with hosted_in_thread(gateway, http=_Hasty) as gateway_url:
            yield Hostile(gateway_url, supplier)


class _Hasty(BoundedHeads):
    head_seconds = 0.3


def _error(response: httpx.Response, status: int = 400) -> dict[str, Any]:
    assert response.status_code == status, response.text
    found: dict[str, Any] = response.json()["error"]
    assert found.keys() == {"message", "type", "param", "code"}
    return found


@pytest.mark.parametrize(
    "body",
    [
        b"[" * _DEEP,
        b'{"a":' * _DEEP,
        b'{"model": "chat", "prompt": "x", "y": ' + b"[" * _DEEP + b"]" * _DEEP + b"}",
        b'{"model": "chat", "prompt": "x',
        b'{"model": "chat", "prompt": "x"} and more',
        b"model=chat&prompt=x",
        b"",
        b"null",
        b'"text"',
        b"\x1f\x8b\x08\x00",
        '{"model": "chat", "prompt": "x"}'.encode("utf-16"),
        b'{"model": "chat", "prompt": "x", "top_p": NaN}',
        b'{"model": "chat", "prompt": "x", "top_p": -Infinity}',
        b'{"model": "chat", "prompt": "x", "top_p": 1e999}',
        b'{"model": "chat", "prompt": [1e999]}',
        b'{"model": "chat", "prompt": "\\ud800"}',
        b'{"model": "chat\\udc00", "prompt": "x"}',
        b'{"model": "chat", "prompt": "\xed\xa0\x80"}',
        b'{"model": "chat", "prompt": "x", "model": "other"}',
        b'{"model": "chat", "prompt": "x", "max_tokens": 1, "max_tokens": 9}',
        b'{"model": "chat", "prompt": [{"a": 1, "a": 2}]}',
        b'{"model": "chat", "prompt": "x", "seed": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda body: repr(body[:50]),
)
def test_a_body_that_readers_may_take_in_several_ways_is_400(hostile: Hostile, body: bytes) -> None:
    assert _error(hostile.post(body))["code"] == "invalid_json"
    assert not hostile.supplier.asked


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ["chat"]}, "model"),
        ({"model": None}, "model"),
        ({"prompt": {"a": 1}}, "prompt"),
        ({"prompt": 1}, "prompt"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"max_tokens": 10**30}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_completion_tokens": 10**4000}, "max_completion_tokens"),
        ({"n": 10**9}, "n"),
        ({"best_of": 10**9}, "best_of"),
        ({"temperature": 1e300}, "temperature"),
    ],
)
def test_a_field_of_a_wrong_type_or_size_is_named(
    hostile: Hostile, fields: dict[str, Any], param: str
) -> None:
    body = json.dumps({"model": "chat", "prompt": "x", **fields}).encode()
    error = _error(hostile.post(body))
    assert str(error["param"]).startswith(param)
    assert error["code"] == "invalid_value"


def test_the_body_counts_and_not_what_it_is_said_to_be(hostile: Hostile) -> None:
    body = b'{"model": "chat", "prompt": "x"}'
    for kind in ("text/plain", "application/xml", "multipart/form-data", "x" * 5000):
        assert hostile.post(body, **{"Content-Type": kind}).status_code == 200


def test_a_body_over_the_limit_is_413_with_and_without_its_length(hostile: Hostile) -> None:
    start = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    told = hostile.raw(start + b"Content-Length: 99999999999\r\n\r\n")  # and not a byte of it
    assert told.startswith(b"HTTP/1.1 413 ")
    chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    untold = hostile.raw(start + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 4, b"1\r\n \r\n")
    assert untold.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("length", [b"Content-Length: 9", b"Transfer-Encoding: chunked"])
def test_a_body_that_does_not_come_is_408_and_its_connection_ends(
    hostile: Hostile, length: bytes
) -> None:
    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n\r\n"
    answer = hostile.raw(head, b"1")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"type":"invalid_request_error"' in answer


@pytest.mark.parametrize(
    "pieces",
    [
        [b"P"],
        [b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "],
        [b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\r\n"],
        [b"POST /no HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n", b"1"],
    ],
)
def test_a_client_that_stops_is_let_go(hostile: Hostile, pieces: list[bytes]) -> None:
    started = time.monotonic()
    port = urlsplit(hostile.url).port or 0
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        first, *rest = pieces
        sock.sendall(first)
        for piece in rest:
            assert sock.recv(1 << 16).startswith(b"HTTP/1.1 ")
            sock.sendall(piece)
        while sock.recv(1 << 16):
            pass
    assert time.monotonic() - started < 4  # less than uvicorn keeps an idle connection


def test_a_head_without_end_is_refused(hostile: Hostile) -> None:
    start = b"GET /health HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
    with contextlib.suppress(ConnectionError):  # it closes while the rest is on its way
        answer = hostile.raw(start, *[b"k" * (1 << 16)] * 64)
        assert answer.startswith(b"HTTP/1.1 431 ") or not answer
    assert httpx.get(f"{hostile.url}/health").status_code == 200


def test_a_long_key_is_a_wrong_key() -> None:
    with hosted_in_thread(create_app(Directory({}, {}), OneKeyAccess("key"))) as url:
        for key in ("k" * 30_000, "kéy".encode(), b"\xff\xfe"):
            value = b"Bearer " + (key if isinstance(key, bytes) else key.encode())
            response = httpx.get(f"{url}/v1/models", headers={b"Authorization": value})
            assert _error(response, 401)["code"] == "invalid_api_key"


def test_line_ends_in_a_name_stay_in_the_body(hostile: Hostile) -> None:
    for end in ("\r\n", "\n", "\r", "\x00", "\u2028", "\x85"):
        response = hostile.ask(model=f"chat{end}X-Injected: 1")
        assert _error(response, 404)["code"] == "model_not_found"
        assert "x-injected" not in response.headers
    assert not hostile.supplier.asked
    sent = (
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\rX: 1\r\n\r\n"
    )
    assert hostile.raw(sent).startswith(b"HTTP/1.1 400 ")


def test_a_provider_of_any_name_is_named_in_the_answer(hostile: Hostile) -> None:
    response = hostile.ask(model="island")
    assert response.status_code == 200
    assert response.headers["x-archipel-provider"] == "%C3%AEle%E2%80%A8 1"


@pytest.mark.parametrize("key", ["sk-one\nX-Injected: 1", "sk-one\r\nsk-two", "sk-\x00"])
def test_a_key_of_several_lines_is_not_taken(key: str, tmp_path: Any) -> None:
    file = tmp_path / "key"
    file.write_bytes(key.encode())
    with pytest.raises(ConfigError, match="one line") as caught:
        read_key(file)
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost/v1/files?", "localhost/x", "localhost?", "localhost#"])
def test_the_host_header_does_not_choose_what_a_supplier_is_asked(host: str) -> None:
    supplier = Supplier()
    app = Starlette(routes=[Route("/{path:path}", supplier.post, methods=["POST"])])
    with hosted_in_thread(app) as url:
        policy = Policy("chat", (Target("s", "large", is_here=False),))
        directory = Directory({"chat": policy}, {"s": OpenAIProvider(f"{url}/v1", None)})
        with hosted_in_thread(create_app(directory, OneKeyAccess("key"))) as gateway:
            httpx.post(
                f"{gateway}/v1/chat/completions",
                json={"model": "chat", "messages": _HI},
                headers={"Host": host, "Authorization": "Bearer key"},
            )
    assert {path for path, _ in supplier.asked} <= {"/v1/chat/completions"}


_PICTURES: list[dict[str, Any]] = [
    {"type": "image_url", "image_url": {"url": url}}
    for url in (
        "http://169.254.169.254/latest",
        "https://example.com/a.png",
        "file:///etc/passwd",
        "HTTP://localhost/",
        " data:image/png;base64,iVBORw0=",
        "",
        5,
    )
] + [
    {"type": "image_url", "image_url": "http://localhost/"},
    {"type": "image_url", "image_url": {}},
    {"type": "image_url", "image_url": None},
    {"type": "video_url", "video_url": {"url": "http://localhost/"}},
    {"type": "text", "text": "x", "image_url": {"url": "http://localhost/"}},
]


@pytest.mark.parametrize("part", _PICTURES, ids=repr)
def test_a_model_that_runs_here_fetches_nothing(hostile: Hostile, part: dict[str, Any]) -> None:
    messages = [*_HI, {"role": "user", "content": [{"type": "text", "text": "x"}, part]}]
    error = _error(hostile.ask(model="here", messages=messages))
    assert error["code"] == "unsupported_by_provider"
    assert error["param"] == "messages.1.content.1"
    assert not hostile.supplier.asked


def test_a_supplier_gets_pictures_as_they_are(hostile: Hostile) -> None:
    inside = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}}
    outside = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    for model, part in (("chat", inside), ("chat", outside)):
        messages = [{"role": "user", "content": [part]}]
        assert hostile.ask(model=model, messages=messages).status_code == 200
        assert json.loads(hostile.supplier.asked[-1][1])["messages"] == messages


def test_llama_cpps_own_way_of_sending_pictures_is_refused(hostile: Hostile) -> None:
    prompt = [{"prompt_string": "<__media__>", "multimodal_data": ["iVBORw0="]}]
    for path, name in (("/v1/completions", "prompt"), ("/v1/embeddings", "input")):
        error = _error(hostile.ask(path, model="here", **{name: prompt}))
        assert (error["code"], error["param"]) == ("unsupported_by_provider", name)
    assert not hostile.supplier.asked


@pytest.mark.parametrize(
    "arguments", ["[" * _DEEP, '{"a":' * 500 + "1" + "}" * 500, '{"a": 1e999}', '{"a": NaN}']
)
def test_arguments_of_a_call_are_as_untrusted_as_the_body(hostile: Hostile, arguments: str) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    messages = [*_HI, {"role": "assistant", "content": None, "tool_calls": [call]}]
    error = _error(hostile.ask(model="claude", messages=messages))
    assert error["param"] == "messages.1.tool_calls.0"


@pytest.mark.parametrize("model", ["chat", "claude"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        "Incorrect API key provided: sk-supplier.",
        "Incorrect API key provided: sk-suppl***wxyz. See https://example.com",
        '{"key": "sk-supplier-and-more"}',
    ],
)
def test_a_supplier_that_quotes_our_key_tells_it_to_nobody(
    hostile: Hostile, model: str, stream: bool, said: str
) -> None:
    error = {"message": said, "code": "sk-supplier", "param": "sk-supplier"}
    hostile.supplier.answer, hostile.supplier.status = json.dumps({"error": error}).encode(), 400
    response = hostile.ask(model=model, stream=stream)
    told = _error(response)
    assert "sk-suppl" not in response.text
    assert "wxyz" not in response.text
    assert "[redacted]" in told["message"]
    assert told["code"] == told["param"] == "[redacted]"


@pytest.mark.parametrize("model", ["chat", "claude"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [200, 400, 429, 500])
@pytest.mark.parametrize(
    "answer",
    [
        b"[" * _DEEP,
        b"data: " + b"[" * _DEEP + b"\n\n",
        b'{"error": ' + b"[" * _DEEP,
        b'{"error": {"type": "exceed_context_size_error", "message": ""}}',
        b'{"error": {"message": "no", "param": {"a": 1}, "code": ["x"]}}',
        b'{"error": {"message": "no"}}',
        b'{"error": "no"}',
        b"\xff\xfe",
        b"",
    ],
    ids=lambda answer: repr(answer[:30]),
)
def test_a_suppliers_nonsense_is_never_500(
    hostile: Hostile, model: str, stream: bool, status: int, answer: bytes
) -> None:
    hostile.supplier.answer, hostile.supplier.status = answer, status
    response = hostile.ask(model=model, stream=stream)
    if response.status_code == 200:
        assert (model, stream, status) == ("chat", False, 200)  # whose answers pass as they are
        return
    assert response.status_code in (400, 502, 503)
    error = _error(response, response.status_code)
    assert error["code"] != "None"
    assert isinstance(error["param"], str | None)
