"""What one prefers, and what is remembered of one: read, changed, erased."""

from dataclasses import asdict
from typing import Any, get_args

from pydantic import Field
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from archipel.assistant.api.asked import Asked, Refused, answered, read
from archipel.assistant.desk import Desk
from archipel.assistant.history import memories, preferences
from archipel.assistant.history.preferences import INSTRUCTIONS_CHARACTERS, Tone
from archipel.assistant.memory.secrecy import is_secret
from archipel.assistant.people import WhoAsks


class _Change(Asked):
    """Only what is sent is changed."""

    instructions: str = Field(default="", max_length=INSTRUCTIONS_CHARACTERS)
    tone: Tone = "warm"
    model: str | None = Field(default=None, max_length=200)
    memory: bool = False


class _Text(Asked):
    text: str = Field(max_length=4 * memories.TEXT_CHARACTERS)


class PreferencesCalls:
    """Endpoints over the preferences and memories of whoever asks."""

    def __init__(self, desk: Desk, who: WhoAsks) -> None:
        self._desk = desk
        self._who = who

    def routes(self) -> list[BaseRoute]:
        """What the page calls."""
        one = "/api/memories/{id:int}"
        calls = {
            ("GET", "/api/preferences"): self.preferences,
            ("PATCH", "/api/preferences"): self.change,
            ("GET", "/api/memories"): self.memories,
            ("DELETE", "/api/memories"): self.erase_all,
            ("PATCH", one): self.correct,
            ("DELETE", one): self.erase,
        }
        return [
            Route(path, answered(endpoint), methods=[method])
            for (method, path), endpoint in calls.items()
        ]

    async def preferences(self, request: Request) -> Response:
        """One's own, with the tones that there are."""
        owner = (await self._who(request)).owner
        found = await self._desk.reading(lambda c: preferences.find(c, owner))
        return JSONResponse(_shown(found))

    async def change(self, request: Request) -> Response:
        """Instructions, tone, the model to begin with, memory on or off."""
        owner, asked = (await self._who(request)).owner, await read(request, _Change)
        values = asked.model_dump(include=asked.model_fields_set)
        found = await self._desk.writing(lambda c, _: preferences.change(c, owner, values))
        return JSONResponse(_shown(found))

    async def memories(self, request: Request) -> Response:
        """All that is remembered of one, the newest first, and how much there may be."""
        owner = (await self._who(request)).owner
        found = await self._desk.reading(lambda c: memories.listed(c, owner))
        return JSONResponse({"memories": [asdict(one) for one in found], "most": memories.MOST})

    async def correct(self, request: Request) -> Response:
        """Put one in other words."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        text = (await read(request, _Text)).text
        if is_secret(text):
            raise Refused(400, "This looks like a password, a key or a card's number.", "secret")

        def act(connection: Connection, now: float) -> dict[str, Any]:
            return asdict(memories.correct(connection, owner, id_, text, now))

        return JSONResponse(await self._desk.writing(act))

    async def erase(self, request: Request) -> Response:
        """Forget one."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        await self._desk.writing(lambda c, _: memories.erase(c, owner, id_))
        return Response(status_code=204)

    async def erase_all(self, request: Request) -> Response:
        """Forget all."""
        owner = (await self._who(request)).owner
        await self._desk.writing(lambda c, _: memories.erase_all(c, owner))
        return Response(status_code=204)


def _shown(found: preferences.Preferences) -> dict[str, Any]:
    return asdict(found) | {"tones": get_args(Tone), "most": INSTRUCTIONS_CHARACTERS}
