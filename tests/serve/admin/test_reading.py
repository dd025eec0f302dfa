"""What the admin page reads, in SQLite and PostgreSQL: usage over time, keys, who sees what."""

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, select

from archipel.database import Database
from archipel.errors import ConfigError
from archipel.serve.accounts import audit, books, keys
from archipel.serve.accounts.administer import NewKey, Office
from archipel.serve.accounts.books import Asked, Reservation, Took
from archipel.serve.accounts.limits import Need
from archipel.serve.accounts.people import Person
from archipel.serve.accounts.people_office import PeopleOffice
from archipel.serve.accounts.tables import projects
from archipel.serve.admin.holdings import KeySearch, find_key, find_keys, find_projects
from archipel.serve.admin.series import DRAWN, LISTED, Series, Wanted, series
from archipel.serve.admin.sight import Sight, sight_of

PEPPER = b"pepper"
DAY = date(2026, 11, 10)
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC).timestamp()
ALL = Sight(everything=True)


def add_key(connection: Connection, name: str, project: str = "site", **fields: Any) -> str:
    office = Office(connection, "tester", NOON)
    return office.add_key(NewKey(name, project, **fields), PEPPER)


def use(
    connection: Connection, secret: str, began: float, model: str = "chat", **took: Any
) -> None:
    """A request through the books."""
    key = keys.find(connection, keys.digest(secret, PEPPER), began)
    assert key is not None
    asked = Asked(key, "/chat/completions", model, Need(1000, 10**9))
    [reservation] = books.reserve(connection, [asked], "a worker", began)
    assert isinstance(reservation, Reservation)
    usual = {"outcome": "answered", "seconds": 1.0, "provider": "first", "prompt_tokens": 3}
    books.settle(connection, [(reservation, Took(**{**usual, **took}))])


def days(found: Series) -> list[str]:
    return [f"{datetime.fromtimestamp(begin, UTC):%m-%d}" for begin in found.begins]


def drawn(found: Series) -> dict[str | None, Sequence[float] | None]:
    return {group.name: group.steps for group in found.groups}


def test_usage_is_summed_by_day_and_group(accounts: Database) -> None:
    with accounts.writing() as connection:
        secret = add_key(connection, "k")
        for began, model, took in (
            (NOON - 86400, "chat", {"nanos": 2 * 10**9}),
            (NOON, "chat", {"completion_tokens": 4}),
            (NOON, "code", {"outcome": "failed", "prompt_tokens": 0, "provider": None}),
            (datetime(2026, 11, 10, 0, tzinfo=UTC).timestamp(), "code", {}),
            (datetime(2026, 11, 11, 0, tzinfo=UTC).timestamp(), "code", {}),  # the day after
        ):
            use(connection, secret, began, model, **took)
    with accounts.reading() as connection:
        found = series(connection, ALL, Wanted(date(2026, 11, 8), DAY))
        assert days(found) == ["11-08", "11-09", "11-10"]
        assert drawn(found) == {"chat": [0, 1, 1], "code": [0, 0, 2]}
        assert found.all == {
            **{"requests": 4, "failed": 1, "prompt_tokens": 9, "completion_tokens": 4},
            **{"tokens": 13, "cost": 2.0},
        }
        cost = series(connection, ALL, Wanted(DAY, DAY, by="provider", measure="cost"))
        assert (cost.step, len(cost.begins)) == (3600, 24)
        by_outcome = Wanted(date(2026, 8, 1), DAY, by="outcome", measure="tokens")
        weeks = series(connection, ALL, by_outcome)
        assert weeks.step == 7 * 86400
        assert [(group.name, group.sums["tokens"]) for group in weeks.groups] == [
            ("answered", 13),
            ("failed", 0),
        ]
        nothing = series(connection, ALL, Wanted(DAY, DAY, project="nowhere"))
        assert (nothing.groups, nothing.all["requests"]) == ([], 0)
    with pytest.raises(ConfigError, match="can't be shown"):
        Wanted(DAY, date(2026, 11, 9))


def test_of_many_groups_the_largest_are_drawn_and_none_is_lost(accounts: Database) -> None:
    count = LISTED + 5
    with accounts.writing() as connection:
        for number in range(count):
            secret = add_key(connection, f"k{number}")
            for _ in range(2 if number == 20 else 1):
                use(connection, secret, NOON)
    with accounts.reading() as connection:
        found = series(connection, ALL, Wanted(DAY, date(2026, 11, 12), by="key"))
    assert str(found.groups[0].name).startswith("k20 · arch-")
    assert [group.steps is not None for group in found.groups] == [True] * DRAWN + [False] * (
        LISTED - DRAWN
    )
    assert (found.rest_groups, found.rest and found.rest.sums["requests"]) == (5, 5)
    steps = [group.steps for group in [*found.groups, found.rest] if group and group.steps]
    assert [sum(numbers) for numbers in zip(*steps, strict=True)] == [count + 1, 0, 0]


