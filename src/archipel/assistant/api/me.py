"""Who asks, and the way out."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from archipel.assistant.api.asked import Refused, answered
from archipel.assistant.people import LOCAL
from archipel.assistant.service_login import ServiceLogin, told


class Me:
    """Endpoints about oneself; without a `login` there is one person, who needs none."""

    def __init__(self, login: ServiceLogin | None) -> None:
        self._login = login

    def routes(self) -> list[BaseRoute]:
        """What the page calls."""
        return [
            Route("/api/me", answered(self.me)),
            Route("/api/logout", answered(self.log_out), methods=["POST"]),
        ]

    async def me(self, request: Request) -> Response:
        """Who is logged in, `person` null if nobody is, and where to log in, `login` null where
        there is no login."""
        if self._login is None:
            return JSONResponse(told(LOCAL, None))
        login = self._login.login_url(request)
        try:
            return JSONResponse(told(await self._login(request), login))
        except Refused as error:
            if error.status != 401:
                raise
            return JSONResponse(told(None, login))

    async def log_out(self, request: Request) -> Response:
        """The session is over, here and at the service."""
        response = Response(status_code=204)
        if self._login is not None:
            for cookie in await self._login.log_out(request):
                response.headers.append("set-cookie", cookie)
        return response
