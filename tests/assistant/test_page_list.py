"""The list of conversations on the page: found, named, pinned, moved, shared, deleted."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.assistant.conftest import Assistant, Chromium, answer
from tests.serve.scripted import ScriptedService


def listed(page: Page) -> Locator:
    return page.locator("#list a[data-id]")


def menu(page: Page, title: str, item: str) -> None:
    page.get_by_role("link", name=title, exact=True).hover()
    page.get_by_role("button", name=f"Actions: {title}").click()
    page.get_by_role("menuitem", name=item).click()


def group(page: Page, name: str) -> Locator:
    heading = page.get_by_role("heading", name=name, exact=True)
    return page.locator("#list section").filter(has=heading).locator("a[data-id]")


def test_conversations_stand_by_day_and_open_by_their_address(
    page: Page, assistant: Assistant
) -> None:
    for title, days in (("now", 0), ("day", 1), ("week", 4), ("month", 30)):
        assistant.tell(f"About {title}", "Yes.", title=f"Title {title}", days_ago=days)
    page.reload()
    expect(group(page, "Today")).to_have_text(["Title now"])
    expect(group(page, "Yesterday")).to_have_text(["Title day"])
    expect(group(page, "Last 7 days")).to_have_text(["Title week"])
    expect(group(page, "Older")).to_have_text(["Title month"])
    page.get_by_role("link", name="Title week").click()
    expect(page.get_by_text("About week")).to_be_visible()
    expect(page.get_by_role("link", name="Title week")).to_have_attribute("aria-current", "page")
    page.keyboard.press("Alt+ArrowDown")
    expect(page.get_by_text("About month")).to_be_visible()
    page.keyboard.press("Alt+ArrowUp")
    expect(page.get_by_text("About week")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("About month")).to_be_visible()
    page.go_forward()
    expect(page.get_by_text("About week")).to_be_visible()


def test_a_long_list_comes_as_one_scrolls(page: Page, assistant: Assistant) -> None:
    for count in range(120):
        assistant.tell("a", title=f"Talk {count}", days_ago=count / 10)
    page.reload()
    expect(page.get_by_role("link", name="Talk 0", exact=True)).to_be_visible()
    last = page.get_by_role("link", name="Talk 119", exact=True)
    expect(last).to_have_count(0)
    for count in (50, 100):
        expect(listed(page)).to_have_count(count)
        page.locator("#list .end").scroll_into_view_if_needed()
    expect(last).to_be_visible()


def test_naming_pinning_and_deleting(page: Page, assistant: Assistant) -> None:
    one = assistant.tell("First one", "Yes.", title="One")
    assistant.tell("Second one", "Yes.", title="Two")
    page.goto(f"{assistant.url}/#/c/{one}")
    page.reload()
    menu(page, "One", "Rename")
    page.get_by_label("Title").fill("Éric & <b>friends</b>")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#title")).to_have_text("Éric & <b>friends</b>")
    menu(page, "Éric & <b>friends</b>", "Pin")
    expect(group(page, "Pinned")).to_have_text(["Éric & <b>friends</b>"])
    expect(group(page, "Today")).to_have_text(["Two"])
    menu(page, "Éric & <b>friends</b>", "Unpin")
    expect(group(page, "Pinned")).to_have_count(0)
    menu(page, "Éric & <b>friends</b>", "Delete")
    page.get_by_role("button", name="Cancel").click()
    expect(listed(page)).to_have_count(2)
    menu(page, "Éric & <b>friends</b>", "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(listed(page)).to_have_text(["Two"])
    expect(page.get_by_role("heading", name="What can I do for you?")).to_be_visible()
    page.goto(f"{assistant.url}/#/c/{one}")
    expect(page.get_by_role("alert")).to_contain_text("It is not there.")


def test_folders(page: Page, assistant: Assistant) -> None:
    assistant.tell("a", title="One")
    assistant.tell("b", title="Two")
    page.reload()
    page.get_by_role("button", name="New folder").click()
    page.get_by_role("textbox", name="Name").fill("Work")
    page.keyboard.press("Enter")
    folder = page.locator(".folder summary")
    expect(folder).to_have_text(["Work"])
    menu(page, "One", "Move to a folder")
    page.get_by_role("dialog").get_by_role("combobox").select_option("Work")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(listed(page)).to_have_text(["Two"])
    folder.click()
    expect(page.locator(".folder a")).to_have_text(["One"])
    page.reload()
    expect(listed(page)).to_have_text(["Two"])
    folder.hover()
    page.get_by_role("button", name="Actions: Work").click()
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_role("textbox", name="Name").fill("Play")
    page.keyboard.press("Enter")
    expect(folder).to_have_text(["Play"])
    page.get_by_role("button", name="New folder").click()
    page.get_by_role("textbox", name="Name").fill("Play")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("there is a folder 'Play' already")
    page.get_by_role("button", name="Cancel").click()
    folder.hover()
    page.get_by_role("button", name="Actions: Play").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(folder).to_have_count(0)
    expect(listed(page)).to_have_text(["Two", "One"])


def test_search_finds_titles_and_the_place_in_a_conversation(
    page: Page, assistant: Assistant
) -> None:
    texts = [f"Word {count} of many.\n\n" * 8 for count in range(40)]
    texts[11] = "The château is on the island."
    id_ = assistant.tell(*texts, title="Travels")
    page.reload()
    expect(listed(page)).to_have_text(["Travels"])
    page.keyboard.press("Control+K")
    expect(page.get_by_label("Search conversations")).to_be_focused()
    page.keyboard.type("chateau isl")
    found = page.locator("#found a")
    expect(found).to_contain_text("Travels")
    expect(found.locator("mark")).to_have_text(["château", "island"])
    expect(page.get_by_role("status")).to_have_text("1 place found")
    page.keyboard.press("ArrowDown")
    expect(found).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"#/c/{id_}/\d+$"))
    expect(page.get_by_text("The château is on the island.").last).to_be_in_viewport()
    page.get_by_label("Search conversations").fill("travels")
    expect(page.locator("#found mark")).to_have_text(["Travels"])
    page.get_by_label("Search conversations").press("Escape")
    expect(listed(page)).to_have_text(["Travels"])


def test_search_goes_to_the_branch_that_has_the_words(
    page: Page, scripted: ScriptedService
) -> None:
    answer(page, scripted, "needle in the hay", "Found.")
    page.keyboard.press("Control+Shift+E")
    page.keyboard.press("Control+A")
    page.keyboard.type("other words")
    page.keyboard.press("Enter")
    scripted.asked()
    scripted.finish()
    expect(page.locator("#log .question .body")).to_have_text(["other words"])
    page.get_by_label("Search conversations").fill("needle")
    page.locator("#found a").last.click()
    expect(page.locator("#log .question .body")).to_have_text(["needle in the hay"])


def test_a_link_is_made_read_and_taken_back(
    page: Page, chrome: Chromium, assistant: Assistant
) -> None:
    id_ = assistant.tell("What is shared", "This.", title="Shared")
    page.goto(f"{assistant.url}/#/c/{id_}")
    page.reload()
    menu(page, "Shared", "Share by link")
    page.get_by_role("dialog").get_by_role("button", name="Share by link").click()
    link = page.get_by_role("textbox", name="Link").input_value()
    page.get_by_role("dialog").get_by_role("button", name="Copy").click()
    page.wait_for_function("link => navigator.clipboard.readText().then(t => t === link)", arg=link)
    page.get_by_role("button", name="Close", exact=True).click()
    assistant.owner[0] = "somebody else"
    other = chrome.open(link)
    expect(other.locator("#log .body")).to_have_text(["What is shared", "This."])
    expect(other.get_by_text("A shared conversation, to read.")).to_be_visible()
    expect(other.get_by_label("Ask anything")).to_be_hidden()
    expect(other.get_by_role("button", name="Edit the question")).to_have_count(0)
    other.goto(f"{assistant.url}/#/c/{id_}")
    expect(other.get_by_role("alert")).to_contain_text("It is not there.")
    assistant.owner[0] = "local"
    menu(page, "Shared", "Share by link")
    page.get_by_role("button", name="Take the link back").click()
    expect(page.get_by_text("The link opens nothing any more.")).to_be_visible()
    page.goto(link)
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("It is not there.")
