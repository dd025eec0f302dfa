"""People: what each may do; acts of administrators; keys that are a person's; waiting."""

import itertools
import time
from collections.abc import Callable
from typing import get_args

import pytest
from sqlalchemy import Connection

from archipel.database import Database
from archipel.errors import ConfigError
from archipel.serve.accounts import attempts, audit, keys, sessions, usage
from archipel.serve.accounts.administer import NewKey, Office, list_keys
from archipel.serve.accounts.passwords import hashed, matches
from archipel.serve.accounts.people import (
    Act,
    Person,
    Role,
    list_people,
    may,
    person_by_name,
)
from archipel.serve.accounts.people_office import Arrival, PeopleOffice
from archipel.serve.accounts.sessions import Stay
from tests.serve.accounts.conftest import PEPPER

_SEES = {"keys.see", "keys.see_own", "usage.see", "usage.see_own", "projects.see"}
_ALL_SEEN = _SEES | {"people.see", "routes.see", "audit.see"}
_OWN = {"projects.see", "keys.see_own", "usage.see_own"}
_MANAGED = _SEES | {"keys.make", "keys.revoke", "limits.set"}
_PLACES = (None, "managed", "joined", "foreign")
_STAY = Stay(1000, 100)


@pytest.mark.parametrize("role", get_args(Role))
def test_what_each_role_may_do_where(role: Role) -> None:
    person = Person(1, "p", None, role, {"managed": "manager", "joined": "member"})
    assert set(get_args(Act)) > _ALL_SEEN | _MANAGED
    for act, place in itertools.product(get_args(Act), _PLACES):
        by_project = {"managed": _MANAGED, "joined": _OWN}.get(str(place), set())
        by_role = {"admin": set(get_args(Act)), "auditor": _ALL_SEEN, "person": set()}[role]
        assert may(person, act, place) == (act in by_role | by_project), (act, place)


def _office(connection: Connection) -> PeopleOffice:
    return PeopleOffice(connection, "tester", 1.0)


def test_an_administrators_acts_are_done_and_audited(accounts: Database) -> None:
    with accounts.writing() as connection:
        office = _office(connection)
        office.add("marie", "person", "marie@example.com", "hash")
        office.join("marie", "site", "member")
        office.join("marie", "site", "manager")
        found = person_by_name(connection, "marie")
        assert found is not None
        assert (found.role, found.projects) == ("person", {"site": "manager"})
        token = sessions.begin(connection, found.id, PEPPER, 5, _STAY)
        assert sessions.find(connection, token, PEPPER, 6, _STAY)
        office.set_role("marie", "auditor")
        assert sessions.find(connection, token, PEPPER, 6, _STAY) is None
        office.set_password("marie", "other")
        office.disable("marie")
        assert person_by_name(connection, "marie") is None
        (shown,) = list_people(connection)
        assert "password" not in shown
        assert shown["disabled"] == 1.0
        office.undo_disable("marie")
        office.leave("marie", "site")
        found = person_by_name(connection, "marie")
        assert found is not None
        assert (found.role, found.projects) == ("auditor", {})
        acts = [(act.actor, act.act) for act in audit.acts(connection)][1:]
        told = repr([act.details for act in audit.acts(connection)])
    assert acts == [
        ("tester", f"person.{what}")
        for what in (
            *("add", "join", "join", "role", "password", "disable", "undo_disable", "leave"),
        )
    ]
    assert "hash" not in told


def test_what_can_not_be_done_is_said(accounts: Database) -> None:
    wrong: list[tuple[Callable[[PeopleOffice], object], str]] = [
        (lambda office: office.add("marie", "person", None, "h"), "already"),
        (lambda office: office.add("a:b", "person", None, "h"), "is no name"),
        (lambda office: office.add("x", "person", "no address", "h"), "no email address"),
        (lambda office: office.join("nobody", "site", "member"), "nobody called"),
        (lambda office: office.join("marie", "nowhere", "member"), "no project"),
        (lambda office: office.leave("marie", "site"), "is not in"),
        (lambda office: office.undo_disable("marie"), "is not disabled"),
        (lambda office: office.set_role("nobody", "admin"), "nobody called"),
    ]
    with accounts.writing() as connection:
        _office(connection).add("marie", "person", None, "h")
        for act, said in wrong:
            with pytest.raises(ConfigError, match=said):
                act(_office(connection))


def test_a_persons_key_stops_with_them(accounts: Database) -> None:
    def opens() -> bool:
        with accounts.reading() as connection:
            return keys.find(connection, keys.digest(secret, PEPPER), 2.0) is not None

    with accounts.writing() as connection:
        office = _office(connection)
        office.add("marie", "person", None, "h")
        key = NewKey("k", "site", person="marie")
        with pytest.raises(ConfigError, match="people join"):
            Office(connection, "tester", 1.0).add_key(key, PEPPER)
        office.join("marie", "site", "member")
        secret = Office(connection, "tester", 1.0).add_key(key, PEPPER)
        assert [key["person_name"] for key in list_keys(connection)] == ["marie"]
    for stop, undo in (
        (lambda its: its.disable("marie"), lambda its: its.undo_disable("marie")),
        (lambda its: its.leave("marie", "site"), lambda its: its.join("marie", "site", "member")),
    ):
        assert opens()
        with accounts.writing() as connection:
            stop(_office(connection))
        assert not opens()
        with accounts.writing() as connection:
            undo(_office(connection))
    assert opens()


