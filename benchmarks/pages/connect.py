"""The picture of the page Connect in docs/: `python -m benchmarks.pages.connect`. Needs Chromium.

The page is the real one; the service answers what is written here.
"""

import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archipel.assistant.app import create_app
from archipel.assistant.desk import Desk
from archipel.assistant.history.opened import open_history
from archipel.chat import ChatService
from archipel.cli.provenance import ROOT
from benchmarks.chromium import chromium
from tests.serve.scripted import hosted_in_thread

_MODELS = (
    {"id": "qwen2.5-3b", "abilities": ["chat"]},
    {"id": "qwen2.5-coder-1.5b", "abilities": ["fill"]},
)


def main() -> None:
    """Take it."""
    with sync_playwright() as playwright, hosted_in_thread(_service()) as service:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        with tempfile.TemporaryDirectory() as folder:
            desk = Desk(open_history(f"sqlite:///{folder}/assistant.db"), time.time)
            with hosted_in_thread(create_app(ChatService(f"{service}/v1"), desk)) as url:
                _take(browser, url, ROOT / "docs" / "assistant-connect.png")
        browser.close()


def _service() -> Starlette:
    async def models(request: Request) -> Response:
        return JSONResponse({"data": _MODELS})

    return Starlette(routes=[Route("/v1/models", models)])


def _take(browser: Browser, url: str, file: Path) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 1000}, locale="en")
    page.goto(f"{url}/#/connect")
    vscode = page.locator("details[data-name=llama_vscode]")
    vscode.locator("summary").click()
    page.get_by_role("button", name="Test: http").click()
    page.locator(".good").wait_for()
    vscode.locator(".hl-string").last.wait_for()  # the code has its colours
    page.evaluate("document.activeElement.blur()")
    page.screenshot(path=file, animations="disabled")
    page.close()


if __name__ == "__main__":
    main()
