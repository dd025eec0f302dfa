"""The log of the real process, at its most verbose: no key and nothing that people ask is in it."""

import contextlib
import json
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.serve.scripted import hosted_in_thread

_RIGHT, _WRONG, _SUPPLIERS = "right-key-5f1c", "wrong-key-77aa", "sk-supplier-90210"
_PROMPT = "zebras at midnight"
_MOODS = ["200", "400", "401", "429", "500", "error event", "nonsense", "garbled"]


def _echo(headers: str, body: bytes) -> str:
    return f"{headers} {_SUPPLIERS} {body.decode(errors='replace')}"


async def _supply(request: Request) -> Response:
    """Whatever goes wrong, its words hold the key and the prompt."""
    body = await request.body()
    mood, said = json.loads(body)["model"], _echo(str(request.headers), body)
    if mood == "error event":
        event = json.dumps({"type": "error", "error": {"type": said, "message": said}})
        return Response(f"data: {event}\n\n", media_type="text/event-stream")
    if mood == "nonsense":
        return Response(f"data: {said}\n\n", media_type="text/event-stream")
    error = {"message": said, "type": said, "code": said}
    return JSONResponse({"error": error}, int(mood))


class _Garbled(socketserver.BaseRequestHandler):
    """What it answers is not HTTP."""

    def handle(self) -> None:
        said = _echo("", self.request.recv(1 << 16)).encode()
        self.request.sendall(b"HTTP/1.1 " + said + b"\r\n" + said + b"\r\n\r\n" + said)


@pytest.fixture
def garbled() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Garbled) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join()


@pytest.fixture
def supplier() -> Iterator[str]:
    app = Starlette(routes=[Route("/{path:path}", _supply, methods=["POST"])])
    with hosted_in_thread(app) as url:
        yield f"{url}/v1"


def _settings(supplier: str, garbled: str) -> str:
    tables = []
    for kind in ("openai", "anthropic"):
        for name, url in (("said", supplier), ("garbled", garbled)):
            table = f'kind = "{kind}"\nurl = "{url}"\nkey_env = "SUPPLIERS_KEY"\n'
            tables.append(f'[providers."{kind} {name}"]\n{table}')
        for mood in _MOODS:
            provider = f"{kind} {'garbled' if mood == 'garbled' else 'said'}"
            target = f'{{provider = "{provider}", model = "{mood}"}}'
            tables.append(f'[routes."{kind} {mood}"]\ntargets = [{target}]\n')
    return "\n".join(tables)


def _ask_all(url: str) -> None:
    with httpx.Client(base_url=url, timeout=20) as client:
        for key in (_RIGHT, _WRONG, _SUPPLIERS):
            headers = {"Authorization": f"Bearer {key}"}
            opens = 200 if key == _RIGHT else 401
            assert client.get("models", headers=headers).status_code == opens
            for kind in ("openai", "anthropic"):
                for mood in _MOODS:
                    for stream, role in ((False, "user"), (True, "user"), (False, _PROMPT)):
                        messages = [{"role": role, "content": _PROMPT}]
                        body = {"model": f"{kind} {mood}", "messages": messages, "stream": stream}
                        client.post("chat/completions", json=body, headers=headers)
                        client.post("messages", json={**body, "max_tokens": 5}, headers=headers)
                        asked = {**body, "input": messages}
                        client.post("responses", json=asked, headers=headers)
            client.post("chat/completions", content=f'{{"{_PROMPT}"', headers=headers)
            client.post(f"{_PROMPT}?key={key}", headers=headers)


@pytest.mark.parametrize("options", [["--verbose"], ["--verbose", "--log-json"]])
def test_neither_keys_nor_prompts_are_in_the_log(
    archipel: Callable[..., subprocess.Popen[str]],
    supplier: str,
    garbled: str,
    tmp_path: Path,
    options: list[str],
) -> None:
    file = tmp_path / "service.toml"
    file.write_text(_settings(supplier, garbled))
    keys = {"ARCHIPEL_API_KEY": _RIGHT, "SUPPLIERS_KEY": _SUPPLIERS}
    process = archipel(*options, "serve", "--config", file, "--port", 0, **keys)
    assert process.stdout is not None
    first = process.stdout.readline()
    url = next(word for word in first.split() if word.startswith("http://"))
    with contextlib.closing(_Collected(process)) as collected:
        _ask_all(url)
    log = first + collected.text
    for secret in (_RIGHT, _WRONG, _SUPPLIERS, _PROMPT, "zebras"):
        assert secret not in log
    assert "Traceback" not in log
    for said in ("it answered 401", "it answered 500", "no word for messages.0.role"):
        assert said in log


class _Collected:
    """All that a process writes, read while it runs, so that it is never held up."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.text = ""
        self._process = process
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        out, log = self._process.communicate()
        self.text = out + log

    def close(self) -> None:
        self._process.terminate()
        self._thread.join(20)
