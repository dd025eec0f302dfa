"""An action on a document, on the page: chosen by keyboard, with how much of it was used."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.assistant.actions.conftest import Ruled
from tests.assistant.library.conftest import BOAT
from tests.assistant.library.project import Project
from tests.assistant.library.test_documents_page import violations
from tests.assistant.library.test_sharing_page import axe, open_as, project

__all__ = ["axe", "open_as", "project"]


def test_an_action_is_done_on_a_document_or_on_a_file_that_becomes_one(
    open_as: Callable[..., Page], project: Project, ruled: Ruled, files: dict[str, Path], axe: str
) -> None:
    collection = project.shared()
    project.browsers["ana"].add(collection, files["md"])
    ruled.rule = lambda _: "Das Boot."
    page = open_as("ben")
    page.get_by_role("link", name="New chat").first.click()
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Summarise").click()
    page.get_by_role("button", name="A document…").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Summarise: which document?")
    expect(dialog.get_by_label("Document")).to_have_value("1")
    expect(dialog.get_by_label("or a file")).to_be_hidden()  # ben may not add any
    expect(dialog).to_contain_text("1,000,000 characters at most are used")
    assert violations(page, axe) == []
    dialog.get_by_role("button", name="Summarise").focus()
    page.keyboard.press("Enter")
    text = files["md"].read_text()
    expect(page.locator(".answer .body")).to_have_text("Das Boot.")
    question = page.locator(".question")
    expect(question.get_by_text(f"boat.md: all its {len(text)} characters")).to_be_visible()
    expect(question.locator(".body")).to_be_hidden()
    question.locator("summary").press("Enter")
    expect(question.locator(".taken-text p")).to_contain_text(BOAT)
    expect(page.locator("#chosen-action")).to_be_hidden()
    assert violations(page, axe) == []
    page.goto(f"{project.url}/#/documents/{collection}")
    page.get_by_role("button", name="Translate, summarise… boat.md").click()
    page.get_by_role("menuitem", name="Rewrite · simpler").click()
    expect(page.locator(".question .action-chip")).to_have_text("Rewrite · simpler")
    expect(page.locator(".changes")).to_contain_text("Das Boot.")
    expect(page).to_have_url(re.compile("#/c/"))

    page = open_as("root", "fr-FR")
    page.get_by_role("link", name="Nouvelle discussion").first.click()
    expect(page.get_by_role("button", name="Actions", exact=True)).to_be_visible()
    page.get_by_label("Posez votre question").fill("/expliquer ")
    page.get_by_role("button", name="Un document…").click()
    dialog = page.get_by_role("dialog")
    long = files["md"].with_name("long.txt")
    long.write_text("\n\n".join([BOAT] * 900))
    dialog.get_by_label("Un fichier").set_input_files(long)
    assert violations(page, axe) == []
    dialog.get_by_role("button", name="Expliquer").click()
    expect(page.locator(".question summary")).to_contain_text("long.txt\u202f: seulement ses")
    expect(page.locator(".answer .action-notes")).to_contain_text("premiers caractères sur")
    expect(page.locator(".answer .body")).to_have_text("Das Boot.")
    assert [one["name"] for one in project.collections("root")] == ["Mes documents"]
