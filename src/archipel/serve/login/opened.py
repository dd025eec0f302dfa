"""The login as the settings want it, for as long as the service runs."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import aiohttp
from sqlalchemy import func, select
from starlette.routing import BaseRoute

from archipel import config
from archipel.database import Database
from archipel.errors import ConfigError
from archipel.serve.accounts.passwords import Comparer, hashed, new_password
from archipel.serve.accounts.people_office import PeopleOffice
from archipel.serve.accounts.sessions import Stay
from archipel.serve.accounts.tables import people
from archipel.serve.login.app import HOME, LoginPages
from archipel.serve.login.door import Door
from archipel.serve.login.settings import LoginTable, OidcTable
from archipel.serve.providers import read_key


@dataclass(frozen=True)
class Login:
    """Who is logged in, the pages, and the password of the administrator who was made just now."""

    door: Door
    pages: Sequence[BaseRoute]
    first_password: str | None


@contextlib.asynccontextmanager
async def opened_login(
    database: Database,
    pepper: bytes,
    table: LoginTable,
    oidc: OidcTable | None,
    *,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Login]:
    """Let people log in for the time of the block; `clock` gives seconds since the epoch.

    Raises:
        ConfigError: the secret for the OpenID provider can't be had.
        DatabaseError: the accounts can't be used.
    """
    stay = Stay(table.hours * 3600, table.idle_minutes * 60)
    async with contextlib.AsyncExitStack() as stack:
        reading, comparing = (stack.enter_context(ThreadPoolExecutor(most)) for most in (2, 1))
        door = Door(database, pepper, table.url, stay, clock, reading)
        pages = LoginPages(door, Comparer(comparing), oidc.label if oidc else None).routes()
        if oidc is not None:
            pages += await _oidc_pages(door, oidc, stack)
        yield Login(door, pages, make_first_admin(database, clock()))


def make_first_admin(database: Database, now: float) -> str | None:
    """`admin`, if the accounts hold nobody; gives the password, which is nowhere else.

    Raises:
        DatabaseError: the accounts can't be used.
    """
    with database.reading() as connection:
        if connection.execute(select(func.count()).select_from(people)).scalar():
            return None
    password = new_password()
    known = hashed(password)
    with database.writing() as connection:
        made = PeopleOffice(connection, "archipel serve", now).add_first(known)
    return password if made else None


def client_secret(table: OidcTable) -> str | None:
    """The secret that the provider knows the service by; None: it has none, PKCE is enough.

    Raises:
        ConfigError: the variable is not set, or the file can't be read.
    """
    if table.client_secret_file:
        return read_key(table.client_secret_file)
    if table.client_secret_env is None:
        return None
    secret = config.variable(table.client_secret_env)
    if secret is None:
        name = table.client_secret_env
        raise ConfigError(f"oidc.client_secret_env: {name} is not set. Put the secret into it.")
    return secret


async def _oidc_pages(
    door: Door, oidc: OidcTable, stack: contextlib.AsyncExitStack
) -> list[BaseRoute]:
    from archipel.serve.login.issuer import (
        Issuer,
    )  # what checks signatures is for those who need it
    from archipel.serve.login.oidc import OidcPages

    secret = client_secret(oidc)
    session = await stack.enter_async_context(
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    )
    return OidcPages(door, Issuer(oidc, secret, session, door.clock), HOME).routes()
