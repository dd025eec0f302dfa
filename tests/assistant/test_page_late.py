"""What comes late on the page changes nothing of what is shown since."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from tests.assistant.conftest import Assistant, answer
from tests.serve.scripted import ScriptedService

Hold = Callable[[str], Callable[[], None]]


@pytest.fixture
def hold(page: Page) -> Hold:
    """Holds what the page asks of an address; what is given back lets the first of it be answered,
    and waits until the page has taken it."""

    def held(address: str) -> Callable[[], None]:
        waiting: list[Route] = []
        page.route(address, lambda route: waiting.append(route))

        def release() -> None:
            with page.expect_response(address) as response:
                waiting.pop(0).continue_()
            response.value.finished()
            page.unroute(address)
            page.evaluate("new Promise((done) => setTimeout(() => requestAnimationFrame(done)))")

        return release

    return held


def test_of_addresses_that_follow_each_other_the_last_is_shown(
    page: Page, assistant: Assistant, hold: Hold
) -> None:
    new, gone = f"{assistant.url}/#/", f"{assistant.url}/#/c/999"
    there, other = (f"{new}c/{assistant.tell(text)}" for text in ("Here I am", "Elsewhere"))
    for before, late, last in ((new, there, gone), (new, gone, there), (there, other, there)):
        page.goto(before)
        page.reload()
        expect(page.locator("body.ready")).to_be_visible()
        asked = late.replace("#/c", "api/conversations")
        release = hold(asked)
        with page.expect_request(asked):
            page.goto(late)
        page.goto(last)
        expect(page.locator("#page")).to_contain_text(re.compile("It is not there|Here I am"))
        shown = page.locator("#page").inner_text()
        release()
        assert page.locator("#page").inner_text() == shown


def test_what_was_asked_stays_where_a_conversation_comes_late(
    page: Page, assistant: Assistant, hold: Hold, scripted: ScriptedService
) -> None:
    id_ = assistant.tell("Here I am")
    asked = f"{assistant.url}/api/conversations/{id_}"
    release = hold(asked)
    with page.expect_request(asked):
        page.goto(f"{assistant.url}/#/c/{id_}")
    answer(page, scripted, "What is new?", "Nothing.")
    release()
    expect(page.locator("#log .body")).to_have_text(["What is new?", "Nothing."])
    expect(page).to_have_url(f"{assistant.url}/#/c/{id_ + 1}")


def test_what_is_being_asked_is_kept_where_the_page_is_left(
    page: Page, assistant: Assistant, hold: Hold
) -> None:
    asked = f"{assistant.url}/api/questions"
    hold(asked)
    with page.expect_request(asked):
        page.get_by_label("Ask anything").fill("Anybody?")
        page.keyboard.press("Enter")
    page.reload()
    expect(page.get_by_label("Ask anything")).to_have_value("Anybody?")


def test_a_panel_that_was_left_fills_no_other(page: Page, assistant: Assistant, hold: Hold) -> None:
    expect(page.get_by_role("button", name="With my documents")).to_be_visible()
    asked = f"{assistant.url}/api/collections"
    release = hold(asked)
    with page.expect_request(asked):
        page.goto(f"{assistant.url}/#/documents")
    page.goto(f"{assistant.url}/#/settings")
    expect(page.get_by_role("heading", name="Memory")).to_be_visible()
    release()
    expect(page.locator("#whole h2")).to_have_text(["Settings"])


def test_a_conversation_that_began_while_the_list_was_read_is_in_it(
    page: Page, assistant: Assistant, hold: Hold, scripted: ScriptedService
) -> None:
    expect(page.get_by_role("button", name="Actions", exact=True)).to_be_visible()
    asked = "**/api/conversations?*"
    before: list[tuple[Route, APIResponse]] = []
    page.route(asked, lambda route: before.append((route, route.fetch())))
    page.reload()
    expect(page.get_by_role("button", name="Actions", exact=True)).to_be_visible()
    answer(page, scripted, "What is new?", "Nothing.")
    for route, response in before:
        route.fulfill(response=response)
    page.unroute(asked)
    expect(page.locator("#list a[data-id]")).to_have_text(["What is new?"])


def test_a_dialog_that_was_closed_takes_no_focus_back(page: Page) -> None:
    shortcuts = page.get_by_role("button", name="Keyboard shortcuts")
    shortcuts.click()
    page.evaluate(
        "document.querySelector('dialog').close(); document.querySelector('#question').focus()"
    )
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_label("Ask anything")).to_be_focused()


@pytest.mark.parametrize("panel", ["settings", "transfer", "connect"])
def test_a_panel_whose_style_did_not_come_is_tried_again(
    page: Page, assistant: Assistant, panel: str
) -> None:
    style = f"**/{panel}/{panel}.css"
    page.route(style, lambda route: route.abort())
    page.goto(f"{assistant.url}/#/{panel}")
    again = page.locator("#whole").get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    page.unroute(style)
    again.click()
    expect(page.locator("#whole h2").first).to_be_visible()
