"""The assistant's page in Chromium: ask, stream, stop, choose a model, when things go wrong."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.assistant.conftest import Assistant, Chromium, answer, ask
from tests.serve.conftest import Service
from tests.serve.scripted import ScriptedService


def test_an_answer_streams_into_the_conversation(page: Page, scripted: ScriptedService) -> None:
    ask(page, "Hello?")
    assert scripted.turns() == [{"role": "user", "content": "Hello?"}]
    body = page.locator(".answer .body")
    scripted.say("Good ")
    expect(body).to_have_text("Good ")
    expect(page.get_by_role("log")).to_have_attribute("aria-busy", "true")
    expect(page.get_by_role("status")).to_have_text("Answer under way…")
    scripted.say("morning")
    expect(body).to_have_text("Good morning")
    scripted.finish(tokens=7)
    facts = re.compile(r"^island · 7 tokens · [\d.,]+ per second · Service on this machine$")
    expect(page.locator(".answer .facts")).to_have_text(facts)
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
    expect(page.get_by_role("log")).to_have_attribute("aria-busy", "false")
    expect(page).to_have_url(re.compile(r"#/c/\d+$"))
    expect(page).to_have_title("Hello? · Archipel")
    ask(page, "And then?")
    assert [turn["content"] for turn in scripted.turns()] == [
        *("Hello?", "Good morning", "And then?")
    ]


def test_status_says_each_thing_once(page: Page, scripted: ScriptedService) -> None:
    page.evaluate(
        """() => {
          window.heard = [];
          const status = document.querySelector("#status");
          new MutationObserver(() => window.heard.push(status.textContent))
            .observe(status, { childList: true });
        }"""
    )
    ask(page, "Hello?")
    scripted.asked()
    scripted.say(*"Good morning to all of you.")
    scripted.finish()
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
    assert page.evaluate("window.heard") == ["Answer under way…", "Answer ready."]


@pytest.mark.parametrize("by", ["button", "key"])
def test_an_answer_can_be_stopped_and_asked_again(
    page: Page, scripted: ScriptedService, by: str
) -> None:
    ask(page, "Never end")
    scripted.asked()
    scripted.say("Once upon")
    expect(page.locator(".answer .body")).to_have_text("Once upon")
    if by == "button":
        page.get_by_role("button", name="Stop").click()
    else:
        page.keyboard.press("Escape")
    assert scripted.client_left.wait(20)
    expect(page.locator("#log .notice")).to_contain_text("Stopped.")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    assert scripted.turns() == [{"role": "user", "content": "Never end"}]
    scripted.say("Enough.")
    scripted.finish()
    expect(page.locator(".answer .body")).to_have_text("Enough.")
    expect(page.locator(".answer .version")).to_have_text("2/2")


def test_an_error_is_shown_and_can_be_tried_again(page: Page, scripted: ScriptedService) -> None:
    error = {"message": "the island is closed", "code": "provider_unavailable"}
    scripted.refusal = (503, {"error": error})
    ask(page, "Anyone?")
    scripted.asked()
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("The model stopped.")
    expect(problem).to_contain_text("the island is closed")
    scripted.refusal = None
    page.get_by_role("button", name="Try again").click()
    assert scripted.turns() == [{"role": "user", "content": "Anyone?"}]
    scripted.say("Here.")
    scripted.finish()
    expect(page.locator(".answer .body")).to_have_text("Here.")
    expect(problem).to_have_count(0)


def test_a_conversation_that_changes_does_not_call_back_who_leaves_it(
    page: Page, scripted: ScriptedService
) -> None:
    answer(page, scripted, "Hello?", "Hello.")
    expect(page.get_by_text("Hello.", exact=True)).to_be_visible()
    page.evaluate(
        """async () => {
          const { emit, store } = await import("/store.js");
          document.querySelector("a[href='#/settings']").click();
          emit("changed", store.conversation);
        }"""
    )
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()


def test_a_refused_question_is_not_lost(page: Page) -> None:
    page.route("**/api/questions", lambda route: route.abort())
    ask(page, "Precious words")
    expect(page.get_by_role("alert")).to_contain_text("The assistant does not answer.")
    expect(page.get_by_label("Ask anything")).to_have_value("Precious words")


def test_what_was_left_out_is_said(page: Page, scripted: ScriptedService) -> None:
    answer(page, scripted, "First", "Yes.")
    scripted.refusal = (400, {"error": {"message": "", "code": "context_length_exceeded"}})
    ask(page, "Second")
    scripted.asked()
    scripted.refusal = None
    while len(scripted.turns()) > 1:
        pass
    scripted.say("Short.")
    scripted.finish()
    expect(page.locator("#log .notice").last).to_contain_text("2 oldest messages were left out")


def test_an_answer_that_goes_round_in_circles_is_ended_and_that_is_said(
    page: Page, assistant: Assistant, scripted: ScriptedService
) -> None:
    ask(page, "Sing")
    scripted.asked()
    scripted.say("The sea, the sea. ", *["We go round the bay,\n"] * 300)
    assert scripted.client_left.wait(20)
    notice = page.locator("#log .notice")
    expect(notice).to_contain_text("The model went round in circles")
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
    assert len(page.locator(".answer .body").inner_text()) < 1_500
    page.reload()
    expect(notice).to_contain_text("The model went round in circles")
    with assistant.client() as http:
        assert ", ended in circles\n" in http.get("/api/conversations/1/export").text
    notice.get_by_role("button", name="Try again").click()
    assert scripted.turns() == [{"role": "user", "content": "Sing"}]
    scripted.say("La.")
    scripted.finish()
    expect(notice).to_have_count(0)


def test_who_answered_is_said(page: Page, scripted: ScriptedService) -> None:
    scripted.provider = "supplier"
    answer(page, scripted, "Who are you?", "Somebody.")
    expect(page.locator(".facts").last).to_contain_text("by supplier · through this machine")


def test_the_chosen_model_is_asked_and_remembered(page: Page, scripted: ScriptedService) -> None:
    expect(page.get_by_text("On this machine")).to_be_visible()
    page.get_by_label("Model", exact=True).select_option("reef")
    page.get_by_role("button", name=re.compile("Explain")).click()
    assert scripted.asked()["model"] == "reef"
    scripted.finish()
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
    page.get_by_label("Model", exact=True).select_option("island")
    answer(page, scripted, "Now you", "I am the island.")
    expect(page.locator(".answer .facts").last).to_contain_text("island")
    page.get_by_label("Model", exact=True).select_option("reef")
    page.get_by_role("link", name="New chat").click()
    page.reload()
    expect(page.get_by_label("Model", exact=True)).to_have_value("reef")


def test_a_question_waits_until_the_models_are_known(page: Page, scripted: ScriptedService) -> None:
    held: list[Route] = []
    page.route("**/api/models", lambda route: route.continue_() if held else held.append(route))
    page.reload()
    expect(page.locator("body.ready")).to_be_visible()
    expect(page.get_by_label("Model", exact=True)).to_be_empty()
    ask(page, "Early?")
    held[0].continue_()
    expect(page.get_by_label("Model", exact=True)).to_have_value("island")
    assert scripted.asked()["model"] == "island"


def test_a_service_that_does_not_run_is_said_at_once(
    chrome: Chromium, assistant_over: Callable[[str], Assistant]
) -> None:
    page = chrome.open(assistant_over("http://127.0.0.1:9/v1").url)
    expect(page.get_by_role("alert")).to_contain_text("No model service answers.")


def test_drafts_are_kept_by_conversation(
    page: Page, assistant: Assistant, scripted: ScriptedService
) -> None:
    one = assistant.tell("Hi", "Hello", title="One")
    page.goto(f"{assistant.url}/#/c/{one}")
    expect(page.get_by_role("heading", name="One")).to_be_visible()
    page.get_by_label("Ask anything").fill("half a quest")
    page.get_by_role("link", name="New chat").click()
    expect(page.get_by_label("Ask anything")).to_be_empty()
    page.get_by_label("Ask anything").fill("another")
    page.reload()
    expect(page.get_by_label("Ask anything")).to_have_value("another")
    page.go_back()
    expect(page.get_by_label("Ask anything")).to_have_value("half a quest")
    page.keyboard.press("Control+A")
    ask(page, "A whole question")
    scripted.asked()
    expect(page.locator("#log")).to_contain_text("A whole question")
    page.reload()
    expect(page.get_by_label("Ask anything")).to_be_empty()
    kept = page.evaluate("Object.keys(localStorage).sort()")
    assert kept == ["archipel.draft.new"]


def test_shift_enter_starts_a_line(page: Page, scripted: ScriptedService) -> None:
    page.get_by_label("Ask anything").focus()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    assert scripted.turns() == [{"role": "user", "content": "one\ntwo"}]


def test_only_who_is_at_the_end_follows_it(page: Page, scripted: ScriptedService) -> None:
    answer(page, scripted, "Long", "\n\n".join(f"Paragraph {count}." for count in range(60)))
    down = page.get_by_role("button", name="To the end of the conversation")
    expect(page.get_by_text("Paragraph 59.")).to_be_in_viewport()
    expect(down).to_be_hidden()
    ask(page, "More")
    scripted.asked()
    scripted.say("New words.\n\n")
    expect(page.get_by_text("New words.")).to_be_in_viewport()
    page.locator("#scroll").evaluate("element => element.scrollTo(0, 0)")
    expect(down).to_be_visible()
    scripted.say("And others.\n\n")
    expect(page.get_by_text("And others.")).to_be_attached()
    expect(page.get_by_text("Paragraph 0.")).to_be_in_viewport()
    down.click()
    expect(page.get_by_text("And others.")).to_be_in_viewport()
    scripted.say("\n\n".join(f"Line {count}" for count in range(60)))
    expect(page.get_by_text("Line 59")).to_be_in_viewport()


def test_the_page_over_the_real_service(
    chrome: Chromium, assistant_over: Callable[[str], Assistant], service: Service
) -> None:
    page = chrome.open(assistant_over(service.url).url)
    ask(page, "def add(")
    expect(page.get_by_role("status")).to_have_text("Answer ready.", timeout=20_000)
