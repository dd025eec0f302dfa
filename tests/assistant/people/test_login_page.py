"""People who log in, in Chromium: to the login and back, who one is, out again."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.assistant.people.conftest import PASSWORD, House

OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, house: House) -> Iterator[OpenPage]:
    """Open the assistant in a browser of its own; it must make no error and ask no other host."""
    problems: list[str] = []

    def open_one(path: str = "/", locale: str = "en-US") -> Page:
        page = browser.new_context(locale=locale).new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda request: (
                request.url.startswith((house.page, house.service)) or problems.append(request.url)
            ),
        )
        page.goto(f"{house.page}{path}")
        return page

    yield open_one
    for context in browser.contexts:
        context.close()
    assert problems == []


def log_in(page: Page, name: str) -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")


def answered(page: Page, house: House, question: str, answer: str) -> None:
    page.get_by_label("Ask anything").fill(question)
    page.keyboard.press("Enter")
    house.supplier.asked()
    house.supplier.say(answer)
    house.supplier.finish()
    expect(page.locator("#log")).to_contain_text(answer)


def test_whoever_is_not_logged_in_is_sent_to_the_login_and_comes_back(
    open_page: OpenPage, house: House
) -> None:
    page = open_page("/#/settings")
    expect(page).to_have_url(re.compile(f"^{house.service}/login"))
    page.get_by_label("Name", exact=True).fill("ana")
    page.get_by_label("Password").fill("wrong, wrong, wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    log_in(page, "ana")
    expect(page).to_have_url(f"{house.page}/#/settings")
    expect(page.get_by_text("Logged in as ana")).to_be_visible()


def test_two_people_in_two_browsers_each_have_their_own(open_page: OpenPage, house: House) -> None:
    pages = {}
    for name in ("ana", "root"):
        pages[name] = open_page()
        log_in(pages[name], name)
        expect(pages[name].get_by_role("button", name=f"Logged in: {name}")).to_be_visible()
    answered(pages["ana"], house, "Where are Ana's keys?", "In the drawer.")
    answered(pages["root"], house, "Where is the server?", "In the cellar.")
    address = pages["ana"].url
    pages["root"].reload()
    expect(pages["root"].locator("#list")).to_contain_text("Where is the server?")
    expect(pages["root"].locator("#list")).not_to_contain_text("Ana's keys")
    pages["root"].goto(address)
    expect(pages["root"].get_by_role("alert")).to_contain_text("It is not there.")
    expect(pages["ana"].locator("#log")).to_contain_text("In the drawer.")


def test_an_answer_says_where_it_ran_what_it_cost_and_what_is_left(
    open_page: OpenPage, house: House
) -> None:
    page = open_page()
    log_in(page, "ana")
    page.get_by_label("Ask anything").fill("Well?")
    page.keyboard.press("Enter")
    house.supplier.asked()
    house.supplier.say("Well.")
    house.supplier.finish(tokens=2000, prompt_tokens=1000)
    facts = page.locator(".answer .facts").last
    expect(facts).to_contain_text("At the supplier sea")
    expect(facts).to_contain_text("€0.005")
    expect(facts).to_contain_text("5,000 tokens of context left")
    page.get_by_role("button", name="About the models: At the supplier sea").click()
    row = page.get_by_role("dialog").get_by_role("row", name=re.compile("^island"))
    expect(row).to_contain_text("8,000 tokens")
    expect(row).to_contain_text("€1.00 in, €2.00 out")


def test_who_logs_out_leaves_nothing_in_the_browser(open_page: OpenPage, house: House) -> None:
    page = open_page()
    log_in(page, "ana")
    page.get_by_label("Ask anything").fill("a draft of mine")
    page.get_by_role("button", name="Logged in: ana").click()
    page.get_by_role("menuitem", name="Log out").click()
    expect(page).to_have_url(re.compile(f"^{house.service}/login"))
    page.goto(house.page)
    expect(page).to_have_url(re.compile(f"^{house.service}/login"))
    log_in(page, "root")
    expect(page.get_by_role("button", name="Logged in: root")).to_be_visible()
    expect(page.get_by_label("Ask anything")).to_have_value("")


def test_drafts_of_somebody_else_are_not_shown(open_page: OpenPage, house: House) -> None:
    page = open_page()
    log_in(page, "ana")
    expect(page.get_by_role("button", name="Logged in: ana")).to_be_visible()
    page.get_by_label("Ask anything").fill("a draft of mine")
    page.context.clear_cookies()  # the session is over
    page.reload()
    log_in(page, "root")
    expect(page.get_by_role("button", name="Logged in: root")).to_be_visible()
    expect(page.get_by_label("Ask anything")).to_have_value("")


def test_what_one_writes_before_the_page_knows_who_one_is_stays(
    open_page: OpenPage, house: House
) -> None:
    page = open_page()
    expect(page).to_have_url(re.compile(f"^{house.service}/login"))
    waiting: list[Route] = []
    page.route("**/api/me", lambda route: waiting.append(route))
    with page.expect_request("**/api/me"):
        log_in(page, "ana")
    page.get_by_label("Ask anything").fill("A first question")
    waiting.pop().continue_()
    expect(page.get_by_role("button", name="Logged in: ana")).to_be_visible()
    expect(page.get_by_label("Ask anything")).to_have_value("A first question")


def test_a_session_that_ends_sends_the_page_to_the_login(open_page: OpenPage, house: House) -> None:
    page = open_page()
    log_in(page, "ana")
    expect(page.get_by_role("button", name="Logged in: ana")).to_be_visible()
    page.get_by_label("Ask anything").fill("Anybody?")
    page.context.clear_cookies()  # from here on the page may find out by itself
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"^{house.service}/login"))
    log_in(page, "ana")
    expect(page.get_by_label("Ask anything")).to_have_value("Anybody?")


def test_the_menu_is_french_too_and_leads_to_the_account(open_page: OpenPage, house: House) -> None:
    page = open_page(locale="fr-FR")
    page.get_by_label("Nom", exact=True).fill("root")
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Connecté : root").click()
    page.get_by_role("menuitem", name="Compte (administrateur)").click()
    expect(page).to_have_url(f"{house.service}/me")
