"""Documents on the page, in Chromium: dropped, asked, cited, opened at the exact place."""

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.assistant.conftest import Assistant, Chromium, ask
from tests.assistant.library.conftest import BOAT, LAMP, LEAVE
from tests.assistant.test_page_access import axe
from tests.serve.scripted import ScriptedService

__all__ = ["axe"]
HOSTILE = "<img src=x onerror=alert(1)>.md"
DROP = """(zone, files) => {
  const data = new DataTransfer();
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    data.items.add(new File([bytes], name));
  }
  zone.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
}"""


@pytest.fixture
def over_script(
    own_home: Path, assistant_over: Callable[..., Assistant], scripted: ScriptedService
) -> Assistant:
    """The assistant over the scripted service."""
    return assistant_over(scripted.url)


@pytest.fixture
def open_panel(chrome: Chromium, over_script: Assistant) -> Callable[..., Page]:
    """Open the documents' panel."""
    return lambda locale="en-US": chrome.open(f"{over_script.url}/#/documents", locale=locale)


def drop(page: Page, *files: tuple[str, bytes]) -> None:
    sent = [(name, base64.b64encode(data).decode()) for name, data in files]
    page.locator(".documents .drop").evaluate(DROP, sent)


def answered(page: Page, scripted: ScriptedService, question: str, text: str) -> Locator:
    """The last answer; in `text` {n} is the number of the first passage with `[n] … name`."""
    ask(page, question)
    scripted.asked()
    scripted.say(text)
    scripted.finish()
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
    return page.locator(".answer").last


