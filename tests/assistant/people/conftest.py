"""A real `archipel serve` with accounts over a supplier whose answers the test writes; the
assistant before it, for people who log in."""

import contextlib
import hashlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from archipel.assistant.app import create_app
from archipel.assistant.desk import Desk
from archipel.assistant.history.opened import open_history
from archipel.assistant.service_login import ServiceLogin
from archipel.chat import ChatService
from archipel.database import Database
from archipel.serve.accounts.administer import NewKey, Office
from archipel.serve.accounts.opened import open_accounts
from archipel.serve.accounts.passwords import hashed
from archipel.serve.accounts.people_office import PeopleOffice
from tests.serve.conftest import archipel, home
from tests.serve.scripted import ScriptedService, hosted_in_thread, scripted_service

__all__ = ["archipel", "home"]

Archipel = Callable[..., subprocess.Popen[str]]
PASSWORD = "an island in the morning"
_HASH = hashed(PASSWORD)  # 60 ms
_PEPPER = hashlib.sha256(b"pepper").digest()
_FILE = """
[accounts]

[providers.sea]
url = "{url}"

[routes.island]
targets = [
  {{provider = "sea", model = "island", context = 8000, prompt_price = 1, completion_price = 2}},
]
"""


@dataclass
class House:
    """The service, its accounts and its supplier; the assistant's page."""

    service: str  # without /v1
    page: str
    accounts: Database
    supplier: ScriptedService
    process: subprocess.Popen[str]
    cookies: dict[str, str] = field(default_factory=dict)

    def office(self, act: Callable[[PeopleOffice], object]) -> None:
        with self.accounts.writing() as connection:
            act(PeopleOffice(connection, "tester", time.time()))

    def log_in(self, name: str) -> str:
        """The cookie of a new session."""
        form, origin = {"name": name, "password": PASSWORD}, {"Origin": self.service}
        answer = httpx.post(f"{self.service}/login", data=form, headers=origin)
        assert answer.status_code == 303, answer.text
        self.cookies[name] = answer.cookies["archipel"]
        return self.cookies[name]

    def call(
        self, name: str | None, method: str, path: str, body: object = None, **headers: str
    ) -> httpx.Response:
        """What the page of somebody calls; `name` None: nobody is logged in."""
        cookies = {"archipel": self.cookies.get(name) or self.log_in(name)} if name else {}
        sent = {"Origin": self.page, **headers}
        return httpx.request(
            method, f"{self.page}/api/{path}", json=body, cookies=cookies, headers=sent, timeout=20
        )

    def ask(self, name: str, text: str) -> dict[str, Any]:
        """A question of somebody, answered in one word; the conversation as it is then."""
        body = {"conversation": None, "parent": None, "text": text, "models": ["island"]}
        begun = self.call(name, "POST", "questions", body).json()
        self.supplier.asked()
        self.supplier.say("Yes.")
        self.supplier.finish()
        answer = begun["answers"][0]["id"]
        events = self.call(name, "GET", f"messages/{answer}/events").text
        message = json.loads(events.rpartition("data: ")[2])
        assert message["status"] == "done", message
        return {"id": begun["conversation"]["id"], "answer": message}


@pytest.fixture(scope="module")
def house(archipel: Archipel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """What the tests of a module share, with two people: ana, and the administrator root."""
    folder = tmp_path_factory.mktemp("people")
    with (
        scripted_service() as supplier,
        serving(archipel, supplier, folder) as (house, key),
        hosted_in_thread(_assistant(f"{house.service}/v1", key, folder)) as page,
    ):
        house.page = page
        yield house


@contextlib.contextmanager
def serving(
    archipel: Archipel, supplier: ScriptedService, folder: Path, more: str = ""
) -> Iterator[tuple[House, str]]:
    """The service over its supplier, with two people and `more` in its file; a house without a page
    yet, and the assistant's key."""
    database = f"sqlite:///{folder / 'service.db'}"
    file = folder / "service.toml"
    file.write_text(_FILE.format(url=supplier.url) + more)
    environment = {"DATABASE_URL": database, "ARCHIPEL_SECRET": "pepper"}
    process = archipel("serve", "--config", file, "--port", 0, **environment)
    lines = [process.stdout.readline().split() for _ in range(2)]  # type: ignore[union-attr]
    assert lines[1], process.communicate()[1]
    accounts = open_accounts(database)
    with accounts.writing() as connection:
        office = Office(connection, "tester", time.time())
        office.add_project("assistant", "ours")
        key = office.add_key(NewKey("assistant", "assistant"), _PEPPER)
    house = House(lines[0][1].removesuffix("/v1"), "", accounts, supplier, process)
    house.office(lambda office: office.add("ana", "person", None, _HASH))
    house.office(lambda office: office.add("root", "admin", None, _HASH))
    yield house, key
    accounts.close()
    process.terminate()
    assert process.wait(20) == 0


def _assistant(url: str, key: str, folder: Path) -> Any:
    desk = Desk(open_history(f"sqlite:///{folder / 'assistant.db'}"), time.time)
    return create_app(ChatService(url, key), desk, ServiceLogin(url, key, None, time.monotonic))
