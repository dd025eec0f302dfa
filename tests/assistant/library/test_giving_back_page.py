"""A document's file given back by an action, on the page: asked for, fetched, looked at."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import docx
from playwright.sync_api import Page, expect

from tests.assistant.actions.conftest import Ruled, text_in
from tests.assistant.library.project import Project
from tests.assistant.library.test_documents_page import violations
from tests.assistant.library.test_sharing_page import axe, open_as, project

__all__ = ["axe", "open_as", "project"]


def letter(folder: Path) -> Path:
    document = docx.Document()
    document.add_heading("Minutes", 1)
    for text in ("The committee have met on 3 May.", "It was short."):
        document.add_paragraph(text)
    document.save(str(folder / "letter.docx"))
    return folder / "letter.docx"


def test_the_file_itself_comes_back_with_what_to_look_at(
    open_as: Callable[..., Page], project: Project, ruled: Ruled, tmp_path: Path, axe: str
) -> None:
    ruled.rule = lambda prompt: text_in(prompt).replace("have", "has").replace("3", "three")
    page = open_as("ana")
    page.get_by_role("link", name="New chat").first.click()
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Correct").click()
    page.get_by_role("button", name="A document…").click()
    dialog = page.get_by_role("dialog", name="Correct: which document?")
    dialog.get_by_label("A file").set_input_files(letter(tmp_path))
    dialog.get_by_label("Give the file itself back").focus()
    page.keyboard.press("Space")
    expect(dialog.get_by_text("characters at most are used")).to_be_hidden()
    assert violations(page, axe) == []
    dialog.get_by_role("button", name="Correct").click()
    link = page.get_by_role("link", name="Download letter.corrected.docx")
    expect(link).to_be_visible()
    answer = page.locator(".answer")
    expect(answer).to_contain_text("1 of 3 pieces of text was changed")
    expect(answer).to_contain_text("paragraph 2: 1 number differs: 3")
    expect(answer.locator(".body")).to_be_hidden()
    assert violations(page, axe) == []
    file = project.browsers["ana"].http.get(f"/{link.get_attribute('href')}").content
    xml = zipfile.ZipFile(io.BytesIO(file)).read("word/document.xml").decode()
    assert "<w:delText>have</w:delText>" in xml
    page.reload()
    expect(page.get_by_role("link", name="Download letter.corrected.docx")).to_be_visible()

    french = open_as("ana", "fr-FR")
    french.goto(page.url)
    expect(french.get_by_role("link", name="Télécharger letter.corrected.docx")).to_be_visible()
    expect(french.locator(".answer")).to_contain_text("paragraphe 2\u202f: 1 nombre")


def test_an_action_that_gives_no_file_does_not_offer_it(
    open_as: Callable[..., Page], project: Project
) -> None:
    page = open_as("ana")
    page.get_by_role("link", name="New chat").first.click()
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Summarise").click()
    page.get_by_role("button", name="A document…").click()
    expect(page.get_by_role("dialog").get_by_label("A file")).to_be_visible()
    expect(page.get_by_label("Give the file itself back")).to_be_hidden()


def test_the_pages_before_and_after_are_shown_side_by_side(
    open_as: Callable[..., Page],
    project: Project,
    ruled: Ruled,
    tmp_path: Path,
    axe: str,
    libreoffice: str,
) -> None:
    ruled.rule = lambda prompt: text_in(prompt).replace("have", "has")
    ana = project.browsers["ana"]
    document = ana.add(ana.collection(), letter(tmp_path))["id"]
    action = {"name": "correct", "document": document, "file": True}
    begun = ana.begin("", action=action)
    assert ana.whole(begun["answers"][0]["id"])["status"] == "done"
    page = open_as("ana")
    page.goto(f"{project.url}/#/c/{begun['conversation']['id']}")
    page.get_by_text("Look at the pages, before and after").click()
    expect(page.get_by_text("page 1 of 1")).to_be_visible(timeout=60_000)
    for name in ("letter.docx", "letter.corrected.docx"):
        picture = page.get_by_role("img", name=f"{name}, page 1")
        expect(picture).to_be_visible()
        assert picture.evaluate("one => one.decode().then(() => one.naturalWidth)") == 1200
    expect(page.get_by_role("button", name="Next page")).to_be_disabled()
    assert violations(page, axe) == []
