"""The demo's last act: both models behind one API, and the assistant's page."""

import asyncio
import contextlib
import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from archipel import config
from archipel.cli.demo.stage import CHAT_MODEL, Stage
from archipel.cli.serve import print_models
from archipel.cli.up import Page, assistant_page, local_service
from archipel.errors import ModelError
from archipel.serve.hosting import stop_event
from archipel.serve.setting_tables import ModelTable
from archipel.serve.settings import Settings
from archipel.serve.weights import find_weights

_QUESTION = "Which city is the capital of France?"
_PROMPT = "def "


async def serve_demo(
    stage: Stage, models: Mapping[str, Path], *, ports: tuple[int, int], once: bool
) -> dict[str, str | None]:
    """Serve until Ctrl-C; with `once`, ask both models over HTTP, and end.

    Returns:
        `completion` and `chat_reply`; the latter is None where there is no chat model.
    """
    async with contextlib.AsyncExitStack() as open_:
        tables = {name: ModelTable(path=str(file)) for name, file in models.items()}
        settings = Settings(models=tables)
        weights = {name: find_weights(file, config.home()) for name, file in models.items()}
        running = await open_.enter_async_context(local_service(settings, weights, ports[0]))
        url = running.url
        print_models(url, settings, weights)
        shown = assistant_page(url, config.api_key(), Page(port=ports[1]))
        page = await open_.enter_async_context(shown)
        stage.say(f"assistant     {page}")
        answers = await _ask(url, chat=CHAT_MODEL in models)
        stage.say(f"trained model {_PROMPT + (answers['completion'] or '')!r}")
        if not once:
            stopped = stop_event()
            stage.say("Ctrl-C ends the demo.")
            if sys.stdout.isatty():
                await asyncio.to_thread(webbrowser.open, page)
            await stopped.wait()
    return answers


async def _ask(url: str, *, chat: bool) -> dict[str, str | None]:
    async with httpx.AsyncClient(base_url=url, timeout=120, trust_env=False) as client:
        body: dict[str, object] = {"model": "trained", "prompt": _PROMPT, "max_tokens": 48}
        body |= {"temperature": 0.4, "seed": 1}  # a model this young only repeats itself at 0
        answers: dict[str, str | None] = {
            "completion": (await _post(client, "/completions", body))["text"],
            "chat_reply": None,
        }
        if chat:
            turn = {"role": "user", "content": _QUESTION}
            body = {"model": CHAT_MODEL, "messages": [turn], "max_tokens": 48, "temperature": 0}
            choice = await _post(client, "/chat/completions", body)
            answers["chat_reply"] = choice["message"]["content"]
        return answers


async def _post(client: httpx.AsyncClient, path: str, body: dict[str, object]) -> dict[str, Any]:
    reply = await client.post(path, json=body)
    if reply.status_code != 200:
        raise ModelError(f"the service answered {reply.status_code} to {path}: {reply.text[:300]}")
    choice: dict[str, Any] = reply.json()["choices"][0]
    return choice
