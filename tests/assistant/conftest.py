"""The assistant over a service whose answers the test writes, and its page in Chromium."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from playwright.sync_api import Request as PageRequest
from starlette.requests import Request

from archipel.assistant.history import conversations, messages
from archipel.assistant.history.messages import Draft
from archipel.assistant.history.opened import open_history
from archipel.assistant.people import Person
from archipel.database import Database
from tests.serve.conftest import (
    archipel,
    checkpoint,
    home,
    service,
    start_service,
    tiny_config,
    tokenizer_folder,
)
from tests.serve.scripted import ScriptedService, hosted_in_thread, scripted

__all__ = [
    "archipel",
    "checkpoint",
    "home",
    "scripted",
    "service",
    "start_service",
    "tiny_config",
    "tokenizer_folder",
]


@dataclass
class Assistant:
    """The application at `url`, and its database beside it. `owner` is who asks."""

    url: str
    database: Database
    owner: list[str]

    def client(self) -> httpx.Client:
        """As the page would ask."""
        return httpx.Client(base_url=self.url, headers={"Origin": self.url}, timeout=20)

    def tell(self, *texts: str, title: str = "", days_ago: float = 0) -> int:
        """A conversation with these messages, question and answer in turn; gives its id."""
        now = time.time() - 86400 * days_ago
        with self.database.writing() as connection:
            id_ = conversations.begin(connection, self.owner[0], now, title)
            parent = None
            for place, text in enumerate(texts):
                draft = Draft(role="user", text=text)
                if place % 2:
                    draft = Draft(role="assistant", text=text, model="island")
                parent = messages.add(connection, id_, parent, draft, now).id
        return id_


@pytest.fixture
def assistant_over(tmp_path: Path) -> Iterator[Callable[..., Assistant]]:
    """Start the assistant over a service's URL."""
    from archipel.assistant.app import create_app
    from archipel.assistant.desk import Desk
    from archipel.chat import ChatService

    with contextlib.ExitStack() as stack:

        def start(service_url: str) -> Assistant:
            url = f"sqlite:///{tmp_path / 'assistant.db'}"
            database = open_history(url)
            stack.callback(database.close)
            owner = ["local"]

            async def who(request: Request) -> Person:
                return Person(owner[0], "")

            desk = Desk(open_history(url), time.time)
            app = create_app(ChatService(service_url, "secret-key"), desk, who)
            return Assistant(stack.enter_context(hosted_in_thread(app)), database, owner)

        yield start


@pytest.fixture
def assistant(assistant_over: Callable[..., Assistant], scripted: ScriptedService) -> Assistant:
    """The assistant over the scripted service."""
    return assistant_over(scripted.url)


@dataclass
class Chromium:
    """Opens pages that must make no error, break no rule of the policy and ask no other host."""

    browser: Browser
    problems: list[str] = field(default_factory=list)

    def open(
        self,
        url: str,
        *,
        locale: str = "en-US",
        size: tuple[int, int] = (1200, 800),
        context: BrowserContext | None = None,
        ready: bool = True,
    ) -> Page:
        viewport = {"width": size[0], "height": size[1]}
        context = context or self.browser.new_context(
            locale=locale,
            viewport=viewport,  # type: ignore[arg-type]
            permissions=["clipboard-read", "clipboard-write"],
            has_touch=size[0] < 500,
        )
        page = context.new_page()
        home = url.partition("/#")[0].rstrip("/")

        def asked(request: PageRequest) -> None:
            if not request.url.startswith(home):
                self.problems.append(request.url)

        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on(
            "console",
            lambda said: self.problems.append(said.text) if "policy" in said.text.lower() else None,
        )
        page.on("request", asked)
        page.on("requestfailed", lambda request: print("failed:", request.url, request.failure))
        page.on("console", lambda said: print(f"{said.type}:", said.text))
        page.goto(url)
        if ready:
            expect(page.locator("body.ready")).to_be_visible()
        return page


@pytest.fixture
def chrome(browser: Browser) -> Iterator[Chromium]:
    """Where pages are opened; they are closed at the end."""
    opened = Chromium(browser)
    yield opened
    for context in browser.contexts:
        context.close()
    assert opened.problems == []


@pytest.fixture
def page(chrome: Chromium, assistant: Assistant) -> Page:
    """The assistant's page over the scripted service."""
    return chrome.open(assistant.url)


def ask(page: Page, text: str) -> None:
    """Ask as a person does."""
    page.get_by_label("Ask anything").fill(text)
    page.keyboard.press("Enter")


def answer(page: Page, scripted: ScriptedService, question: str, text: str) -> None:
    """A question with its whole answer."""
    ask(page, question)
    scripted.asked()
    scripted.say(text)
    scripted.finish()
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
