"""Code repaired and made faster on the page: steps, evidence, what to do with it."""

import pytest
from playwright.sync_api import Page, expect

from archipel.assistant.actions.mending import after, task_of
from archipel.assistant.actions.table import chosen
from archipel.assistant.workshop.task import Call
from archipel.sandbox.sandbox import Sandbox
from tests.assistant.actions.conftest import Doing, Ruled
from tests.assistant.conftest import Assistant, Chromium, ask

WRONG = "def double(x):\n    return x + x + 1\n"
RIGHT = "Adds one no more.\n\n```python\ndef double(x):\n    return x + x\n```"
SLOW = """def total(n):
    found = 0
    for i in range(n):
        found += sum(1 for j in range(200) if j == i % 200)
    return found
"""
FAST = "One loop is enough.\n\n```python\ndef total(n):\n    return max(n, 0)\n```"


@pytest.fixture(scope="module", autouse=True)
def _before_the_browser(sandbox: Sandbox) -> None:
    """The sandbox is tried in an event loop, of which a browser has its own."""


def test_code_words_and_calls_are_told_apart() -> None:
    text = f"Only ints come.\n\n```python\n{WRONG}```"
    fields = {"calls": "double(2) == 4\n\ndouble(3)\n", "language": "fr", "tests": "x"}
    task = task_of(chosen("repair", fields, 9), text)
    assert (task.code, task.wish, task.tongue) == (WRONG, "Only ints come.", "fr")
    assert task.calls == (Call("double(2)", "4"), Call("double(3)"))
    assert task_of(chosen("optimise", {}, 9), WRONG).code == WRONG


def test_a_newer_time_takes_the_place_of_the_one_before() -> None:
    steps: list[dict[str, object]] = []
    for new in ({"kind": "asked", "attempt": 1}, {"kind": "timed", "attempt": 1, "gain": 1.0}):
        steps = after(steps, new)
    steps = after(steps, {"kind": "timed", "attempt": 1, "gain": 2.0})
    assert [(one["kind"], one.get("gain")) for one in steps] == [("asked", None), ("timed", 2.0)]


def test_a_repair_over_http_has_its_evidence(doing: Doing, ruled: Ruled) -> None:
    ruled.rule = lambda prompt: RIGHT
    begun = doing.begin(WRONG, action={"name": "repair", "fields": {"calls": "double(2) == 4"}})
    events = doing.events(begun["answers"][0]["id"])
    kinds = [
        step["kind"] for step in [data for kind, data in events if kind == "progress"][-1]["steps"]
    ]
    assert kinds == ["examined", "asked", "proposed", "examined"]
    answer = events[-1][1]
    assert answer["text"] == RIGHT
    found = answer["facts"]["action"]["evidence"]
    assert (found["verdict"], found["before"]["passed"], found["before"]["counted"]) == (
        "fixed",
        0,
        1,
    )
    assert found["attempts"][0]["checked"]["passed"] == 1
    assert "-    return x + x + 1" in found["patch"]
    assert answer["facts"]["completion_tokens"] == 5


def test_code_that_cannot_be_run_says_why(doing: Doing) -> None:
    answer = doing.do("repair", WRONG, tests="def test(:")
    assert answer["status"] == "failed"
    assert "the tests are not Python" in answer["facts"]["error"]["message"]


@pytest.fixture
def ruled_page(chrome: Chromium, over_ruled: Assistant) -> Page:
    """The page over the service that follows a rule."""
    page = chrome.open(over_ruled.url)
    expect(page.get_by_role("button", name="Actions", exact=True)).to_be_visible()
    return page


def test_an_optimisation_shows_times_and_the_difference(ruled_page: Page, ruled: Ruled) -> None:
    page = ruled_page
    ruled.rule = lambda prompt: FAST
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Make code faster").click()
    page.get_by_label("calls to check").fill("total(400)")
    ask(page, SLOW)
    expect(page.locator(".steps li").first).to_have_text("As it is, it runs")
    verdict = page.locator(".verdict")
    expect(verdict).to_have_text("Faster, with the same results.", timeout=60_000)
    times = page.get_by_role("row", name="Time")
    expect(times).to_contain_text("times as fast (between")
    expect(page.get_by_role("row", name="Memory")).to_contain_text("MB")
    expect(page.locator(".code-diff ins").last).to_contain_text("return max(n, 0)")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as a patch").click()
    assert "+    return max(n, 0)" in saved.value.path().read_text()
    page.get_by_role("button", name="Write on with it").click()
    expect(page.get_by_label("Ask anything")).to_have_value("def total(n):\n    return max(n, 0)\n")


def test_a_repair_that_fails_shows_what_still_fails(ruled_page: Page, ruled: Ruled) -> None:
    page = ruled_page
    ruled.rule = lambda prompt: f"No idea.\n\n```python\n{WRONG}\n```"
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("menuitem", name="Repair code").click()
    page.get_by_label("calls to check").fill("double(2) == 4")
    ask(page, WRONG)
    expect(page.locator(".verdict")).to_have_text("Not taken: checks still fail.", timeout=20_000)
    expect(page.locator(".evidence > .reasons")).to_contain_text("double(2) failed")
    expect(page.locator(".evidence details")).to_have_count(2)
    expect(page.get_by_role("button", name="Save as a patch")).to_have_count(0)
