"""A checkpoint that llama.cpp can't take, served by torch in a process of its own."""

import asyncio
import contextlib
from pathlib import Path

from archipel.serve.child import begin
from archipel.serve.text_server import serve
from archipel.serve.torch_model import TorchModel


def main() -> None:
    """Serve one checkpoint until standard input ends."""
    settings, say = begin()
    model = TorchModel(Path(settings["path"]), settings["threads"])
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(settings, model, say))


if __name__ == "__main__":
    main()
