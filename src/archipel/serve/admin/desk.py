"""How the admin page's endpoints work: who asks, what they may, one transaction for each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection
from starlette.requests import Request

from archipel.errors import ConfigError
from archipel.serve.accounts.people import Act, Person, may
from archipel.serve.admin.health import Ward
from archipel.serve.api_error import ApiError
from archipel.serve.body import read_body, wrong
from archipel.serve.login.door import Door

_BODY_SECONDS = 20.0
_Given = TypeVar("_Given", bound=BaseModel)
_Done = TypeVar("_Done")


@dataclass(frozen=True)
class Desk:
    """What the endpoints stand on. What reads much goes through `studies`, the same door with
    threads of its own, so that nobody waits for it to log in."""

    door: Door
    studies: Door
    ward: Ward
    currency: str

    async def person(self, request: Request, act: Act | None = None) -> Person:
        """Who asks; with `act`, only those who may do that in the whole installation.

        Raises:
            ApiError: nobody is logged in (401), or they may not (403).
        """
        person = await self.door.person_of(request)
        if act is not None and not may(person, act):
            raise forbidden(person)
        return person

    async def form(self, request: Request, fields: type[_Given]) -> tuple[Person, _Given]:
        """Who sends a form of the page, and what is in it.

        Raises:
            ApiError: a page of another site sends it (403), nobody is logged in (401), or a field
                is wrong (400).
        """
        self.door.check_form(request)
        person = await self.door.person_of(request)
        body = await read_body(request, _BODY_SECONDS)
        try:
            return person, fields.model_validate_json(body)
        except ValidationError as error:
            raise wrong(error) from None

    async def do(self, act: Callable[[Connection, float], _Done]) -> _Done:
        """Carry out an act: all of it, or nothing.

        Raises:
            ApiError: the accounts can't be written (503), or the act can't be (400).
        """
        try:
            return await self.door.writing(act)
        except ConfigError as error:
            raise ApiError(400, str(error), "invalid_value") from error


def forbidden(person: Person) -> ApiError:
    """For who may see something but not do this."""
    message = f"{person.name!r} may not do this. An administrator can change their role."
    return ApiError(403, message, "forbidden")


def not_found(what: str) -> ApiError:
    """For what is not there, or is of a project that the person is not in."""
    return ApiError(404, f"There is no such {what}.", "not_found")
