"""Request ids, the log's line for each request, and traces as a collector gets them."""

import hashlib
import json
import queue
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import NotFoundError, OpenAI
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archipel.serve.accounts.administer import NewKey, Office
from archipel.serve.accounts.opened import open_accounts
from tests.serve.accounts.test_access import Supplier
from tests.serve.scripted import hosted_in_thread

Archipel = Callable[..., subprocess.Popen[str]]

_ASKED: Any = [{"role": "user", "content": "a private question"}]
_TRACE, _PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class _Collector:
    """Decodes what an OpenTelemetry collector is sent."""

    def __init__(self) -> None:
        self.bodies: queue.Queue[bytes] = queue.Queue()

    async def take(self, request: Request) -> Response:
        assert request.headers["content-type"] == "application/x-protobuf"
        self.bodies.put(await request.body())
        return Response(media_type="application/x-protobuf")

    def spans(self) -> tuple[list[Span], bytes]:
        """All spans so far, and the bytes that they came in."""
        found, raw = [], b""
        while not self.bodies.empty():
            body = self.bodies.get()
            raw += body
            sent = ExportTraceServiceRequest.FromString(body)
            for resource in sent.resource_spans:
                names = {one.key: one.value.string_value for one in resource.resource.attributes}
                assert names["service.name"] == "archipel"
                found += [span for scope in resource.scope_spans for span in scope.spans]
        return found, raw


class _Traced(Supplier):
    """Keeps the headers of what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: list[dict[str, str]] = []

    async def chat(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        return await super().chat(request)


async def _fail(request: Request) -> Response:
    return JSONResponse({"error": {"message": "a private failure"}}, 500)


@dataclass
class Told:
    """A running service, and what hears of its requests."""

    process: subprocess.Popen[str]
    url: str
    key: str
    supplier: _Traced
    collector: _Collector

    def client(self) -> OpenAI:
        return OpenAI(base_url=self.url, api_key=self.key, max_retries=0, timeout=20)

    def end(self) -> str:
        """End the service; its log."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.communicate(timeout=20)[1]


@pytest.fixture
def told(archipel: Archipel, tmp_path: Path) -> Iterator[Told]:
    supplier, collector = _Traced(), _Collector()
    database = f"sqlite:///{tmp_path / 'service.db'}"
    accounts = open_accounts(database)
    with accounts.writing() as connection:
        office = Office(connection, "tester", time.time())
        office.add_project("site", "ours")
        key = office.add_key(NewKey("a key", "site"), hashlib.sha256(b"a secret").digest())
    accounts.close()
    app = Starlette(
        routes=[
            Route("/well/chat/completions", supplier.chat, methods=["POST"]),
            Route("/ill/chat/completions", _fail, methods=["POST"]),
            Route("/v1/traces", collector.take, methods=["POST"]),
        ]
    )
    with hosted_in_thread(app) as url:
        file = tmp_path / "service.toml"
        file.write_text(
            f"""
            accounts.database = "{database}"
            logs.requests = true
            traces.otlp = "{url}"
            providers.ill.url = "{url}/ill"
            providers.well.url = "{url}/well"
            [routes.chat]
            targets = [{{provider = "ill", model = "x"}}, {{provider = "well", model = "m"}}]
            """
        )
        secret = {"ARCHIPEL_SECRET": "a secret"}
        process = archipel("--log-json", "serve", "--config", file, "--port", 0, **secret)
        assert process.stdout is not None
        line = process.stdout.readline().split()
        assert line, process.communicate()[1]
        yield Told(process, line[1], key, supplier, collector)
        process.kill()
        process.communicate()


def _attributes(span: Span) -> dict[str, Any]:
    return {
        one.key: getattr(one.value, one.value.WhichOneof("value") or "") for one in span.attributes
    }


