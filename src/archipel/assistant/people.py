"""Who asks: the one person of this machine, or whoever is logged in at the service."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request


@dataclass(frozen=True)
class Person:
    """`owner` is what their rows in the database carry; `projects` maps names to roles; `user` is
    who they are to the models' service. A role opens nothing of others' rows."""

    owner: str
    name: str
    role: str = "person"
    projects: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None


LOCAL = Person("local", "", "admin")
EDITORS = frozenset({"manager"})  # roles in a project whose people change what is shared with it
_COLON = "person:"  # before a name that is an owner of its own here
WhoAsks = Callable[[Request], Awaitable[Person]]  # raises Refused where nobody is logged in


async def alone(request: Request) -> Person:
    """On one's own machine there is no login."""
    return LOCAL


def person_of(told: Mapping[str, Any], key: str) -> Person:
    """Whom the service says is logged in; `key` is the assistant's own key of the service. Pure.

    Names are what is stable there: one to a person, never changed, never given to another. One
    that is `local` is written so as no name can be, with a colon.

    Raises:
        KeyError, TypeError: it says something else.
    """
    name, role, projects = told["name"], told["role"], told["projects"]
    if not isinstance(name, str) or not 0 < len(name) <= 64 or not isinstance(role, str):
        raise TypeError(f"no person is called {name!r}, {role!r}")
    owner = name if name != LOCAL.owner else f"{_COLON}{name}"
    its = {str(project): str(role) for project, role in projects.items()}
    return Person(owner, name, role, its, pseudonym(name, key))


def name_of(owner: str) -> str:
    """The name of whose rows carry this `owner`. Pure."""
    return owner.removeprefix(_COLON)


def pseudonym(name: str, key: str) -> str:
    """By what a supplier can tell one person from another, and not who it is; who has the key can:
    the first 32 hexadecimal digits of HMAC-SHA256 of the name. Pure."""
    return hmac.new(key.encode(), name.encode(), "sha256").hexdigest()[:32]
