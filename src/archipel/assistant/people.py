"""Who asks: the one person of this machine, or whoever is logged in at the service."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request


@dataclass(frozen=True)
class Person:
    """`owner` is what their rows in the database carry; `projects` maps names to roles."""

    owner: str
    name: str
    role: str = "person"
    projects: Mapping[str, str] = field(default_factory=dict)


LOCAL = Person("local", "", "admin")
WhoAsks = Callable[[Request], Awaitable[Person]]  # raises Refused where nobody is logged in


async def alone(request: Request) -> Person:
    """On one's own machine there is no login."""
    return LOCAL