def test_a_request_is_a_line_in_the_log_and_a_trace(told: Told) -> None:
    parent = {"traceparent": f"00-{_TRACE}-{_PARENT}-01"}
    with told.client() as client:
        answer = client.chat.completions.create(model="chat", messages=_ASKED, extra_headers=parent)
        stream = client.chat.completions.create(
            model="chat", messages=_ASKED, stream=True, extra_headers={"traceparent": "nonsense"}
        )
        assert list(stream)
        with pytest.raises(NotFoundError) as caught:
            client.chat.completions.create(model="a private name", messages=_ASKED)
    log = told.end()
    spans, raw = told.collector.spans()

    lines = [json.loads(line) for line in log.splitlines()]
    first, second, third = (one for one in lines if one["logger"] == "archipel.serve.requests")
    assert first["request"] == answer._request_id
    assert third["request"] == caught.value.request_id
    assert (
        first
        | {
            **{"endpoint": "/v1/chat/completions", "key": told.key[:13], "model": "chat"},
            **{"provider": "well", "provider_model": "m", "outcome": "answered", "code": ""},
            **{"prompt_tokens": 3, "completion_tokens": 5},
        }
        == first
    )
    assert 0 < first["seconds"] < 20
    assert (second["outcome"], second["completion_tokens"]) == ("answered", 5)
    assert (third["outcome"], third["code"], third["model"]) == ("refused", "model_not_found", "")

    (asked,) = (one for one in spans if one.parent_span_id.hex() == _PARENT)
    assert asked.trace_id.hex() == _TRACE
    assert (asked.name, asked.kind) == ("chat chat", Span.SPAN_KIND_SERVER)
    said = _attributes(asked)
    assert said["archipel.request_id"] == answer._request_id
    assert (said["gen_ai.operation.name"], said["gen_ai.request.model"]) == ("chat", "chat")
    assert (said["gen_ai.provider.name"], said["gen_ai.response.model"]) == ("well", "m")
    assert (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"]) == (3, 5)
    ill, well = (one for one in spans if one.parent_span_id == asked.span_id)
    assert (ill.name, well.name, well.kind) == ("ask ill", "ask well", Span.SPAN_KIND_CLIENT)
    assert _attributes(ill)["error.type"] == "Unavailable"
    assert told.supplier.headers[0]["traceparent"] == f"00-{_TRACE}-{well.span_id.hex()}-01"
    assert sum(not one.parent_span_id for one in spans) == 2  # theirs begin here

    for text in ("private", "one two", told.key, "traceparent"):
        assert text not in log
        assert text.encode() not in raw


def test_every_answer_has_an_id_of_ours(told: Told) -> None:
    headers = {"X-Request-Id": "a-client's-own"}
    found = [
        httpx.request(method, told.url.removesuffix("/v1") + path, headers=headers)
        for method, path in (("GET", "/health"), ("GET", "/nowhere"), ("POST", "/v1/messages"))
    ]
    ids = [one.headers["x-request-id"] for one in found]
    assert len({*ids}) == 3
    assert all(one.startswith("req_") and len(one) == 36 for one in ids)


def test_a_collector_that_is_gone_stops_nothing(archipel: Archipel, tmp_path: Path) -> None:
    supplier = Supplier()
    app = Starlette(routes=[Route("/v1/chat/completions", supplier.chat, methods=["POST"])])
    with hosted_in_thread(app) as url:
        file = tmp_path / "service.toml"
        file.write_text(
            f"""
            traces.otlp = "http://127.0.0.1:9"
            providers.s.url = "{url}/v1"
            routes.chat.targets = [{{provider = "s", model = "m"}}]
            """
        )
        process = archipel("serve", "--config", file, "--port", 0)
        assert process.stdout is not None
        service = process.stdout.readline().split()[1]
        with OpenAI(base_url=service, api_key="none", max_retries=0, timeout=20) as client:
            assert client.chat.completions.create(model="chat", messages=_ASKED).choices
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.communicate()[0] is not None
