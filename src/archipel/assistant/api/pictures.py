"""Pictures that people give with a question, and those of their messages."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from archipel.assistant.api.asked import Refused, answered, body
from archipel.assistant.desk import Desk
from archipel.assistant.history import pictures, sharing
from archipel.assistant.people import WhoAsks
from archipel.assistant.picture_files import PictureFile, read_picture
from archipel.errors import IntegrityError

_BYTES = 10 << 20
_NEVER_CHANGES = "private, max-age=31536000, immutable"
_MAY_BE_TAKEN_BACK = "no-store"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Pictures:
    """Endpoints over the pictures of whoever asks."""

    def __init__(self, desk: Desk, who: WhoAsks) -> None:
        self._desk = desk
        self._who = who

    def routes(self) -> list[BaseRoute]:
        """What the page calls."""
        one = "/api/pictures/{id:int}"
        return [
            Route("/api/pictures", answered(self.give), methods=["POST"]),
            Route(one, answered(self.one), methods=["GET"]),
            Route(one, answered(self.erase), methods=["DELETE"]),
            Route("/api/shared/{token}/pictures/{id:int}", answered(self.shared), methods=["GET"]),
        ]

    async def give(self, request: Request) -> Response:
        """Take a picture's bytes, to be sent with a question; its `id`, `width` and `height`."""
        owner = (await self._who(request)).owner
        try:
            file = read_picture(await body(request, _BYTES))
        except IntegrityError as error:
            raise Refused(415, str(error), "no_picture") from error
        shown = await self._desk.writing(lambda c, now: pictures.add(c, owner, file, now))
        return JSONResponse(shown)

    async def one(self, request: Request) -> Response:
        """The file; with `download`, as one."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        file, name = await self._desk.reading(
            lambda c: (pictures.find(c, owner, id_), pictures.file_name(c, id_))
        )
        return _file(request, file, name, _NEVER_CHANGES)

    async def shared(self, request: Request) -> Response:
        """The same of a conversation that a link opens, to whoever is let in to the assistant."""
        await self._who(request)
        token, id_ = request.path_params["token"], request.path_params["id"]
        file, name = await self._desk.reading(
            lambda c: (sharing.shared_picture(c, token, id_), pictures.file_name(c, id_))
        )
        return _file(request, file, name, _MAY_BE_TAKEN_BACK)

    async def erase(self, request: Request) -> Response:
        """One that was not sent."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        await self._desk.writing(lambda c, _: pictures.erase_unsent(c, owner, id_))
        return Response(status_code=204)


def _file(request: Request, file: PictureFile, name: str, cached: str) -> Response:
    kind = "attachment" if "download" in request.query_params else "inline"
    about = {
        "Content-Disposition": f"{kind}; filename*=UTF-8''{quote(name)}",
        "Cache-Control": cached,
    }
    return Response(file.data, media_type=file.media_type, headers=_HEADERS | about)
