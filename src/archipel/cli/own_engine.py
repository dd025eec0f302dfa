"""A model of this disk in an engine of its own, for the time of one command."""

from typing import TYPE_CHECKING

from archipel import config

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from archipel.chat import ChatService
    from archipel.serve.engine import Engine
    from archipel.serve.weights import Kind


async def own_engine(
    stack: "AsyncExitStack", model: str, *, parallel: int = 1, kind: "Kind | None" = None
) -> tuple["ChatService", list[str]]:
    """An engine without a service around it, until `stack` ends; and the name of its one model.

    Raises:
        ModelError: there is no such model, it can't be loaded, or another engine than one of that
            `kind` runs it.
    """
    service, engine = await running_engine(stack, model, parallel=parallel, kind=kind)
    return service, [engine.name]


async def running_engine(
    stack: "AsyncExitStack", model: str, *, parallel: int, kind: "Kind | None" = None
) -> tuple["ChatService", "Engine"]:
    """As `own_engine`, with the engine itself."""
    from archipel.chat import ChatService
    from archipel.serve.engine import Engine
    from archipel.serve.launch import launch
    from archipel.serve.setting_tables import ModelTable
    from archipel.serve.weights import find_weights, name_models

    [(name, path)] = name_models([model], config.home()).items()
    table = ModelTable(path=str(path), parallel=parallel)
    weights = find_weights(path, config.home(), kind)
    how = launch(name, table, weights, config.usable_cores())
    engine = await stack.enter_async_context(Engine(name, how))
    address = await engine.address()
    service = ChatService(f"{address.url}/v1", address.api_key)
    return await stack.enter_async_context(service), engine
