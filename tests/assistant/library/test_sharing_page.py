"""A collection shared on the page, in Chromium: by keyboard, seen by each as what they may do."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.assistant.actions.conftest import Ruled
from tests.assistant.conftest import Chromium
from tests.assistant.library.conftest import BOAT
from tests.assistant.library.project import Project, project_over
from tests.assistant.library.test_documents_page import violations
from tests.assistant.test_page_access import axe

__all__ = ["axe"]


@pytest.fixture
def project(own_home: Path, tmp_path: Path, ruled: Ruled) -> Iterator[Project]:
    """The people of a project."""
    ruled.rule = lambda _: f'It says: "{BOAT}" [1]'
    with project_over(f"sqlite:///{tmp_path / 'assistant.db'}", ruled.url) as found:
        yield found


@pytest.fixture
def open_as(chrome: Chromium, project: Project) -> Callable[..., Page]:
    """Open the documents' panel in somebody's browser."""

    def open_one(name: str, locale: str = "en-US", where: str = "") -> Page:
        headers = {"X-Person": name}
        context = chrome.browser.new_context(locale=locale, extra_http_headers=headers)
        return chrome.open(f"{project.url}/#/documents{where}", context=context)

    return open_one


def test_one_shares_by_keyboard_and_takes_it_back(
    open_as: Callable[..., Page], project: Project, axe: str
) -> None:
    made = project.browsers["ana"].collection()
    page = open_as("ana", where=f"/{made}")
    press = page.keyboard.press
    page.get_by_role("button", name="Share with a project").focus()
    press("Enter")
    dialog = page.get_by_role("dialog", name="Share with a project")
    expect(dialog).to_contain_text("Everyone in the project may ask these documents")
    assert violations(page, axe) == []
    expect(dialog.get_by_label("Project")).to_be_focused()
    press("l")
    expect(dialog.get_by_label("Project")).to_have_value("lighthouse")
    for key in ("Tab", "Tab", "Enter"):
        press(key)
    expect(page.get_by_role("status")).to_have_text("Shared with the project lighthouse")
    expect(page.get_by_role("button", name="Stop sharing")).to_be_focused()
    assert violations(page, axe) == []
    assert [one["name"] for one in project.collections("ben")] == ["Lighthouse"]
    page.get_by_role("link", name="Collections").click()
    expect(page.locator(".documents li")).to_have_text(
        "Lighthouse Shared with the project lighthouse"
    )
    assert violations(page, axe) == []
    page.get_by_role("link", name="Lighthouse").click()
    page.get_by_role("button", name="Stop sharing").focus()
    press("Enter")
    dialog = page.get_by_role("dialog", name="Stop sharing")
    expect(dialog).to_contain_text("The people of the project lighthouse will no longer")
    dialog.get_by_role("button", name="Stop sharing").focus()
    press("Enter")
    expect(page.get_by_role("status")).to_have_text("Not shared any more.")
    expect(page.get_by_role("button", name="Share with a project")).to_be_focused()
    assert project.collections("ben") == []


def test_whoever_has_no_project_is_offered_no_sharing(
    open_as: Callable[..., Page], project: Project
) -> None:
    made = project.browsers["root"].collection()
    page = open_as("root", where=f"/{made}")
    expect(page.get_by_role("button", name="Rename")).to_be_visible()
    expect(page.get_by_role("button", name="Share with a project")).to_have_count(0)


def test_a_member_reads_asks_and_changes_nothing(
    open_as: Callable[..., Page], project: Project, files: dict[str, Path], axe: str
) -> None:
    collection = project.shared()
    project.browsers["ana"].add(collection, files["md"])
    page = open_as("ben", "fr-FR")
    page.get_by_role("link", name="Lighthouse (ana)").click()
    expect(page.locator(".documents .sharing")).to_have_text(
        "ana partage ceci avec le projet lighthouse. "
        "Vous pouvez interroger et ouvrir ces documents."
    )
    expect(page.get_by_role("link", name="boat.md")).to_be_visible()
    expect(page.locator(".documents .drop")).to_have_count(0)
    expect(page.locator("#whole button")).to_have_text(["Interroger ces documents", ""])
    expect(page.get_by_role("button", name="Traduire, résumer… boat.md")).to_be_visible()
    assert violations(page, axe) == []
    page.get_by_role("button", name="Interroger ces documents").click()
    expect(page.locator("#chosen-documents")).to_contain_text("Lighthouse (ana)")
    page.get_by_label("Posez votre question").fill("When does the boat call?")
    page.keyboard.press("Enter")
    page.locator(".answer button.citation").click()
    expect(page.locator("#beside mark")).to_have_text(BOAT)
    project.leave("ben")
    page.reload()
    expect(page.locator(".answer .sources")).to_contain_text(BOAT)
    expect(page.locator("#chosen-documents")).to_be_hidden()
    page.locator(".answer button.citation").click()
    expect(page.locator("#beside").get_by_role("alert")).to_be_visible()


def test_who_manages_the_project_adds_and_deletes_documents(
    open_as: Callable[..., Page], project: Project, files: dict[str, Path]
) -> None:
    collection = project.shared()
    page = open_as("cyd", where=f"/{collection}")
    expect(page.locator(".documents .sharing")).to_contain_text("add some and delete some")
    page.locator(".documents input[type=file]").set_input_files(files["md"])
    expect(page.locator(".documents td.ready")).to_have_count(1)
    page.set_viewport_size({"width": 390, "height": 740})
    assert page.locator("#scroll").evaluate("one => one.scrollWidth <= one.clientWidth")
    page.get_by_role("button", name="Delete boat.md").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".documents tbody tr")).to_have_count(0)
    expect(page.get_by_role("button", name="Rename")).to_have_count(0)
    expect(page.get_by_role("button", name="Delete the collection")).to_have_count(0)
