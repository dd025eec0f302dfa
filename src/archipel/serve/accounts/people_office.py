"""What administrators do with people, and what a login does; each act audited."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select, text

from archipel.errors import ConfigError
from archipel.serve.accounts import audit, sessions
from archipel.serve.accounts.administer import check_name, project_by_name
from archipel.serve.accounts.people import (
    Person,
    ProjectRole,
    Role,
    person_by_id,
    person_by_subject,
    projects_of,
)
from archipel.serve.accounts.tables import memberships, people, projects

_NAME_CHARACTERS = 64
_EMAIL_CHARACTERS = 254


@dataclass(frozen=True)
class Arrival:
    """Who comes from an OpenID provider, and what its groups make of them; None: nothing."""

    issuer: str
    subject: str
    name: str
    email: str | None
    role: Role | None = None
    projects: Mapping[str, ProjectRole] | None = None


@dataclass(frozen=True)
class PeopleOffice:
    """Where acts are carried out: a transaction, by whom, when."""

    connection: Connection
    actor: str
    now: float

    def add(self, name: str, role: Role, email: str | None, hashed: str) -> int:
        """Somebody who logs in with a password; their number.

        Raises:
            ConfigError: the name or the address can't be used.
        """
        check_name(name)
        if email is not None and not (
            "@" in email and email.isprintable() and len(email) <= _EMAIL_CHARACTERS
        ):
            raise ConfigError(f"{email!r} is no email address.")
        if self._row(name) is not None:
            raise ConfigError(f"there is a person {name!r} already. Choose another name.")
        return self._add(name, role, email, password=hashed)

    def disable(self, name: str) -> None:
        """Log somebody out everywhere, and let neither them nor their keys in any more.

        Raises:
            ConfigError: there is nobody of this name, or they are disabled already.
        """
        row = self._known(name)
        if row.disabled is not None:
            raise ConfigError(f"{name!r} is disabled already. --undo lets them in again.")
        self._change(row.id, disabled=self.now)
        sessions.end_all(self.connection, row.id)
        self._record("person.disable", person=name)

    def undo_disable(self, name: str) -> None:
        """Let somebody and their keys in again.

        Raises:
            ConfigError: there is nobody of this name, or they are not disabled.
        """
        row = self._known(name)
        if row.disabled is None:
            raise ConfigError(f"{name!r} is not disabled.")
        self._change(row.id, disabled=None)
        self._record("person.undo_disable", person=name)

    def set_role(self, name: str, role: Role) -> None:
        """What somebody is in the whole installation. They are logged out everywhere.

        Raises:
            ConfigError: there is nobody of this name.
        """
        row = self._known(name)
        self._change(row.id, role=role)
        sessions.end_all(self.connection, row.id)
        self._record("person.role", person=name, role=role)

    def set_password(self, name: str, hashed: str) -> None:
        """Give somebody another password. They are logged out everywhere.

        Raises:
            ConfigError: there is nobody of this name, or they log in elsewhere.
        """
        row = self._known(name)
        if row.issuer is not None:
            raise ConfigError(f"{name!r} logs in at {row.issuer}: change the password there.")
        self._change(row.id, password=hashed)
        sessions.end_all(self.connection, row.id)
        self._record("person.password", person=name)

    def join(self, name: str, project: str, role: ProjectRole) -> None:
        """Let somebody into a project, or change what they are in it.

        Raises:
            ConfigError: there is nobody of this name, no such project.
        """
        row, its = self._known(name), project_by_name(self.connection, project)
        self.connection.execute(memberships.delete().where(_of(row.id, its.id)))
        fields = {"person": row.id, "project": its.id, "role": role}
        self.connection.execute(memberships.insert().values(fields))
        self._record("person.join", person=name, project=project, role=role)

    def leave(self, name: str, project: str) -> None:
        """Take somebody out of a project; their keys of it open nothing any more.

        Raises:
            ConfigError: there is nobody of this name, no such project, or they are not in it.
        """
        row, its = self._known(name), project_by_name(self.connection, project)
        gone = memberships.delete().where(_of(row.id, its.id))
        if not self.connection.execute(gone).rowcount:
            raise ConfigError(f"{name!r} is not in {project!r}.")
        self._record("person.leave", person=name, project=project)

    def add_first(self, hashed: str) -> bool:
        """`admin` with this password, if there is nobody yet; whether that was so."""
        self._alone()
        if self.connection.execute(select(func.count()).select_from(people)).scalar():
            return False
        self._add("admin", "admin", None, password=hashed)
        return True

    def come_in(self, arrival: Arrival) -> Person | None:
        """Who logs in at an OpenID provider: made at the first time, known by issuer and subject
        ever after, and given what its groups say. None: they are disabled.
        """
        self._alone()
        its = and_(people.c.issuer == arrival.issuer, people.c.subject == arrival.subject)
        row = self.connection.execute(select(people).where(its)).one_or_none()
        if row is not None and row.disabled is not None:
            return None
        if row is None:
            role = arrival.role or "person"
            named = {"issuer": arrival.issuer, "subject": arrival.subject}
            self._add(self._free_name(arrival), role, arrival.email, **named)
        else:
            self._change(row.id, email=arrival.email)
            if arrival.role is not None and arrival.role != row.role:
                self.set_role(row.name, arrival.role)
        found = person_by_subject(self.connection, arrival.issuer, arrival.subject)
        assert found is not None
        if arrival.projects is not None:
            self._set_projects(found, arrival.projects)
        return person_by_id(self.connection, found.id)

    def _set_projects(self, person: Person, wanted: Mapping[str, ProjectRole]) -> None:
        """Those that are there."""
        known = set(self.connection.execute(select(projects.c.name)).scalars())
        before = projects_of(self.connection, person.id)
        for project in before.keys() - wanted.keys():
            self.leave(person.name, project)
        for project, role in sorted(wanted.items()):
            if project in known and before.get(project) != role:
                self.join(person.name, project, role)

    def _free_name(self, arrival: Arrival) -> str:
        """As the provider names them, if nobody here has the name."""
        kept = "".join(sign for sign in arrival.name if sign.isprintable() and sign not in ":=")
        name = kept.strip()[:_NAME_CHARACTERS] or "somebody"
        if self._row(name) is None:
            return name
        mark = hashlib.sha256(f"{arrival.issuer} {arrival.subject}".encode()).hexdigest()[:8]
        return f"{name[: _NAME_CHARACTERS - 9]} {mark}"

    def _add(self, name: str, role: Role, email: str | None, **how: str) -> int:
        fields = {"name": name, "role": role, "email": email, "created": self.now, **how}
        inserted = self.connection.execute(people.insert().values(fields)).inserted_primary_key
        assert inserted is not None
        where = {"issuer": how["issuer"], "subject": how["subject"]} if "issuer" in how else {}
        self._record("person.add", person=name, role=role, email=email, **where)
        return int(inserted[0])

    def _change(self, id: int, **fields: object) -> None:
        self.connection.execute(people.update().where(people.c.id == id).values(fields))

    def _known(self, name: str) -> Row[Any]:
        row = self._row(name)
        if row is None:
            raise ConfigError(f"there is nobody called {name!r}. `archipel people list` shows all.")
        return row

    def _row(self, name: str) -> Row[Any] | None:
        return self.connection.execute(select(people).where(people.c.name == name)).one_or_none()

    def _alone(self) -> None:
        """Nobody else adds people until the transaction ends; in SQLite it is alone anyway."""
        if self.connection.dialect.name == "postgresql":
            self.connection.execute(text("LOCK TABLE people IN SHARE ROW EXCLUSIVE MODE"))

    def _record(self, act: str, **details: Any) -> None:
        audit.record(self.connection, self.now, self.actor, act, details)


def _of(person: int, project: int) -> Any:
    return and_(memberships.c.person == person, memberships.c.project == project)
