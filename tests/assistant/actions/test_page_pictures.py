"""Pictures on the page: made, varied, saved; given without what their files tell of a person."""

import base64
import io
import struct

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from tests.assistant.actions.conftest import Ruled, png
from tests.assistant.conftest import Assistant, Chromium, ask

EVIL = "<img src=x onerror=alert(1)>.jpg"


@pytest.fixture
def ruled_page(chrome: Chromium, over_ruled: Assistant) -> Page:
    """The page over the service that follows a rule."""
    page = chrome.open(over_ruled.url)
    expect(page.get_by_role("button", name="Add a picture")).to_be_visible()
    expect(page.get_by_role("button", name="Actions", exact=True)).to_be_visible()
    return page


def photo(width: int, height: int) -> bytes:
    """A JPEG that tells where it was taken."""
    image = Image.new("RGB", (width, height), (200, 30, 30))
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)
    assert b"SecretCamera" in out.getvalue()
    return out.getvalue()


def file(name: str, data: bytes, kind: str = "image/jpeg") -> FilePayload:
    return {"name": name, "mimeType": kind, "buffer": data}


def test_a_picture_is_seen_by_whoever_a_link_was_given(
    ruled_page: Page, ruled: Ruled, chrome: Chromium, over_ruled: Assistant
) -> None:
    page = ruled_page
    ruled.picture = png(64, 48)
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Make a picture").click()
    page.get_by_label("how many").select_option("1 picture")
    ask(page, "a white lighthouse")
    expect(page.get_by_role("img", name="Picture: a white lighthouse")).to_be_visible()
    page.get_by_role("button", name="Actions: a white lighthouse").click()
    page.get_by_role("menuitem", name="Share by link").click()
    page.get_by_role("dialog").get_by_role("button", name="Share by link").click()
    link = page.get_by_role("textbox", name="Link").input_value()
    over_ruled.owner[0] = "somebody else"
    other = chrome.open(link)
    picture = other.get_by_role("img", name="Picture: a white lighthouse")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    with other.expect_download() as saved:
        other.get_by_role("button", name="Download the picture").click()
    assert saved.value.path().read_bytes() == ruled.picture
    expect(other.get_by_role("button", name="Others like this one")).to_have_count(0)


def test_it_is_asked_of_the_model_that_draws_and_who_does_not_see_is_named(
    ruled_page: Page, ruled: Ruled
) -> None:
    page = ruled_page
    ruled.told = {"island": {"abilities": ["chat"]}, "reef": {"abilities": ["pictures"]}}
    page.reload()
    page.set_input_files("input[type=file]", [file("a.png", png(), "image/png")])
    expect(page.get_by_text("island does not see pictures, nor does any other")).to_be_visible()
    page.get_by_role("button", name="Remove the picture").click()
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Make a picture").click()
    ask(page, "a boat")
    expect(page.get_by_role("img", name="Picture 4 of 4: a boat")).to_be_visible()
    assert ruled.asked[0]["model"] == "reef"
    expect(page.get_by_label("Model", exact=True)).to_have_value("island")


def test_who_sees_is_offered_before_a_picture_is_sent(ruled_page: Page, ruled: Ruled) -> None:
    page = ruled_page
    ruled.told = {"island": {"abilities": ["chat"]}, "reef": {"abilities": ["chat", "sight"]}}
    ruled.rule = lambda prompt: "Grey."
    page.reload()
    page.set_input_files("input[type=file]", [file("a.png", png(), "image/png")])
    told = page.get_by_text("island does not see pictures. Ask one that does:")
    expect(told).to_be_visible()
    row = page.get_by_role("group", name="Pictures for the question")
    row.get_by_role("button", name="reef").click()
    expect(told).to_have_count(0)
    expect(page.get_by_label("Model", exact=True)).to_have_value("reef")
    ask(page, "Which colour?")
    expect(page.locator(".answer .body")).to_have_text("Grey.")
    assert ruled.asked[0]["model"] == "reef"
    assert ruled.asked[0]["messages"][-1]["content"][1]["type"] == "image_url"


def test_on_a_phone_nothing_is_wider_than_the_screen(
    chrome: Chromium, over_ruled: Assistant
) -> None:
    page = chrome.open(over_ruled.url, size=(360, 700))
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Repair code").click()
    page.set_input_files("input[type=file]", [file("a.png", png(), "image/png")])
    expect(page.get_by_role("img", name="a.png")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    expect(page.get_by_role("button", name="Send")).to_be_in_viewport()


def test_a_photo_is_given_small_and_without_its_place(ruled_page: Page, ruled: Ruled) -> None:
    page = ruled_page
    ruled.rule = lambda prompt: "Red."
    page.set_input_files("input[type=file]", [file(EVIL, photo(4000, 100))])
    expect(
        page.get_by_role("group", name="Pictures for the question").locator("img")
    ).to_have_count(1)
    expect(page.get_by_role("img", name=EVIL)).to_be_visible()
    ask(page, "Which colour?")
    expect(page.locator(".answer .body")).to_have_text("Red.")
    expect(page.get_by_role("img", name="Picture given with the question")).to_be_visible()
    expect(page.get_by_role("group", name="Pictures for the question")).to_be_hidden()
    text, part = ruled.asked[0]["messages"][-1]["content"]
    assert text["text"] == "Which colour?"
    head, data = part["image_url"]["url"].split(",")
    assert head == "data:image/jpeg;base64"
    sent = base64.b64decode(data)
    assert b"SecretCamera" not in sent
    assert b"Exif" not in sent
    assert Image.open(io.BytesIO(sent)).size == (2048, 51)


def test_pictures_are_dropped_pasted_and_taken_back(ruled_page: Page) -> None:
    page = ruled_page
    give = """([target, kind, bytes]) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(bytes)], "dropped.png", { type: "image/png" }));
      const about = { bubbles: true, cancelable: true };
      const event = kind === "paste" ? new ClipboardEvent(kind, { ...about, clipboardData: data })
        : new DragEvent(kind, { ...about, dataTransfer: data });
      document.querySelector(target).dispatchEvent(event);
    }"""
    row = page.get_by_role("group", name="Pictures for the question")
    page.evaluate(give, ["#log", "drop", list(png())])
    expect(row.locator("img")).to_have_count(1)
    page.evaluate(give, ["#question", "paste", list(png(3, 3))])
    expect(row.locator("img")).to_have_count(2)
    row.get_by_role("button", name="Remove the picture").first.click()
    expect(row.locator("img")).to_have_count(1)
    expect(page.get_by_label("Ask anything")).to_be_focused()


def test_what_is_not_taken_is_said(ruled_page: Page, ruled: Ruled) -> None:
    page = ruled_page
    problem = page.get_by_role("alert")
    page.set_input_files("input[type=file]", [file("a.png", b"<svg onload=alert(1)>", "image/png")])
    expect(problem).to_contain_text("This is not a picture")
    bomb = png(1, 1).replace(struct.pack(">II", 1, 1), struct.pack(">II", 60_000, 60_000))
    page.set_input_files("input[type=file]", [file("bomb.png", bomb, "image/png")])
    expect(problem).to_contain_text("too large")
    page.set_input_files(
        "input[type=file]", [file(f"{n}.png", png(), "image/png") for n in range(5)]
    )
    expect(problem).to_contain_text("Four pictures")
    ruled.refused = frozenset({"messages"})
    ask(page, "What is it?")
    expect(problem).to_contain_text("Choose one that sees")
