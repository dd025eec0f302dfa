"""The page's panel for export and import, in Chromium."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.assistant.conftest import Assistant, Chromium, ask
from tests.assistant.test_page_access import axe
from tests.assistant.transfer import exports
from tests.assistant.transfer.exports import chatgpt, chatgpt_message, zipped

Open = Callable[..., Page]
__all__ = ["axe"]


@pytest.fixture
def open_page(chrome: Chromium, assistant: Assistant) -> Open:
    """Open the panel."""
    return lambda locale="en-US": chrome.open(f"{assistant.url}/#/transfer", locale=locale)


def choose(page: Page, name: str, data: bytes) -> None:
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    page.locator(".drop input").set_input_files(file)


def test_an_export_of_chatgpt_becomes_conversations_and_a_report(open_page: Open) -> None:
    page = open_page()
    hostile = "<img src=x onerror=alert(1)>"
    said = chatgpt_message("h", "user", hostile)
    told = [exports.lake(), exports.workshop(), chatgpt("c-h", hostile, said), {"title": "Odd"}]
    choose(page, f"{hostile}.zip", zipped({"conversations-000.json": told, "user.json": {}}))
    report = page.get_by_role("region", name=f"Report on {hostile}.zip")
    expect(report).to_contain_text("3 conversations imported, 1 left out, 13 messages written")
    expect(report).to_contain_text("1 other file not read")
    expect(report).to_contain_text("thoughts: 1")
    expect(page.get_by_role("status")).to_have_text("Import ended. Its report is on the page.")
    rows = report.get_by_role("row")
    expect(rows.nth(1)).to_contain_text("It is in no form that is known here")
    expect(page.locator("#list a[data-id]")).to_have_count(3)
    expect(page.locator("#whole img")).to_have_count(0)
    report.get_by_role("link", name="Le lac").click()
    expect(page.get_by_role("log")).to_contain_text("Au sud.")
    expect(page.get_by_role("log")).not_to_contain_text("À l'ouest.")


def test_what_a_file_says_of_its_answers_is_text_and_of_the_right_shape(
    open_page: Open, assistant: Assistant
) -> None:
    """Our own form, since it brings facts of answers, which the page shows."""
    page = open_page()
    hostile = "<img src=x onerror=alert(1)>"
    known = {"action": {"name": "correct", "fields": {}}}
    odd: dict[str, Any] = {
        "completion_tokens": hostile, "seconds": [], "provider": hostile, "place": hostile,
        "cost": {"amount": 1, "currency": hostile}, "context_left": {}, "left_out": {"a": 1},
        "error": {"code": hostile, "message": hostile}, "memory": [hostile], "pictures": hostile,
        "marks": hostile, "citations": [hostile], "documents": hostile, "ended": {"x": hostile},
        "action": {"name": "repair", "fields": 3, "notes": [{"code": hostile}],
                   "evidence": {"verdict": hostile, "attempts": [], "before": None}},
    }  # fmt: skip
    rows = [("user", known), ("assistant", odd), ("user", odd), ("assistant", {**odd, **known})]
    told = [
        {
            "key": f"{place}",
            "parent": f"{place - 1}" if place else None,
            "role": role,
            "text": f"{place} {hostile} ![x](https://thief.example/x.png) [y](javascript:alert(1))",
            "status": "failed" if place == 3 else "done",
            "created": 1.0 + place,
            "model": hostile,
            "facts": facts,
        }
        for place, (role, facts) in enumerate(rows)
    ]
    form = {"format": "archipel-conversation", "version": 1, "source": hostile, "title": hostile}
    choose(page, "c.json", json.dumps({**form, "folder": hostile, "messages": told}).encode())
    page.get_by_role("region", name="Report on c.json").get_by_role("link").click()
    log = page.get_by_role("log")
    expect(log.locator(".message")).to_have_count(4)
    expect(log.locator(".answer .body").last).to_contain_text(f"3 {hostile}")
    expect(log.get_by_role("alert")).to_contain_text(hostile)
    expect(log.locator("img, [href^=javascript]")).to_have_count(0)
    ask(page, "And now?")
    expect(page.locator(".question").last).to_contain_text("And now?")
    with assistant.client() as http:
        id_ = http.get("/api/conversations").json()["conversations"][0]["id"]
        saved = http.get(f"/api/conversations/{id_}/export")
    assert re.fullmatch(r"[\w.-]+", re.findall(r'filename="(.*?)"', str(saved.headers))[0])


def test_files_are_dropped_and_the_same_again_adds_nothing(open_page: Open) -> None:
    page = open_page(locale="fr-FR")
    drop = """(zone, texts) => {
      const data = new DataTransfer();
      texts.forEach((text, at) => data.items.add(new File([text], `conversations-00${at}.json`)));
      zone.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
    }"""
    texts = [json.dumps([exports.lake()]), json.dumps([exports.claude()]), "[{"]
    page.locator(".drop").evaluate(drop, texts)
    expect(page.locator(".report")).to_have_count(3)
    expect(page.locator(".report").nth(0)).to_contain_text("1 conversation importée")
    expect(page.locator(".report").nth(2)).to_contain_text("Le fichier s’arrête au milieu")
    page.locator(".drop").evaluate(drop, texts[:1])
    expect(page.locator(".report")).to_have_count(1)
    expect(page.locator(".report")).to_contain_text("1 déjà là, 0 message")


def test_a_conversation_and_all_of_them_are_saved(open_page: Open) -> None:
    page = open_page()
    choose(page, "c.json", json.dumps([exports.lake()]).encode())
    expect(page.locator(".report")).to_be_visible()
    with page.expect_download() as saving:
        page.get_by_role("button", name="Export all conversations").click()
    assert saving.value.suggested_filename == "archipel.zip"
    with zipfile.ZipFile(io.BytesIO(Path(saving.value.path()).read_bytes())) as archive:
        assert len(archive.namelist()) == 3
    page.get_by_role("button", name="Actions: Le lac").click()
    with page.expect_download() as saving:
        page.get_by_role("menuitem", name="Export as Markdown").click()
    assert saving.value.suggested_filename == "2025-06-15-Le-lac.md"
    assert "Au sud." in Path(saving.value.path()).read_text()
    page.get_by_role("button", name="Actions: Le lac").click()
    with page.expect_download() as saving:
        page.get_by_role("menuitem", name="Export as JSON").click()
    assert json.loads(Path(saving.value.path()).read_bytes())["format"] == "archipel-conversation"


def test_a_refusal_is_shown(open_page: Open) -> None:
    page = open_page()
    page.route("**/api/import", lambda route: route.abort())
    choose(page, "c.json", b"[]")
    expect(page.get_by_role("alert")).to_contain_text("The connection broke off")


def test_the_panel_breaks_no_rule_of_axe(open_page: Open, axe: str) -> None:
    page = open_page("fr-FR")
    choose(page, "c.json", json.dumps([exports.workshop(), {"title": "Odd"}]).encode() + b"[{")
    expect(page.locator(".report table")).to_have_count(2)
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
