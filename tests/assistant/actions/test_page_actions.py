"""Actions on the page: chosen by keyboard, seen as changes and notes, done on what was said."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.assistant.actions.conftest import Ruled, text_in
from tests.assistant.conftest import Assistant, Chromium, ask
from tests.conftest import AXE, missing
from tests.serve.scripted import ScriptedService


@pytest.fixture
def ruled_page(chrome: Chromium, over_ruled: Assistant) -> Page:
    """The page over the service that follows a rule."""
    page = chrome.open(over_ruled.url)
    expect(page.get_by_role("button", name="Add a picture")).to_be_visible()
    expect(page.get_by_role("button", name="Actions", exact=True)).to_be_visible()
    return page


def done(page: Page) -> None:
    expect(page.get_by_role("status")).to_have_text("Answer ready.")


def test_an_action_is_chosen_by_keyboard_with_its_fields(ruled_page: Page, ruled: Ruled) -> None:
    page, press = ruled_page, ruled_page.keyboard.press
    page.get_by_role("button", name="Actions", exact=True).focus()
    press("Enter")
    expect(page.get_by_role("menuitem", name="Translate")).to_be_focused()
    press("ArrowDown")
    press("Enter")
    row = page.get_by_role("group", name="Summarise")
    expect(page.get_by_label("Ask anything")).to_be_focused()
    expect(page.get_by_placeholder("Text to summarise")).to_be_visible()
    row.get_by_label("length").select_option("a list")
    row.get_by_label("for").select_option("a child")
    ask(page, "The lighthouse is white.")
    done(page)
    assert "three to seven points" in ruled.prompts[0]
    assert "ten-year-old" in ruled.prompts[0]
    expect(page.locator(".question .action-chip")).to_have_text("Summarise · a list · a child")
    expect(row).to_be_hidden()
    ask(page, "And why?")
    expect(page.locator(".answer .body")).to_have_text(["The lighthouse is white.", "And why?"])
    assert ruled.prompts[1] == "And why?"


def test_a_slash_opens_the_menu_and_the_name_is_typed_on(ruled_page: Page, ruled: Ruled) -> None:
    page = ruled_page
    page.get_by_label("Ask anything").focus()
    page.keyboard.type("/tra")
    expect(page.get_by_role("menuitem", name="Translate")).to_be_focused()
    page.keyboard.press("Enter")
    row = page.get_by_role("group", name="Translate")
    row.get_by_label("to").select_option("Deutsch")
    ask(page, "Good morning to you all")
    done(page)
    assert "into German" in ruled.prompts[0]
    page.get_by_label("Ask anything").focus()
    page.keyboard.type("/etc")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(page.get_by_label("Ask anything")).to_have_value("/etc")
    page.get_by_label("Ask anything").fill("/translate Good evening")
    expect(row).to_be_visible()
    expect(row.get_by_label("to")).to_have_value("de")
    expect(page.get_by_label("Ask anything")).to_have_value("Good evening")
    row.get_by_role("button", name="No action").click()
    expect(row).to_be_hidden()


def test_a_correction_is_seen_as_changes_that_can_be_refused(
    ruled_page: Page, ruled: Ruled
) -> None:
    page = ruled_page
    ruled.rule = lambda prompt: "The cat sat on the mat, and it was very happy there."
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Correct").click()
    ask(page, "The cat sat on teh mat, and it were very happy there.")
    done(page)
    expect(page.locator(".changes .acts > span")).to_have_text("2 changes, 2 accepted")
    expect(page.locator(".answer > .body")).to_be_hidden()
    changes = page.locator("button.change")
    expect(changes.first).to_have_text("Removed: tehAdded: the")
    changes.last.focus()
    page.keyboard.press("Enter")
    expect(changes.last).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".changes .acts > span")).to_have_text("2 changes, 1 accepted")
    page.get_by_role("button", name="Write on with it").click()
    expect(page.get_by_label("Ask anything")).to_have_value(
        "The cat sat on the mat, and it were very happy there."
    )
    page.get_by_role("button", name="Refuse all").click()
    page.get_by_role("button", name="Copy the result").click()
    page.wait_for_function(
        "navigator.clipboard.readText().then(text => text.startsWith('The cat sat on teh mat'))"
    )


def test_nothing_to_correct_and_an_edited_action(ruled_page: Page, ruled: Ruled) -> None:
    page = ruled_page
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Correct").click()
    ask(page, "All is well.")
    done(page)
    expect(page.get_by_text("Nothing was changed.")).to_be_visible()
    page.get_by_role("button", name="Edit").click()
    page.locator(".editor textarea").fill("All is fine.")
    page.keyboard.press("Enter")
    expect(page.locator(".changes .text")).to_have_text("All is fine.")
    assert all("Correct the mistakes" in prompt for prompt in ruled.prompts)


def test_notes_tell_what_to_check_and_markup_stays_text(ruled_page: Page, ruled: Ruled) -> None:
    page = ruled_page
    ruled.rule = lambda prompt: "Es sind 13 <img src=x onerror=alert()> Boote, {x<b>y</b>}."
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Translate").click()
    ask(page, "There are 12 boats.")
    done(page)
    notes = page.get_by_role("list", name="Please check")
    expect(notes.get_by_text("1 number differs: 12, 13")).to_be_visible()
    expect(notes).to_contain_text("1 placeholder differs: {x<b>y</b>}")
    assert page.locator("#log img, #log b").count() == 0


def test_an_action_on_an_answer_and_on_what_is_selected(ruled_page: Page, ruled: Ruled) -> None:
    page = ruled_page
    ruled.rule = lambda prompt: "Boats are safe. The harbour is deep."
    ask(page, "Tell me")
    done(page)
    page.get_by_role("button", name="Translate, summarise").last.click()
    page.get_by_role("menuitem", name="Rewrite · simpler").click()
    expect(page.locator(".question .body")).to_have_text(
        ["Tell me", "Boats are safe. The harbour is deep."]
    )
    done(page)
    page.locator(".answer .body").first.evaluate(
        """body => {
          const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
          const node = walker.nextNode();
          getSelection().setBaseAndExtent(node, 16, node, node.data.length);
        }"""
    )
    page.get_by_role("button", name="Translate, summarise").nth(1).click()
    page.get_by_role("menuitem", name="Summarise").click()
    expect(page.locator(".question .body").last).to_have_text("The harbour is deep.")


def test_the_part_under_way_is_shown_also_after_a_reload(
    page: Page, scripted: ScriptedService
) -> None:
    expect(page.get_by_role("button", name="Actions", exact=True)).to_be_visible()
    page.get_by_label("Ask anything").fill("/correct " + "The lighthouse is white. " * 100)
    page.keyboard.press("Enter")
    scripted.asked()
    expect(page.locator(".action-progress")).to_have_text("Part 1 of 2")
    page.reload()
    expect(page.locator(".action-progress")).to_have_text("Part 1 of 2")
    scripted.say("The lighthouse is white.")
    scripted.finish()
    scripted.asked()
    expect(page.locator(".action-progress")).to_have_text("Part 2 of 2")
    page.keyboard.press("Escape")
    assert scripted.client_left.wait(20)
    expect(page.locator(".answer .notice")).to_contain_text("Stopped.")
    expect(page.locator(".answer .body")).to_contain_text("The lighthouse is white.")


def test_french_words_and_rules_of_axe(
    chrome: Chromium, over_ruled: Assistant, ruled: Ruled
) -> None:
    if not AXE.exists():
        missing("axe-core (scripts/system-packages)")
    page = chrome.open(over_ruled.url, locale="fr-FR")
    expect(page.get_by_role("button", name="Actions", exact=True)).to_be_visible()
    page.get_by_label("Posez votre question").focus()
    page.keyboard.type("/corr")
    expect(page.get_by_role("menuitem", name="Corriger")).to_be_focused()
    page.keyboard.press("Enter")
    ruled.rule = lambda prompt: text_in(prompt).replace("chats dort", "chats dorment") + " 12"
    page.get_by_label("Posez votre question").fill("Les chats dort sur le lit de la maison !")
    page.keyboard.press("Enter")
    expect(page.locator(".changes")).to_be_visible()
    expect(page.locator(".action-notes")).to_contain_text("1 nombre diffère")
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Réparer du code").click()
    page.evaluate(Path(AXE).read_text())
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        broken = [
            (one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]
        ]
        assert broken == [], json.dumps(broken, indent=1)
    assert re.search(r"pytest", page.locator("#chosen-action").inner_text())
