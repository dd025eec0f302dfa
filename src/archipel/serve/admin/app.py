"""The admin page under /admin: what it is made of, what it asks, what it may change."""

from importlib.resources import files

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from archipel.serve.admin.acts import Acts
from archipel.serve.admin.desk import Desk
from archipel.serve.admin.people_acts import PeopleActs
from archipel.serve.admin.reading import Reading

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class _SafeHeaders:
    """Adds `_HEADERS` to every response. What the page asks is never kept by the browser."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_asked = scope["path"].startswith("/admin/api/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers["Cache-Control"] = "no-store" if is_asked else "no-cache"
            await send(message)

        await self._app(scope, receive, send_with_headers)


def admin_page(desk: Desk) -> Mount:
    """The page and its endpoints. The page itself has no data: anybody may load it."""
    static = StaticFiles(directory=str(files(__package__) / "static"), html=True)
    return Mount(
        "/admin",
        routes=[*_reading(Reading(desk)), *_acts(Acts(desk), PeopleActs(desk)), Mount("/", static)],
        middleware=[Middleware(_SafeHeaders)],
    )


def _reading(reading: Reading) -> list[BaseRoute]:
    return [
        Route("/api/me", reading.me),
        Route("/api/projects", reading.projects),
        Route("/api/keys", reading.keys),
        Route("/api/keys/{id:int}", reading.key),
        Route("/api/usage", reading.usage),
        Route("/api/usage.csv", reading.report),
        Route("/api/routes", reading.routes),
        Route("/api/suppliers", reading.suppliers),
        Route("/api/models", reading.models),
        Route("/api/audit", reading.audit),
        Route("/api/audit/verified", reading.verified),
        Route("/api/people", reading.people),
    ]


def _acts(acts: Acts, people: PeopleActs) -> list[BaseRoute]:
    posts = {
        "/api/projects/new": acts.add_project,
        "/api/keys/new": acts.add_key,
        "/api/keys/{id:int}/revoke": acts.revoke_key,
        "/api/keys/{id:int}/limits": acts.limit_key,
        "/api/limits": acts.limit,
        "/api/suppliers/drain": acts.drain,
        "/api/suppliers/undrain": acts.undrain,
        "/api/people/new": people.add,
        "/api/people/password": people.set_password,
        "/api/people/disable": people.disable,
        "/api/people/enable": people.enable,
        "/api/people/role": people.set_role,
        "/api/people/join": people.join,
    }
    return [Route(path, endpoint, methods=["POST"]) for path, endpoint in posts.items()]
