"""The list of one's conversations, and what can be done to one as a whole."""

import secrets
from dataclasses import asdict
from typing import Any

from pydantic import Field
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from archipel.assistant.answers import Answers
from archipel.assistant.api.asked import Asked, Refused, answered, number, read
from archipel.assistant.desk import Desk
from archipel.assistant.history import conversations, folders, messages, search, sharing
from archipel.assistant.history.conversations import TITLE_CHARACTERS, Before
from archipel.assistant.history.messages import Message
from archipel.assistant.people import WhoAsks

_PAGE = 50
_MOST = 200
_HITS = 30
_IDS = 1 << 53  # the page's numbers end there


class _Change(Asked):
    """Only what is sent is changed."""

    title: str = Field(default="", max_length=TITLE_CHARACTERS)
    folder: int | None = None
    pinned: bool = False
    shown: int = 0


class _Name(Asked):
    name: str


class _Place(Asked):
    message: int


class Conversations:
    """Endpoints over the history of whoever asks."""

    def __init__(self, desk: Desk, who: WhoAsks, answers: Answers) -> None:
        self._desk = desk
        self._who = who
        self._answers = answers

    def routes(self) -> list[BaseRoute]:
        """What the page calls."""
        one, folder = "/api/conversations/{id:int}", "/api/folders/{id:int}"
        calls = {
            ("GET", "/api/conversations"): self.listed,
            ("GET", one): self.one,
            ("PATCH", one): self.change,
            ("DELETE", one): self.erase,
            ("POST", f"{one}/fork"): self.fork,
            ("POST", f"{one}/share"): self.share,
            ("DELETE", f"{one}/share"): self.unshare,
            ("GET", "/api/shared/{token}"): self.shared,
            ("GET", "/api/search"): self.search,
            ("GET", "/api/folders"): self.folders,
            ("POST", "/api/folders"): self.make_folder,
            ("PATCH", folder): self.rename_folder,
            ("DELETE", folder): self.erase_folder,
        }
        return [
            Route(path, answered(endpoint), methods=[method])
            for (method, path), endpoint in calls.items()
        ]

    async def listed(self, request: Request) -> Response:
        """`limit` conversations, the newest first; with `before` (`changed,id` of a row), those
        after that row; with `folder`, those in it (0: in none). The first page also has the pinned
        ones."""
        owner = (await self._who(request)).owner
        limit = number(request, "limit", _PAGE, _MOST)
        before = _before(request.query_params.get("before"))
        folder = number(request, "folder", 0, _IDS) if "folder" in request.query_params else None

        def look(connection: Connection) -> dict[str, Any]:
            found = conversations.listed(connection, owner, limit, before, folder)
            pinned = [] if before else conversations.pinned(connection, owner)
            return {
                "conversations": [asdict(one) for one in found],
                "pinned": [asdict(one) for one in pinned],
            }

        return JSONResponse(await self._desk.reading(look))

    async def one(self, request: Request) -> Response:
        """A conversation with all its messages; a growing one as far as it is, with the number of
        its last piece."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]

        def look(connection: Connection) -> dict[str, Any]:
            found = conversations.find(connection, owner, id_)
            return {
                "conversation": asdict(found),
                "messages": messages.all_of(connection, owner, id_),
            }

        found = await self._desk.reading(look)
        found["messages"] = [self._shown(message) for message in found["messages"]]
        return JSONResponse(found)

    async def change(self, request: Request) -> Response:
        """Title, folder, pin, or the branch that is shown."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        asked = await read(request, _Change)
        sent = asked.model_fields_set

        def act(connection: Connection, now: float) -> dict[str, Any]:
            values: dict[str, Any] = {}
            if "title" in sent:
                values["title"] = " ".join(asked.title.split())
            if "folder" in sent:
                if asked.folder is not None:
                    folders.find(connection, owner, asked.folder)
                values["folder"] = asked.folder
            if "pinned" in sent:
                values["pinned"] = now if asked.pinned else None
            if "shown" in sent:
                messages.check(connection, owner, id_, asked.shown)
                values["shown"] = asked.shown
            return asdict(conversations.change(connection, owner, id_, values))

        return JSONResponse(await self._desk.writing(act))

    async def erase(self, request: Request) -> Response:
        """Delete it for good; its answers under way are stopped."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        tree = await self._desk.reading(lambda c: messages.all_of(c, owner, id_))
        for message in tree:
            await self._answers.stop(message.id)
        await self._desk.writing(lambda c, _: conversations.erase(c, owner, id_))
        return Response(status_code=204)

    async def fork(self, request: Request) -> Response:
        """A new conversation with the messages up to one of them."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        end = (await read(request, _Place)).message
        found = await self._desk.writing(lambda c, now: messages.fork(c, owner, id_, end, now))
        return JSONResponse({"id": found})

    async def share(self, request: Request) -> Response:
        """A new link; one that there was opens nothing any more."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        token = secrets.token_urlsafe(sharing.TOKEN_BYTES)
        await self._desk.writing(lambda c, _: sharing.share(c, owner, id_, token))
        return JSONResponse({"token": token})

    async def unshare(self, request: Request) -> Response:
        """The link opens nothing any more."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        await self._desk.writing(lambda c, _: sharing.unshare(c, owner, id_))
        return Response(status_code=204)

    async def shared(self, request: Request) -> Response:
        """What a link opens; whoever is let in to the assistant may read it."""
        await self._who(request)
        token = request.path_params["token"]
        title, found = await self._desk.reading(lambda c: sharing.shared(c, token))
        return JSONResponse({"title": title, "messages": [self._shown(one) for one in found]})

    async def search(self, request: Request) -> Response:
        """Titles and messages with the words of `q`."""
        owner, asked = (await self._who(request)).owner, request.query_params.get("q", "")[:400]
        hits = await self._desk.reading(lambda c: search.search(c, owner, asked, _HITS))
        return JSONResponse({"hits": [asdict(hit) for hit in hits]})

    async def folders(self, request: Request) -> Response:
        """One's folders."""
        owner = (await self._who(request)).owner
        found = await self._desk.reading(lambda c: folders.listed(c, owner))
        return JSONResponse({"folders": [asdict(one) for one in found]})

    async def make_folder(self, request: Request) -> Response:
        """Another one."""
        owner, asked = (await self._who(request)).owner, await read(request, _Name)
        found = await self._desk.writing(lambda c, _: folders.make(c, owner, asked.name))
        return JSONResponse(asdict(found))

    async def rename_folder(self, request: Request) -> Response:
        """Give one another name."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        name = (await read(request, _Name)).name
        found = await self._desk.writing(lambda c, _: folders.rename(c, owner, id_, name))
        return JSONResponse(asdict(found))

    async def erase_folder(self, request: Request) -> Response:
        """Its conversations stay, in no folder."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        await self._desk.writing(lambda c, _: folders.erase(c, owner, id_))
        return Response(status_code=204)

    def _shown(self, message: Message) -> dict[str, Any]:
        growing = self._answers.so_far(message.id)
        if growing is None:
            return asdict(message)
        text, pieces = growing
        return asdict(message) | {"text": text, "pieces": pieces}


def _before(text: str | None) -> Before | None:
    if text is None:
        return None
    changed, _, id_ = text.partition(",")
    try:
        return Before(float(changed), int(id_[:18]))
    except ValueError:
        raise Refused(400, f"before is changed,id of a row, not {text[:40]!r}.") from None
