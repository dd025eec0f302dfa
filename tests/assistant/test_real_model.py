"""A whole conversation in Chromium with a real small model, that of `archipel up smollm2-135m`."""

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from archipel import config
from tests.assistant.conftest import Chromium, ask
from tests.assistant.test_up import url_in_next_line

MODEL = config.home() / "models" / "smollm2-135m"  # of whoever runs the tests: no test fetches it
SECONDS = 60_000


@pytest.fixture
def url(archipel: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> Iterator[str]:
    """The page over the model."""
    if not list(MODEL.glob("*.gguf")):
        pytest.skip(f"there is no {MODEL}: `archipel pull smollm2-135m` fetches it")
    ports = ("--port", 0, "--page-port", 0)
    home = {"ARCHIPEL_HOME": str(tmp_path)}
    process = archipel("up", f"smollm2-135m={MODEL}", *ports, "--context", 2048, **home)
    url_in_next_line(process)
    yield url_in_next_line(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def answered(page: Page, question: str) -> Locator:
    """The last answer, when it has ended."""
    ask(page, question)
    expect(page.get_by_role("status")).to_have_text("Answer under way…")
    expect(page.get_by_role("status")).to_have_text("Answer ready.", timeout=SECONDS)
    return page.locator(".answer").last


def facts_of(url: str) -> re.Pattern[str]:
    """What stands below the first answer. So small a model may talk in circles: then it was ended,
    and nobody has counted its tokens."""
    first = httpx.get(f"{url}/api/conversations/1").json()["messages"][1]
    if first["facts"].get("ended") == "circles":
        return re.compile(r"^smollm2-135m · .*On this machine$")
    counted = r"[\d,]+ tokens · [\d.,]+ per second"
    return re.compile(rf"^smollm2-135m · {counted} · .*On this machine · [\d,]+ tokens")


def test_a_conversation_with_a_real_model(chrome: Chromium, url: str) -> None:
    page = chrome.open(url)
    expect(page.get_by_label("Model", exact=True)).to_have_value("smollm2-135m")
    answer = answered(page, "What is the capital of France?")
    expect(answer.locator(".body")).not_to_be_empty()
    expect(answer.locator(".facts")).to_have_text(facts_of(url))
    answer = answered(page, "Say it in one word.")
    expect(answer.locator(".body")).not_to_be_empty()

    ask(page, "Tell me a very long story of the sea, in twenty chapters.")
    expect(page.locator(".answer")).to_have_count(3)
    growing = page.locator(".answer").last.locator(".body")
    expect(growing).not_to_be_empty(timeout=SECONDS)
    page.keyboard.press("Escape")
    expect(page.locator(".answer").last.locator(".notice")).to_contain_text("Stopped.")
    page.reload()
    expect(growing).not_to_be_empty()
    page.keyboard.press("Control+Shift+E")
    page.keyboard.press("Control+A")
    page.keyboard.type("What is the capital of Italy?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Answer ready.", timeout=SECONDS)
    expect(growing).not_to_be_empty()
    expect(page.locator(".version").last).to_have_text("2/2")

    page.get_by_label("Search conversations").fill("france")
    expect(page.locator("#found mark").first).to_have_text(re.compile("france", re.I))
    kept = httpx.get(f"{url}/api/conversations/1").json()["messages"]
    assert [one["status"] for one in kept if one["role"] == "assistant"] == [
        *("done", "done", "stopped", "done")
    ]
