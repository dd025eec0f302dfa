"""The page of a run in Chromium, over a real record: drawn, read, kept fresh, in trouble."""

import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from archipel.watch.feed import Feed
from archipel.watch.page import create_app
from tests.ledger.paper import PaperRun, committed, point
from tests.serve.scripted import hosted_in_thread
from tests.watch.conftest import beat, feed_of

OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open a page; it must make no error and ask no other host."""
    problems: list[str] = []

    def open_one(url: str, width: int = 1200) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900})
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text) if "CSP" in said.text else None)
        page.on(
            "request", lambda request: request.url.startswith(url) or problems.append(request.url)
        )
        page.goto(url)
        return page

    yield open_one
    for context in browser.contexts:
        context.close()
    assert problems == []


@pytest.fixture
def feed(run: PaperRun) -> Feed:
    return feed_of(run)


@pytest.fixture
def url(run: PaperRun, feed: Feed) -> Iterator[str]:
    with hosted_in_thread(create_app(feed, run.url)) as url:
        yield url


def cell(page: Page, site: str, column: str) -> str:
    row = page.locator("#sites tbody tr").filter(has=page.get_by_role("rowheader", name=site))
    return row.locator(f"[data-name='{column}']").inner_text().replace("\u00a0", " ")


def test_the_run_its_sites_and_what_was_refused(open_page: OpenPage, url: str) -> None:
    page = open_page(url)
    expect(page.get_by_role("status")).to_have_text("Training")
    expect(page.get_by_text("500 k of 1 M tokens")).to_be_visible()
    bar = page.get_by_role("progressbar", name="500 k of 1 M tokens")
    expect(bar).to_have_attribute("aria-valuenow", "50")
    tiles = page.locator("#tiles").inner_text().replace("\u00a0", " ")
    for text in ("2.250", "1.6 k", "96 %", "10.0", "40"):
        assert text in tiles
    assert cell(page, "paris", "Tokens/s") == "800"
    assert cell(page, "paris", "Busy").strip() == "96 %"
    assert "1.2 MB/s" in cell(page, "paris", "Link")
    assert cell(page, "tokyo", "Contributed") == "39"
    assert cell(page, "eve", "State") == "left"
    refusals = page.locator("#refusals li")
    expect(refusals).to_have_count(2)
    expect(refusals.first).to_contain_text("eve in round 30: its norm is 113 times the others'")
    expect(refusals.first).to_contain_text("<b>")
    expect(refusals.locator("b")).to_have_count(0)


def test_the_loss_curve_is_drawn_and_read(open_page: OpenPage, url: str) -> None:
    page = open_page(url)
    curves = page.locator("#chart path.curve")
    expect(curves).to_have_count(3)  # two sites, and all of them
    assert (curves.last.get_attribute("d") or "").count("L") > 20
    expect(page.locator("#legend li")).to_have_text(["paris", "tokyo", "all sites"])
    chart = page.locator("#chart")
    expect(chart).to_have_attribute("aria-label", re.compile(r"^Loss from 5\.\d+ to 2\.\d+"))
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 50)
    reading = page.locator("#reading")
    expect(reading).to_have_text(re.compile(r"^\d+\sk tokens, .*all sites \d\.\d{3} · tokyo \d"))
    at_quarter = reading.inner_text()
    page.mouse.move(0, 0)
    expect(reading).to_contain_text("logarithmic")
    chart.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(reading).to_contain_text("all sites")
    assert reading.inner_text() != at_quarter
    page.get_by_text("Time", exact=True).click()
    expect(page.locator("#chart text").last).to_have_text(re.compile(r"min$"))


def test_the_rounds_tell_who_was_in(open_page: OpenPage, url: str) -> None:
    page = open_page(url)
    expect(page.locator("#rounds tbody tr")).to_have_count(3)
    expect(page.locator("#rounds td i.in")).to_have_count(79)
    expect(page.locator("#rounds td i.late")).to_have_count(1)
    expect(page.locator("#rounds td i.refused")).to_have_count(2)
    detail = page.locator("#round")
    expect(detail).to_contain_text("Round 39, fragment 1, merged by tokyo")
    page.locator("#rounds td[data-round='20']").first.hover()
    expect(detail).to_contain_text(re.compile(r"Round 20, .* in: paris · late: tokyo"))
    page.locator("#rounds").focus()
    page.keyboard.press("ArrowLeft")
    expect(detail).to_contain_text("Round 19")
    page.locator("#rounds td[data-round='30']").first.hover()
    expect(detail).to_contain_text("refused: eve, its norm is 113")


def test_a_new_heartbeat_and_a_new_refusal_come_up(
    open_page: OpenPage, url: str, run: PaperRun, feed: Feed
) -> None:
    page = open_page(url)
    expect(page.locator("#rounds td[data-round='39']")).to_have_count(3)
    beat(run, "paris", tokens_per_second=1_234.0, global_tokens=600_000, applied={0: 40, 1: 39})
    refused = [("tokyo", "not finite")]
    run.metrics("paris", point(600_000), committed(40, "paris", ["paris"], refused))
    feed.refresh()
    expect(page.get_by_text("600 k of 1 M tokens")).to_be_visible()
    assert cell(page, "paris", "Tokens/s") == "1.23 k"
    expect(page.locator("#rounds td[data-round='40']")).to_have_count(3)
    expect(page.locator("#refusals li").first).to_contain_text("tokyo in round 40: not finite")


def test_a_run_without_sites_and_a_finished_one(open_page: OpenPage, run: PaperRun) -> None:
    for name in ("paris", "tokyo", "eve"):
        run.store.delete([f"sites/{name}.json"])
    feed = feed_of(run)
    with hosted_in_thread(create_app(feed, run.url)) as url:
        page = open_page(url)
        expect(page.get_by_role("status")).to_have_text("Waiting for sites")
        expect(page.get_by_text("No site has joined yet.")).to_be_visible()
        expect(page.get_by_text("The first steps come up here.")).to_be_visible()
        expect(page.get_by_text("No round has been committed yet.")).to_be_visible()
        beat(run, "paris", state="done", global_tokens=1_000_000)
        feed.refresh()
        expect(page.get_by_role("status")).to_have_text("Finished")


def test_trouble_is_said_and_goes_away(
    open_page: OpenPage, url: str, run: PaperRun, feed: Feed
) -> None:
    page = open_page(url)
    alert = page.get_by_role("alert")
    expect(alert).to_have_count(0)
    feed.problem = "can't list 'sites' in s3://models/first: no route."
    expect(alert).to_have_text(re.compile("no route. Trying again.$"))
    expect(page.locator("#sites tbody tr")).to_have_count(3)
    feed.problem = None
    expect(alert).to_have_count(0)
    page.route("**/data", lambda route: route.abort())
    expect(alert).to_have_text("archipel run watch does not answer. Trying again.")
    page.unroute("**/data")
    expect(alert).to_have_count(0)


@pytest.mark.parametrize("width", [360, 800, 1060, 1200])
def test_nothing_runs_over_the_side(
    open_page: OpenPage, url: str, run: PaperRun, feed: Feed, width: int
) -> None:
    hardware = "4 x NVIDIA H100 80GB HBM3, torchrun with 4 processes"
    beat(run, "paris", tokens_per_second=123_456_789.0, step=98_765_432, hardware=hardware)
    feed.refresh()
    page = open_page(url, width)
    expect(page.locator("#sites tbody tr")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for card in page.locator(".card:visible").all():
        assert card.evaluate("card => card.scrollWidth <= card.clientWidth")
    expect(page.get_by_role("table").first.get_by_role("row")).to_have_count(4)


def test_the_server_guards_itself(url: str, feed: Feed, run: PaperRun) -> None:
    page = httpx.get(url)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    for host, status in (
        ("attacker.example", 400),
        ("attacker.example:8010", 400),
        ("127.0.0.1.attacker.example", 400),
        ("", 400),
        ("[::1", 400),
        ("localhost:8010", 200),
        ("192.168.1.7:8010", 200),
        ("[::1]:8010", 200),
    ):
        assert httpx.get(f"{url}/data", headers={"Host": host}).status_code == status
    assert httpx.post(f"{url}/data").status_code == 405
    assert httpx.get(f"{url}/%2e%2e/page.py").status_code == 404
    with hosted_in_thread(create_app(feed, run.url, hosts=("watch.example",))) as other:
        assert httpx.get(other, headers={"Host": "Watch.Example"}).status_code == 200


def test_unchanged_data_is_not_sent_again(url: str, feed: Feed) -> None:
    first = httpx.get(f"{url}/data")
    asked = {"If-None-Match": first.headers["etag"]}
    assert httpx.get(f"{url}/data", headers=asked).status_code == 304
    feed.refresh()
    assert httpx.get(f"{url}/data", headers=asked).status_code == 200


def test_metrics_beside_the_page_and_alone(url: str, feed: Feed, run: PaperRun) -> None:
    assert b"archipel_run_tokens_total" in httpx.get(f"{url}/metrics").content
    with hosted_in_thread(create_app(feed, run.url, page=False)) as alone:
        assert b"archipel_run_tokens_total" in httpx.get(f"{alone}/metrics").content
        assert httpx.get(alone).status_code == 404
        assert httpx.get(f"{alone}/data").status_code == 404
