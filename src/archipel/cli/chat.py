"""archipel chat: a conversation in the terminal, with a service or a model of this machine."""

import sys
from typing import TYPE_CHECKING

import typer

from archipel import config
from archipel.errors import ConfigError

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from archipel.assistant.terminal import Conversation


def chat(
    model: str | None = typer.Argument(None, help="A model of the service, or one on this disk."),
    url: str = typer.Option("http://127.0.0.1:8080/v1", help="An OpenAI-compatible service."),
    once: str | None = typer.Option(None, help="Ask this one question, print the answer, end."),
) -> None:
    """Talk to a model in the terminal. With piped input, that is the one question."""
    import asyncio
    import contextlib

    from archipel.assistant.terminal import converse

    if once is None and not sys.stdin.isatty():
        once = sys.stdin.read()
    if once is not None and not once.strip():
        raise ConfigError("the question is empty. Give it with --once or pipe it in.")
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        try:
            conversation = runner.run(_connect(stack, model, url))
            if once is None:
                converse(runner, conversation)
            else:
                runner.run(conversation.ask(once))
        finally:
            runner.run(stack.aclose())


async def _connect(stack: "AsyncExitStack", model: str | None, url: str) -> "Conversation":
    """The service at `url` if it answers and has the model; else an engine for the model here."""
    from archipel.assistant.terminal import Conversation
    from archipel.chat import ChatService, ServiceError

    service = await stack.enter_async_context(ChatService(url, config.api_key()))
    try:
        names = await service.list_models()
    except ServiceError as error:
        if error.code != "unreachable" or model is None:
            raise
        names = []
    if model in names:
        return Conversation(service, model)
    if model is None:
        if not names:
            raise ConfigError(f"the service at {url} has no model. Name one of this machine.")
        return Conversation(service, names[0])
    return await _own_engine(stack, model)


async def _own_engine(stack: "AsyncExitStack", model: str) -> "Conversation":
    """An engine for the time of the chat, without a service around it."""
    from archipel.assistant.terminal import Conversation
    from archipel.chat import ChatService
    from archipel.serve.engine import Engine
    from archipel.serve.launch import launch
    from archipel.serve.setting_tables import ModelTable
    from archipel.serve.weights import find_weights, name_models

    [(name, path)] = name_models([model], config.home()).items()
    table, weights = ModelTable(path=str(path), parallel=1), find_weights(path, config.home())
    how = launch(name, table, weights, config.usable_cores())
    engine = await stack.enter_async_context(Engine(name, how))
    address = await engine.address()
    service = ChatService(f"{address.url}/v1", address.api_key)
    return Conversation(await stack.enter_async_context(service), name)
