"""The page over one's folders: only where it is asked for; searched, filtered, files opened."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from archipel.assistant.api.files import Files
from archipel.assistant.app import create_app
from archipel.assistant.desk import Desk
from archipel.assistant.history.opened import open_history
from archipel.chat import ChatService
from archipel.cli.up import Page as UpPage
from archipel.cli.up import check_page
from archipel.errors import ConfigError
from tests.assistant.actions.conftest import Ruled
from tests.assistant.actions.conftest import ruled as ruled
from tests.assistant.conftest import Chromium
from tests.assistant.conftest import chrome as chrome
from tests.assistant.library.test_documents_page import violations
from tests.assistant.test_page_access import axe
from tests.search.conftest import Searching
from tests.serve.scripted import hosted_in_thread

__all__ = ["axe"]
Open = Callable[[Files | None], str]


@pytest.fixture
def url(filled: Searching, ruled: Ruled, tmp_path: Path) -> Iterator[str]:
    """The assistant with the folders' page, over a folder that is read."""
    desk = Desk(open_history(f"sqlite:///{tmp_path / 'assistant.db'}"), time.time)
    app = create_app(ChatService(ruled.url), desk, folders=Files())
    with hosted_in_thread(app) as url:
        yield url


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url) as client:
        yield client


def test_files_are_found_filtered_and_opened(http: httpx.Client, filled: Searching) -> None:
    [folder] = http.get("/api/files").json()["folders"]
    assert (folder["path"], folder["read"], folder["refused"]) == (str(filled.folder), 5, 0)
    [hit] = http.get("/api/files/find", params={"q": "supply boat Tuesday"}).json()["hits"][:1]
    assert hit["name"] == "boat.md"
    marked = {hit["quote"][start:end] for start, end in hit["marks"]}
    assert {"supply", "boat", "Tuesday"} <= marked
    asked = {"q": "lampe du phare", "type": "docx"}
    assert "lampe.pdf" not in [
        h["name"] for h in http.get("/api/files/find", params=asked).json()["hits"]
    ]
    opened = http.get("/api/files/file", params={"path": hit["path"]})
    assert opened.content == (filled.folder / "boat.md").read_bytes()
    assert "attachment" in opened.headers["content-disposition"]


def test_what_is_not_in_the_index_is_not_opened(
    http: httpx.Client, filled: Searching, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("mine")
    other = filled.folder / "new.txt"
    other.write_text("not read yet")
    for path in (secret, other, "/etc/passwd", f"{filled.folder}/../secret.txt", ""):
        assert http.get("/api/files/file", params={"path": str(path)}).status_code == 404
    boat = filled.folder / "boat.md"
    boat.unlink()
    boat.symlink_to(secret)
    assert http.get("/api/files/file", params={"path": str(boat)}).status_code == 404


@pytest.mark.parametrize(
    "asked", [{}, {"q": " "}, {"q": "x" * 1001}, {"q": "boat", "since": "yesterday"}]
)
def test_a_bad_question_is_refused(url: str, asked: dict[str, str]) -> None:
    assert httpx.get(f"{url}/api/files/find", params=asked).status_code == 400


def test_without_folders_there_is_no_such_page_and_it_is_never_for_several_people(
    ruled: Ruled, tmp_path: Path
) -> None:
    desk = Desk(open_history(f"sqlite:///{tmp_path / 'assistant.db'}"), time.time)
    with hosted_in_thread(create_app(ChatService(ruled.url), desk)) as url:
        assert httpx.get(f"{url}/api/files").status_code == 404
        assert not httpx.get(f"{url}/api/collections").json()["folders"]
    with pytest.raises(ConfigError, match="people would search them"):
        check_page(UpPage(people=True, folders=True), None)


def test_the_page_is_used_by_keyboard(url: str, chrome: Chromium, axe: str) -> None:
    page = chrome.open(f"{url}/#/documents")
    page.get_by_role("link", name="Search the folders of this machine").press("Enter")
    expect(page.get_by_label("Words or a question")).to_be_focused()
    expect(page.get_by_text("5 files read")).to_be_visible()
    page.keyboard.type("when does the supply boat call?")
    page.keyboard.press("Enter")
    first = page.locator(".hits li").first
    expect(first.get_by_role("link", name="boat.md")).to_be_visible()
    expect(first.locator("mark").first).to_have_text("supply")
    assert violations(page, axe) == []
    page.get_by_label("Type").select_option("xlsx")
    page.get_by_label("Words or a question").press("Enter")
    expect(page.get_by_text("Nothing found.")).to_be_visible()

    french: Page = chrome.open(f"{url}/#/files", locale="fr-FR")
    french.get_by_label("Des mots ou une question").fill("pétrole")
    french.get_by_role("button", name="Chercher").click()
    expect(french.locator(".hits li").first).to_contain_text("lampe.pdf")
    assert violations(french, axe) == []
