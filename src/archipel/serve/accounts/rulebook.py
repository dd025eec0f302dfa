"""Content rules in the database: whose they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select

from archipel.errors import ConfigError
from archipel.serve.accounts.tables import keys, organisations, projects, rules
from archipel.serve.rules import Rule, finder


def rules_of(connection: Connection, scopes: Mapping[str, int]) -> tuple[Rule, ...]:
    """The rules for a key: its own, its project's, its organisation's; by scope, whose id it is."""
    its = [and_(rules.c.scope == scope, rules.c.scope_id == id) for scope, id in scopes.items()]
    found = connection.execute(select(rules).where(or_(*its)).order_by(rules.c.id))
    return tuple(map(_rule, found))


@dataclass(frozen=True)
class Listed:
    """A rule and whom it holds for, as `limit` takes it."""

    rule: Rule
    whom: str


def list_rules(connection: Connection) -> list[Listed]:
    """All rules."""
    shown = {
        "organisation": select(organisations.c.id, organisations.c.name),
        "project": select(projects.c.id, projects.c.name),
        "key": select(keys.c.id, keys.c.prefix),
    }
    names = {
        (scope, id): f"{scope}:{name}"
        for scope, wanted in shown.items()
        for id, name in connection.execute(wanted)
    }
    found = connection.execute(select(rules).order_by(rules.c.name))
    return [Listed(_rule(row), names[row.scope, row.scope_id]) for row in found]


def add(connection: Connection, rule: Rule, scope: str, scope_id: int, now: float) -> None:
    """Let a rule hold.

    Raises:
        ConfigError: there is one of this name, or its expression is none.
    """
    finder(rule.kind, rule.match)
    if connection.execute(select(rules.c.id).where(rules.c.name == rule.name)).first():
        raise ConfigError(
            f"there is a rule {rule.name!r} already. Remove it, or take another name."
        )
    fields: dict[str, Any] = {"name": rule.name, "sides": list(rule.sides), "kind": rule.kind}
    whose = {"scope": scope, "scope_id": scope_id, "since": now}
    connection.execute(rules.insert().values(**fields, match=rule.match, act=rule.act, **whose))


def remove(connection: Connection, name: str) -> None:
    """Let a rule hold no more.

    Raises:
        ConfigError: there is none of this name.
    """
    if not connection.execute(rules.delete().where(rules.c.name == name)).rowcount:
        names = ", ".join(connection.execute(select(rules.c.name)).scalars()) or "none yet"
        raise ConfigError(f"there is no rule {name!r} ({names}).")


def _rule(row: Row[Any]) -> Rule:
    return Rule(row.name, tuple(row.sides), row.kind, row.match, row.act)