def test_usage_is_by_person(accounts: Database) -> None:
    from archipel.serve.accounts import books
    from archipel.serve.accounts.limits import Need

    now = time.time()
    with accounts.writing() as connection:
        _office(connection).add("marie", "admin", None, "h")
        for person in ("marie", None):
            office = Office(connection, "tester", 1.0)
            secret = office.add_key(NewKey("k", "site", person=person), PEPPER)
            key = keys.find(connection, keys.digest(secret, PEPPER), 2.0)
            assert key is not None
            asked = books.Asked(key, "/chat/completions", "chat", Need(10, 0))
            (entered,) = books.reserve(connection, [asked], "w", now)
            assert isinstance(entered, books.Reservation)
            books.settle(connection, [(entered, books.Took("answered", 1.0, nanos=5))])
        month = usage.Month(now - 10, now + 10)
        found = {one.group: one.requests for one in usage.sums(connection, month, "person")}
    assert found == {"marie": 1, "none": 1}


def test_only_the_first_start_makes_an_administrator(accounts: Database) -> None:
    from archipel.serve.login.opened import make_first_admin

    password = make_first_admin(accounts, 1.0)
    assert password is not None
    assert make_first_admin(accounts, 2.0) is None
    with accounts.reading() as connection:
        found = person_by_name(connection, "admin")
        assert found is not None
        assert found.role == "admin"
        told = [(act.act, repr(act.details)) for act in audit.acts(connection)]
    assert told[-1][0] == "person.add"
    assert password not in repr(told)


def test_who_comes_from_a_provider_is_known_by_subject(accounts: Database) -> None:
    def come(subject: str, **more: object) -> Person | None:
        fields = {"name": "marie", "email": "marie@example.com", **more}
        arrival = Arrival("https://id.example.com", subject, **fields)  # type: ignore[arg-type]
        with accounts.writing() as connection:
            return _office(connection).come_in(arrival)

    first = come("1")
    other = come("2")
    again = come("1", name="other", email="new@example.com")
    assert first is not None
    assert other is not None
    assert again is not None
    assert first.name == "marie"
    assert other.name.startswith("marie ")
    assert (again.id, again.name, again.email) == (first.id, "marie", "new@example.com")
    ruled = come("1", role="auditor", projects={"site": "manager", "nowhere": "member"})
    assert ruled is not None
    assert (ruled.role, ruled.projects) == ("auditor", {"site": "manager"})
    ruled = come("1", role="person", projects={})
    assert ruled is not None
    assert (ruled.role, ruled.projects) == ("person", {})
    strange = come("3", name="a:b=\n\x00" + "x" * 100)
    assert strange is not None
    assert strange.name == "ab" + "x" * 62
    with accounts.writing() as connection:
        _office(connection).disable("marie")
    assert come("1") is None


def test_a_password_is_kept_as_a_hash_and_judged() -> None:
    known = hashed("correct horse é battery")
    assert known.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert matches("correct horse e\u0301 battery", known)  # another keyboard's way to write é
    assert not matches("correct horse e battery", known)
    for unfit in ("short", "é" * 600):
        with pytest.raises(ConfigError, match="at least 12"):
            hashed(unfit)


def test_the_wait_grows_and_is_forgotten() -> None:
    waits = [attempts.wait_seconds(attempts.NAME, failures, 0.0) for failures in range(13)]
    assert waits == [0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 60, 60, 60]
    assert attempts.wait_seconds(attempts.NAME, 6, 1.5) == 2.5
    assert attempts.wait_seconds(attempts.NAME, 10**9, 60.0) == 0.0
    assert attempts.wait_seconds(attempts.ADDRESS, 10**9, 3600.0) == 0.0


def test_a_name_waits_from_everywhere_and_a_network_for_all_names(accounts: Database) -> None:
    with accounts.writing() as connection:
        for number in range(5):
            assert attempts.enter(connection, "marie", f"192.0.2.{number}", 0.0) == 0.0
        assert attempts.enter(connection, "marie", "192.0.2.99", 1.0) == 1.0
        assert attempts.enter(connection, "marie", "192.0.2.99", 2.0) == 0.0
        attempts.forgive(connection, "marie", "192.0.2.99")
        assert attempts.enter(connection, "marie", "192.0.2.99", 2.0) == 0.0
        for number in range(20):
            address = f"2001:db8::{number}"  # one subscriber's
            assert attempts.enter(connection, f"name {number}", address, 5.0) == 0.0
        assert attempts.enter(connection, "another", "2001:db8::ffff", 5.0) == 2.0
        assert attempts.enter(connection, "another", "2001:db8:0:1::", 5.0) == 0.0
