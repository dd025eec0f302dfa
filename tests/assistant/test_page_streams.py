"""Answers that outlive the page, the connection and the tab; and conversations that are long."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.assistant.conftest import Assistant, Chromium, answer, ask
from tests.faulty_proxy import FaultyProxy
from tests.serve.scripted import ScriptedService


def test_an_answer_goes_on_after_a_reload(page: Page, scripted: ScriptedService) -> None:
    ask(page, "Go on")
    scripted.asked()
    scripted.say("one ")
    expect(page.locator(".answer .body")).to_have_text("one ")
    page.reload()
    expect(page.locator(".answer .body")).to_have_text("one ")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    scripted.say("two")
    expect(page.locator(".answer .body")).to_have_text("one two")
    scripted.finish()
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
    assert scripted.requests.empty()


def test_an_answer_goes_on_while_one_is_elsewhere(page: Page, scripted: ScriptedService) -> None:
    ask(page, "Go on")
    scripted.asked()
    scripted.say("one ")
    expect(page.locator(".answer .body")).to_have_text("one ")
    page.get_by_role("link", name="New chat").click()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    scripted.say("two")
    page.get_by_role("link", name="Go on").click()
    expect(page.locator(".answer .body")).to_have_text("one two")
    scripted.finish()
    expect(page.locator(".facts").last).to_contain_text("7 tokens")


@pytest.fixture
def proxy(assistant: Assistant) -> Iterator[FaultyProxy]:
    with FaultyProxy(assistant.url) as proxy:
        yield proxy


def test_a_lost_connection_is_said_and_taken_up_where_it_was(
    chrome: Chromium, proxy: FaultyProxy, scripted: ScriptedService
) -> None:
    page = chrome.open(proxy.url)
    ask(page, "Go on")
    scripted.asked()
    scripted.say("one ")
    expect(page.locator(".answer .body")).to_have_text("one ")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    proxy.set(cut="refuse")
    expect(page.get_by_text("The connection to the assistant is lost.").first).to_be_visible()
    scripted.say("two ")
    proxy.set(cut="")
    expect(page.locator(".answer .body")).to_have_text("one two ")
    expect(page.locator("#note")).to_be_hidden()
    scripted.say("three")
    scripted.finish()
    expect(page.locator(".answer .body")).to_have_text("one two three")
    assert all(url.endswith("/events?after=1") for url in asked if "events" in url)


def test_two_tabs_show_the_same(
    page: Page, chrome: Chromium, assistant: Assistant, scripted: ScriptedService
) -> None:
    answer(page, scripted, "Hello?", "Yes.")
    other = chrome.open(page.url, context=page.context)
    expect(other.locator(".answer .body")).to_have_text("Yes.")
    ask(page, "And now?")
    scripted.asked()
    scripted.say("In both ")
    for tab in (page, other):
        expect(tab.locator(".answer .body").last).to_have_text("In both ")
    scripted.say("tabs.")
    scripted.finish()
    for tab in (page, other):
        expect(tab.locator(".answer .body").last).to_have_text("In both tabs.")
        expect(tab.locator("#send button[type=submit]")).to_be_visible()
    other.get_by_role("link", name="New chat").click()
    expect(other.locator(".message")).to_have_count(0)
    answer(other, scripted, "Another one", "Yes.")
    expect(page.get_by_role("link", name="Another one")).to_be_visible()


def test_a_thousand_messages_open_at_their_end_and_are_drawn_when_near(
    page: Page, assistant: Assistant, scripted: ScriptedService
) -> None:
    texts = [f"Message {count}, **bold**.\n\n- one\n- two" for count in range(1000)]
    id_ = assistant.tell(*texts, title="Long")
    page.goto(f"{assistant.url}/#/c/{id_}")
    expect(page.get_by_text("Message 999, bold.")).to_be_in_viewport()
    expect(page.locator("#log .message")).to_have_count(1000)
    drawn = page.locator("#log .answer .body strong")
    assert 1 < drawn.count() < 100
    ask(page, "And then?")
    assert len(scripted.turns()) == 1001
    scripted.say("One more.")
    expect(page.locator("#log .answer .body").last).to_have_text("One more.")
    expect(page.locator("#log .answer .body").last).to_be_in_viewport()
    scripted.finish()
    page.locator("#scroll").evaluate("element => element.scrollTo(0, 0)")
    expect(page.locator("#log .message").nth(1).locator("strong")).to_have_text("bold")
    expect(page.get_by_text("Message 1, bold.")).to_be_in_viewport()


def test_finished_blocks_are_not_drawn_again(page: Page, scripted: ScriptedService) -> None:
    ask(page, "Long, please")
    scripted.asked()
    scripted.say("First paragraph.\n\nSecond")
    expect(page.locator(".answer p:not(.facts)")).to_have_count(2)
    first = page.locator(".answer p").first.element_handle()
    assert first is not None
    scripted.say(" paragraph.\n\nThird")
    expect(page.locator(".answer .body p")).to_have_text(
        ["First paragraph.", "Second paragraph.", "Third"]
    )
    assert first.evaluate("node => node.isConnected")
    scripted.finish()