def _person(connection: Connection, role: str, **its: str) -> Person:
    name = f"{role} of {', '.join(its) or 'all'}"
    office = PeopleOffice(connection, "tester", NOON)
    id = office.add(name, "person" if its else role, None, "no password")  # type: ignore[arg-type]
    for project, in_it in its.items():
        office.join(name, project, in_it)  # type: ignore[arg-type]
    return Person(id, name, None, "person" if its else role, its)  # type: ignore[arg-type]


def test_everybody_sees_what_is_theirs(accounts: Database) -> None:
    with accounts.writing() as connection:
        Office(connection, "tester", NOON).add_project("other", "others")
        member = _person(connection, "person", site="member")
        manager = _person(connection, "person", other="manager", site="member")
        auditor, nobody = _person(connection, "auditor"), _person(connection, "person")
        names = {
            add_key(connection, "site's"): 1,
            add_key(connection, "member's", person=member.name): 2,
            add_key(connection, "other's", "other"): 4,
        }
        for secret, requests in names.items():
            for _ in range(requests):
                use(connection, secret, NOON)
        seen = {}
        for person in (member, manager, auditor, nobody):
            sight = sight_of(connection, person)
            found = find_keys(connection, sight, KeySearch(), NOON).rows
            used = series(connection, sight, Wanted(DAY, DAY)).all["requests"]
            its = find_projects(connection, sight, text="", offset=0, now=NOON).rows
            seen[person.name] = {one["name"] for one in found}, used, [one["name"] for one in its]
        assert seen[member.name] == ({"member's"}, 2, ["site"])
        assert seen[manager.name] == ({"other's"}, 4, ["other", "site"])
        assert seen[auditor.name] == ({"site's", "member's", "other's"}, 7, ["other", "site"])
        assert seen[nobody.name] == (set(), 0, [])
        hidden = find_keys(connection, ALL, KeySearch("site's"), NOON).rows[0]["id"]
        assert find_key(connection, sight_of(connection, manager), hidden, NOON) is None


def test_keys_are_searched_as_they_are_written(accounts: Database) -> None:
    with accounts.writing() as connection:
        lasting, short, gone, odd = (
            add_key(connection, "Lasting"),
            add_key(connection, "short", expires_days=1),
            add_key(connection, "gone"),
            add_key(connection, "100%_of\\it"),
        )
        Office(connection, "tester", NOON).revoke_key(gone[:13])

        def found(now: float = NOON, **search: Any) -> set[str]:
            rows = find_keys(connection, ALL, KeySearch(**search), now).rows
            return {row["prefix"] for row in rows}

        assert found() == {one[:13] for one in (lasting, short, gone, odd)}
        assert found(text="lasTING") == found(text=lasting[4:12]) == {lasting[:13]}
        assert found(text="%") == found(text="_of\\") == {odd[:13]}
        assert found(state="in_use") == {lasting[:13], short[:13], odd[:13]}
        assert found(NOON + 86401, state="expired") == {short[:13]}
        assert found(state="revoked") == {gone[:13]}
        assert found(project="nowhere") == set()


def test_limits_say_how_much_of_them_is_used_now(accounts: Database) -> None:
    with accounts.writing() as connection:
        secret = add_key(connection, "k")
        office = Office(connection, "tester", NOON)
        office.set_limit(f"key:{secret[:13]}", "tokens/day=10000")
        office.set_limit("project:site", "money/month=20.50")
        office.set_limit("organisation:ours", "requests/minute=5")
        use(connection, secret, NOON - 90, nanos=5 * 10**8)
        use(connection, secret, NOON, completion_tokens=4)
        [row] = find_keys(connection, ALL, KeySearch(), NOON).rows
        key = find_key(connection, ALL, row["id"], NOON)
        assert key is not None
        assert [(one["scope"], one["used"], one["amount"]) for one in key["limits"]] == [
            ("key", 10, 10000),
            ("project", 0.5, 20.5),
            ("organisation", 1, 5),
        ]
        assert key["limits"][0]["resets_seconds"] == 12 * 3600
        [project] = find_projects(connection, ALL, text="SIT", offset=0, now=NOON).rows
        assert project["keys_in_use"] == 1
        assert [one["written"] for one in project["limits"]] == ["money/month=20.5"]
        tomorrow = find_key(connection, ALL, row["id"], NOON + 86400)
        assert tomorrow is not None
        assert [one["used"] for one in tomorrow["limits"]] == [0, 0.5, 0]


def test_the_audit_log_is_read_from_its_end(accounts: Database) -> None:
    with accounts.writing() as connection:
        for number in range(5):
            Office(connection, f"person:{number}", time.time()).add_project(f"p{number}", "ours")

        def numbers(before: int = 100, text: str = "", most: int = 50) -> list[int]:
            return [
                act.number for act in audit.newest(connection, before=before, text=text, most=most)
            ]

        assert numbers() == [6, 5, 4, 3, 2, 1]
        assert numbers(most=2) == [6, 5]
        assert numbers(before=5, most=2) == [4, 3]
        assert numbers(text="PERSON:3") == [5]
        assert numbers(text='"p2"') == [4]
        assert connection.execute(select(projects.c.id)).all()
