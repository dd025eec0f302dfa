"""Run where there is no network but loopback: a service and a page are started, asked by HTTP and
in Chromium; prints as JSON what was seen.

    unshare --net python -m tests.assistant.cut_off CHECKPOINT CHROMIUM
"""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect, sync_playwright

from tests.chromium import OPTIONS

UP = [sys.executable, "-c", "from archipel.cli.main import main; main()", "up"]
DRAWN = {
    "format": "archipel-conversation",
    "version": 1,
    "source": "drawn",
    "title": "Drawn",
    "messages": [
        {"key": "1", "role": "user", "text": "Draw", "status": "done"},
        {
            "key": "2",
            "parent": "1",
            "role": "assistant",
            "text": "$x^2$ ![x](https://outside.example/x.png)\n\n```python\nprint(1)\n```",
            "status": "done",
        },
    ],
}
OUTSIDE = ("192.0.2.1", "2001:db8::1")  # addresses of nobody, for documents


def unrouted() -> int:
    """How often, since the network was cut, something was to go where no way leads: the kernel's
    own count of this namespace."""
    names, values = [
        line.split() for line in Path("/proc/self/net/snmp").read_text().splitlines()[:2]
    ]
    found = dict(zip(names, values, strict=True))
    six = dict(line.split() for line in Path("/proc/self/net/snmp6").read_text().splitlines())
    return int(found["OutNoRoutes"]) + int(six["Ip6OutNoRoutes"])


def tried() -> list[bool]:
    """Whether going outside fails, and is counted, in each family of addresses."""
    found = []
    for address in OUTSIDE:
        before, family = unrouted(), socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as outside:
            failed = outside.connect_ex((address, 443)) != 0
        found.append(failed and unrouted() > before)
    return found


def asked_by_http(url: str) -> dict[str, Any]:
    """A question's answer when it has ended; one that takes more to draw is brought in."""
    body = {"conversation": None, "parent": None, "text": "def add(", "models": ["tiny"]}
    with httpx.Client(base_url=url, headers={"Origin": url}, timeout=60) as http:
        answer = http.post("/api/questions", json=body).json()["answers"][0]["id"]
        events = http.get(f"/api/messages/{answer}/events").text
        http.post("/api/import", content=json.dumps(DRAWN)).raise_for_status()
    found: dict[str, Any] = json.loads(events.rpartition("data: ")[2])
    return found


def asked_in_page(page: Page, url: str) -> list[str]:
    """What went wrong, and what was asked of others, while a person asks and looks around."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.on("requestfailed", lambda request: problems.append(f"failed: {request.url}"))
    page.on(
        "request",
        lambda request: None if request.url.startswith(url) else problems.append(request.url),
    )
    page.goto(url)
    for count, question in enumerate(("def add(", "The quick brown fox"), 1):
        page.get_by_label("Ask anything").fill(question)
        page.keyboard.press("Enter")
        expect(page.locator(".answer .facts")).to_have_count(count, timeout=60_000)
    expect(page.get_by_role("button", name=re.compile("On this machine"))).to_be_visible()
    for place in ("#/settings", "#/documents", "#/transfer"):
        page.goto(f"{url}/{place}")
        expect(page.locator("#whole :is(h2, h3)").first).to_be_visible()
    page.get_by_role("link", name="Drawn").click()
    expect(page.locator(".answer .katex")).to_be_visible()
    expect(page.locator(".answer pre span").first).to_be_visible()
    return problems


def main(checkpoint: str, chromium: str) -> None:
    """All of it."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    seen: dict[str, Any] = {"interfaces": [name for _, name in socket.if_nameindex()]}
    seen["counted"] = tried()
    before = unrouted()
    ports = ["--port", "0", "--page-port", "0", "--context", "256", "--threads", "1"]
    with subprocess.Popen(
        [*UP, f"tiny={checkpoint}", *ports], stdout=subprocess.PIPE, text=True
    ) as up:
        assert up.stdout is not None
        _, page_url = (up.stdout.readline().split()[1] for _ in range(2))
        answer = asked_by_http(page_url)
        seen["status"], seen["place"] = answer["status"], answer["facts"]["place"]
        seen["tried_by_server"] = unrouted() - before
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
            seen["problems_of_page"] = asked_in_page(browser.new_page(locale="en-US"), page_url)
            browser.close()
        up.terminate()
        seen["ended"] = up.wait(20)
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
