"""Branches on the page: edit, answer again, switch, fork, compare."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.assistant.conftest import Assistant, Chromium, answer, ask
from tests.serve.scripted import ScriptedService


def bodies(page: Page) -> Locator:
    return page.locator("#log .message .body")


def finish(page: Page, scripted: ScriptedService, text: str) -> None:
    scripted.say(text)
    scripted.finish()
    expect(page.get_by_role("status")).to_have_text("Answer ready.")


def test_an_edited_question_is_another_branch_and_both_stay(
    page: Page, scripted: ScriptedService
) -> None:
    answer(page, scripted, "Frist", "What?")
    answer(page, scripted, "Never mind", "Fine.")
    page.locator(".question").first.hover()
    page.get_by_role("button", name="Edit the question").first.click()
    area = page.get_by_role("textbox", name="Edit the question")
    expect(area).to_be_focused()
    expect(area).to_have_value("Frist")
    area.fill("First")
    area.press("Enter")
    assert scripted.turns() == [{"role": "user", "content": "First"}]
    finish(page, scripted, "Good.")
    expect(bodies(page)).to_have_text(["First", "Good."])
    expect(page.locator(".question .version")).to_have_text("2/2")
    page.get_by_role("button", name="Previous version").click()
    expect(bodies(page)).to_have_text(["Frist", "What?", "Never mind", "Fine."])
    page.reload()
    expect(bodies(page)).to_have_text(["Frist", "What?", "Never mind", "Fine."])
    page.get_by_role("button", name="Next version").press("Enter")
    expect(bodies(page)).to_have_text(["First", "Good."])
    expect(page.get_by_role("button", name="Previous version")).to_be_focused()


def test_an_edit_can_be_given_up(page: Page, scripted: ScriptedService) -> None:
    answer(page, scripted, "First", "Yes.")
    page.keyboard.press("Control+Shift+E")
    page.keyboard.type(" and more")
    page.keyboard.press("Escape")
    expect(bodies(page)).to_have_text(["First", "Yes."])
    page.get_by_role("button", name="Edit the question").click()
    page.get_by_role("button", name="Cancel").click()
    expect(bodies(page)).to_have_text(["First", "Yes."])


def test_another_model_answers_again(page: Page, scripted: ScriptedService) -> None:
    answer(page, scripted, "Who are you?", "The island.")
    page.get_by_role("button", name="Answer again").click()
    page.get_by_role("menuitem", name="Answer again with reef").click()
    assert scripted.asked()["model"] == "reef"
    finish(page, scripted, "The reef.")
    expect(bodies(page)).to_have_text(["Who are you?", "The reef."])
    expect(page.locator(".answer .version")).to_have_text("2/2")
    page.get_by_role("button", name="Previous version").click()
    expect(bodies(page)).to_have_text(["Who are you?", "The island."])
    expect(page.locator(".facts").last).to_contain_text("island")


def test_a_menu_is_for_the_keyboard_too(page: Page, scripted: ScriptedService) -> None:
    answer(page, scripted, "Who are you?", "The island.")
    opener = page.get_by_role("button", name="Answer again")
    opener.press("Enter")
    expect(page.get_by_role("menuitem", name="island")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("menuitem", name="reef")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(opener).to_be_focused()


def test_a_fork_goes_on_elsewhere(page: Page, scripted: ScriptedService) -> None:
    answer(page, scripted, "First", "Yes.")
    answer(page, scripted, "Second", "No.")
    before = page.url
    page.locator(".answer").first.hover()
    page.get_by_role("button", name="Go on from here").first.click()
    expect(page).not_to_have_url(before)
    expect(bodies(page)).to_have_text(["First", "Yes."])
    answer(page, scripted, "Other", "Perhaps.")
    page.goto(before)
    expect(bodies(page)).to_have_text(["First", "Yes.", "Second", "No."])


def test_copying(page: Page, scripted: ScriptedService) -> None:
    answer(page, scripted, "Say *this*", "Some **bold** text.")
    page.get_by_role("button", name="Copy", exact=True).last.click()
    expect(page.get_by_role("status")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "Some **bold** text."
    page.get_by_role("button", name="Copy", exact=True).first.click()
    page.wait_for_function(
        "() => navigator.clipboard.readText().then(text => text === 'Say *this*')"
    )
    page.keyboard.press("Control+Shift+C")
    page.wait_for_function(
        "() => navigator.clipboard.readText().then(text => text.includes('bold'))"
    )


def compare(page: Page, scripted: ScriptedService, text: str) -> None:
    expect(page.get_by_label("Second model, to compare")).to_be_visible()
    page.get_by_label("Second model, to compare").select_option("reef")
    ask(page, text)
    assert {scripted.asked()["model"], scripted.asked()["model"]} == {"island", "reef"}


@pytest.mark.parametrize("size", [(1200, 800), (390, 800)])
def test_two_answers_grow_side_by_side_and_one_goes_on(
    chrome: Chromium, assistant: Assistant, scripted: ScriptedService, size: tuple[int, int]
) -> None:
    page = chrome.open(assistant.url, size=size)
    compare(page, scripted, "Compare")
    scripted.say("from the reef", to="reef")
    scripted.say("from the island", to="island")
    columns = page.locator(".column .body")
    expect(columns).to_have_text(["from the island", "from the reef"])
    scripted.finish(to="island")
    scripted.finish(to="reef")
    expect(page.locator(".column .facts")).to_have_count(2)
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.reload()
    expect(columns).to_have_text(["from the island", "from the reef"])
    if size[0] < 500:
        expect(columns.last).to_be_hidden()
        page.get_by_role("tab", name="island").press("ArrowRight")
        expect(page.get_by_role("tab", name="reef")).to_be_focused()
        expect(columns.first).to_be_hidden()
    expect(columns.last).to_be_visible()
    page.locator(".column").last.get_by_role("button", name="Continue with this one").click()
    expect(page.locator(".column")).to_have_count(0)
    expect(bodies(page)).to_have_text(["Compare", "from the reef"])
    expect(page.locator(".answer .version")).to_have_text("2/2")
    page.get_by_label("Second model, to compare").select_option("")
    ask(page, "Go on")
    assert [turn["content"] for turn in scripted.turns()] == [
        *("Compare", "from the reef", "Go on")
    ]


def test_who_does_not_choose_goes_on_with_the_first_that_answered(
    page: Page, scripted: ScriptedService
) -> None:
    compare(page, scripted, "Compare")
    scripted.send(ConnectionError("it crashed"), to="island")
    scripted.say("from the reef", to="reef")
    scripted.finish(to="reef")
    expect(page.locator(".column .facts")).to_have_count(2)
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.get_by_label("Second model, to compare").select_option("")
    ask(page, "Go on")
    assert scripted.turns()[1]["content"] == "from the reef"
    expect(page.locator(".column")).to_have_count(0)
    expect(bodies(page)).to_have_text(["Compare", "from the reef", "Go on", re.compile("^$")])
