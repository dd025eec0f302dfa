"""Pictures made side by side on the page: as they come, stopped, after a reload, and what can be
done with each."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.assistant.actions.conftest import Ruled, png
from tests.assistant.conftest import Assistant, Chromium, ask
from tests.conftest import AXE, missing
from tests.serve.scripted import ScriptedService


def draw(page: Page, text: str, **fields: str) -> None:
    """Ask for pictures as a person does."""
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Make a picture").click()
    for label, choice in fields.items():
        found = page.get_by_label(label, exact=label == "seed")
        if label == "seed":
            found.fill(choice)
        else:
            found.select_option(choice)
    ask(page, text)


def candidates(page: Page) -> Locator:
    return page.locator(".candidates .candidate")


def shown(page: Page) -> Locator:
    return page.locator(".candidates img")


@pytest.fixture
def ruled_page(chrome: Chromium, over_ruled: Assistant, ruled: Ruled) -> Page:
    """The page over a service that draws four pictures, each of another width."""
    ruled.pictures = {place: png(60 + place, 60) for place in range(4)}
    page = chrome.open(over_ruled.url)
    expect(page.get_by_role("button", name="Actions", exact=True)).to_be_visible()
    return page


def test_four_are_shown_with_their_seeds_and_saved(ruled_page: Page, ruled: Ruled) -> None:
    page = ruled_page
    draw(page, "a white lighthouse, été", shape="wide", seed="42")
    expect(shown(page)).to_have_count(4)
    expect(page.locator(".candidate .seed")).to_have_text(
        ["seed 42", "seed 43", "seed 44", "seed 45"]
    )
    third = page.get_by_role("img", name="Picture 3 of 4: a white lighthouse, été")
    assert third.evaluate("image => image.decode().then(() => image.naturalWidth)") == 62
    with page.expect_download() as saved:
        page.get_by_role("group", name="Picture 3 of 4").get_by_role(
            "button", name="Download the picture"
        ).click()
    assert saved.value.suggested_filename == "a-white-lighthouse-été-44.png"
    assert saved.value.path().read_bytes() == ruled.pictures[2]
    page.reload()
    expect(shown(page)).to_have_count(4)
    expect(page.locator(".action-chip")).to_have_text(
        "Make a picture · wide · 4 pictures · seed 42"
    )


def test_one_is_seen_large_and_left_by_keyboard(ruled_page: Page) -> None:
    page = ruled_page
    draw(page, "a boat")
    large = page.get_by_role("button", name="Picture 2 of 4: a boat")
    large.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Picture 2 of 4: a boat")).to_be_visible()
    page.keyboard.press("Escape")
    expect(large).to_be_focused()
    order = ["Download the picture", "Others like this one", "Start from this picture"]
    for name in order:
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_attribute("aria-label", name)


def test_others_like_one_come_in_a_branch(ruled_page: Page, ruled: Ruled) -> None:
    page = ruled_page
    draw(page, "a boat", seed="42")
    tools = page.get_by_role("group", name="Picture 2 of 4")
    tools.get_by_role("button", name="Others like this one").click()
    expect(page.locator(".version")).to_have_text("2/2")
    expect(page.get_by_text("Like the picture with seed 43")).to_be_visible()
    expect(shown(page)).to_have_count(4)
    assert ruled.drawn == ["generations", "variations"]
    assert ruled.asked[1]["image"] == ruled.pictures[1]
    page.get_by_role("button", name="Previous version").click()
    expect(page.locator(".candidate .seed").first).to_have_text("seed 42")


def test_a_service_without_variations_is_said(ruled_page: Page, ruled: Ruled) -> None:
    page, ruled.ways = ruled_page, frozenset({"generations"})
    draw(page, "a boat", seed="42")
    page.get_by_role("button", name="Others like this one").first.click()
    expect(page.get_by_text("this service makes no variations")).to_be_visible()
    expect(shown(page)).to_have_count(4)
    assert ruled.asked[1]["seed"] != 42


def test_a_seed_is_used_again_with_other_words(ruled_page: Page, ruled: Ruled) -> None:
    page = ruled_page
    draw(page, "a boat", shape="tall", seed="42")
    tools = page.get_by_role("group", name="Picture 3 of 4")
    tools.get_by_role("button", name="Use this seed again").click()
    expect(page.get_by_label("seed", exact=True)).to_have_value("44")
    expect(page.get_by_label("Ask anything")).to_have_value("a boat")
    ask(page, "a red boat")
    expect(page.get_by_role("img", name="Picture: a red boat")).to_be_visible()
    asked = ruled.asked[1]
    assert (asked["seed"], asked["n"], asked["size"]) == (44, 1, "1024x1536")
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Make a picture").click()
    expect(page.get_by_label("how many")).to_have_value("4")


def test_one_is_where_another_starts(ruled_page: Page, ruled: Ruled) -> None:
    page = ruled_page
    ruled.told = {"island": {"abilities": ["chat", "pictures"]}}
    page.reload()
    draw(page, "a boat", seed="42")
    tools = page.get_by_role("group", name="Picture 4 of 4")
    tools.get_by_role("button", name="Start from this picture").click()
    given = page.get_by_role("group", name="Pictures for the question")
    expect(given.get_by_role("img", name="Picture: a boat")).to_be_visible()
    expect(given.get_by_text("does not see")).to_have_count(0)
    ask(page, "the same boat in the snow")
    expect(
        page.get_by_role("img", name="Picture 4 of 4: the same boat in the snow")
    ).to_be_visible()
    assert ruled.drawn == ["generations", "edits"]
    assert ruled.asked[1]["image"] == ruled.pictures[3]
    expect(given).to_be_hidden()


def test_one_that_fails_is_said_beside_the_others(ruled_page: Page, ruled: Ruled) -> None:
    page, ruled.streams = ruled_page, True
    ruled.pictures[1] = b"<svg onload='alert(1)'/>"
    draw(page, "a boat", seed="42")
    expect(shown(page)).to_have_count(3)
    problem = candidates(page).nth(1).get_by_role("alert")
    expect(problem).to_contain_text("This is not a picture in PNG, JPEG or WebP.")
    ruled.pictures[1] = png()
    problem.get_by_role("button", name="Try again").click()
    expect(shown(page)).to_have_count(4)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_only_digits_are_a_seed(ruled_page: Page) -> None:
    page = ruled_page
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Make a picture").click()
    seed = page.get_by_label("seed", exact=True)
    seed.press_sequentially("a1-2")
    expect(seed).to_have_value("12")
    seed.fill("99999999999")
    expect(seed).to_have_value("4294967295")


@pytest.fixture
def drawing(chrome: Chromium, assistant: Assistant, scripted: ScriptedService) -> Iterator[Page]:
    """The page, with four pictures under way of which none has come."""
    page = chrome.open(assistant.url)
    expect(page.get_by_role("button", name="Actions", exact=True)).to_be_visible()
    draw(page, "a boat", seed="42")
    assert scripted.asked()["n"] == 4
    expect(candidates(page)).to_have_count(4)
    yield page
    scripted.send(None)


def test_steps_are_shown_and_pictures_as_they_come(
    drawing: Page, scripted: ScriptedService
) -> None:
    page = drawing
    expect(page.locator(".awaited")).to_have_text(["to come"] * 4)
    scripted.event("progress", None, step=0, steps=None)
    scripted.event("progress", None, step=6, steps=20)
    expect(page.locator(".awaited")).to_have_text(["step 6 of 20"] * 4)
    scripted.event("progress", 0, step=7, steps=20)
    expect(candidates(page).first).to_have_text("step 7 of 20")
    expect(page.get_by_role("progressbar")).to_have_count(1)
    bar = page.get_by_role("progressbar", name="Picture 1 of 4")
    assert bar.evaluate("bar => bar.value / bar.max") == 0.35
    scripted.picture(0, png(61, 61))
    expect(shown(page)).to_have_count(1)
    first = page.get_by_role("group", name="Picture 1 of 4").get_by_role("button").first
    first.focus()
    scripted.event("progress", 1, step=1, steps=20)
    expect(candidates(page).nth(1)).to_have_text("step 1 of 20")
    expect(first).to_be_focused()
    for index in range(1, 4):
        scripted.picture(index, png(61, 61))
    scripted.send(None)
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
    expect(shown(page)).to_have_count(4)
    expect(first).to_be_focused()
    scripted.send(None)


def test_a_reload_finds_what_has_come(drawing: Page, scripted: ScriptedService) -> None:
    page = drawing
    scripted.picture(0, png(61, 61))
    scripted.event("progress", 1, step=3, steps=20)
    expect(candidates(page).nth(1)).to_have_text("step 3 of 20")
    page.reload()
    expect(shown(page)).to_have_count(1)
    expect(candidates(page).nth(1)).to_have_text("step 3 of 20")
    expect(candidates(page)).to_have_count(4)
    for index in range(1, 4):
        scripted.picture(index, png(61, 61))
    expect(shown(page)).to_have_count(4)


def test_pictures_are_shown_where_the_actions_are_known_last(
    ruled_page: Page, ruled: Ruled
) -> None:
    page = ruled_page
    draw(page, "a boat", seed="42")
    expect(shown(page)).to_have_count(4)
    held: list[Route] = []
    page.route("**/api/actions", lambda route: held.append(route))
    with page.expect_request_finished(lambda asked: "gallery/languages" in asked.url):
        page.reload()
    expect(page.locator("#log .answer")).to_be_visible()
    for one in held:
        one.continue_()
    expect(shown(page)).to_have_count(4)
    expect(page.get_by_role("button", name="Use this seed again")).to_have_count(4)


def test_pictures_are_shown_where_the_actions_do_not_come(ruled_page: Page) -> None:
    page = ruled_page
    draw(page, "a boat", seed="42")
    expect(shown(page)).to_have_count(4)
    page.route("**/api/actions", lambda route: route.abort())
    page.reload()
    expect(shown(page)).to_have_count(4)
    expect(page.get_by_role("button", name="Download the picture")).to_have_count(4)
    expect(page.get_by_role("button", name="Use this seed again")).to_have_count(0)
    page.unroute("**/api/actions")
    page.get_by_role("alert").get_by_role("button", name="Try again").click()
    expect(page.get_by_role("button", name="Use this seed again")).to_have_count(4)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_stopped_it_keeps_what_has_come(drawing: Page, scripted: ScriptedService) -> None:
    page = drawing
    scripted.picture(0, png(61, 61))
    scripted.picture(1, png(61, 61))
    expect(shown(page)).to_have_count(2)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#log .notice")).to_contain_text("Stopped.")
    expect(candidates(page)).to_have_count(2)
    assert scripted.client_left.wait(20)
    page.reload()
    expect(shown(page)).to_have_count(2)
    expect(page.locator(".candidate .seed")).to_have_text(["seed 42", "seed 43"])


@pytest.fixture
def axe() -> str:
    """The source of axe-core."""
    if not AXE.exists():
        missing("axe-core (scripts/system-packages)")
    return AXE.read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_french_and_on_a_phone_no_rule_of_axe_is_broken(
    chrome: Chromium, over_ruled: Assistant, ruled: Ruled, axe: str, scheme: Any
) -> None:
    ruled.streams, ruled.pictures = True, {2: "plus de mémoire"}
    page = chrome.open(over_ruled.url, locale="fr-FR", size=(360, 740))
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Créer une image").click()
    page.get_by_label("graine", exact=True).fill("42")
    page.get_by_label("Posez votre question").fill("un phare blanc")
    page.evaluate(axe)
    find = "axe.run(document, { resultTypes: ['violations'] })"
    assert page.evaluate(find)["violations"] == []
    page.keyboard.press("Enter")
    expect(page.get_by_role("img", name="Image 4 sur 4 : un phare blanc")).to_be_visible()
    expect(page.locator(".candidate .seed")).to_have_text(["graine 42", "graine 43", "graine 45"])
    assert page.evaluate(find)["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="Image 1 sur 4").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate(find)["violations"] == []
