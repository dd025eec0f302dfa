"""An answer as an office file, over HTTP and on the page."""

import io

import docx
import httpx
import openpyxl
from playwright.sync_api import Page, expect

from tests.assistant.actions.conftest import Doing, Ruled
from tests.assistant.actions.conftest import doing as doing
from tests.assistant.actions.conftest import over_ruled as over_ruled
from tests.assistant.actions.conftest import ruled as ruled
from tests.assistant.conftest import Assistant, Chromium
from tests.assistant.library.test_documents_page import violations
from tests.assistant.test_page_access import axe

__all__ = ["axe"]
ANSWER = "# Ports\n\n- **Brest**\n\n| Port | Ships |\n|---|---|\n| Brest | 120 |\n"


def file_of(http: httpx.Client, message: int, kind: str) -> httpx.Response:
    return http.get(f"/api/messages/{message}/file", params={"kind": kind})


def test_an_answer_is_a_file_with_its_headings_and_tables(doing: Doing, ruled: Ruled) -> None:
    ruled.rule = lambda _: ANSWER
    answer = doing.begin("Which ports are there?")["answers"][0]["id"]
    doing.whole(answer)
    found = file_of(doing.http, answer, "docx")
    assert 'filename="Which ports are there?.docx"' in found.headers["content-disposition"]
    document = docx.Document(io.BytesIO(found.content))
    assert [one.text for one in document.paragraphs if one.text] == ["Ports", "Brest"]
    book = openpyxl.load_workbook(io.BytesIO(file_of(doing.http, answer, "xlsx").content))
    assert [[cell.value for cell in row] for row in book["Ports"].rows][1] == ["Brest", 120]
    assert file_of(doing.http, answer, "pdf").status_code == 400
    assert file_of(doing.http, answer + 999, "docx").status_code == 404


def test_it_is_saved_from_the_page_and_what_can_not_be_is_said(
    over_ruled: Assistant, ruled: Ruled, chrome: Chromium, axe: str
) -> None:
    ruled.rule = lambda _: "Only words."
    page: Page = chrome.open(over_ruled.url)
    page.get_by_label("Ask anything").fill("Hello")
    page.keyboard.press("Enter")
    expect(page.locator(".answer .body")).to_have_text("Only words.")
    page.get_by_role("button", name="Save as a file").press("Enter")
    assert violations(page, axe) == []
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Word file (docx)").click()
    assert download.value.suggested_filename == "Hello.docx"
    page.get_by_role("button", name="Save as a file").click()
    page.get_by_role("menuitem", name="Workbook of its tables (xlsx)").click()
    expect(page.get_by_role("alert")).to_contain_text("the text has none")
