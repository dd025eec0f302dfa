"""A service that answers by a rule of the test, and the assistant over it."""

import base64
import json
import re
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.assistant.conftest import Assistant
from tests.serve.scripted import hosted_in_thread

Rule = Callable[[str], str]


def text_in(prompt: str) -> str:
    """What a prompt asks about."""
    found = re.search(r"<text>\n(.*)\n</text>", prompt, re.S)
    return found[1] if found else prompt


def png(width: int = 2, height: int = 2) -> bytes:
    """A grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@dataclass
class Ruled:
    """Answers `rule(prompt)`; refuses prompts over `context` characters and the `refused` options;
    draws `picture`, or what `pictures` has for a place among those that are asked for (an error's
    text in place of one: it fails), at most `at_once`, in the `ways` that it knows."""

    rule: Rule = text_in
    context: int = 1_000_000
    refused: frozenset[str] = frozenset()
    told: dict[str, dict[str, Any]] = field(default_factory=dict)  # of a model
    picture: bytes = field(default_factory=png)
    pictures: dict[int, bytes | str] = field(default_factory=dict)
    at_once: int = 10
    sends: int = 10  # of those that are asked for
    streams: bool = False
    refusals: dict[str, dict[str, Any]] = field(default_factory=dict)  # by a prompt or a way
    ways: frozenset[str] = frozenset({"generations", "edits", "variations"})
    drawn: list[str] = field(default_factory=list)  # in which way, of each request
    asked: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    @property
    def prompts(self) -> list[str]:
        """The last message of each request that was answered."""
        return [one["messages"][-1]["content"] for one in self.asked]

    async def models(self, request: Request) -> Response:
        return JSONResponse(
            {"data": [{"id": name, **self.told.get(name, {})} for name in ("island", "reef")]}
        )

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        prompt = body["messages"][-1]["content"]
        if refusal := self._refusal(body, prompt):
            return refusal
        self.asked.append(body)
        said = self.rule(prompt if isinstance(prompt, str) else prompt[0]["text"])
        return StreamingResponse(self._stream(said), media_type="text/event-stream")

    async def images(self, request: Request) -> Response:
        way = request.path_params["way"]
        body = await request.json() if way == "generations" else await _form(request)
        if way not in self.ways:
            return JSONResponse({"error": {"message": f"no {way} here", "code": "not_found"}}, 404)
        if refusal := self._refusal(body, body.get("prompt", "")):
            return refusal
        if error := self.refusals.get(body.get("prompt", way)):
            self.drawn.append("refused")
            return JSONResponse({"error": error}, 400)
        if (count := int(body["n"])) > self.at_once:
            error = {"message": "You must provide n=1 for this model.", "code": None}
            return JSONResponse({"error": error}, 400)
        first = len(self.asked) if self.at_once == 1 else 0
        self.asked.append(body)
        self.drawn.append(way)
        places = range(first, first + min(count, self.sends))
        made = [self.pictures.get(place, self.picture) for place in places]
        if self.streams and body.get("stream"):
            return StreamingResponse(self._events(made), media_type="text/event-stream")
        if errors := [one for one in made if isinstance(one, str)]:
            return JSONResponse({"error": {"message": errors[0], "code": "busy"}}, 503)
        files = [base64.b64encode(one).decode() for one in made if isinstance(one, bytes)]
        return JSONResponse({"data": [{"b64_json": file} for file in files]})

    async def _events(self, made: list[bytes | str]) -> AsyncIterator[bytes]:
        for index, one in enumerate(made):
            news: dict[str, Any] = {"type": "image_generation.progress", "step": 1, "steps": 2}
            yield f"data: {json.dumps({**news, 'index': index})}\n\n".encode()
            if isinstance(one, str):
                news = {"type": "error", "error": {"message": one, "code": "busy"}}
            else:
                file = base64.b64encode(one).decode()
                news = {"type": "image_generation.completed", "b64_json": file}
            yield f"data: {json.dumps({**news, 'index': index})}\n\n".encode()

    def _refusal(self, body: dict[str, Any], prompt: str) -> Response | None:
        if refused := self.refused & body.keys():
            error = {"message": f"no {refused} here", "code": "unsupported_value"}
            return JSONResponse({"error": error}, 400)
        if len(prompt) > self.context:
            error = {"message": "too long", "code": "context_length_exceeded"}
            return JSONResponse({"error": error}, 400)
        return None

    async def _stream(self, said: str) -> AsyncIterator[bytes]:
        for piece in re.findall(r"\s*\S+\s*", said) or [said]:
            choice = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
            yield f"data: {json.dumps({'choices': [choice]})}\n\n".encode()
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        usage = {"choices": [], "usage": {"completion_tokens": 5, "prompt_tokens": 9}}
        for chunk in (last, usage):
            yield f"data: {json.dumps(chunk)}\n\n".encode()
        yield b"data: [DONE]\n\n"


async def _form(request: Request) -> dict[str, Any]:
    """What a multipart request has; of files their bytes, by the field's name."""
    async with request.form() as form:
        found: dict[str, Any] = {}
        for name, value in form.multi_items():
            found[name] = value if isinstance(value, str) else await value.read()
        return found


@pytest.fixture
def ruled() -> Iterator[Ruled]:
    """The service; it gives the text back until a test sets another rule."""
    found = Ruled()
    routes = [
        Route("/v1/models", found.models),
        Route("/v1/chat/completions", found.chat, methods=["POST"]),
        Route("/v1/images/{way}", found.images, methods=["POST"]),
    ]
    with hosted_in_thread(Starlette(routes=routes)) as url:
        found.url = f"{url}/v1"
        yield found


@dataclass
class Doing:
    """Actions asked of the assistant by HTTP."""

    http: httpx.Client

    def begin(self, text: str, **beside: Any) -> dict[str, Any]:
        """What the assistant says to a question."""
        asked = {"conversation": None, "parent": None, "text": text, "models": ["island"]}
        response = self.http.post("/api/questions", json={**asked, **beside})
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def do(self, name: str, text: str, **fields: str) -> dict[str, Any]:
        """The whole answer of an action."""
        begun = self.begin(text, action={"name": name, "fields": fields})
        return self.whole(begun["answers"][0]["id"])

    def events(self, message: int) -> list[tuple[str, Any]]:
        """What follows an answer to its end."""
        found = []
        for event in self.http.get(f"/api/messages/{message}/events").text.split("\n\n"):
            if event:
                fields = dict(line.split(": ", 1) for line in event.split("\n"))
                found.append((fields["event"], json.loads(fields["data"])))
        return found

    def whole(self, message: int) -> dict[str, Any]:
        """An answer when it has ended."""
        found: dict[str, Any] = self.events(message)[-1][1]
        return found


@pytest.fixture
def over_ruled(assistant_over: Callable[..., Assistant], ruled: Ruled) -> Assistant:
    """The assistant over the service."""
    return assistant_over(ruled.url)


@pytest.fixture
def doing(over_ruled: Assistant) -> Iterator[Doing]:
    """Whoever asks it by HTTP."""
    with over_ruled.client() as http:
        yield Doing(http)
