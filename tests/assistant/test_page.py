"""The assistant's page in Chromium: ask, stream, stop, choose, when things go wrong."""

import json
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.serve.conftest import Service
from tests.serve.scripted import ScriptedService

OpenPage = Callable[..., Page]
STATIC = Path(str(files("archipel.assistant") / "static"))


@pytest.fixture
def open_page(browser: Browser, page_over: Callable[[str], str]) -> Iterator[OpenPage]:
    """Open the assistant over a service; the page must make no error and ask no other host."""
    problems: list[str] = []

    def open_one(service_url: str, locale: str = "en-US") -> Page:
        page = browser.new_context(locale=locale).new_page()
        page_url = page_over(service_url)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda request: request.url.startswith(page_url) or problems.append(request.url),
        )
        page.goto(page_url)
        expect(page.locator("body.ready")).to_be_visible()
        return page

    yield open_one
    for context in browser.contexts:
        context.close()
    assert problems == []


def ask(page: Page, text: str) -> None:
    page.get_by_label("Ask anything").fill(text)
    page.keyboard.press("Enter")


def test_an_answer_streams_into_the_conversation(
    open_page: OpenPage, scripted: ScriptedService
) -> None:
    page = open_page(scripted.url)
    ask(page, "Hello?")
    assert scripted.asked()["messages"] == [{"role": "user", "content": "Hello?"}]
    answer = page.locator(".answer .body")
    scripted.say("Good ")
    expect(answer).to_have_text("Good ")
    expect(page.get_by_role("log")).to_have_attribute("aria-busy", "true")
    expect(page.get_by_role("status")).to_have_text("Answer under way…")
    scripted.say("morning")
    expect(answer).to_have_text("Good morning")
    scripted.finish(tokens=7)
    expect(page.locator(".note")).to_have_text(re.compile(r"^7 tokens, [\d.]+ per second$"))
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
    expect(page.get_by_role("log")).not_to_have_attribute("aria-busy", "true")

    ask(page, "And then?")
    assert [turn["content"] for turn in scripted.asked()["messages"]] == [
        "Hello?",
        "Good morning",
        "And then?",
    ]


def test_markdown_becomes_elements_and_html_stays_text(
    open_page: OpenPage, scripted: ScriptedService
) -> None:
    page = open_page(scripted.url)
    ask(page, "Show me")
    scripted.asked()
    text = (
        "# Title\n\nSome **bold** and `x < y`.\n<img src=x onerror=alert(1)>\n\n"
        "```python\ndef f():\n\n    return '```'\n```\nThen:\n1. one\n2. two\n\n- a\n- b"
    )
    scripted.say(*text)  # character by character
    scripted.finish()
    expect(page.locator(".note")).to_be_visible()
    body = page.locator(".answer .body")
    expect(body.locator("h3")).to_have_text("Title")
    expect(body.locator("strong")).to_have_text("bold")
    expect(body.locator("p code")).to_have_text("x < y")
    expect(body.locator("pre code")).to_have_text("def f():\n\n    return '```'")
    expect(body.locator("figcaption span")).to_have_text("python")
    expect(body.locator("ol > li")).to_have_text(["one", "two"])
    expect(body.locator("ul > li")).to_have_text(["a", "b"])
    expect(body).to_contain_text("<img src=x onerror=alert(1)>")
    expect(body.locator("img")).to_have_count(0)


def test_finished_blocks_are_not_drawn_again(
    open_page: OpenPage, scripted: ScriptedService
) -> None:
    page = open_page(scripted.url)
    ask(page, "Long, please")
    scripted.asked()
    scripted.say("First paragraph.\n\nSecond")
    expect(page.locator(".answer p")).to_have_count(2)
    first = page.locator(".answer p").first.element_handle()
    assert first is not None
    scripted.say(" paragraph.\n\nThird")
    expect(page.locator(".answer p")).to_have_text(
        ["First paragraph.", "Second paragraph.", "Third"]
    )
    assert first.evaluate("node => node.isConnected")
    scripted.finish()


@pytest.mark.parametrize("by", ["button", "key"])
def test_an_answer_can_be_stopped(open_page: OpenPage, scripted: ScriptedService, by: str) -> None:
    page = open_page(scripted.url)
    ask(page, "Never end")
    scripted.asked()
    scripted.say("Once upon")
    expect(page.locator(".answer .body")).to_have_text("Once upon")
    if by == "button":
        page.get_by_role("button", name="Stop").click()
    else:
        page.keyboard.press("Escape")
    assert scripted.client_left.wait(20)
    expect(page.locator(".note")).to_have_text("Stopped")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    ask(page, "Go on")
    assert [turn["content"] for turn in scripted.asked()["messages"]][1] == "Once upon"


