"""What administrators do: organisations, projects, keys and limits, each act audited."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from sqlalchemy import Connection, Row, Table, and_, or_, select

from archipel.errors import ConfigError
from archipel.serve.accounts import audit, rulebook
from archipel.serve.accounts.keys import digest, new_secret, prefix
from archipel.serve.accounts.limits import NANOS, Per, What
from archipel.serve.accounts.people import person_by_name
from archipel.serve.accounts.tables import (
    drains,
    keys,
    limits,
    organisations,
    people,
    projects,
    shadows,
)
from archipel.serve.rules import Rule
from archipel.serve.shadow import Shadow

_NAME = re.compile(r"[^\x00-\x1f\x7f:=]{1,64}")
_LIMIT = re.compile(r"(?P<what>[a-z]+)(/(?P<per>[a-z]+))?=(?P<amount>[0-9]+(\.[0-9]{1,9})?|none)")
_DAY_SECONDS = 24 * 3600
_LARGEST = 2**62


@dataclass(frozen=True)
class Office:
    """Where acts are carried out: a transaction, by whom, when."""

    connection: Connection
    actor: str
    now: float

    def add_project(self, name: str, organisation: str) -> None:
        """A project, and its organisation if there is none of this name.

        Raises:
            ConfigError: a name can't be used or the project is there.
        """
        check_name(name)
        check_name(organisation)
        if _by_name(self.connection, projects, name) is not None:
            raise ConfigError(f"there is a project {name!r} already. Choose another name.")
        owner = _by_name(self.connection, organisations, organisation)
        owner_id = owner.id if owner is not None else self._insert(organisations, name=organisation)
        self._insert(projects, name=name, organisation=owner_id)
        self._record("project.add", project=name, organisation=organisation)

    def add_key(self, key: "NewKey", pepper: bytes) -> str:
        """A key for a project; gives its secret, which is nowhere else.

        Raises:
            ConfigError: the name can't be used, there is no such project, or its person is not
                in it.
        """
        check_name(key.name)
        project = project_by_name(self.connection, key.project)
        person = self._owner(key)
        if key.expires_days is not None and not 0 < key.expires_days <= 36_500:
            raise ConfigError(f"{key.expires_days:g} days is no time for a key to be good.")
        seconds = None if key.expires_days is None else key.expires_days * _DAY_SECONDS
        secret = new_secret()
        fields = {
            "name": key.name,
            "models": list(key.models) or None,
            "endpoints": [f"/{endpoint.strip('/')}" for endpoint in key.endpoints] or None,
            "expires": None if seconds is None else self.now + seconds,
            "prefix": prefix(secret),
        }
        its = {"project": project.id, "person": person, "created": self.now}
        id = self._insert(keys, digest=digest(secret, pepper), **its, **fields)
        self._record("key.add", key=id, project=key.project, person=key.person, **fields)
        return secret

    def revoke_key(self, shown: str) -> None:
        """From now on the key opens nothing.

        Raises:
            ConfigError: not exactly one key that is not revoked begins so.
        """
        key = _key(self.connection, shown)
        change = keys.update().where(keys.c.id == key.id).values(revoked=self.now)
        self.connection.execute(change)
        self._record("key.revoke", key=key.id, prefix=key.prefix)

    def set_limit(self, whom: str, limit: str) -> None:
        """Limit a key, a project or an organisation; written as `requests/minute=60`,
        `tokens/day=1000000`, `money/month=20.50`, `concurrent=8`; `=none` takes a limit away.

        Raises:
            ConfigError: it is written in another way, or there is nobody of this name.
        """
        what, per, amount = parse_limit(limit)
        scope, scope_id = self._scope(whom)
        its = and_(
            limits.c.scope == scope,
            limits.c.scope_id == scope_id,
            limits.c.what == what,
            limits.c.per == per,
        )
        if amount is None:
            self.connection.execute(limits.delete().where(its))
        elif not self.connection.execute(limits.update().where(its).values(amount=amount)).rowcount:
            fields = {"scope": scope, "scope_id": scope_id, "what": what, "per": per}
            self._insert(limits, **fields, amount=amount)
        self._record("limit.set", whom=whom, what=what, per=per, amount=amount)

    def drain(self, provider: str) -> None:
        """Ask a provider for nothing new; what it is answering goes on.

        Raises:
            ConfigError: it is drained already.
        """
        if provider in drained(self.connection):
            raise ConfigError(f"{provider!r} is drained already. --undo lets it be asked again.")
        self.connection.execute(drains.insert().values(provider=provider, since=self.now))
        self._record("provider.drain", provider=provider)

    def undo_drain(self, provider: str) -> None:
        """Let a provider be asked again.

        Raises:
            ConfigError: it is not drained.
        """
        gone = drains.delete().where(drains.c.provider == provider)
        if not self.connection.execute(gone).rowcount:
            names = ", ".join(drained(self.connection)) or "none is"
            raise ConfigError(f"{provider!r} is not drained ({names}).")
        self._record("provider.undo_drain", provider=provider)

    def shadow(self, route: str, candidate: str, share: float) -> None:
        """Ask a candidate a share of what a route is asked, from now on.

        Raises:
            ConfigError: the share is not between 0 and 1, or the candidate is the route itself.
        """
        if not 0 < share <= 1:
            raise ConfigError(f"--share {share}: give more than 0 and at most 1.")
        if candidate == route:
            raise ConfigError(f"{route!r} can't be its own candidate. Name another route.")
        self.connection.execute(shadows.delete().where(shadows.c.route == route))
        fields = {"route": route, "candidate": candidate, "share": share}
        self.connection.execute(shadows.insert().values(**fields, since=self.now))
        self._record("route.shadow", **fields)

    def stop_shadow(self, route: str) -> None:
        """Ask the candidate no more. The comparisons stay.

        Raises:
            ConfigError: the route is not shadowed.
        """
        if not self.connection.execute(shadows.delete().where(shadows.c.route == route)).rowcount:
            names = ", ".join(shadowed(self.connection)) or "none is"
            raise ConfigError(f"{route!r} is not shadowed ({names}).")
        self._record("route.stop_shadow", route=route)

    def _owner(self, key: "NewKey") -> int | None:
        if key.person is None:
            return None
        owner = person_by_name(self.connection, key.person)
        if owner is None or not (owner.role == "admin" or key.project in owner.projects):
            raise ConfigError(
                f"{key.person!r} is nobody in {key.project!r}. "
                "`archipel people join NAME PROJECT` lets somebody in."
            )
        return owner.id

    def add_rule(self, rule: Rule, whom: str) -> None:
        """Let a content rule hold for a key, a project or an organisation.

        Raises:
            ConfigError: its name can't be used, its expression is none, or there is nobody of this
                name.
        """
        check_name(rule.name)
        scope, scope_id = self._scope(whom)
        rulebook.add(self.connection, rule, scope, scope_id, self.now)
        what = {"sides": list(rule.sides), rule.kind: rule.match, "do": rule.act}
        self._record("rule.add", rule=rule.name, whom=whom, **what)

    def remove_rule(self, name: str) -> None:
        """Let a content rule hold no more.

        Raises:
            ConfigError: there is none of this name.
        """
        rulebook.remove(self.connection, name)
        self._record("rule.remove", rule=name)

    def project(self, name: str) -> int:
        """The id of a project.

        Raises:
            ConfigError: there is no such project.
        """
        return int(project_by_name(self.connection, name).id)

    def record(self, act: str, **details: Any) -> None:
        """Put an act that is carried out elsewhere in this transaction into the audit log."""
        self._record(act, **details)

    def _scope(self, whom: str) -> tuple[str, int]:
        kind, _, name = whom.partition(":")
        if kind == "project":
            return kind, project_by_name(self.connection, name).id
        if kind == "organisation":
            found = _by_name(self.connection, organisations, name)
            if found is None:
                raise ConfigError(f"there is no organisation {name!r}.")
            return kind, found.id
        if kind == "key":
            return kind, _key(self.connection, name).id
        raise ConfigError(
            f"{whom!r} is nobody. Write key:arch-…, project:NAME or organisation:NAME."
        )

    def _insert(self, table: Table, **fields: Any) -> int:
        inserted = self.connection.execute(table.insert().values(fields)).inserted_primary_key
        assert inserted is not None
        return int(inserted[0])

    def _record(self, act: str, **details: Any) -> None:
        audit.record(self.connection, self.now, self.actor, act, details)


@dataclass(frozen=True)
class NewKey:
    """A key that is to be made: for all models and endpoints where none is named."""

    name: str
    project: str
    models: Sequence[str] = ()
    endpoints: Sequence[str] = ()
    expires_days: float | None = None
    person: str | None = None  # whose it is: it stops with them


def parse_limit(text: str) -> tuple[What, Per, int | None]:
    """What is limited, per what, and the amount (money in nanos), or None for no limit.

    Raises:
        ConfigError: it is written in another way.
    """
    found = _LIMIT.fullmatch(text)
    if found is None or found["what"] not in get_args(What):
        raise _not_a_limit(text)
    what: What = found["what"]  # type: ignore[assignment]
    per = found["per"] or ("moment" if what == "concurrent" else "")
    if per not in get_args(Per) or (what == "concurrent") != (per == "moment"):
        raise _not_a_limit(text)
    return what, per, _amount(text, what, found["amount"])  # type: ignore[return-value]


def _amount(text: str, what: What, amount: str) -> int | None:
    if amount == "none":
        return None
    whole, _, fraction = amount.partition(".")
    if fraction and what != "money":
        raise _not_a_limit(text)
    number = int(whole) * NANOS + int(fraction.ljust(9, "0")) if what == "money" else int(whole)
    if number > _LARGEST:
        raise ConfigError(f"{text!r} is too much. Take the limit away with {what}…=none.")
    return number


def drained(connection: Connection) -> list[str]:
    """The providers that are asked for nothing new."""
    return list(connection.execute(select(drains.c.provider).order_by(drains.c.provider)).scalars())


def shadowed(connection: Connection) -> dict[str, Shadow]:
    """The routes of which a candidate is asked a share, by name."""
    found = connection.execute(select(shadows).order_by(shadows.c.route))
    return {row.route: Shadow(row.candidate, row.share) for row in found}


def list_keys(connection: Connection) -> list[Mapping[str, Any]]:
    """All keys with their project and organisation, and no secret."""
    wanted = (
        select(
            *(column for column in keys.c if column is not keys.c.digest),
            projects.c.name.label("project_name"),
            projects.c.organisation,
            organisations.c.name.label("organisation_name"),
            people.c.name.label("person_name"),
        )
        .join(projects, keys.c.project == projects.c.id)
        .join(organisations, projects.c.organisation == organisations.c.id)
        .outerjoin(people, keys.c.person == people.c.id)
        .order_by(keys.c.id)
    )
    return [dict(row) for row in connection.execute(wanted).mappings()]


def limits_of(connection: Connection, key: Mapping[str, Any]) -> list[str]:
    """The limits that hold for one of `list_keys`, as they are written, each with whose it is."""
    scopes = {"key": key["id"], "project": key["project"], "organisation": key["organisation"]}
    its = [and_(limits.c.scope == scope, limits.c.scope_id == id) for scope, id in scopes.items()]
    found = connection.execute(select(limits).where(or_(*its)).order_by(limits.c.id))
    return [f"{one.scope}: {written(one.what, one.per, one.amount)}" for one in found]


def written(what: What, per: Per, amount: int) -> str:
    """A limit as `parse_limit` reads it."""
    if what == "money":
        return f"money/{per}={amount // NANOS}.{amount % NANOS:09d}".rstrip("0").rstrip(".")
    return f"concurrent={amount}" if what == "concurrent" else f"{what}/{per}={amount}"


def project_by_name(connection: Connection, name: str) -> Row[Any]:
    """The project's row.

    Raises:
        ConfigError: there is none of this name.
    """
    found = _by_name(connection, projects, name)
    if found is None:
        names = ", ".join(connection.execute(select(projects.c.name)).scalars()) or "none yet"
        raise ConfigError(
            f"there is no project {name!r} ({names}). `archipel keys project NAME` adds one."
        )
    return found


def _key(connection: Connection, shown: str) -> Row[Any]:
    wanted = select(keys).where(keys.c.revoked.is_(None), keys.c.prefix == shown)
    found = connection.execute(wanted).all()
    if len(found) != 1:
        raise ConfigError(
            f"{len(found)} keys in use begin with {shown!r}. `archipel keys list` shows them."
        )
    return found[0]


def _by_name(connection: Connection, table: Table, name: str) -> Row[Any] | None:
    return connection.execute(select(table).where(table.c.name == name)).one_or_none()


def check_name(name: str) -> None:
    """Refuse what can't be a name.

    Raises:
        ConfigError: it is empty, over 64 characters, or has signs with a meaning.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no name. Take 1 to 64 characters without colons and equals signs."
        )


def _not_a_limit(text: str) -> ConfigError:
    return ConfigError(
        f"{text!r} is no limit. Write for example requests/minute=60, tokens/day=1000000, "
        "money/month=20.50 or concurrent=8; `none` as the amount takes it away."
    )
