"""The admin page's endpoints that show something; nothing here changes anything."""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, TextIO, get_args

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from archipel.errors import ConfigError, IntegrityError
from archipel.serve.accounts import audit
from archipel.serve.accounts.people import Act, Person, may
from archipel.serve.accounts.usage import Month, write_csv
from archipel.serve.admin.desk import Desk, not_found
from archipel.serve.admin.holdings import (
    PAGE,
    find_key,
    find_keys,
    find_people,
    find_projects,
)
from archipel.serve.admin.parameters import (
    LARGEST,
    asked_keys,
    asked_number,
    asked_text,
    asked_usage,
)
from archipel.serve.admin.series import series
from archipel.serve.admin.sight import sight_of
from archipel.serve.api_error import ApiError
from archipel.serve.dispatch import Dispatcher

_PIECE = 1 << 16


@dataclass(frozen=True)
class Reading:
    """The endpoints, on their desk."""

    desk: Desk

    async def me(self, request: Request) -> Response:
        """Who is logged in, and what they may do in the whole installation."""
        person = await self.desk.person(request)
        return JSONResponse(
            {
                "name": person.name,
                "role": person.role,
                "projects": dict(person.projects),
                "may": [act for act in get_args(Act) if may(person, act)],
                "manages": [name for name in person.projects if may(person, "keys.make", name)],
                "currency": self.desk.currency,
                "models": sorted(self.desk.ward.directory.policies),
                "endpoints": _endpoints(request),
            }
        )

    async def projects(self, request: Request) -> Response:
        """A page of projects."""
        person = await self.desk.person(request)
        query, now = request.query_params, self.desk.door.clock()
        text, offset = asked_text(query), asked_number(query, "offset", 0)
        found = await self.desk.door.reading(
            lambda connection: find_projects(
                connection, sight_of(connection, person), text=text, offset=offset, now=now
            )
        )
        return JSONResponse({"total": found.total, "page": PAGE, "projects": found.rows})

    async def keys(self, request: Request) -> Response:
        """A page of keys."""
        person = await self.desk.person(request)
        search, now = asked_keys(request.query_params), self.desk.door.clock()
        found = await self.desk.door.reading(
            lambda connection: find_keys(connection, sight_of(connection, person), search, now)
        )
        return JSONResponse({"total": found.total, "page": PAGE, "keys": found.rows})

    async def key(self, request: Request) -> Response:
        """A key with the limits that hold for it."""
        person, now = await self.desk.person(request), self.desk.door.clock()
        id = request.path_params["id"]
        if id >= LARGEST:
            raise not_found("key")
        found = await self.desk.door.reading(
            lambda connection: find_key(connection, sight_of(connection, person), id, now)
        )
        if found is None:
            raise not_found("key")
        its = found["project"]
        can = {"revoke": may(person, "keys.revoke", its), "limit": may(person, "limits.set", its)}
        return JSONResponse(found | {"may": can})

    async def usage(self, request: Request) -> Response:
        """What was used over some time."""
        person = await self.desk.person(request)
        wanted = asked_usage(request.query_params, self.desk.door.clock())
        found = await self.desk.studies.reading(
            lambda connection: series(connection, sight_of(connection, person), wanted)
        )
        return JSONResponse(asdict(found) | {"first": f"{wanted.first}", "last": f"{wanted.last}"})

    async def report(self, request: Request) -> Response:
        """Every request of a month as CSV, of what the person may see."""
        person = await self.desk.person(request)
        try:
            written = request.query_params.get("month", "")
            month = Month.of(written)
        except ConfigError as error:
            raise ApiError(400, str(error), "invalid_value", "month") from error
        file = await self.desk.studies.reading(
            lambda connection: _written(connection, month, person)
        )
        attached = {"Content-Disposition": f'attachment; filename="usage-{written}.csv"'}
        return StreamingResponse(_pieces(file), 200, attached, "text/csv")

    async def routes(self, request: Request) -> Response:
        """Public names with their targets."""
        await self.desk.person(request, "routes.see")
        return JSONResponse({"routes": self.desk.ward.routes(_dispatcher(request))})

    async def suppliers(self, request: Request) -> Response:
        """Providers and how they are."""
        await self.desk.person(request, "routes.see")
        return JSONResponse({"suppliers": self.desk.ward.suppliers(_dispatcher(request))})

    async def models(self, request: Request) -> Response:
        """The models that run here."""
        await self.desk.person(request, "routes.see")
        return JSONResponse({"models": self.desk.ward.models()})

    async def audit(self, request: Request) -> Response:
        """A page of the audit log, the newest first."""
        await self.desk.person(request, "audit.see")
        query = request.query_params
        text, before = asked_text(query), asked_number(query, "before", LARGEST)
        acts = await self.desk.door.reading(
            lambda connection: audit.newest(connection, before=before, text=text, most=PAGE + 1)
        )
        return JSONResponse({"acts": list(map(asdict, acts[:PAGE])), "more": len(acts) > PAGE})

    async def verified(self, request: Request) -> Response:
        """Whether the audit log is as it was written: every row is read."""
        await self.desk.person(request, "audit.see")
        return JSONResponse(await self.desk.studies.reading(_verified))

    async def people(self, request: Request) -> Response:
        """A page of people, each with what they are in which projects."""
        await self.desk.person(request, "people.see")
        query = request.query_params
        text, offset = asked_text(query), asked_number(query, "offset", 0)
        found = await self.desk.door.reading(
            lambda connection: find_people(connection, text=text, offset=offset)
        )
        return JSONResponse({"total": found.total, "page": PAGE, "people": found.rows})


def _endpoints(request: Request) -> list[str]:
    """Those of clients that a key may be for."""
    return [
        route.path.removeprefix("/v1/")
        for route in request.app.routes
        if isinstance(route, Route) and route.path.startswith("/v1/") and "{" not in route.path
    ]


def _written(connection: Connection, month: Month, person: Person) -> TextIO:
    """The report, in a file that is gone when it is closed."""
    file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="")  # noqa: SIM115 - given away
    try:
        write_csv(connection, month, file, sight_of(connection, person).of_usage())
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _pieces(file: TextIO) -> Iterator[str]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _verified(connection: Connection) -> dict[str, Any]:
    rows, digest = 0, None
    try:
        for act in audit.acts(connection):
            rows, digest = act.number, act.digest
    except IntegrityError as error:
        return {"whole": False, "rows": rows, "digest": digest, "problem": str(error)}
    return {"whole": True, "rows": rows, "digest": digest, "problem": None}


def _dispatcher(request: Request) -> Dispatcher:
    dispatcher: Dispatcher = request.state.dispatcher
    return dispatcher
