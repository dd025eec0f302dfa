"""A real `archipel serve` with accounts over two stand-in suppliers, and people who log in."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from openai import OpenAI
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import Request as PageRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archipel.database import Database
from archipel.serve.accounts.opened import open_accounts
from archipel.serve.accounts.passwords import hashed
from archipel.serve.accounts.people import Role
from archipel.serve.accounts.people_office import PeopleOffice
from tests.serve.accounts.conftest import accounts, postgresql, url
from tests.serve.conftest import archipel, home
from tests.serve.scripted import hosted_in_thread

__all__ = ["accounts", "archipel", "home", "postgresql", "url"]

PASSWORD = "an island in the morning"
MARKUP = "<img src=x onerror=document.title=1>"  # a public name as good as any other
_HASH = hashed(PASSWORD)  # 60 ms
_FILE = """
[accounts]

[providers.first]
url = "{first}/v1"

[providers.second]
url = "{second}/v1"

[routes.chat]
targets = [
  {{provider = "first", model = "large", prompt_price = 0.50, completion_price = 1.50}},
  {{provider = "second", model = "large"}},
]

[routes."{markup}"]
targets = [{{provider = "second", model = "{markup}"}}]
"""


async def _chat(request: Request) -> Response:
    message = {"role": "assistant", "content": "Hello"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return JSONResponse(
        {"choices": [choice], "usage": {"prompt_tokens": 1000, "completion_tokens": 200}}
    )


def _supplier() -> Starlette:
    return Starlette(routes=[Route("/v1/chat/completions", _chat, methods=["POST"])])


@dataclass
class Served:
    """The service, its accounts, and the first supplier, which can be killed."""

    url: str
    database: Database
    kill_first: Callable[[], None]
    cookies: dict[str, str] = field(default_factory=dict)  # of who has logged in

    def client(self, key: str) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, timeout=20)

    def add_person(self, name: str, role: Role, projects: Mapping[str, str] | None = None) -> None:
        with self.database.writing() as connection:
            office = PeopleOffice(connection, "tester", time.time())
            office.add(name, role, None, _HASH)
            for project, its in (projects or {}).items():
                office.join(name, project, its)  # type: ignore[arg-type]

    def cookie(self, name: str, password: str = PASSWORD) -> str:
        """That of the session of somebody, who logs in at first."""
        if name not in self.cookies:
            form = {"name": name, "password": password}
            origin = {"Origin": self.url}
            answer = httpx.post(f"{self.url}/login", data=form, headers=origin)
            assert answer.status_code == 303, answer.text
            self.cookies[name] = answer.cookies["archipel"]
        return self.cookies[name]

    def ask(self, name: str, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}/admin/api/{path}", cookies={"archipel": self.cookie(name)})

    def act(self, name: str, path: str, form: object, **headers: str) -> httpx.Response:
        sent = headers or {"Origin": self.url}
        cookies = {"archipel": self.cookie(name)}
        return httpx.post(
            f"{self.url}/admin/api/{path}", json=form, headers=sent, cookies=cookies, timeout=20
        )


@pytest.fixture(scope="module")
def served(
    archipel: Callable[..., subprocess.Popen[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The service that the tests of a module share, with people: admin, auditor and manager."""
    folder = tmp_path_factory.mktemp("admin")
    database = f"sqlite:///{folder / 'service.db'}"
    with contextlib.ExitStack() as stack:
        first = contextlib.ExitStack()
        stack.callback(first.close)
        suppliers = {
            "first": first.enter_context(hosted_in_thread(_supplier())),
            "second": stack.enter_context(hosted_in_thread(_supplier())),
        }
        file = folder / "service.toml"
        file.write_text(_FILE.format(markup=MARKUP, **suppliers))
        process = _start(archipel, file, database)
        lines = [process.stdout.readline().split() for _ in range(2)]  # type: ignore[union-attr]
        assert lines[1], process.communicate()[1]
        accounts = open_accounts(database)
        stack.callback(accounts.close)
        served = Served(lines[0][1].removesuffix("/v1"), accounts, first.close)
        served.add_person("root", "admin")
        served.add_person("auditor", "auditor")
        yield served
        process.terminate()
        assert process.wait(20) == 0


def _start(
    archipel: Callable[..., subprocess.Popen[str]], file: Path, database: str
) -> subprocess.Popen[str]:
    environment = {"DATABASE_URL": database, "ARCHIPEL_SECRET": "pepper"}
    assert "ARCHIPEL_API_KEY" not in os.environ
    return archipel("serve", "--config", file, "--port", 0, **environment)


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, served: Served) -> Iterator[OpenPage]:
    """Open a part of the page as somebody; it must make no error and ask no other host."""
    problems: list[str] = []

    def heard(request: PageRequest) -> None:
        if not request.url.startswith(served.url):
            problems.append(request.url)

    def open_one(
        name: str, part: str = "usage", *, locale: str = "en-US", width: int = 1200
    ) -> Page:
        context = browser.new_context(locale=locale, viewport={"width": width, "height": 900})
        session = {"name": "archipel", "value": served.cookie(name), "url": served.url}
        context.add_cookies([session])  # type: ignore[list-item]
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", heard)
        page.goto(f"{served.url}/admin/#/{part}")
        expect(page.locator("main .view")).to_be_visible()
        return page

    yield open_one
    for context in browser.contexts:
        context.close()
    assert problems == []