def test_from_dropped_files_to_words_marked_at_their_place(
    open_panel: Callable[..., Page], scripted: ScriptedService, files: dict[str, Path]
) -> None:
    page = open_panel()
    drop(page, *((path.name, path.read_bytes()) for path in files.values()))
    expect(page.locator(".documents td.ready")).to_have_count(3)
    expect(page.get_by_role("status")).to_have_text("The files are done.")
    page.get_by_role("button", name="Ask these documents").click()
    expect(page.locator("#chosen-documents")).to_contain_text("From: My documents")

    said = f'"{LEAVE}" [1], and "{BOAT}" [1]. 🏝 See `[1]`: "ninety days" [1].'
    answer = answered(page, scripted, "Leave for keepers, and when does the boat call?", said)
    chips = answer.locator(".body button.citation")
    expect(chips).to_have_count(2)
    expect(answer.locator(".body")).to_contain_text('See [1]: "ninety days".')
    expect(answer.locator(".sources")).to_contain_text("1 quotation in the answer is not in")
    chips.first.focus()
    page.keyboard.press("Enter")
    beside = page.locator("#beside")
    expect(beside.get_by_role("heading", name="leave.docx")).to_be_visible()
    expect(beside.locator("mark")).to_have_text(LEAVE)
    expect(beside).to_contain_text("Keepers rest too.")
    expect(beside.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(chips.first).to_be_focused()
    answer.get_by_role("button", name="Source 2: boat.md, line 5").click()
    expect(beside.locator("mark")).to_have_text(BOAT)

    answer = answered(page, scripted, "La lampe du phare, combien de litres ?", f"« {LAMP} » [1]")
    answer.get_by_role("button", name="Source 1: lampe.pdf, page 2").click()
    expect(beside.locator("mark")).to_have_text(LAMP)
    canvas = beside.get_by_role("img", name="Picture of the page with the words marked: page 2")
    expect(canvas).to_be_visible()
    yellow = """canvas => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let found = 0;
      for (let i = 0; i < data.length; i += 4) found += data[i] > 240 && data[i + 2] < 150;
      return found;
    }"""
    assert canvas.evaluate(yellow) > 500
    page.reload()
    expect(page.locator(".answer").first.locator("button.citation")).to_have_count(2)
    expect(page.locator("#chosen-documents")).to_contain_text("From: My documents")


def test_made_up_words_and_not_in_your_documents(
    open_panel: Callable[..., Page], scripted: ScriptedService, files: dict[str, Path]
) -> None:
    page = open_panel()
    drop(page, (files["docx"].name, files["docx"].read_bytes()))
    expect(page.locator(".documents td.ready")).to_have_count(1)
    page.get_by_role("link", name="Collections").click()
    page.get_by_role("link", name="New chat").first.click()
    page.get_by_role("button", name="With my documents").click()
    page.get_by_role("menuitem", name="My documents").click()
    expect(page.get_by_role("status")).to_have_text("With documents: My documents")
    question = "How many days of paid leave does a keeper have?"
    answer = answered(page, scripted, question, 'It says "ninety days" [1] \ue0001\ue001.')
    expect(answer.locator(".body button")).to_have_count(0)
    near = answer.get_by_role("list", name="Nearest sentences")
    expect(near).to_contain_text(LEAVE)
    near.get_by_role("button", name="leave.docx").click()
    expect(page.locator("#beside mark")).to_have_text(LEAVE)
    page.keyboard.press("Escape")
    answer = answered(page, scripted, question, "Not in your documents.")
    expect(answer.locator(".sources")).to_have_text("The answer: it is not in the documents.")
    page.get_by_role("button", name="Ask without documents").click()
    ask(page, "Hello")
    assert scripted.turns()[-1]["content"] == "Hello"
    scripted.say("Hello.")
    scripted.finish()
    expect(page.locator(".answer").last.locator(".sources")).to_have_count(0)


def test_hostile_names_and_broken_files_are_text(open_panel: Callable[..., Page]) -> None:
    page = open_panel("fr-FR")
    drop(page, (HOSTILE, b"# Fine"), ("../../x.pdf", b"%PDF-1.4\nbroken"))
    expect(page.locator(".documents td.failed")).to_contain_text("Il est abîmé")
    expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    expect(page.get_by_role("link", name="x.pdf", exact=True)).to_be_visible()
    expect(page.locator("#whole img")).to_have_count(0)
    page.get_by_role("button", name=f"Supprimer {HOSTILE}").click()
    page.get_by_role("dialog").get_by_role("button", name="Supprimer").click()
    expect(page.locator(".documents tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Supprimer la collection").click()
    page.get_by_role("dialog").get_by_role("button", name="Supprimer").click()
    expect(page.get_by_role("heading", name="Collections")).to_be_visible()
    expect(page.locator(".documents ul")).to_have_count(0)


def test_files_are_added_though_the_list_could_not_be_read(
    open_panel: Callable[..., Page],
) -> None:
    page = open_panel()
    drop(page, ("one.md", b"One."))
    expect(page.locator(".documents td.ready")).to_have_count(1)
    page.route(
        "**/api/collections/*/documents",
        lambda route: route.abort() if route.request.method == "GET" else route.continue_(),
    )
    drop(page, ("two.md", b"Two."))
    expect(page.get_by_role("alert")).to_contain_text("The assistant does not answer.")
    page.unroute("**/api/collections/*/documents")
    drop(page, ("three.md", b"Three."))
    expect(page.locator(".documents td.ready")).to_have_count(3)


def test_documents_of_the_collection_that_was_chosen_last_are_offered(
    open_panel: Callable[..., Page], over_script: Assistant
) -> None:
    page = open_panel()
    drop(page, ("one.md", b"One."))
    expect(page.locator(".documents td.ready")).to_have_count(1)
    page.goto(f"{over_script.url}/#/documents")
    page.get_by_role("button", name="New collection").click()
    page.get_by_label("Name").fill("Other")
    page.keyboard.press("Enter")
    drop(page, ("two.md", b"Two."))
    expect(page.locator(".documents td.ready")).to_have_text("Ready")
    page.get_by_role("link", name="New chat").first.click()
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Summarise").click()
    page.get_by_role("button", name="A document…").click()
    dialog = page.get_by_role("dialog")
    document = dialog.get_by_label(re.compile("^Document"))
    collection = dialog.get_by_label(re.compile("^Collection"))
    expect(document).to_have_text("one.md")
    held: list[Route] = []
    late = f"{over_script.url}/api/collections/1/documents"
    collection.select_option("Other")
    page.route(late, lambda route: held.append(route))
    with page.expect_request(late):
        collection.select_option("My documents")
    collection.select_option("Other")
    expect(document).to_have_text("two.md")
    with page.expect_response(late) as response:
        held.pop().continue_()
    response.value.finished()
    page.evaluate("new Promise((done) => setTimeout(() => requestAnimationFrame(done)))")
    expect(document).to_have_text("two.md")


def test_nothing_breaks_a_rule_of_axe(
    open_panel: Callable[..., Page], scripted: ScriptedService, files: dict[str, Path], axe: str
) -> None:
    page = open_panel()
    drop(page, ("leave.docx", files["docx"].read_bytes()), ("x.pdf", b"%PDF-1.4\nbroken"))
    expect(page.locator(".documents tbody tr")).to_have_count(2)
    expect(page.locator(".documents progress")).to_have_count(0)
    assert violations(page, axe) == []
    page.get_by_role("button", name="Ask these documents").click()
    answer = answered(page, scripted, "Leave of keepers?", f'"{LEAVE}" [1] and "none" [1]')
    answer.locator("button.citation").click()
    expect(page.locator("#beside mark")).to_be_visible()
    assert violations(page, axe) == []


def violations(page: Page, axe: str) -> list[tuple[str, str]]:
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]]


def test_an_answer_that_is_stopped_is_checked_too(
    open_panel: Callable[..., Page], scripted: ScriptedService, files: dict[str, Path]
) -> None:
    page = open_panel()
    drop(page, (files["docx"].name, files["docx"].read_bytes()))
    expect(page.locator(".documents td.ready")).to_have_count(1)
    page.get_by_role("button", name="Ask these documents").click()
    ask(page, "Leave of keepers?")
    scripted.asked()
    scripted.say(f'"{LEAVE}" [1] and "ninety" [1] or')
    expect(page.locator(".answer .body")).to_contain_text('"ninety" [1] or')
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".answer .body")).to_have_text(f'"{LEAVE}" 1 and "ninety" or')
    expect(page.locator(".answer button.citation")).to_have_count(1)
