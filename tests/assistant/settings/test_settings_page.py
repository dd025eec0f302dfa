"""The settings in Chromium, for one person: instructions, tone, memory and what is remembered."""

import json
import re
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from archipel.assistant.app import create_app
from archipel.assistant.desk import Desk
from archipel.assistant.history.opened import open_history
from archipel.chat import ChatService
from tests.assistant.test_page_access import axe
from tests.serve.scripted import ScriptedService, hosted_in_thread, scripted

__all__ = ["axe", "scripted"]

STATIC = Path(str(files("archipel.assistant") / "static"))
OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, scripted: ScriptedService, tmp_path: Path) -> Iterator[OpenPage]:
    """Open the assistant over the scripted service; the page must make no error and ask no other
    host."""
    problems: list[str] = []
    desk = Desk(open_history(f"sqlite:///{tmp_path / 'assistant.db'}"), time.time)
    with hosted_in_thread(create_app(ChatService(scripted.url), desk)) as url:

        def open_one(path: str = "/", locale: str = "en-US") -> Page:
            page = browser.new_context(locale=locale).new_page()
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on(
                "request",
                lambda request: request.url.startswith(url) or problems.append(request.url),
            )
            page.goto(f"{url}{path}")
            expect(page.locator("body.ready")).to_be_visible()
            return page

        yield open_one
        for context in browser.contexts:
            context.close()
    assert problems == []


def ask(page: Page, text: str) -> None:
    page.get_by_label("Ask anything").fill(text)
    page.keyboard.press("Enter")


def new_chat(page: Page) -> None:
    page.get_by_role("link", name="New chat").click()
    expect(page.get_by_role("heading", name="What can I do for you?")).to_be_visible()


def answer(scripted: ScriptedService, text: str) -> list[dict[str, str]]:
    """Answer the next request; gives its turns."""
    turns: list[dict[str, str]] = scripted.asked()["messages"]
    scripted.say(text)
    scripted.finish()
    return turns


def switch_memory_on(page: Page) -> None:
    page.get_by_label("Remember what I say about myself").check()
    expect(page.get_by_role("status")).to_have_text("Saved.")


def remember(page: Page, scripted: ScriptedService, said: str, fact: str) -> None:
    """Say something in a new conversation, which the model takes for a fact."""
    new_chat(page)
    ask(page, said)
    answer(scripted, "Good to know.")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    looked = answer(scripted, json.dumps({"fact": fact, "sentence": said}))
    assert looked[1] == {"role": "user", "content": said}
    until = time.monotonic() + 20
    while fact not in page.request.get(f"{page.url.partition('#')[0]}api/memories").text():
        assert time.monotonic() < until


def open_settings(page: Page) -> None:
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", name="Memory")).to_be_visible()


