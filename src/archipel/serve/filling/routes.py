"""The endpoints of llama.cpp, Mistral, Tabby and Ollama that editors ask for completions."""

import platform
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archipel import __version__
from archipel.serve.access import Access, Caller, visible
from archipel.serve.api_error import ApiError
from archipel.serve.body import read_body, read_fields
from archipel.serve.filling.asked import (
    FimRequest,
    GenerateRequest,
    InfillRequest,
    ShowRequest,
    TabbyRequest,
    of_fim,
    of_generate,
    of_infill,
    of_tabby,
)
from archipel.serve.filling.told import fim_completed, generated, infilled, tabby_completed
from archipel.serve.providers import Directory
from archipel.serve.question import Dialect, Question

Fields = Mapping[str, Any]
ToQuestion = Callable[[Fields, Caller], Question]
Translated = Callable[
    [Request, type[BaseModel], ToQuestion, Callable[[Fields], Dialect]], Awaitable[Response]
]

# Ollama's clients expect these fields; what a model is like inside is not told.
_DETAILS = {"format": "", "family": "", "parameter_size": "", "quantization_level": ""}


@dataclass(frozen=True)
class Editors:
    """The endpoints; `translated` has a request answered, `now` gives seconds since the epoch."""

    translated: Translated
    access: Access
    directory: Directory
    body_seconds: float
    now: Callable[[], float]

    async def infill(self, request: Request) -> Response:
        def dialect(asked: Fields) -> Dialect:
            return infilled(asked.get("n_predict") != 0)

        question = self._question(of_infill)
        return await self.translated(request, InfillRequest, question, dialect)

    async def fim(self, request: Request) -> Response:
        question = self._question(of_fim)
        return await self.translated(request, FimRequest, question, lambda _: fim_completed())

    async def tabby(self, request: Request) -> Response:
        question = self._question(of_tabby)
        return await self.translated(request, TabbyRequest, question, lambda _: tabby_completed())

    async def generate(self, request: Request) -> Response:
        def dialect(asked: Fields) -> Dialect:
            return generated(asked["model"], self.now)

        question = self._question(of_generate)
        response = await self.translated(request, GenerateRequest, question, dialect)
        if response.headers["content-type"].startswith("text/event-stream"):
            response.headers["content-type"] = "application/x-ndjson"
        return response

    async def tabby_health(self, request: Request) -> Response:
        caller = await self.access.admit(request)
        return JSONResponse(
            {
                "model": self._usual(caller),
                "device": "cpu",
                "arch": platform.machine(),
                "cpu_info": platform.processor(),
                "cpu_count": 0,
                "cuda_devices": [],
                "version": {
                    "build_date": "",
                    "build_timestamp": "",
                    "git_sha": "",
                    "git_describe": f"archipel {__version__}",
                },
            }
        )

    async def tabby_events(self, request: Request) -> Response:
        """What a client tells of its suggestions is not kept."""
        await self.access.admit(request)
        return Response()

    async def tabby_setting(self, request: Request) -> Response:
        await self.access.admit(request)
        return JSONResponse({"disable_client_side_telemetry": True})

    async def tags(self, request: Request) -> Response:
        caller = await self.access.admit(request)
        names = visible(self.directory.policies, caller)
        return JSONResponse({"models": [_tag(name) for name in names]})

    async def show(self, request: Request) -> Response:
        caller = await self.access.admit(request)
        name = read_fields(await read_body(request, self.body_seconds), ShowRequest)["model"]
        if name not in visible(self.directory.policies, caller):
            raise ApiError(404, f"model {name!r} not found", "model_not_found", "model")
        offer = self.directory.offers.get(name, {})
        abilities = offer.get("abilities") or ()
        words = (("chat", "completion"), ("fill", "insert"), ("embeddings", "embedding"))
        length = offer.get("context_length")
        return JSONResponse(
            {
                "details": _DETAILS,
                "model_info": {"general.architecture": "any", "any.context_length": length},
                "capabilities": [theirs for ours, theirs in words if ours in abilities],
            }
        )

    async def version(self, request: Request) -> Response:
        return JSONResponse({"version": __version__})

    def _question(self, of: Callable[[Fields, int | None], Question]) -> ToQuestion:
        def made(asked: Fields, caller: Caller) -> Question:
            name = asked.get("model") or self._usual(caller)
            context = self.directory.offers.get(name, {}).get("context_length")
            return of({**asked, "model": name}, context)

        return made

    def _usual(self, caller: Caller) -> str:
        """The first model that fills gaps: not every client names one."""
        names = visible(self.directory.policies, caller)
        for name in names:
            if "fill" in (self.directory.offers.get(name, {}).get("abilities") or ()):
                return name
        message = (
            "No model here has learnt to fill gaps, and the request names none. Serve one that "
            "has, such as a base model for code, or name a model."
        )
        raise ApiError(404, message, "model_not_found", "model")

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/infill", self.infill, methods=["POST"]),
            Route("/v1/fim/completions", self.fim, methods=["POST"]),
            Route("/tabby/v1/completions", self.tabby, methods=["POST"]),
            Route("/tabby/v1/health", self.tabby_health, methods=["GET", "POST"]),
            Route("/tabby/v1/events", self.tabby_events, methods=["POST"]),
            Route("/tabby/v1beta/server_setting", self.tabby_setting),
            Route("/api/generate", self.generate, methods=["POST"]),
            Route("/api/tags", self.tags),
            Route("/api/show", self.show, methods=["POST"]),
            Route("/api/version", self.version),
        ]


def _tag(name: str) -> dict[str, Any]:
    known = {"name": name, "model": name, "details": _DETAILS}
    return known | {"modified_at": "1970-01-01T00:00:00Z", "size": 0, "digest": ""}
