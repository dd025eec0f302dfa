"""The assistant's pictures in docs/: `python -m benchmarks.pages.pictures`. Needs Chromium.

The page is the real one, over a real database; what it shows was written for the pictures.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archipel.assistant.app import create_app
from archipel.assistant.desk import Desk
from archipel.assistant.history import conversations, folders, messages
from archipel.assistant.history.messages import Draft
from archipel.assistant.history.opened import open_history
from archipel.chat import ChatService
from archipel.cli.provenance import ROOT
from archipel.database import Database
from benchmarks.chromium import chromium
from tests.serve.scripted import hosted_in_thread

_MODELS = ("smollm2-1.7b", "qwen2.5-3b")
_FACTS = {"completion_tokens": 214, "first_seconds": 0.2, "seconds": 7.1, "ended": "stop"}
_TITLES = {
    "en": (
        *("Letter to the landlord", "Why is the sky blue?", "Regular expressions for dates"),
        *("Recipe for twelve guests", "Minutes of Tuesday's meeting", "Names for a sailing club"),
    ),
    "fr": (
        *("Lettre au propriétaire", "Pourquoi le ciel est-il bleu ?", "Expressions régulières"),
        *("Recette pour douze", "Compte rendu de mardi", "Noms pour un club de voile"),
    ),
}
_QUESTION = {
    "en": "How do I count the words of a text in Python, whatever the case?",
    "fr": "Comment compter les mots d’un texte en Python, quelle que soit la casse ?",
}
_CODE = """```python
import re
from collections import Counter

def count_words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\\w+", text.casefold()))
```
"""
_ANSWER = {
    "en": f"`Counter` does the counting; a **regular expression** finds the words:\n\n{_CODE}\n"
    "- `casefold` is thorough: it makes *Straße* equal to *STRASSE*.\n"
    "- `\\w+` keeps letters with accents; an apostrophe ends a word.\n",
    "fr": f"`Counter` compte ; une **expression régulière** trouve les mots :\n\n{_CODE}\n"
    "- `casefold` va loin : *Straße* y est égal à *STRASSE*.\n"
    "- `\\w+` garde les lettres accentuées ; une apostrophe finit un mot.\n",
}
_OTHER = f"""Split the text, then count in one pass:

{_CODE}
Ask for the most frequent with `most_common(10)`."""


@dataclass(frozen=True)
class _Picture:
    name: str
    language: str = "en"
    size: tuple[int, int] = (1180, 740)
    scheme: str = "light"
    place: str = "answer"


_PICTURES = (
    _Picture("assistant"),
    _Picture("assistant-dark", scheme="dark"),
    _Picture("assistant-french", language="fr"),
    _Picture("assistant-compare", place="compared"),
    _Picture("assistant-phone", size=(390, 740)),
)


def _service() -> Starlette:
    async def models(request: Request) -> Response:
        return JSONResponse({"data": [{"id": name} for name in _MODELS]})

    return Starlette(routes=[Route("/v1/models", models)])


@contextlib.contextmanager
def _assistant(folder: Path) -> Iterator[tuple[str, Database]]:
    url = f"sqlite:///{folder / 'assistant.db'}"
    history = open_history(url)
    with hosted_in_thread(_service()) as service:
        app = create_app(ChatService(f"{service}/v1"), Desk(open_history(url), time.time))
        with hosted_in_thread(app) as page:
            yield page, history
    history.close()


def _fill(history: Database, language: str) -> dict[str, int]:
    """Conversations of some days; gives those that are shown."""
    now = time.time()
    with history.writing() as connection:
        for name in ("Work", "Home") if language == "en" else ("Travail", "Maison"):
            folders.make(connection, "local", name)
        for place, title in enumerate(_TITLES[language]):
            id_ = conversations.begin(connection, "local", now - 60_000 * (place + 1), title)
            if place == 0:
                conversations.change(connection, "local", id_, {"pinned": now})
        compared = _talk(connection, language, now)
        messages.show(connection, *compared)
        answer, _ = _talk(connection, language, now)
        first = messages.all_of(connection, "local", answer)[1]
        messages.show(connection, answer, first.id)
    return {"compared": compared[0], "answer": answer}


def _talk(connection: Connection, language: str, now: float) -> tuple[int, int]:
    """A question that both models have answered; gives the conversation and the question."""
    text = _QUESTION[language]
    id_ = conversations.begin(connection, "local", now, text)
    asked = messages.add(connection, id_, None, Draft(role="user", text=text), now).id
    for model, said in zip(_MODELS, (_ANSWER[language], _OTHER), strict=True):
        draft = Draft(role="assistant", text=said, model=model, facts=_FACTS)
        messages.add(connection, id_, asked, draft, now)
    return id_, asked


def _take(browser: Browser, picture: _Picture) -> None:
    with tempfile.TemporaryDirectory() as folder, _assistant(Path(folder)) as (url, history):
        shown = _fill(history, picture.language)
        width, height = picture.size
        options: dict[str, Any] = {"color_scheme": picture.scheme, "locale": picture.language}
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        page: Page = context.new_page()
        page.goto(f"{url}/#/c/{shown[picture.place]}")
        page.locator("#log .answer .facts").first.wait_for()
        page.locator("#place").wait_for()
        page.locator("#log .answer .hl-keyword").last.wait_for()  # the code has its colours
        page.locator("#tools button").nth(2).wait_for(state="attached")  # what comes late is there
        page.screenshot(path=ROOT / "docs" / f"{picture.name}.png", animations="disabled")
        context.close()


def main() -> None:
    """Take them all."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for picture in _PICTURES:
            _take(browser, picture)
        browser.close()


if __name__ == "__main__":
    main()
