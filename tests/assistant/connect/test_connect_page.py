"""The page Connect in Chromium: what is to be copied, the test button, by keyboard, on a phone, in
French, in the dark."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from archipel.assistant.connect import trial
from tests.assistant.conftest import Assistant, Chromium
from tests.assistant.connect.test_connect_api import LISTED
from tests.assistant.test_page_access import axe
from tests.serve.scripted import ScriptedService

__all__ = ["axe"]


@pytest.fixture
def listed(scripted: ScriptedService) -> None:
    scripted.listed = LISTED


@pytest.fixture
def connect(listed: None, page: Page) -> Page:
    """The panel, opened as a person does."""
    page.get_by_role("link", name="Connect").click()
    expect(page.get_by_role("heading", name="Connect", level=2)).to_be_visible()
    return page


def program(page: Page, label: str) -> Locator:
    """A program's part, opened."""
    part = page.locator("details").filter(has=page.get_by_text(label, exact=True))
    part.locator("summary").click()
    return part


def test_a_configuration_is_copied(connect: Page, assistant: Assistant) -> None:
    part = program(connect, "Zed")
    expect(part).to_contain_text("~/.config/zed/settings.json")
    part.get_by_role("button", name="Copy").first.click()
    copied = connect.evaluate("navigator.clipboard.readText()")
    assert '"model": "coder"' in copied
    assert "/v1/completions" in copied


def test_another_model_is_written_into_what_is_open(connect: Page) -> None:
    part = program(connect, "Zed")
    expect(part).to_contain_text('"model": "coder"')
    model = connect.get_by_label("Model that completes code")
    model.focus()
    connect.keyboard.press("ArrowDown")
    expect(part).to_contain_text('"model": "other"')
    expect(model).to_be_focused()


def test_the_key_is_a_place_to_fill_and_its_command_is_told(connect: Page) -> None:
    expect(connect.locator(".connect")).to_contain_text("archipel keys create editor")
    expect(program(connect, "curl")).to_contain_text("Bearer YOUR_KEY")
    expect(connect.locator(".connect")).not_to_contain_text("secret-key")


def test_a_test_shows_what_came_back_and_how_long_it_took(
    connect: Page, scripted: ScriptedService
) -> None:
    part = program(connect, "Zed")
    part.get_by_role("button", name="Test: Zed").click()
    expect(part).to_contain_text("Asking the service…")
    assert scripted.asked()["suffix"] == "\n"
    scripted.send(b"sum(<b>prices</b>)")
    scripted.send(None)
    expect(part.locator(".result")).to_contain_text("sum(<b>prices</b>)")
    expect(part.locator(".result")).to_contain_text(re.compile(r"in \d+ ms\."))
    expect(connect.get_by_role("status")).to_contain_text("It answers")


def test_a_test_of_the_service_lists_its_models(connect: Page, assistant: Assistant) -> None:
    connect.get_by_role("button", name="Test: http").click()
    expect(connect.locator(".result").first).to_contain_text("island, coder, other")


def test_a_refusal_is_shown_and_tried_again(connect: Page, scripted: ScriptedService) -> None:
    scripted.refusal = (401, {"error": {"message": "no", "code": "invalid_api_key"}})
    part = program(connect, "Zed")
    part.get_by_role("button", name="Test: Zed").click()
    expect(part.get_by_role("alert")).to_contain_text("ARCHIPEL_API_KEY")
    scripted.refusal = None
    part.get_by_role("button", name="Try again").click()
    scripted.asked()
    scripted.send(b"0")
    scripted.send(None)
    expect(part.locator(".result")).to_contain_text("It answers")


def test_a_service_that_does_not_answer_is_said(
    connect: Page, scripted: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "SECONDS", 2)  # less may end it while it still connects
    part = program(connect, "Claude Code")
    scripted.hold = True
    part.get_by_role("button", name="Test: Claude Code").click()
    expect(part.get_by_role("alert")).to_contain_text("The service does not answer.")


def test_without_a_model_that_fills_gaps_editors_have_nothing_to_copy(
    page: Page, scripted: ScriptedService
) -> None:
    scripted.listed = [{"id": "island", "abilities": ["chat"]}]
    page.get_by_role("link", name="Connect").click()
    part = program(page, "Zed")
    expect(part).to_contain_text("no model that has learnt to fill gaps")
    expect(part.get_by_role("button")).to_have_count(0)


def test_by_keyboard_alone(connect: Page, scripted: ScriptedService) -> None:
    connect.locator("summary", has_text="curl").focus()
    connect.keyboard.press("Enter")
    connect.keyboard.press("Tab")
    expect(connect.get_by_role("button", name="Copy", exact=True)).to_be_focused()
    connect.keyboard.press("Enter")
    connect.wait_for_function("() => navigator.clipboard.readText().then(t => t.includes('curl'))")
    test = connect.get_by_role("button", name="Test: curl")
    for _ in range(2):  # over code that is wider than its place
        if not test.evaluate("element => element === document.activeElement"):
            connect.keyboard.press("Tab")
    expect(test).to_be_focused()
    connect.keyboard.press("Enter")
    scripted.asked()
    scripted.say("Hi")
    scripted.finish()
    expect(connect.locator(".result", has_text="Hi")).to_be_visible()
    expect(test).to_be_focused()


def test_nothing_is_cut_on_a_phone(chrome: Chromium, assistant: Assistant, listed: None) -> None:
    page = chrome.open(f"{assistant.url}/#/connect", size=(360, 700))
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("document.querySelector('#scroll').scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-US", "fr-FR"])
def test_no_rule_of_axe_is_broken(
    chrome: Chromium,
    assistant: Assistant,
    scripted: ScriptedService,
    listed: None,
    axe: str,
    locale: str,
    scheme: Any,
) -> None:
    page = chrome.open(assistant.url, locale=locale)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{assistant.url}/#/connect")
    expect(page.locator(".connect")).to_be_visible()
    for summary in page.locator("summary").all():
        summary.click()
    scripted.refusal = (400, {"error": {"message": "no gaps here", "code": "no_gaps"}})
    page.locator("details[data-name=zed] .trial button").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.locator(".trial button").first.click()
    expect(page.locator(".good")).to_be_visible()
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    assert {rule["id"]: rule["nodes"][0]["html"][:200] for rule in found["violations"]} == {}
