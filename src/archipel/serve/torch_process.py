"""A checkpoint that llama.cpp can't take, served by torch in a process of its own."""

import asyncio
import contextlib
from pathlib import Path

from archipel.errors import ModelError
from archipel.serve.child import begin
from archipel.serve.text_server import serve
from archipel.serve.torch_model import TorchModel
from archipel.serve.torch_seer import TorchSeer


def main() -> None:
    """Serve one checkpoint until standard input ends; or say why it can't see."""
    settings, say = begin()
    kind = TorchSeer if settings["sees"] else TorchModel
    try:
        model = kind(Path(settings["path"]), settings["threads"])
    except ModelError as error:
        say({"unfit": str(error)})
        return
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(settings, model, say))


if __name__ == "__main__":
    main()
