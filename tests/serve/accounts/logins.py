"""The login's pages over accounts, with a clock that the test sets; and browsers for them."""

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx
from starlette.applications import Starlette

from archipel.database import Database
from archipel.serve.access import OneKeyAccess
from archipel.serve.accounts.passwords import hashed
from archipel.serve.accounts.people import Role
from archipel.serve.accounts.people_office import PeopleOffice
from archipel.serve.annex import Annex
from archipel.serve.gateway import create_app
from archipel.serve.login.opened import opened_login
from archipel.serve.login.settings import LoginTable, OidcTable
from archipel.serve.providers import Directory
from tests.serve.accounts.conftest import PEPPER

HERE = "http://127.0.0.1:8000"
PASSWORD = "a password of marie's"
HASHED = hashed(PASSWORD)


@dataclass
class Logins:
    """The pages; `now` is their time."""

    accounts: Database
    app: Starlette
    now: float
    first_password: str | None

    def browser(self, url: str = HERE, address: str = "127.0.0.1") -> httpx.AsyncClient:
        """A browser at this address that has the pages' own origin."""
        transport = httpx.ASGITransport(self.app, client=(address, 4711))
        return httpx.AsyncClient(transport=transport, base_url=url, headers={"Origin": url})

    async def enter(self, browser: httpx.AsyncClient, name: str, password: str) -> httpx.Response:
        return await browser.post("/login", data={"name": name, "password": password})

    def add(self, name: str, role: Role = "person") -> None:
        """Somebody with `PASSWORD`."""
        with self.accounts.writing() as connection:
            PeopleOffice(connection, "tester", 1.0).add(name, role, None, HASHED)

    @contextlib.contextmanager
    def office(self) -> Iterator[PeopleOffice]:
        """Acts of an administrator."""
        with self.accounts.writing() as connection:
            yield PeopleOffice(connection, "tester", 1.0)


@contextlib.asynccontextmanager
async def logins(
    accounts: Database, table: LoginTable | None = None, oidc: OidcTable | None = None
) -> AsyncIterator[Logins]:
    made: Logins | None = None

    def clock() -> float:
        return made.now if made else time.time()

    opened = opened_login(accounts, PEPPER, table or LoginTable(), oidc, clock=clock)
    async with opened as login:
        app = create_app(Directory({}, {}), OneKeyAccess("k"), annex=Annex(routes=login.pages))
        made = Logins(accounts, app, time.time(), login.first_password)
        yield made


async def who(browser: httpx.AsyncClient) -> str | None:
    """Who is logged in, by the page."""
    response = await browser.get("/me")
    if response.status_code == 303:
        assert response.headers["location"] == "/login"
        return None
    assert response.status_code == 200
    return response.text.partition("</small>")[2].partition("<")[0]