def test_instructions_and_tone_are_told_to_the_model(
    open_page: OpenPage, scripted: ScriptedService
) -> None:
    page = open_page("/#/settings")
    page.get_by_label("What it should know and keep to").fill("Call me Ana.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    page.get_by_label("Tone").select_option(label="Matter-of-fact and short")
    page.reload()
    expect(page.get_by_label("Tone")).to_have_value("plain")
    expect(page.get_by_label("What it should know and keep to")).to_have_value("Call me Ana.")
    new_chat(page)
    ask(page, "Hello")
    told, asked = answer(scripted, "Ana.")
    assert told["role"] == "system"
    assert "matter-of-fact" in told["content"]
    assert told["content"].endswith("Call me Ana.")
    assert asked == {"role": "user", "content": "Hello"}


def test_the_model_to_begin_with_is_ones_own_in_any_browser(
    open_page: OpenPage, scripted: ScriptedService
) -> None:
    page = open_page("/#/settings")
    page.get_by_label("Model to begin with").select_option("reef")
    expect(page.get_by_role("status")).to_have_text("Saved.")
    other = open_page()
    expect(other.get_by_label("Model", exact=True)).to_have_value("reef")


def test_models_that_become_known_after_the_settings_are_shown_can_be_chosen(
    open_page: OpenPage,
) -> None:
    page = open_page()
    waiting: list[Route] = []
    page.route("**/api/models", lambda route: waiting.append(route))
    page.goto(f"{page.url.partition('#')[0]}#/settings")
    page.reload()
    first = page.get_by_label("Model to begin with")
    expect(first.get_by_role("option")).to_have_count(1)
    waiting[0].continue_()
    first.select_option("reef")
    expect(page.get_by_role("status")).to_have_text("Saved.")


def test_nothing_is_remembered_until_it_is_switched_on(
    open_page: OpenPage, scripted: ScriptedService
) -> None:
    page = open_page()
    ask(page, "I live in Lyon, you know.")
    answer(scripted, "I see.")
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
    ask(page, "And you?")
    answer(scripted, "Here.")  # and nothing was asked between
    open_settings(page)
    expect(page.get_by_text("Nothing is remembered.")).to_be_visible()


def test_a_fact_is_remembered_with_its_sentence_and_used_in_later_conversations(
    open_page: OpenPage, scripted: ScriptedService
) -> None:
    page = open_page("/#/settings")
    switch_memory_on(page)
    remember(page, scripted, "I live in Lyon, you know.", "Lives in Lyon")
    open_settings(page)
    item = page.get_by_role("listitem").filter(has_text="Lives in Lyon")
    expect(item).to_contain_text("I live in Lyon, you know.")
    expect(item).to_contain_text("Said on ")
    item.get_by_role("link", name="Open the message").click()
    expect(page.locator("#log")).to_contain_text("Good to know.")

    new_chat(page)
    ask(page, "Where is Lyon?")
    told, _ = answer(scripted, "In France.")
    assert "- Lives in Lyon (" in told["content"]
    answer(scripted, "no fact")  # what it is asked for after the answer
    used = page.locator(".answer").last
    expect(used).to_contain_text("Used 1 memory")
    used.get_by_role("link", name="See what was used").click()
    expect(page.locator(".pointed")).to_contain_text("Lives in Lyon")


def test_a_memory_is_corrected_and_erased(open_page: OpenPage, scripted: ScriptedService) -> None:
    page = open_page("/#/settings")
    switch_memory_on(page)
    remember(page, scripted, "I live in Lyon, you know.", "Lives in Lyon")
    open_settings(page)
    page.get_by_role("button", name="Correct").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What is remembered").fill("My password is tulip")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("This is not kept.")
    dialog.get_by_label("What is remembered").fill("Lives in Nantes")
    dialog.get_by_role("button", name="Save").click()
    item = page.get_by_role("listitem").filter(has_text="Lives in Nantes")
    expect(item).to_contain_text("Corrected on ")
    item.get_by_role("button", name="Erase").click()
    page.get_by_role("dialog").get_by_role("button", name="Erase").click()
    expect(page.get_by_text("Nothing is remembered.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Nothing is remembered.")).to_be_visible()


def test_all_is_erased_at_once(open_page: OpenPage, scripted: ScriptedService) -> None:
    page = open_page("/#/settings")
    switch_memory_on(page)
    remember(page, scripted, "I live in Lyon, you know.", "Lives in Lyon")
    remember(page, scripted, "I work as a nurse.", "Works as a nurse")
    open_settings(page)
    expect(page.locator(".memories li")).to_have_count(2)
    page.get_by_role("button", name="Erase all memories").click()
    page.get_by_role("dialog").get_by_role("button", name="Erase all memories").click()
    expect(page.locator(".memories li")).to_have_count(0)


def test_what_people_and_models_write_stays_text(
    open_page: OpenPage, scripted: ScriptedService
) -> None:
    page = open_page("/#/settings")
    switch_memory_on(page)
    said = "I like <img src=x onerror=document.title=1> a lot."
    remember(page, scripted, said, "Likes <img src=x onerror=document.title=1>")
    open_settings(page)
    expect(page.locator(".memories")).to_contain_text("Likes <img src=x")
    expect(page.locator(".memories img")).to_have_count(0)


def test_the_settings_are_french_too(open_page: OpenPage, scripted: ScriptedService) -> None:
    page = open_page("/#/settings", locale="fr-FR")
    expect(page.get_by_role("heading", name="Mémoire")).to_be_visible()
    expect(page.get_by_label("Ton")).to_have_value("warm")


def test_the_words_are_the_same_in_both_languages_and_no_key_is_the_pages() -> None:
    words = {
        file.stem: json.loads(file.read_text()) for file in STATIC.glob("settings/languages/*.json")
    }
    assert words["en"].keys() == words["fr"].keys()
    for key, english in words["en"].items():
        assert re.findall(r"\{\w+\}", english) == re.findall(r"\{\w+\}", words["fr"][key])
    pages = json.loads((STATIC / "languages" / "en.json").read_text())
    assert not pages.keys() & words["en"].keys()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-US", "fr-FR"])
def test_the_settings_break_no_rule_of_axe(
    open_page: OpenPage, scripted: ScriptedService, axe: str, locale: str, scheme: Any
) -> None:
    page = open_page(locale=locale)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{page.url}#/settings")
    expect(page.locator(".settings-panel")).to_be_visible()
    broken = violations(page, axe)
    page.keyboard.press("Escape")
    page.locator("#place button").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert broken + violations(page, axe) == []


def violations(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:160]}" for rule in found["violations"]]