def test_the_chosen_model_is_asked_and_remembered(
    open_page: OpenPage, scripted: ScriptedService
) -> None:
    page = open_page(scripted.url)
    expect(page.get_by_text("On this machine")).to_be_visible()
    page.get_by_label("Model").select_option("reef")
    page.get_by_role("button", name=re.compile("Explain")).click()
    assert scripted.asked()["model"] == "reef"
    page.reload()
    expect(page.get_by_label("Model")).to_have_value("reef")


def test_a_question_waits_until_the_models_are_known(
    open_page: OpenPage, scripted: ScriptedService
) -> None:
    page = open_page(scripted.url)
    held: list[Route] = []
    page.route("**/api/models", lambda route: route.continue_() if held else held.append(route))
    page.reload()
    expect(page.get_by_label("Model")).to_be_empty()
    ask(page, "Early?")
    expect(page.get_by_label("Model")).to_have_value("island")
    assert scripted.asked()["model"] == "island"


def test_an_error_is_shown_and_can_be_tried_again(
    open_page: OpenPage, scripted: ScriptedService
) -> None:
    page = open_page(scripted.url)
    error = {"message": "the island is closed", "code": "provider_unavailable"}
    scripted.refusal = (503, {"error": error})
    ask(page, "Anyone?")
    scripted.asked()
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("The model stopped.")
    expect(problem).to_contain_text("the island is closed")
    scripted.refusal = None
    page.get_by_role("button", name="Try again").click()
    assert scripted.asked()["messages"] == [{"role": "user", "content": "Anyone?"}]
    scripted.say("Here.")
    scripted.finish()
    expect(page.locator(".answer .body")).to_have_text("Here.")
    expect(problem).to_have_count(0)


def test_a_service_that_does_not_run_is_said_at_once(open_page: OpenPage) -> None:
    page = open_page("http://127.0.0.1:9/v1")
    expect(page.get_by_role("alert")).to_contain_text("No model service answers.")


def test_a_new_chat_forgets_and_shift_enter_starts_a_line(
    open_page: OpenPage, scripted: ScriptedService
) -> None:
    page = open_page(scripted.url)
    ask(page, "Old")
    scripted.asked()
    page.get_by_role("button", name="New chat").click()
    assert scripted.client_left.wait(20)
    expect(page.get_by_role("heading", name="What can I do for you?")).to_be_visible()
    expect(page.locator(".message")).to_have_count(0)
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    assert scripted.asked()["messages"] == [{"role": "user", "content": "one\ntwo"}]


def test_french_is_chosen_by_the_browser_and_can_be_changed(
    open_page: OpenPage, scripted: ScriptedService
) -> None:
    page = open_page(scripted.url, locale="fr-FR")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.get_by_role("heading", name="Que puis-je faire pour vous ?")).to_be_visible()
    page.get_by_label("Langue").select_option("en")
    expect(page.get_by_role("heading", name="What can I do for you?")).to_be_visible()
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_both_languages_have_the_same_words() -> None:
    words = {file.stem: json.loads(file.read_text()) for file in STATIC.glob("languages/*.json")}
    assert words["en"].keys() == words["fr"].keys()
    for key, english in words["en"].items():
        assert re.findall(r"\{\w+\}", english) == re.findall(r"\{\w+\}", words["fr"][key])


def test_the_page_over_the_real_service(open_page: OpenPage, service: Service) -> None:
    page = open_page(service.url)
    ask(page, "def add(")
    expect(page.get_by_role("status")).to_have_text("Answer ready.", timeout=20_000)


def test_the_server_guards_itself(
    page_over: Callable[[str], str], scripted: ScriptedService
) -> None:
    url = page_over(scripted.url)
    page = httpx.get(url)
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert httpx.get(url, headers={"Host": "attacker.example"}).status_code == 400
    own = {"Origin": url}
    asked = {"model": "island", "messages": [{"role": "user", "content": "Hi"}]}
    for headers, content, status in (
        ({"Origin": "http://attacker.example"}, json.dumps(asked), 403),
        ({}, json.dumps(asked), 403),
        (own, "{bad", 400),
        (own, json.dumps(asked | {"messages": [{"role": "root", "content": "Hi"}]}), 400),
        (own, " " * ((4 << 20) + 1), 413),
    ):
        response = httpx.post(f"{url}/api/chat", headers=headers, content=content)
        assert response.status_code == status
        assert response.json()["error"]["message"]
    assert scripted.requests.empty()
