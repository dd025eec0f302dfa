"""A SearXNG server's answers to the words of a query, which are all that it is sent.

Knows nothing about the person's documents.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from archipel.documents.blocks import Anchor
from archipel.documents.collector import tidy
from archipel.documents.library import Place
from archipel.documents.passages import Part, Passage
from archipel.errors import ConfigError
from archipel.hosts import is_loopback

_SECONDS = 10
_BYTES = 2 << 20
_WORDS, _TITLE, _SNIPPET = 500, 300, 1_000  # characters


@dataclass(frozen=True, slots=True)
class WebHit:
    """A page as the server tells of it: `quote` is what it quotes of the page."""

    title: str
    url: str
    quote: str

    def passage(self, number: int) -> Passage:
        """The quote as a passage for a model, told from the documents' by its place's owner."""
        part = Part(0, 0, self.quote, Anchor(), ())
        return Passage(-number, -number, Place("web", "", self.url), self.title, (part,))


async def search_web(address: str, words: str, limit: int) -> list[WebHit]:
    """The first pages that the server at `address` finds, at most `limit`.

    Raises:
        ConfigError: the address is none, or no SearXNG answers there in JSON and in time.
    """
    where = urlsplit(address)
    if where.scheme not in ("http", "https") or not where.hostname:
        raise ConfigError(f"{address!r} is no web address: give one as https://searx.example.org.")
    try:
        async with asyncio.timeout(_SECONDS):
            found = json.loads(await _answer(address, words, where.hostname))
        hits = [_hit(result) for result in found["results"]]
    except TimeoutError as error:
        raise ConfigError(f"{address} took more than {_SECONDS} s. Try again later.") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise ConfigError(f"no SearXNG answers at {address} ({reason}). Check it.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"{address} does not answer as SearXNG's JSON API does.") from error
    return [hit for hit in hits if hit is not None][:limit]


async def _answer(address: str, words: str, host: str) -> bytes:
    """The body of the answer.

    Raises:
        httpx.HTTPError: it can't be reached.
        ConfigError: it refuses, or says too much.
    """
    query = {"q": words[:_WORDS], "format": "json"}
    url = f"{address.rstrip('/')}/search"
    body = bytearray()
    async with (
        httpx.AsyncClient(timeout=_SECONDS, trust_env=not is_loopback(host)) as client,
        client.stream("GET", url, params=query) as response,
    ):
        if response.status_code != 200:
            raise ConfigError(
                f"{address} answered {response.status_code}. A SearXNG gives JSON only if its "
                "settings have it (search: formats: [html, json])."
            )
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > _BYTES:
                raise ConfigError(f"{address} answered with over {_BYTES >> 20} MiB. Use another.")
    return bytes(body)


def _hit(result: dict[str, Any]) -> WebHit | None:
    """A result; None where it is no page of the web."""
    url = str(result["url"])
    if urlsplit(url).scheme not in ("http", "https"):
        return None
    title = tidy(str(result.get("title") or ""))[:_TITLE]
    return WebHit(title or url, url, tidy(str(result.get("content") or ""))[:_SNIPPET])
