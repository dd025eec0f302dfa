"""What the page loads at first, what it loads when that is needed, and when it does not come."""

from playwright.sync_api import Browser, Page, expect

from tests.assistant.conftest import Assistant, answer, ask
from tests.serve.scripted import ScriptedService

FIRST_LOAD_BYTES = 120 * 1024


def test_the_first_load_is_small(assistant: Assistant, browser: Browser) -> None:
    context = browser.new_context(locale="fr-FR")
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(assistant.url)
    page.wait_for_load_state("networkidle")
    context.close()
    assert len(sizes) > 50
    assert sum(sizes) <= FIRST_LOAD_BYTES


def test_markdown_comes_with_what_is_written(page: Page, scripted: ScriptedService) -> None:
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.get_by_label("Ask anything").press_sequentially("So")
    page.wait_for_load_state("networkidle")
    assert {"markdown.js", "marked.esm.js"} <= set(asked)
    answer(page, scripted, "How?", "**So.**")
    expect(page.locator(".answer .body strong")).to_have_text("So.")


def test_without_what_draws_markdown_answers_are_text_until_it_comes(
    page: Page, scripted: ScriptedService
) -> None:
    page.route("**/marked.esm.js", lambda route: route.abort())
    ask(page, "Bold, please")
    scripted.asked()
    scripted.say("**Bo", "ld**\n\nand on")
    body = page.locator(".answer .body")
    expect(body).to_have_text("**Bold**\n\nand on")
    expect(page.get_by_role("alert")).to_contain_text("The assistant does not answer.")
    page.unroute("**/marked.esm.js")
    page.get_by_role("button", name="Try again").click()
    expect(body.locator("strong")).to_have_text("Bold")
    expect(page.get_by_role("alert")).to_have_count(0)
    scripted.say(", *too*")
    scripted.finish()
    expect(body.locator("p").last).to_have_text("and on, too")


def test_a_part_that_does_not_come_is_said_and_tried_again(page: Page) -> None:
    page.route("**/transfer/panel.js", lambda route: route.abort())
    page.get_by_role("link", name="Import and export").click()
    problem = page.locator("#whole").get_by_role("alert")
    expect(problem).to_contain_text("The assistant does not answer.")
    page.unroute("**/transfer/panel.js")
    problem.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("button", name="Export all conversations")).to_be_visible()
