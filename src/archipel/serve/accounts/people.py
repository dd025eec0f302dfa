"""People: who they are, what each may do, and who is found in the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, select

from archipel.errors import ConfigError
from archipel.serve.accounts.tables import memberships, people, projects

Role = Literal["admin", "auditor", "person"]  # in the whole installation
ProjectRole = Literal["manager", "member"]
Act = Literal[
    "keys.make",
    "keys.revoke",
    "keys.see",  # all of a project's
    "keys.see_own",
    "limits.set",
    "usage.see",  # all of a project's
    "usage.see_own",
    "projects.see",
    "projects.add",
    "people.see",
    "people.change",
    "routes.see",
    "routes.change",  # drain a supplier, shadow a route
    "audit.see",
]

_READS = frozenset[Act](
    (
        *("keys.see", "keys.see_own", "usage.see", "usage.see_own"),
        *("projects.see", "people.see", "routes.see", "audit.see"),
    )
)
_MEMBER = frozenset[Act](("projects.see", "keys.see_own", "usage.see_own"))
_MANAGER = _MEMBER | frozenset[Act](
    ("keys.make", "keys.revoke", "keys.see", "limits.set", "usage.see")
)
_IN_PROJECT: Mapping[ProjectRole, frozenset[Act]] = {"manager": _MANAGER, "member": _MEMBER}


@dataclass(frozen=True)
class Person:
    """Somebody who may log in; `projects` are those that they are in, by name."""

    id: int
    name: str
    email: str | None
    role: Role
    projects: Mapping[str, ProjectRole]

    @property
    def actor(self) -> str:
        """As the audit log names them: no name of the operating system looks so."""
        return f"person:{self.name}"


def read_role(text: str) -> Role:
    """A role in the installation.

    Raises:
        ConfigError: it is none.
    """
    if text not in get_args(Role):
        raise ConfigError(f"{text!r} is no role. Give admin, auditor or person.")
    return text  # type: ignore[return-value]


def read_project_role(text: str) -> ProjectRole:
    """A role in a project.

    Raises:
        ConfigError: it is none.
    """
    if text not in get_args(ProjectRole):
        raise ConfigError(f"{text!r} is no role in a project. Give manager or member.")
    return text  # type: ignore[return-value]


def may(person: Person, act: Act, project: str | None = None) -> bool:
    """Whether somebody may do something in a project, or with None in the whole installation.

    What is seen of one's own (`keys.see_own`, `usage.see_own`) is for the asker to narrow down.
    """
    if person.role == "admin":
        return True
    if person.role == "auditor" and act in _READS:
        return True
    its = person.projects.get(project) if project is not None else None
    return its is not None and act in _IN_PROJECT[its]


def person_by_id(connection: Connection, id: int) -> Person | None:
    """Who has this number, if they are not disabled."""
    return _find(connection, people.c.id == id)


def person_by_name(connection: Connection, name: str) -> Person | None:
    """Who has this name, if they are not disabled."""
    return _find(connection, people.c.name == name)


def person_by_subject(connection: Connection, issuer: str, subject: str) -> Person | None:
    """Whom an issuer of logins knows by this subject, if they are not disabled."""
    return _find(connection, (people.c.issuer == issuer) & (people.c.subject == subject))


def password_of(connection: Connection, name: str) -> str | None:
    """The hash of somebody's password; None if there is none, or they are disabled."""
    wanted = select(people.c.password).where(people.c.name == name, people.c.disabled.is_(None))
    return connection.execute(wanted).scalar()


def projects_of(connection: Connection, id: int) -> dict[str, ProjectRole]:
    """What a person is in which projects."""
    wanted = (
        select(projects.c.name, memberships.c.role)
        .join(projects, memberships.c.project == projects.c.id)
        .where(memberships.c.person == id)
        .order_by(projects.c.name)
    )
    return {row.name: row.role for row in connection.execute(wanted)}


def list_people(connection: Connection) -> list[Mapping[str, Any]]:
    """Everybody, the disabled too, with their projects and no secret."""
    shown = [column for column in people.c if column is not people.c.password]
    found = connection.execute(select(*shown).order_by(people.c.name)).mappings().all()
    return [{**row, "projects": projects_of(connection, row["id"])} for row in found]


def _find(connection: Connection, which: ColumnElement[bool]) -> Person | None:
    row = connection.execute(select(people).where(which, people.c.disabled.is_(None))).one_or_none()
    if row is None:
        return None
    return Person(row.id, row.name, row.email, row.role, projects_of(connection, row.id))
