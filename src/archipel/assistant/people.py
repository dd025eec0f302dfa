"""Who asks: the one person of this machine, or whoever is logged in at the service."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request


@dataclass(frozen=True)
class Person:
    """`owner` is what their rows in the database carry; `projects` maps names to roles. A role
    opens nothing of others' rows."""

    owner: str
    name: str
    role: str = "person"
    projects: Mapping[str, str] = field(default_factory=dict)


LOCAL = Person("local", "", "admin")
WhoAsks = Callable[[Request], Awaitable[Person]]  # raises Refused where nobody is logged in


async def alone(request: Request) -> Person:
    """On one's own machine there is no login."""
    return LOCAL


def person_of(told: Mapping[str, Any]) -> Person:
    """Whom the service says is logged in. Pure.

    Names are what is stable there: one to a person, never changed, never given to another. One
    that is `local` is written so as no name can be, with a colon.

    Raises:
        KeyError, TypeError: it says something else.
    """
    name, role, projects = told["name"], told["role"], told["projects"]
    if not isinstance(name, str) or not 0 < len(name) <= 64 or not isinstance(role, str):
        raise TypeError(f"no person is called {name!r}, {role!r}")
    owner = name if name != LOCAL.owner else f"person:{name}"
    return Person(owner, name, role, {str(one): str(its) for one, its in projects.items()})
