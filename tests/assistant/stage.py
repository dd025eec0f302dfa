"""A place on the assistant's page where a test draws messages, under the page's own policy."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page

from tests.serve.scripted import hosted_in_thread

_TOOLS = """async () => {
  const [{ GrowingMarkdown }, diff, i18n] = await Promise.all([
    import("/render/markdown.js"), import("/render/diff.js"), import("/i18n.js"),
  ]);
  const make = () => {
    const root = document.createElement("div");
    root.className = "stage";
    document.querySelector("#log").replaceChildren(root);
    return root;
  };
  const set = (text) => {
    const root = make();
    new GrowingMarkdown(root).set(text);
    return root;
  };
  const grow = (pieces) => {
    const root = make();
    const message = new GrowingMarkdown(root);
    for (const piece of pieces) {
      message.add(piece);
      message.draw();
    }
    message.end();
    return root;
  };
  window.stage = { GrowingMarkdown, ...diff, ...i18n, make, set, grow };
}"""


class Stage:
    """Draws messages on an open page; whatever goes wrong there is in `problems`."""

    def __init__(self, page: Page, problems: list[str]) -> None:
        self.page = page
        self.problems = problems

    def draw(self, text: str) -> Locator:
        """A whole message; the element that it is in."""
        self.page.evaluate("text => { stage.set(text) }", text)
        return self.root

    def grow(self, *pieces: str) -> Locator:
        """A message that arrives in pieces, each drawn, and ends."""
        self.page.evaluate("pieces => { stage.grow(pieces) }", list(pieces))
        return self.root

    def run(self, script: str, argument: Any = None) -> Any:
        """The result of a script, in which `stage` has the page's modules."""
        return self.page.evaluate(script, argument)

    @property
    def root(self) -> Locator:
        return self.page.locator(".stage")


@pytest.fixture(scope="module")
def _open_stage(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    from archipel.assistant.app import create_app
    from archipel.assistant.desk import Desk
    from archipel.assistant.history.opened import open_history
    from archipel.chat import ChatService

    database = tmp_path_factory.mktemp("stage") / "assistant.db"
    desk = Desk(open_history(f"sqlite:///{database}"), time.time)
    with hosted_in_thread(create_app(ChatService("http://127.0.0.1:9/v1"), desk)) as url:
        page = browser.new_context(locale="en-US").new_page()
        page.goto(url)
        page.locator("body.ready").wait_for()
        page.get_by_role("alert").wait_for()  # no service runs: the page has done all that it does
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text))  # the policy's refusals, too
        page.on(
            "request",
            lambda request: request.url.startswith(url) or problems.append(request.url),
        )
        page.evaluate(_TOOLS)
        yield Stage(page, problems)
        page.context.close()


@pytest.fixture
def stage(_open_stage: Stage) -> Iterator[Stage]:
    """Where to draw; the page must make no error, say nothing and ask no other host."""
    yield _open_stage
    problems = [*_open_stage.problems]
    _open_stage.problems.clear()
    assert problems == []
