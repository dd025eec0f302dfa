"""Projects, keys, limits and people as pages of what somebody may see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, tuple_

from archipel.serve.accounts.administer import written
from archipel.serve.accounts.limits import NANOS, Per, period, seconds_left
from archipel.serve.accounts.tables import (
    counters,
    keys,
    limits,
    memberships,
    organisations,
    people,
    projects,
)
from archipel.serve.admin.sight import Sight

PAGE = 50  # rows


@dataclass(frozen=True)
class Found:
    """One page of what was searched, and how many there are in all."""

    total: int
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class KeySearch:
    """Which keys: words in their names, their project, whether they open something now."""

    text: str = ""
    project: str | None = None
    state: str | None = None  # in_use, expired, revoked
    offset: int = 0


def find_projects(
    connection: Connection, sight: Sight, text: str, offset: int, now: float
) -> Found:
    """Projects by name, with their organisation, keys in use, and limits."""
    in_use = (
        select(func.count())
        .where(keys.c.project == projects.c.id, key_state("in_use", now))
        .scalar_subquery()
    )
    wanted = (
        select(
            projects.c.id,
            projects.c.name,
            projects.c.organisation.label("organisation_id"),
            organisations.c.name.label("organisation"),
            in_use.label("keys_in_use"),
        )
        .join(organisations, projects.c.organisation == organisations.c.id)
        .where(sight.of_projects(), _has(text, projects.c.name, organisations.c.name))
    )
    found = _page(connection, wanted, projects.c.name, offset)
    scopes = [("project", row.id) for row in found.rows]
    scopes += [("organisation", row.organisation_id) for row in found.rows]
    its = limits_of(connection, scopes, now)
    rows = [
        {
            "name": row.name,
            "organisation": row.organisation,
            "keys_in_use": row.keys_in_use,
            "limits": its.get(("project", row.id), []),
            "organisation_limits": its.get(("organisation", row.organisation_id), []),
        }
        for row in found.rows
    ]
    return Found(found.total, rows)


def find_keys(connection: Connection, sight: Sight, search: KeySearch, now: float) -> Found:
    """Keys, the newest first, without secrets."""
    wanted = _keys().where(
        sight.of_keys(), _has(search.text, keys.c.name, keys.c.prefix, projects.c.name)
    )
    if search.project is not None:
        wanted = wanted.where(projects.c.name == search.project)
    if search.state is not None:
        wanted = wanted.where(key_state(search.state, now))
    found = _page(connection, wanted, keys.c.id.desc(), search.offset)
    return Found(found.total, [_key(row, now) for row in found.rows])


def find_key(connection: Connection, sight: Sight, id: int, now: float) -> dict[str, Any] | None:
    """One key with all limits that hold for it; None if there is none that may be seen."""
    row = connection.execute(_keys().where(keys.c.id == id, sight.of_keys())).one_or_none()
    if row is None:
        return None
    scopes = [
        ("key", row.id),
        ("project", row.project_id),
        ("organisation", row.organisation_id),
    ]
    its = limits_of(connection, scopes, now)
    return _key(row, now) | {"limits": [limit for scope in scopes for limit in its.get(scope, [])]}


def find_people(connection: Connection, *, text: str, offset: int) -> Found:
    """People by name, the disabled too, with what they are in which projects and no secret."""
    shown = [column for column in people.c if column not in (people.c.password, people.c.subject)]
    wanted = select(*shown).where(_has(text, people.c.name, people.c.email))
    found = _page(connection, wanted, people.c.name, offset)
    its = (
        select(memberships.c.person, projects.c.name, memberships.c.role)
        .join(projects, memberships.c.project == projects.c.id)
        .where(memberships.c.person.in_([row.id for row in found.rows]))
        .order_by(projects.c.name)
    )
    in_projects: dict[int, dict[str, str]] = {row.id: {} for row in found.rows}
    for person, project, role in connection.execute(its):
        in_projects[person][project] = role
    rows = [{**row._mapping, "projects": in_projects[row.id]} for row in found.rows]
    return Found(found.total, rows)


def key_state(state: str, now: float) -> ColumnElement[bool]:
    """The condition that a key is in use, expired or revoked."""
    if state == "revoked":
        return keys.c.revoked.is_not(None)
    expired = and_(keys.c.revoked.is_(None), keys.c.expires <= now)
    lasts = or_(keys.c.expires.is_(None), keys.c.expires > now)
    return expired if state == "expired" else and_(keys.c.revoked.is_(None), lasts)


def limits_of(
    connection: Connection, scopes: Sequence[tuple[str, int]], now: float
) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """The limits of some keys, projects and organisations, with how much of each is used now."""
    its = tuple_(limits.c.scope, limits.c.scope_id).in_(sorted(set(scopes)))
    found = connection.execute(select(limits).where(its).order_by(limits.c.id)).all()
    periods = {period(per, now) for per in get_args(Per)}
    of_now = and_(
        counters.c.limit_id.in_([one.id for one in found]), counters.c.period.in_(periods)
    )
    used = {
        (row.limit_id, row.period): row.value
        for row in connection.execute(select(counters).where(of_now))
    }
    shown: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for one in found:
        value = used.get((one.id, period(one.per, now)), 0)
        limit = _limit(one, value, now)
        shown.setdefault((one.scope, one.scope_id), []).append(limit)
    return shown


def _limit(row: Row[Any], used: int, now: float) -> dict[str, Any]:
    unit = NANOS if row.what == "money" else 1
    return {
        "scope": row.scope,
        "what": row.what,
        "per": row.per,
        "amount": row.amount / unit,
        "used": used / unit,
        "written": written(row.what, row.per, row.amount),
        "resets_seconds": None if row.per == "moment" else seconds_left(row.per, now),
    }


def _keys() -> Select[Any]:
    return (
        select(
            *(column for column in keys.c if column not in (keys.c.digest, keys.c.person)),
            people.c.name.label("person"),
            projects.c.name.label("project_name"),
            projects.c.id.label("project_id"),
            organisations.c.name.label("organisation"),
            organisations.c.id.label("organisation_id"),
        )
        .join(projects, keys.c.project == projects.c.id)
        .join(organisations, projects.c.organisation == organisations.c.id)
        .outerjoin(people, keys.c.person == people.c.id)
    )


def _key(row: Row[Any], now: float) -> dict[str, Any]:
    state = "in_use"
    if row.revoked is not None:
        state = "revoked"
    elif row.expires is not None and row.expires <= now:
        state = "expired"
    shown = ("id", "name", "prefix", "models", "endpoints", "created", "expires", "revoked")
    return {name: getattr(row, name) for name in shown} | {
        "project": row.project_name,
        "organisation": row.organisation,
        "person": row.person,
        "state": state,
    }


@dataclass(frozen=True)
class _Rows:
    total: int
    rows: Sequence[Row[Any]]


def _page(connection: Connection, wanted: Select[Any], order: Any, offset: int) -> _Rows:
    total = connection.execute(select(func.count()).select_from(wanted.subquery())).scalar_one()
    page = wanted.order_by(order).limit(PAGE).offset(offset)
    return _Rows(total, connection.execute(page).all())


def _has(text: str, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(*(column.icontains(text, autoescape=True) for column in columns))
