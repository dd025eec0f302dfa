"""Who answers a command's questions: a service, or a model of this machine."""

from typing import TYPE_CHECKING

from archipel import config
from archipel.errors import ConfigError

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from archipel.chat import ChatService
    from archipel.serve.weights import Kind


async def answering(
    stack: "AsyncExitStack",
    model: str | None,
    url: str,
    *,
    parallel: int = 1,
    kind: "Kind | None" = None,
) -> tuple["ChatService", list[str]]:
    """The service at `url` if it answers and has the model, else an engine for the model here, that
    takes so many questions at once and is of that `kind`; and its models, at least one.

    Raises:
        ArchipelError: there is neither.
    """
    from archipel.chat import ChatService, ServiceError
    from archipel.cli.own_engine import own_engine

    service = await stack.enter_async_context(ChatService(url, config.api_key()))
    try:
        names = await service.list_models()
    except ServiceError as error:
        if error.code != "unreachable" or model is None:
            raise
        names = []
    if model is None and not names:
        raise ConfigError(f"the service at {url} has no model. Name one of this machine with -m.")
    if model is None or model in names:
        return service, names
    return await own_engine(stack, model, parallel=parallel, kind=kind)
