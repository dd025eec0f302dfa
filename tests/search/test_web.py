"""The web is asked only when an address is given, told only the words, and quoted."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.assistant.actions.conftest import Ruled, ruled
from tests.search.conftest import BOAT, Searching

__all__ = ["ruled"]

FERRY = "The ferry to the island sails at nine."
PAGE = {"title": "Ferries", "url": "https://ferry.example.org/", "content": FERRY}


@dataclass
class Searx:
    """A server that answers as SearXNG does; what it was asked, and what it answers."""

    address: str = ""
    status: int = 200
    results: list[dict[str, str]] = field(default_factory=lambda: [PAGE])
    body: Callable[["Searx"], bytes] = lambda searx: json.dumps({"results": searx.results}).encode()
    asked: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)


@pytest.fixture
def searx() -> Iterator[Searx]:
    """The server, for the time of the test."""
    found = Searx()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            found.headers.append(str(self.headers))
            self.send_response(found.status)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(found.body(found))

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found.address = f"http://127.0.0.1:{server.server_port}"
        yield found
        server.shutdown()


def test_nobody_is_asked_by_default(filled: Searching, searx: Searx) -> None:
    filled("supply boat")
    assert searx.asked == []


def test_pages_are_quoted_with_their_address(filled: Searching, searx: Searx) -> None:
    shown = filled("supply boat", "--web", searx.address)
    assert "boat.md" in shown
    assert shown.index("From the web:") > shown.index("boat.md")
    for words in ("Ferries", "https://ferry.example.org/", f"« {FERRY} »"):
        assert words in shown


def test_only_the_words_are_sent(filled: Searching, searx: Searx) -> None:
    filled("supply boat", "--in", str(filled.folder), "--web", searx.address)
    [path] = searx.asked
    assert urlsplit(path).path == "/search"
    assert parse_qs(urlsplit(path).query) == {"q": ["supply boat"], "format": ["json"]}
    assert str(filled.folder) not in searx.headers[0]
    assert BOAT not in searx.headers[0]


def test_the_address_from_the_environment(
    filled: Searching, searx: Searx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHIPEL_SEARXNG", f"{searx.address}/")
    assert [hit["url"] for hit in filled.hits("zeppelin")] == ["https://ferry.example.org/"]


def test_pages_count_and_are_of_the_web(filled: Searching, searx: Searx) -> None:
    bad = [
        {"url": url, "title": "no page"} for url in ("javascript:alert(1)", "file:///etc/passwd")
    ]
    searx.results = [*bad, *[PAGE] * 30]
    found = filled.hits("zeppelin", "--web", searx.address, "--limit", "3")
    assert found == [{"url": PAGE["url"], "title": PAGE["title"], "quote": FERRY}] * 3


def test_signs_that_a_terminal_obeys_are_not_printed(filled: Searching, searx: Searx) -> None:
    searx.results = [PAGE | {"content": "red \x1b[31m words", "title": "\x1b]0;title\x07"}]
    (filled.folder / "a.txt").write_text("ferry \x1b[31m words")
    filled("index")
    assert "\x1b" not in filled("ferry", "--web", searx.address)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, b"", "formats"),
        (200, b"<html>", "does not answer as SearXNG"),
        (200, b'{"results": 3}', "does not answer as SearXNG"),
        (200, b"[" * 100_000, "does not answer as SearXNG"),
        (200, b" " * (3 << 20), "over 2 MiB"),
    ],
)
def test_a_server_that_answers_otherwise(
    filled: Searching, searx: Searx, status: int, body: bytes, said: str
) -> None:
    searx.status, searx.body = status, lambda _: body
    done = filled.invoke("supply boat", "--web", searx.address)
    assert "boat.md" in done.output  # what was found in the files is shown all the same
    assert said in str(done.exception)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://a.example", "searx", "http://"])
def test_what_is_no_web_address(filled: Searching, address: str) -> None:
    assert "no web address" in str(filled.invoke("boat", "--web", address).exception)


def test_nobody_answers(filled: Searching) -> None:
    said = str(filled.invoke("boat", "--web", "http://127.0.0.1:9").exception)
    assert "no SearXNG answers at http://127.0.0.1:9" in said


def test_an_answer_cites_a_page(filled: Searching, searx: Searx, ruled: Ruled) -> None:
    ruled.rule = lambda prompt: 'It says "sails at nine" [1].'
    asked = ("--web", searx.address, "--answer", "--url", ruled.url, "--json")
    answer = json.loads(filled("when does the ferry sail?", *asked))
    assert [(one["source"], one["quote"]) for one in answer["citations"]] == [
        (PAGE["url"], "sails at nine")
    ]
