"""How other programs are connected to the service, and a trial whether it answers."""

from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from archipel.assistant.api.asked import Asked, Refused, answered, read
from archipel.assistant.connect.snippets import KEY_HERE, Reached
from archipel.assistant.connect.table import CLIENTS, Client, able, configuration, order_for_key
from archipel.assistant.connect.trial import Trial, Tried
from archipel.assistant.offers import Offers
from archipel.assistant.people import Person, WhoAsks
from archipel.chat import ChatService

_BODY_BYTES = 4 << 10


class _Try(Asked):
    """`model` is needed for all but the list of models."""

    what: Literal["models", "fill", "chat"]
    model: str = Field(default="", max_length=200)


class Connect:
    """Endpoints of the page that connects programs to `service`, which they reach at `api`."""

    def __init__(
        self, service: ChatService, api: str, offers: Offers, who: WhoAsks, trial: Trial
    ) -> None:
        self._service = service
        self._api = api
        self._offers = offers
        self._who = who
        self._trial = trial
        self._trying: set[str] = set()  # owners

    def routes(self) -> list[BaseRoute]:
        """What the page calls."""
        return [
            Route("/api/connect", answered(self.configurations)),
            Route("/api/connect/try", answered(self.try_it), methods=["POST"]),
        ]

    async def configurations(self, request: Request) -> Response:
        """What each program must be told, with the models of the query, `fill` and `chat`, or else
        the first that can."""
        person = await self._who(request)
        offers = await self._offers.listed()
        fills, chats = able(offers, "fill"), able(offers, "chat")
        fill = _chosen(fills, request.query_params.get("fill"))
        chat = _chosen(chats, request.query_params.get("chat"))
        reached = Reached(self._api, fill, chat, self._service.has_key)
        return JSONResponse(
            {
                "address": self._api,
                "fill": {"models": fills, "chosen": fill},
                "chat": {"models": chats, "chosen": chat},
                "key": KEY_HERE if reached.wants_key else None,
                "order": order_for_key(person) if reached.wants_key else None,
                "clients": [_shown(name, one, reached) for name, one in CLIENTS.items()],
            }
        )

    async def try_it(self, request: Request) -> Response:
        """Ask the service something short, for whoever asks: one at a time."""
        person = await self._who(request)
        asked = await read(request, _Try, _BODY_BYTES)
        if person.owner in self._trying:
            raise Refused(429, "A test is under way. Wait for its end.", "test_under_way")
        self._trying.add(person.owner)
        try:
            return JSONResponse(asdict(await self._tried(person, asked)))
        finally:
            self._trying.discard(person.owner)

    async def _tried(self, person: Person, asked: _Try) -> Tried:
        match asked.what:
            case "models":
                return await self._trial.models(person)
            case "fill":
                return await self._trial.fill(person, asked.model)
            case "chat":
                return await self._trial.chat(person, asked.model)


def _chosen(models: list[str], wanted: str | None) -> str:
    return wanted if wanted in models else next(iter(models), "")


def _shown(name: str, client: Client, reached: Reached) -> dict[str, Any]:
    return {
        "name": name,
        "label": client.label,
        "group": client.group,
        "needs": client.needs,
        "snippets": [asdict(one) for one in configuration(client, reached)],
    }
