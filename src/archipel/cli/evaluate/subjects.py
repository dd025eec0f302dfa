"""What a person calls a model, made ready to be measured: a checkpoint, an engine, an API."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from archipel import config
from archipel.chat import ChatService
from archipel.cli.own_engine import own_engine
from archipel.evaluate.asking import Subject
from archipel.evaluate.service import Service
from archipel.files import sha256_file
from archipel.models.here import resolve_model


@dataclass(frozen=True)
class Named:
    """A model by name, at `url` or on this disk; `results` is where its answers go, if given, and
    `called` what a checkpoint is called in place of its folder's name."""

    model: str
    url: str | None
    parallel: int
    results: Path | None
    called: str | None = None

    async def open(self, stack: AsyncExitStack) -> Subject:
        """The model, until `stack` ends.

        Raises:
            ModelError: there is none, or it can't be loaded.
        """
        if self.url is not None:
            service = await stack.enter_async_context(ChatService(self.url, config.api_key()))
            identity = f"{self.url.rstrip('/')} {self.model}"
            return Service(service, self.model, identity=identity, workers=self.parallel)
        path = resolve_model(self.model, config.home())
        if path.is_dir():
            from archipel.evaluate.checkpoint import Checkpoint

            return Checkpoint(path, self.called or path.resolve().name)
        service, (name,) = await own_engine(stack, self.model, parallel=self.parallel)
        return Service(service, name, identity=sha256_file(path), workers=self.parallel)
