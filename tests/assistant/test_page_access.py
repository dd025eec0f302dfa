"""The page for everyone: by keyboard alone, by ear, on a phone, in French, in the dark."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.assistant.conftest import Assistant, Chromium, answer
from tests.conftest import AXE, missing
from tests.serve.scripted import ScriptedService

STATIC = Path(str(files("archipel.assistant") / "static"))
_WORDS_OF_THE_PAGE = """() => {
  const shown = (element) => element?.checkVisibility();
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (shown(element) && !element.closest("[data-foreign]")) found.push(node.data);
  }
  for (const element of document.querySelectorAll("[aria-label], [title], [placeholder]")) {
    if (shown(element)) {
      for (const name of ["aria-label", "title", "placeholder"]) {
        found.push(element.getAttribute(name) ?? "");
      }
    }
  }
  return found.map((text) => text.trim()).filter(Boolean);
}"""


def test_a_whole_chat_by_keyboard_alone(page: Page, scripted: ScriptedService) -> None:
    press, type_ = page.keyboard.press, page.keyboard.type
    expect(page.get_by_label("Ask anything")).to_be_focused()
    type_("First question")
    press("Enter")
    scripted.asked()
    scripted.say("Never en")
    expect(page.locator(".answer .body")).to_have_text("Never en")
    press("Escape")
    expect(page.locator("#log .notice")).to_contain_text("Stopped.")
    press("Control+Shift+E")
    type_(" again")
    press("Enter")
    assert scripted.turns()[0]["content"] == "First question again"
    scripted.say("Good.")
    scripted.finish()
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
    press("Control+Shift+C")
    page.wait_for_function("() => navigator.clipboard.readText().then(text => text === 'Good.')")
    press("Shift+Escape")
    expect(page.get_by_label("Ask anything")).to_be_focused()
    press("Control+Shift+O")
    expect(page.get_by_role("heading", name="What can I do for you?")).to_be_visible()
    type_("Other question")
    press("Enter")
    scripted.asked()
    scripted.finish()
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
    press("Control+k")
    type_("first")
    expect(page.locator("#found a").first).to_be_visible()
    press("ArrowDown")
    press("Enter")
    expect(page.locator(".question .body")).to_have_text("First question again")
    press("Control+/")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_focus_is_seen_and_comes_back(page: Page, assistant: Assistant) -> None:
    assistant.tell("a", title="One")
    page.reload()
    expect(page.get_by_role("link", name="One")).to_be_visible()
    page.get_by_role("link", name="Archipel").focus()
    page.keyboard.press("Shift+Tab")
    skip = page.get_by_role("link", name="Go to the question")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    assert skip.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_label("Ask anything")).to_be_focused()
    opener = page.get_by_role("button", name="Actions: One")
    opener.press("Enter")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Rename")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(opener).to_be_focused()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Keyboard shortcuts")).to_be_focused()


def test_a_phone_has_a_drawer(
    chrome: Chromium, assistant: Assistant, scripted: ScriptedService
) -> None:
    assistant.tell("From before", "Yes.", title="Before")
    page = chrome.open(assistant.url, size=(360, 700))
    expect(page.get_by_role("link", name="Before")).to_be_hidden()
    answer(page, scripted, "Hello?", "Hi.")
    expect(page.get_by_role("button", name="Copy").last).to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360
    page.get_by_role("button", name="Show the conversations").click()
    expect(page.get_by_role("link", name="New chat")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Before")).to_be_hidden()
    page.get_by_role("button", name="Show the conversations").click()
    page.get_by_role("link", name="Before").click()
    expect(page.get_by_text("From before")).to_be_visible()
    expect(page.get_by_role("link", name="Before")).to_be_hidden()


def test_at_twice_the_size_nothing_is_cut(chrome: Chromium, assistant: Assistant) -> None:
    id_ = assistant.tell("Hi", "Hello", title="One")
    page = chrome.open(f"{assistant.url}/#/c/{id_}", size=(640, 400))
    expect(page.locator(".answer")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    for name in ("Send", "Show the conversations"):
        expect(page.get_by_role("button", name=name)).to_be_in_viewport()
    expect(page.get_by_label("Model", exact=True)).to_be_in_viewport()


def test_text_from_right_to_left(page: Page, scripted: ScriptedService) -> None:
    answer(page, scripted, "مرحبا", "أهلا وسهلا")
    for body in page.locator("#log .body").all():
        assert body.evaluate("element => getComputedStyle(element).direction") == "rtl"


def test_dark_is_the_systems_or_chosen(page: Page) -> None:
    def background() -> str:
        found: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return found

    light = background()
    page.emulate_media(color_scheme="dark")
    dark = background()
    assert light != dark
    page.get_by_label("Colours").select_option("light")
    assert background() == light
    page.emulate_media(color_scheme="light")
    page.get_by_label("Colours").select_option("dark")
    assert background() == dark
    page.reload()
    expect(page.locator("body.ready")).to_be_visible()
    assert background() == dark


def test_french_is_chosen_by_the_browser_and_can_be_changed(
    chrome: Chromium, assistant: Assistant, scripted: ScriptedService
) -> None:
    page = chrome.open(assistant.url, locale="fr-FR")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.get_by_role("heading", name="Que puis-je faire pour vous ?")).to_be_visible()
    page.get_by_label("Posez votre question").fill("Bonjour ?")
    page.keyboard.press("Enter")
    scripted.asked()
    expect(page.get_by_role("status")).to_have_text("Réponse en cours…")
    scripted.say("Bonjour.")
    scripted.finish()
    expect(page.get_by_role("status")).to_have_text("Réponse terminée.")
    expect(page.locator(".facts").last).to_contain_text("7 jetons")
    page.get_by_label("Langue").select_option("en")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator(".facts").last).to_contain_text("7 tokens")


@pytest.fixture
def axe() -> str:
    """The source of axe-core."""
    if not AXE.exists():
        missing("axe-core (scripts/system-packages)")
    return AXE.read_text()


def states(page: Page, assistant: Assistant, scripted: ScriptedService) -> Iterator[str]:
    """Lead the page through what it can look like; gives the name of each state."""
    names = json.loads(
        (STATIC / f"languages/{page.evaluate('document.documentElement.lang')}.json").read_text()
    )
    assistant.tell("Old", "Old.", title="Old")
    page.reload()
    expect(page.locator("#list a[data-id]")).to_be_visible()
    yield "empty"
    page.get_by_label(names["question"]).fill("Question")
    page.keyboard.press("Enter")
    scripted.asked()
    scripted.say("# Title\n\nSome **text**.\n\n- one\n\n```python\nprint(1)\n```\n")
    expect(page.locator(".answer strong")).to_be_visible()
    yield "growing"
    scripted.finish()
    expect(page.get_by_role("status")).to_have_text(names["answer_ready"])
    yield "answered"
    page.get_by_role("button", name=names["again"]).click()
    yield "menu"
    page.keyboard.press("Escape")
    page.get_by_role("button", name=names["edit"]).click()
    yield "editing"
    page.keyboard.press("Escape")
    scripted.refusal = (503, {"error": {"message": "closed", "code": "provider_unavailable"}})
    page.get_by_label(names["second_model"]).select_option("reef")
    page.get_by_label(names["question"]).fill("Question")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").first).to_be_visible()
    scripted.refusal = None
    yield "comparing, failed"
    page.get_by_label(names["search"]).fill("old")
    expect(page.locator("#found mark").first).to_be_visible()
    yield "found"
    page.get_by_label(names["search"]).press("Escape")
    page.keyboard.press("Control+/")
    yield "shortcuts"
    page.keyboard.press("Escape")
    page.locator("#conversation-menu button").click()
    page.get_by_role("menuitem", name=names["share"]).click()
    yield "dialog"
    page.keyboard.press("Escape")


@pytest.mark.parametrize("locale", ["en-US", "fr-FR"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_state_of_the_page_breaks_a_rule_of_axe(
    chrome: Chromium,
    assistant: Assistant,
    scripted: ScriptedService,
    axe: str,
    locale: str,
    scheme: Any,
) -> None:
    page = chrome.open(assistant.url, locale=locale)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    broken = {}
    for state in states(page, assistant, scripted):
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        for rule in found["violations"]:
            broken[state, rule["id"]] = [node["html"][:160] for node in rule["nodes"]]
    assert broken == {}


def test_no_word_is_in_the_code(
    chrome: Chromium, assistant: Assistant, scripted: ScriptedService, browser: Browser
) -> None:
    """Every word that is seen or heard comes from the languages or from people and models."""
    context = browser.new_context(locale="en-US")
    context.route("**/languages/en.json", _mark)
    page = chrome.open(assistant.url, context=context)
    ours = re.compile(
        r"^((island · )?⟦.*⟧.*|Archipel|EN|FR|English|Français|[\d/↑↓A-Z])$", re.DOTALL
    )
    theirs = {"island", "reef", "Question"}
    shown: set[str] = set()
    for _ in _marked_states(page, assistant, scripted):
        shown |= set(page.evaluate(_WORDS_OF_THE_PAGE))
    assert {text for text in shown if not ours.match(text)} - theirs == set()


def _mark(route: Route) -> None:
    words = route.fetch().json()
    route.fulfill(json={key: f"⟦{text}⟧" for key, text in words.items()})


def _marked_states(page: Page, assistant: Assistant, scripted: ScriptedService) -> Iterator[str]:
    yield "empty"
    ask_marked = page.locator("#question")
    ask_marked.fill("Question")
    ask_marked.press("Enter")
    scripted.asked()
    scripted.finish()
    expect(page.get_by_role("status")).to_have_text("⟦Answer ready.⟧")
    yield "answered"
    page.keyboard.press("Control+/")
    yield "shortcuts"
    page.keyboard.press("Escape")
    page.locator("#conversation-menu button").click()
    yield "menu"
    page.get_by_role("menuitem").last.click()
    yield "dialog"
