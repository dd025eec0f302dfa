"""The assistant's page in Chromium: what it weighs, how soon it can be used, how long a
conversation may be, how soon a token is on the screen, how fast one's history is searched.

The assistant is a process of its own over a service that sends what it is told to. Needs Chromium
and, for the rules of accessibility, axe-core: `scripts/system-packages` installs both.
"""

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright
from sqlalchemy import insert
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from archipel.assistant.history.opened import open_history
from archipel.assistant.history.tables import add_row, conversations, messages
from archipel.database import Database
from benchmarks import documents_search
from benchmarks.chromium import chromium
from tests.conftest import AXE
from tests.serve.scripted import hosted_in_thread

# A thousand words, the n-th one 1/n as frequent as the first, as in a language.
_SYLLABLES = ("ba", "ré", "to", "mi", "sou", "la", "cha", "ne", "vo", "pé")
_WORDS = ["".join(parts) for parts in product(_SYLLABLES, repeat=3)]
_WEIGHTS = [1 / rank for rank in range(1, len(_WORDS) + 1)]
_PIECES = 300
_PIECES_PER_SECOND = 100
_READY = """
addEventListener("DOMContentLoaded", () => {
  const seen = () => {
    if (document.body.classList.contains("ready")) window.readyMs = performance.now();
    else requestAnimationFrame(seen);
  };
  seen();
});
"""
_OPEN = """([hash, text]) => new Promise((resolve) => {
  const began = performance.now();
  const look = () => {
    const last = [...document.querySelectorAll("#log .message .body")].at(-1);
    const end = last?.textContent.includes(text) && last.querySelector("p, strong");
    const seen = end && last.getBoundingClientRect().top < innerHeight;
    if (seen) requestAnimationFrame(() => resolve(performance.now() - began));
    else requestAnimationFrame(look);
  };
  location.hash = hash;
  look();
})"""
_GROWS = "() => document.querySelector('.growing .body')?.textContent.length > 100"
_READY_SAID = "() => document.querySelector('#status').textContent.includes('ready')"
# A token is the time at which it was sent. It counts as shown at the frame after it is in the page.
_WATCH = """() => {
  window.delays = [];
  let taken = 0;
  const frame = () => requestAnimationFrame(() => {
    const now = performance.timeOrigin + performance.now();
    const body = [...document.querySelectorAll("#log .answer .body")].at(-1);
    const tokens = (body?.textContent ?? "").split(" ").slice(0, -1);
    for (const token of tokens.slice(taken)) window.delays.push(now - Number(token));
    taken = tokens.length;
  });
  const all = { childList: true, subtree: true, characterData: true };
  new MutationObserver(frame).observe(document.querySelector("#log"), all);
}"""


def run(quick: bool) -> dict[str, float]:
    """Times in milliseconds, medians where not said otherwise; of documents, what is found for the
    questions to which the search is not fitted."""
    found = documents_search.run(quick)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        service = stack.enter_context(hosted_in_thread(_service()))
        url = stack.enter_context(_assistant(folder, f"{service}/v1"))
        history = open_history(f"sqlite:///{folder / 'assistant.db'}")
        stack.callback(history.close)
        _fill(history, 1_000 if quick else 10_000)
        page = _Chromium(stack.enter_context(_browser()), url)
        rounds = 3 if quick else 7
        figures = {
            "first_load_gzip_kilobytes": page.first_load_kilobytes(),
            "interactive_ms_4x_slow": page.interactive_ms(rounds),
            "open_1000_messages_ms": page.open_ms(_conversation(history, 1000), rounds),
            "token_cost_ratio_1000_to_10": page.cost_ratio(history, rounds),
            "token_to_screen_p95_ms": page.token_to_screen_p95_ms(),
            "history_search_ms": _search_ms(url, 20 if quick else 100),
            "axe_violations": page.axe_violations(_conversation(history, 4)),
        }
        return {
            **figures,
            "passage_in_top3_share": found["held_out_passage_in_top3_share"],
            "unverified_citations": found["unverified_citations"],
            "outside_requests": len(page.outside),
        }


