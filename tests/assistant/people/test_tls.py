"""People on other machines: `archipel up --people --page-url https://…` behind a proxy with TLS."""

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.assistant.conftest import Chromium, ask
from tests.assistant.people.conftest import Archipel, House, serving
from tests.assistant.people.test_login_page import log_in
from tests.assistant.people.tls import NAME, Proxy, tls_proxy
from tests.assistant.test_up import url_in_next_line
from tests.serve.scripted import ScriptedService


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@pytest.fixture
def proxied(
    archipel: Archipel, scripted: ScriptedService, tmp_path: Path
) -> Iterator[tuple[House, Proxy]]:
    """The service and the page, as their two commands start them, and the proxy before both."""
    with tls_proxy(tmp_path) as proxy:
        login = f'[login]\nurl = "{proxy.url}"\n'
        with serving(archipel, scripted, tmp_path, login) as (house, key):
            port = free_port()
            process = archipel(
                *("up", "--people", "--service-url", f"{house.service}/v1"),
                *("--page-url", proxy.url, "--page-port", port),
                ARCHIPEL_API_KEY=key,
                ARCHIPEL_HOME=str(tmp_path),
            )
            assert url_in_next_line(process) == proxy.url
            proxy.service, proxy.page = house.service, f"http://127.0.0.1:{port}"
            house.page = proxy.page
            yield house, proxy
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


def test_log_in_chat_and_log_out_behind_a_proxy_with_tls(
    proxied: tuple[House, Proxy], chrome: Chromium, browser: Browser
) -> None:
    house, proxy = proxied
    context = browser.new_context(locale="en-US", ignore_https_errors=True)
    page = chrome.open(proxy.url, context=context, ready=False)
    expect(page).to_have_url(re.compile(rf"^{proxy.url}/login\?"))
    log_in(page, "ana")
    expect(page.get_by_role("button", name="Logged in: ana")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"^{proxy.url}/(#/)?$"))
    [cookie] = context.cookies()
    assert (cookie["name"], cookie["domain"], cookie["path"]) == ("__Host-archipel", NAME, "/")
    assert (cookie["secure"], cookie["httpOnly"]) == (True, True)
    assert cookie["sameSite"] in ("Lax", "Strict")

    ask(page, "Hello?")
    house.supplier.asked()
    for said, shown in (("Good ", "Good "), ("morning", "Good morning")):
        house.supplier.say(said)  # each piece is there before the next one is sent
        expect(page.locator(".answer .body")).to_have_text(shown)
    page.reload()
    expect(page.locator(".answer .body")).to_have_text("Good morning")
    house.supplier.say(".")
    house.supplier.finish()
    expect(page.get_by_role("status")).to_have_text("Answer ready.")
    expect(page.locator(".answer .body")).to_have_text("Good morning.")

    token = {"__Host-archipel": str(cookie["value"])}
    there = {"Host": proxy.url.removeprefix("https://")}
    for cookies, headers, status in (
        (token, there, 200),
        ({"archipel": token["__Host-archipel"]}, there, 401),  # a name that plain HTTP can set
        (token, {"Host": "evil.example"}, 400),
    ):
        answer = httpx.get(f"{house.page}/api/conversations", cookies=cookies, headers=headers)
        assert answer.status_code == status
    page.get_by_role("button", name="Logged in: ana").click()
    page.get_by_role("menuitem", name="Log out").click()
    expect(page).to_have_url(re.compile(rf"^{proxy.url}/login"))
    assert cookie["name"] not in [one["name"] for one in context.cookies()]
    answer = httpx.get(f"{house.page}/api/conversations", cookies=token, headers=there)
    assert answer.status_code == 401
