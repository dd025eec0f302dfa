"""The admin page's endpoints that change something: each is an audited act of the person."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from archipel.serve.accounts.administer import NewKey, Office
from archipel.serve.accounts.people import Person, may
from archipel.serve.admin.desk import Desk, forbidden, not_found
from archipel.serve.admin.holdings import find_key
from archipel.serve.admin.sight import sight_of

Name = Annotated[str, Field(pattern=r"^[^\x00]{1,64}$")]  # PostgreSQL takes no NUL
_Limits = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=16)]
_Scopes = Annotated[list[Annotated[str, Field(min_length=1, max_length=128)]], Field(max_length=64)]


class Form(BaseModel):
    """What the page sends: these fields, of these types, and no others."""

    model_config = ConfigDict(extra="forbid", strict=True)


class NewProject(Form):
    """A project to be made."""

    name: Name
    organisation: Name


class KeyForm(Form):
    """A key to be made, for all models and endpoints where none is named, within limits."""

    name: Name
    project: Name
    models: _Scopes = []
    endpoints: _Scopes = []
    expires_days: float | None = None
    limits: _Limits = []


class LimitsForm(Form):
    """Limits to be set, as `requests/minute=60`; `=none` takes one away."""

    limits: _Limits


class ProjectLimitsForm(LimitsForm):
    """Limits of `project:NAME` or `organisation:NAME`."""

    whom: Annotated[str, Field(pattern=r"^(project|organisation):[^\x00]{1,64}$")]


class SupplierForm(Form):
    """A supplier, by its name in the settings."""

    name: Annotated[str, Field(min_length=1, max_length=128)]


class Nothing(Form):
    """A button was pressed."""


@dataclass(frozen=True)
class Acts:
    """The endpoints, on their desk."""

    desk: Desk

    async def add_project(self, request: Request) -> Response:
        """Make a project, and its organisation."""
        person, form = await self.desk.form(request, NewProject)
        if not may(person, "projects.add"):
            raise forbidden(person)
        return await self._do(person, lambda its: its.add_project(form.name, form.organisation))

    async def add_key(self, request: Request) -> Response:
        """Make a key; the only answer that has its secret."""
        person, form = await self.desk.form(request, KeyForm)
        _check_in_project(person, form.project)
        if not may(person, "keys.make", form.project):
            raise forbidden(person)
        if form.limits and not may(person, "limits.set", form.project):
            raise forbidden(person)
        new = NewKey(form.name, form.project, form.models, form.endpoints, form.expires_days)

        def make(its: Office) -> dict[str, str]:
            secret = its.add_key(new, self.desk.door.pepper)
            for limit in form.limits:
                its.set_limit(f"key:{secret[:13]}", limit)
            return {"secret": secret, "prefix": secret[:13]}

        return await self._do(person, make)

    async def revoke_key(self, request: Request) -> Response:
        """Take a key back."""
        person, _ = await self.desk.form(request, Nothing)

        def revoke(its: Office) -> None:
            key = self._key(its.connection, person, request.path_params["id"])
            if not may(person, "keys.revoke", key["project"]):
                raise forbidden(person)
            its.revoke_key(key["prefix"])

        return await self._do(person, revoke)

    async def limit_key(self, request: Request) -> Response:
        """Set limits of a key."""
        person, form = await self.desk.form(request, LimitsForm)

        def limit(its: Office) -> None:
            key = self._key(its.connection, person, request.path_params["id"])
            if not may(person, "limits.set", key["project"]):
                raise forbidden(person)
            for written in form.limits:
                its.set_limit(f"key:{key['prefix']}", written)

        return await self._do(person, limit)

    async def limit(self, request: Request) -> Response:
        """Set limits of a project or an organisation. What a manager has to keep within is not the
        manager's to set."""
        person, form = await self.desk.form(request, ProjectLimitsForm)
        if not may(person, "limits.set"):
            raise forbidden(person)

        def limit(its: Office) -> None:
            for written in form.limits:
                its.set_limit(form.whom, written)

        return await self._do(person, limit)

    async def drain(self, request: Request) -> Response:
        """Ask a supplier for nothing new."""
        return await self._route(request, lambda its, name: its.drain(name))

    async def undrain(self, request: Request) -> Response:
        """Let it be asked again."""
        return await self._route(request, lambda its, name: its.undo_drain(name))

    async def _route(self, request: Request, act: Callable[[Office, str], None]) -> Response:
        person, form = await self.desk.form(request, SupplierForm)
        if not may(person, "routes.change"):
            raise forbidden(person)
        if form.name not in self.desk.ward.directory.providers:
            raise not_found("supplier")
        return await self._do(person, lambda its: act(its, form.name))

    async def _do(self, person: Person, act: Callable[[Office], Any]) -> Response:
        done = await self.desk.do(
            lambda connection, now: act(Office(connection, person.actor, now))
        )
        return JSONResponse(done or {})

    def _key(self, connection: Connection, person: Person, id: int) -> dict[str, Any]:
        sight = sight_of(connection, person)
        found = find_key(connection, sight, id, self.desk.door.clock()) if id < 2**31 else None
        if found is None:
            raise not_found("key")
        return found


def _check_in_project(person: Person, project: str) -> None:
    """Whoever is not in a project is not told that it is there."""
    if not may(person, "projects.see", project):
        raise not_found("project")