def _service() -> Starlette:
    """Answers with `_PIECES` pieces at a steady pace, each the time at which it is sent."""

    async def models(request: Request) -> Response:
        return JSONResponse({"data": [{"id": "island"}, {"id": "reef"}]})

    async def chat(request: Request) -> Response:
        return StreamingResponse(pieces(), media_type="text/event-stream")

    async def pieces() -> AsyncIterator[str]:
        began = time.perf_counter()
        for count in range(_PIECES):
            due = began + count / _PIECES_PER_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            yield _chunk({"content": f"{time.time() * 1000:.1f} "})
        yield _chunk({}, "stop")
        yield "data: [DONE]\n\n"

    return Starlette(
        routes=[
            Route("/v1/models", models),
            Route("/v1/chat/completions", chat, methods=["POST"]),
        ]
    )


def _chunk(delta: dict[str, str], ended: str | None = None) -> str:
    return f"data: {json.dumps({'choices': [{'delta': delta, 'finish_reason': ended}]})}\n\n"


@contextlib.contextmanager
def _assistant(folder: Path, service_url: str) -> Iterator[str]:
    """`archipel up` over the service; gives the page's URL."""
    command = ["up", "--service-url", service_url, "--page-port", "0", "--no-open"]
    with subprocess.Popen(
        [sys.executable, "-m", "archipel", *command],
        env={**os.environ, "ARCHIPEL_HOME": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


@contextlib.contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


def _fill(history: Database, count: int) -> None:
    """So many conversations of four messages each, in both languages."""
    with history.writing() as connection:
        talks = [
            {"owner": "local", "title": _text(id_, 4), "created": id_, "changed": id_}
            for id_ in range(1, count + 1)
        ]
        connection.execute(insert(conversations), talks)
        said = [
            {
                **{"conversation": id_, "parent": None, "role": "user", "text": _text(id_ + n, 40)},
                **{"status": "done", "created": id_},
            }
            for id_ in range(1, count + 1)
            for n in range(4)
        ]
        connection.execute(insert(messages), said)


def _text(seed: int, words: int) -> str:
    return " ".join(random.Random(seed).choices(_WORDS, _WEIGHTS, k=words))


def _conversation(history: Database, count: int) -> int:
    """One of so many messages, question and answer in turn; gives its id."""
    now = time.time()
    with history.writing() as connection:
        row = {"owner": "local", "title": f"{count} messages", "created": now, "changed": now}
        id_ = add_row(connection, conversations, row)
        parent: int | None = None
        for place in range(count):
            text = f"Message {place}, **bold**.\n\n- {_text(place, 12)}\n- {_text(place, 9)}"
            values = {"conversation": id_, "parent": parent, "text": text, "status": "done"}
            role = {"role": "assistant", "model": "island"} if place % 2 else {"role": "user"}
            row = {**values, **role, "created": now}
            parent = add_row(connection, messages, row)
        shown = {"shown": parent}
        connection.execute(conversations.update().where(conversations.c.id == id_).values(shown))
    return id_


@dataclass
class _Chromium:
    """Measures the page at `url`; `outside` collects what it asked of other hosts."""

    browser: Browser
    url: str
    outside: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def _page(self, place: str = "", **options: Any) -> Iterator[tuple[Page, CDPSession]]:
        context = self.browser.new_context(**{"locale": "en-US", **options})
        context.on("request", lambda request: self._heard(request.url))
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Performance.enable")
        page.add_init_script(_READY)
        if place is not None:
            self._go(page, place)
        yield page, session
        context.close()

    def _heard(self, url: str) -> None:
        if not url.startswith(self.url):
            self.outside.append(url)

    def _go(self, page: Page, place: str = "") -> None:
        page.goto(f"{self.url}/{place}")
        page.wait_for_function("() => window.readyMs && document.querySelector('#model').value")

    def first_load_kilobytes(self) -> float:
        """What comes over the wire until the page is still."""
        context: BrowserContext = self.browser.new_context(locale="fr-FR")
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        sizes: list[float] = []
        session.on(
            "Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"])
        )
        page.goto(self.url)
        page.wait_for_load_state("networkidle")
        context.close()
        return round(sum(sizes) / 1024, 1)

    def interactive_ms(self, rounds: int) -> float:
        """From the start of the navigation until one can write, nothing cached, CPU 4 × slower."""
        return self._median(rounds, self._interactive_ms)

    def _interactive_ms(self) -> float:
        context = self.browser.new_context(locale="en-US")
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        page.add_init_script(_READY)
        page.goto(self.url)
        page.wait_for_function("() => window.readyMs")
        found = float(page.evaluate("readyMs"))
        context.close()
        return found

    def open_ms(self, conversation: int, rounds: int) -> float:
        """From the click until the last of its messages is drawn."""

        def once() -> float:
            with self._page() as (page, _):
                return float(page.evaluate(_OPEN, [f"#/c/{conversation}", "Message 999"]))

        return self._median(rounds, once)

    def cost_ratio(self, history: Database, rounds: int) -> float:
        """What a piece costs (script, styles, layout) after 1,000 messages and after 10."""

        def cost(count: int) -> float:
            with self._page(f"#/c/{_conversation(history, count)}") as (page, session):
                page.get_by_text(f"Message {count - 1}, bold.").wait_for()
                self._ask(page, wait=False)
                page.wait_for_function(_GROWS)
                before = self._spent(session)
                page.wait_for_function(_READY_SAID)
                return self._spent(session) - before

        few: list[float] = []
        many: list[float] = []
        for _ in range(rounds):
            few.append(cost(10))
            many.append(cost(1000))
        return round(median(many) / median(few), 3)

    def token_to_screen_p95_ms(self) -> float:
        """From the service's sending of a token to the frame after it is drawn."""
        with self._page() as (page, _):
            page.evaluate(_WATCH)
            self._ask(page)
            delays: list[float] = page.evaluate("window.delays")
        assert len(delays) > 0.9 * _PIECES, len(delays)
        return round(quantiles(delays, n=20)[-1], 1)

    def axe_violations(self, conversation: int) -> int:
        """In the empty page, a conversation and the sheet of shortcuts; both languages and
        themes."""
        source, found = AXE.read_text(), 0
        for locale in ("en-US", "fr-FR"):
            for scheme in ("light", "dark"):
                options = {"locale": locale, "color_scheme": scheme, "reduced_motion": "reduce"}
                with self._page(**options) as (page, _):
                    found += _broken(page, source)
                    self._go(page, f"#/c/{conversation}")
                    page.get_by_text("Message 3, bold.").wait_for()
                    found += _broken(page, source)
                    page.keyboard.press("Control+/")
                    found += _broken(page, source)
        return found

    def _ask(self, page: Page, *, wait: bool = True) -> None:
        """A question, and its whole answer if one waits for it."""
        page.locator("#question").fill("When?")
        page.keyboard.press("Enter")
        if wait:
            page.wait_for_function(_READY_SAID)

    def _spent(self, session: CDPSession) -> float:
        metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        return float(
            sum(metrics[f"{kind}Duration"] for kind in ("Script", "Layout", "RecalcStyle"))
        )

    def _median(self, rounds: int, once: Callable[[], float]) -> float:
        return round(median(once() for _ in range(rounds)), 1)


def _broken(page: Page, source: str) -> int:
    page.evaluate(source)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return len(found["violations"])


def _search_ms(url: str, rounds: int) -> float:
    """The 95th percentile of what a search takes by HTTP: frequent words and rare ones, without
    their accents, two at once, and the beginning of many."""
    took = []
    asked = ("bababa", "bareba", "babapé", "vopepe", "bababa babare", "bab")
    with httpx.Client(base_url=url) as client:
        for count in range(rounds):
            began = time.perf_counter()
            hits = client.get("/api/search", params={"q": asked[count % len(asked)]}).json()["hits"]
            took.append(1000 * (time.perf_counter() - began))
            assert hits
    return round(quantiles(took, n=20)[-1], 1)
