"""The admin page's endpoints that change people: who there is, and what each may do."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from archipel.serve.accounts.passwords import hashed, new_password
from archipel.serve.accounts.people import Person, ProjectRole, Role, may
from archipel.serve.accounts.people_office import PeopleOffice
from archipel.serve.admin.acts import Form, Name
from archipel.serve.admin.desk import Desk, forbidden
from archipel.serve.api_error import ApiError


class NewPerson(Form):
    """Somebody who is to log in with a password."""

    name: Name
    email: Annotated[str, Field(max_length=254)] | None = None
    role: Role


class PersonForm(Form):
    """Somebody, by name."""

    name: Name


class RoleForm(PersonForm):
    """What somebody is to be in the whole installation."""

    role: Role


class JoinForm(PersonForm):
    """What somebody is to be in a project; null: nothing."""

    project: Name
    role: ProjectRole | None


@dataclass(frozen=True)
class PeopleActs:
    """The endpoints, on their desk. Nobody can lock themselves out."""

    desk: Desk

    async def add(self, request: Request) -> Response:
        """Let somebody log in; the only answer that has their password."""
        person, form = await self._form(request, NewPerson)
        password = new_password()
        kept = await asyncio.to_thread(hashed, password)  # some 60 ms
        await self._do(person, lambda its: its.add(form.name, form.role, form.email, kept))
        return JSONResponse({"password": password})

    async def set_password(self, request: Request) -> Response:
        """Give somebody another password; the only answer that has it."""
        person, form = await self._form(request, PersonForm)
        password = new_password()
        kept = await asyncio.to_thread(hashed, password)
        await self._do(person, lambda its: its.set_password(form.name, kept))
        return JSONResponse({"password": password})

    async def disable(self, request: Request) -> Response:
        """Let somebody and their keys in no more."""
        person, form = await self._form(request, PersonForm)
        _check_other(person, form.name)
        return await self._do(person, lambda its: its.disable(form.name))

    async def enable(self, request: Request) -> Response:
        """Let them in again."""
        person, form = await self._form(request, PersonForm)
        return await self._do(person, lambda its: its.undo_disable(form.name))

    async def set_role(self, request: Request) -> Response:
        """What somebody is in the whole installation."""
        person, form = await self._form(request, RoleForm)
        _check_other(person, form.name)
        return await self._do(person, lambda its: its.set_role(form.name, form.role))

    async def join(self, request: Request) -> Response:
        """What somebody is in a project."""
        person, form = await self._form(request, JoinForm)
        project, role = form.project, form.role
        if role is None:
            return await self._do(person, lambda its: its.leave(form.name, project))
        return await self._do(person, lambda its: its.join(form.name, project, role))

    async def _form(self, request: Request, fields: type[Any]) -> tuple[Person, Any]:
        person, form = await self.desk.form(request, fields)
        if not may(person, "people.change"):
            raise forbidden(person)
        return person, form

    async def _do(self, person: Person, act: Callable[[PeopleOffice], Any]) -> Response:
        await self.desk.do(lambda connection, now: act(PeopleOffice(connection, person.actor, now)))
        return JSONResponse({})


def _check_other(person: Person, name: str) -> None:
    """Refuse what would leave nobody who can undo it."""
    if person.name == name:
        message = "Nobody can take their own rights away. Ask another administrator."
        raise ApiError(400, message, "invalid_value", "name")
