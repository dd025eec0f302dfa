"""An assistant for the people of a project, each known by a header of what their browser sends."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
from starlette.requests import Request

from archipel.assistant.app import create_app
from archipel.assistant.desk import Desk
from archipel.assistant.history.opened import open_history
from archipel.assistant.people import Person
from archipel.chat import ChatService
from tests.assistant.library.conftest import Asking
from tests.serve.scripted import hosted_in_thread

PROJECT = "lighthouse"
_IS: dict[str, dict[str, str]] = {
    "ana": {PROJECT: "member", "harbour": "manager"},
    "ben": {PROJECT: "member"},
    "cyd": {PROJECT: "manager"},
    "eve": {"harbour": "manager"},
}


@dataclass
class Project:
    """ana, who shares what is hers; ben, a member as she is; cyd, who manages it; eve, who is in
    another one; root, who may do all in the installation."""

    url: str
    people: dict[str, Person]
    browsers: dict[str, Asking]

    def leave(self, name: str) -> None:
        """Somebody is in no project any more."""
        self.people[name] = replace(self.people[name], projects={})

    def call(self, name: str, method: str, path: str, body: object = None) -> httpx.Response:
        return self.browsers[name].http.request(method, f"/api/{path}", json=body)

    def collections(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call(name, "GET", "collections").json()["collections"]
        return found

    def shared(self) -> int:
        """A collection that ana shares with the project."""
        made = self.browsers["ana"].collection()
        put = self.call("ana", "PUT", f"collections/{made}/share", {"project": PROJECT})
        assert put.status_code == 200, put.text
        return made


@contextlib.contextmanager
def project_over(database_url: str, service_url: str) -> Iterator[Project]:
    """The assistant over a service, with its database there."""
    people = {name: Person(name, name, "person", its) for name, its in _IS.items()}
    people["root"] = Person("root", "root", "admin")

    async def who(request: Request) -> Person:
        return people[request.headers["x-person"]]

    desk = Desk(open_history(database_url), time.time)
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(hosted_in_thread(create_app(ChatService(service_url), desk, who)))
        browsers = {}
        for name in people:
            headers = {"Origin": url, "X-Person": name}
            http = stack.enter_context(httpx.Client(base_url=url, headers=headers, timeout=20))
            browsers[name] = Asking(http)
        yield Project(url, people, browsers)
